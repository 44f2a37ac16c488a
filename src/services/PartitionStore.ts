/**
 * Where the partitions of this node have their content. Implement it to let the cluster distribute, copy and repair
 * data of your own; `MapStore` is the extension with which maps are read and written.
 *
 * **Model.** A partition is a set of records with a merge: whatever comes in, in any order and any number of times,
 * leads to the same content. The content of a record is the store's own affair; the cluster sees bytes
 * (`MapStateChunk.data`, `DeltaOp.entry`), the name of its map and its key. `PartitionStoreLaws` in
 * `effect-squadron/testing` checks an implementation.
 *
 * **Durability.** An effect that ends well has happened, and in a durable store it survives the death of the process
 * at any moment after. Effects on one partition take place in some order, each at once or not at all.
 *
 * **Ids** of partitions are 0…2^32−1. A partition of which nothing was stored is empty: reading it is no error.
 */
import { Context, type Effect, type Option, type Stream } from "effect"
import type { KeyDigest, KeyName } from "../domain/data/KeyName.ts"
import type { MalformedRecords } from "../domain/data/RecordCodec.ts"
import type { Epoch } from "../domain/data/Epoch.ts"
import type { RecordDigest } from "../domain/data/RecordDigest.ts"
import type { Timestamp } from "../domain/data/Timestamp.ts"
import type { DeltaOp, MapStateChunk } from "../domain/wire/PartitionMessages.ts"
import type { StoreFailed, StoreFull } from "./StoreErrors.ts"

/** What merging did. */
export interface Merged {
  /** Records that changed the partition; 0 when all of them were known. */
  readonly changed: number
  /** Records that the epoch refused. */
  readonly refused: number
  /** The latest timestamp that came in, for the clock to pass; `None` when nothing came in. */
  readonly latest: Option.Option<Timestamp>
}

/** What applying deltas did. */
export interface Applied extends Merged {
  /** For each record that changed the partition, what it is now. */
  readonly changes: ReadonlyArray<DeltaOp>
}

/** Size of a partition. */
export interface PartitionSize {
  readonly partitionId: number
  readonly records: number
  /** Bytes of the records, tombstones included, as the store counts them. */
  readonly bytes: number
  /**
   * Counts up with every change of the partition while the store is open: equal versions mean that nothing has
   * changed in between.
   */
  readonly version: number
}

/**
 * Which records `collect` removes. `tombstones`: those that the epoch collects. `gone`: also records that were
 * removed and collected elsewhere, as far as the epoch tells; or only those of the given keys.
 */
export type CollectScope =
  | { readonly _tag: "tombstones" }
  | { readonly _tag: "gone"; readonly keys: Option.Option<ReadonlyArray<KeyName>> }

/** The methods of a `PartitionStore`. */
export interface PartitionStoreShape {
  /** Sizes of all partitions that hold records or a note. */
  readonly partitions: Effect.Effect<ReadonlyArray<PartitionSize>, StoreFailed>
  readonly size: (partitionId: number) => Effect.Effect<PartitionSize, StoreFailed>

  /**
   * All records, tombstones too, in chunks of about `maxChunkBytes` (1…`largestChunkBytes`, by default
   * `defaultChunkBytes`). A chunk exceeds it only when one record does, and is never empty.
   *
   * Memory is bounded by a few chunks whatever the partition's size. Every record that is there when the reading
   * starts, and is not changed before it ends, is in the stream. What changes meanwhile may be in it in either form,
   * or not at all: whoever copies a partition passes on every change made since before the start.
   */
  readonly read: (partitionId: number, maxChunkBytes?: number) => Stream.Stream<MapStateChunk, StoreFailed>

  /** Merges a chunk. Records that the partition lacks and the epoch counts as gone are refused. */
  readonly merge: (
    partitionId: number,
    chunk: MapStateChunk,
    epoch?: Epoch
  ) => Effect.Effect<Merged, StoreFailed | StoreFull | MalformedRecords>
  /** Merges single records, all or none. */
  readonly apply: (
    partitionId: number,
    deltas: ReadonlyArray<DeltaOp>,
    epoch?: Epoch
  ) => Effect.Effect<Applied, StoreFailed | StoreFull | MalformedRecords>

  /**
   * Removes the partition with its note. With `ifVersion` only when that is still its version. Whether it was
   * removed. Takes milliseconds, whatever the size.
   */
  readonly drop: (partitionId: number, ifVersion?: number) => Effect.Effect<boolean, StoreFailed>

  /**
   * The digests of nodes of the partition's `DigestTree`: two replicas have equal digests at a node exactly when
   * they hold the same records there (with a probability of error of 2^-52). 0 for no records.
   */
  readonly digests: (
    partitionId: number,
    nodes: ReadonlyArray<number>
  ) => Effect.Effect<ReadonlyArray<RecordDigest>, StoreFailed>
  /** The keys below a node, each with the digest of its records. In pieces of bounded size. */
  readonly keyDigests: (partitionId: number, node: number) => Stream.Stream<ReadonlyArray<KeyDigest>, StoreFailed>
  /** All records of the given keys, tombstones too. Keys that are not there give nothing. */
  readonly records: (
    partitionId: number,
    keys: ReadonlyArray<KeyName>
  ) => Effect.Effect<ReadonlyArray<DeltaOp>, StoreFailed>

  /** Removes what the scope says; how many records. A store without tombstones of its own returns 0. */
  readonly collect: (partitionId: number, epoch: Epoch, scope: CollectScope) => Effect.Effect<number, StoreFailed>

  /** What the cluster keeps beside a partition, as durable as the records: at most `maxNoteBytes`. */
  readonly note: (partitionId: number) => Effect.Effect<Option.Option<Uint8Array>, StoreFailed>
  readonly setNote: (partitionId: number, note: Uint8Array) => Effect.Effect<void, StoreFailed | StoreFull>
}

export class PartitionStore extends Context.Service<PartitionStore, PartitionStoreShape>()(
  "effect-squadron/PartitionStore"
) {}
