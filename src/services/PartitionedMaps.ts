/**
 * Maps over the partitions of the cluster. Any node takes an operation; the owner of the key's partition carries it
 * out, its backups take it, and then it is acknowledged.
 *
 * **When to use.** For state that belongs to keys and has to survive the death of a node: sessions, counters' shards,
 * presence, routing tables. All nodes that use a map give it the same name, kind and value.
 *
 * **Details.** `lww`: one value for each key, the last writer wins by a hybrid logical clock. `or`: a set of values for
 * each key, in which an addition survives a removal that did not see it. After a split both sides' writes merge.
 *
 * **Gotchas.** The owner answers a read from its own store, and an owner that is cut off does not know it yet: reads
 * are not linearizable. An operation whose fate is unknown is never tried again. Two writes of one fiber, one after
 * the other, take effect in that order; writes at the same time in any.
 */
import { Context, type Effect, type Option, type Schema, type Stream } from "effect"
import type { InvalidOperation } from "../domain/data/InvalidOperation.ts"
import type { AckLevel } from "../domain/replication/DataMessage.ts"
import type {
  NotEnoughReplicas,
  NotOwner,
  OutcomeUnknown,
  Overloaded,
  OwnerStoreFailed,
  PartitionUnavailable,
  UndecodableValue
} from "./MapErrors.ts"

/** Why an operation was not carried out, and why a read has no answer. */
export type ReadError = NotOwner | PartitionUnavailable | Overloaded | OwnerStoreFailed | InvalidOperation
export type WriteError = ReadError | NotEnoughReplicas | OutcomeUnknown

export interface ReadOptions {
  /** How long an answer is waited for, in milliseconds, 1…2^32−1. Default 5000. */
  readonly timeoutMs?: number
}

export interface WriteOptions extends ReadOptions {
  /**
   * `backups`: on all replicas that the table lists, so it survives the death of any of them but the last. `owner`:
   * applied by the owner, and lost if it dies before its backups have it. Default `backups`.
   */
  readonly ack?: AckLevel
  /**
   * Replicas that must be listed, the owner included, or the write is refused with `NotEnoughReplicas`. With
   * `backupCount + 1` a write survives any `backupCount` crashes between repairs. Default 1: as many as there are,
   * so that a cluster that is short of nodes goes on. Of `ack: "backups"` only.
   */
  readonly minCopies?: number
}

export interface MapOptions extends WriteOptions {
  /** UTF-8 bytes 1…255. Maps of different kinds may share a name. */
  readonly name: string
}
/** Values of a schema, or bytes as they are; at most `maxValueBytes` of them. */
export interface TypedValues<V> {
  readonly value: Schema.Codec<V, unknown>
}
export interface BytesValues {
  readonly value: "bytes"
}
/** How keys are written, if they are not strings. Two keys are one if they are written alike. */
export interface TypedKeys<K> {
  readonly key: Schema.Codec<K, string>
}
export interface StringKeys {
  readonly key?: undefined
}

/** A change of a key, as it was applied on this node. */
export type LwwChange<V, K = string> =
  | { readonly _tag: "Put"; readonly partitionId: number; readonly key: K; readonly value: V }
  | { readonly _tag: "Removed"; readonly partitionId: number; readonly key: K }
/** A removal does not tell what it has removed: the key's other values are read with `get`. */
export type OrChange<V, K = string> =
  | { readonly _tag: "Added"; readonly partitionId: number; readonly key: K; readonly value: V }
  | { readonly _tag: "Removed"; readonly partitionId: number; readonly key: K }

/** Of which partitions changes are wanted. */
export interface ChangesOptions {
  /** `owned`: those that this node owns when it applies the change. `held`: also those that it is a backup of. Default `owned`. */
  readonly of?: "owned" | "held"
}

interface CommonMap<K, V, Change> {
  readonly name: string
  /**
   * What is in a partition, or, without an id, in all of them one after another. Whatever is there from the beginning
   * to the end comes at least once: when the owner changes on the way, its partition is read from the start again.
   */
  readonly entries: (
    partitionId?: number,
    options?: ReadOptions
  ) => Stream.Stream<readonly [key: K, value: V], ReadError | UndecodableValue>
  /**
   * What changes on this node from now on, in the order in which its store applies it. Not a log: a subscriber that
   * lags more than `maxBufferedApplied` loses the oldest, a change may come twice, and what is applied while a
   * partition moves may be seen by its old owner, its new one, or both. To follow all of a map, run this on all nodes.
   */
  readonly changes: (options?: ChangesOptions) => Stream.Stream<Change, UndecodableValue>
}

export interface LwwMap<V, K = string> extends CommonMap<K, V, LwwChange<V, K>> {
  readonly get: (key: K, options?: ReadOptions) => Effect.Effect<Option.Option<V>, ReadError | UndecodableValue>
  readonly put: (key: K, value: V, options?: WriteOptions) => Effect.Effect<void, WriteError>
  readonly remove: (key: K, options?: WriteOptions) => Effect.Effect<void, WriteError>
}

export interface OrMap<V, K = string> extends CommonMap<K, V, OrChange<V, K>> {
  /** The values, each once, in the order in which they were added. */
  readonly get: (key: K, options?: ReadOptions) => Effect.Effect<ReadonlyArray<V>, ReadError | UndecodableValue>
  readonly add: (key: K, value: V, options?: WriteOptions) => Effect.Effect<void, WriteError>
  /** Removes the additions of the value that the owner has seen. */
  readonly remove: (key: K, value: V, options?: WriteOptions) => Effect.Effect<void, WriteError>
  readonly removeAll: (key: K, options?: WriteOptions) => Effect.Effect<void, WriteError>
}

/**
 * A map in which the last writer wins. Throws, as a defect, when no codec can be derived from a schema. Settings of
 * operations given here count where an operation gives none.
 */
export interface MakeLww {
  <V, K>(options: MapOptions & TypedValues<V> & TypedKeys<K>): LwwMap<V, K>
  <V>(options: MapOptions & TypedValues<V> & StringKeys): LwwMap<V>
  <K>(options: MapOptions & BytesValues & TypedKeys<K>): LwwMap<Uint8Array, K>
  (options: MapOptions & BytesValues & StringKeys): LwwMap<Uint8Array>
}

/** A map of sets; as `MakeLww`. */
export interface MakeOr {
  <V, K>(options: MapOptions & TypedValues<V> & TypedKeys<K>): OrMap<V, K>
  <V>(options: MapOptions & TypedValues<V> & StringKeys): OrMap<V>
  <K>(options: MapOptions & BytesValues & TypedKeys<K>): OrMap<Uint8Array, K>
  (options: MapOptions & BytesValues & StringKeys): OrMap<Uint8Array>
}

export class PartitionedMaps extends Context.Service<PartitionedMaps, { readonly lww: MakeLww; readonly or: MakeOr }>()(
  "effect-squadron/PartitionedMaps"
) {}

/** How long an operation waits for its outcome by default. */
export const defaultTimeoutMs = 5000
