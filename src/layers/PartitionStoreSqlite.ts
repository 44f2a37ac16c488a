/**
 * Partitions in a file, by the SQLite that Node brings along. What was acknowledged is on the disk: the file's log is
 * synchronized (`fsync`) before each answer, and changes that come in meanwhile share the next synchronization. So it
 * survives `kill -9`, and a loss of power as far as the disk keeps its word.
 *
 * One process has a file at a time. Reading never waits for a synchronization.
 */
import { Context, Effect, Layer, Option, type Scope, Stream } from "effect"
import { maxNoteBytes } from "../domain/data/DataBounds.ts"
import { Epoch } from "../domain/data/Epoch.ts"
import type { InvalidOperation } from "../domain/data/InvalidOperation.ts"
import type { KeyRecords } from "../domain/data/KeyRecords.ts"
import type { MapRecord } from "../domain/data/MapRecord.ts"
import { decodeRecord, type MalformedRecords } from "../domain/data/RecordCodec.ts"
import { MapStore, type MapStoreShape } from "../services/MapStore.ts"
import { PartitionStore } from "../services/PartitionStore.ts"
import { StoreFailed, type StoreFull } from "../services/StoreErrors.ts"
import { start } from "./sqlite/Partitions.ts"
import type { Position } from "./sqlite/RecordRows.ts"
import type { Page } from "./sqlite/Requests.ts"
import { here, open, type Refused, type StoreClient } from "./sqlite/StoreClient.ts"
import { chunkBytes } from "./store/MemoryReading.ts"

export interface Options {
  /** The database file; its folder must exist. Beside it stands a log, `path-wal`. */
  readonly path: string
  /**
   * Bytes that the file may grow to, without its log of about 32 MiB. What would exceed it fails with `StoreFull`.
   * Default 1 TiB, so that the disk is the limit.
   */
  readonly maxBytes?: number
}

export const defaultMaxBytes = 1024 ** 4

/** Opens the file for the time of the scope. */
export const make = ({
  maxBytes = defaultMaxBytes,
  path
}: Options): Effect.Effect<MapStoreShape, StoreFailed | StoreFull, Scope.Scope> =>
  Effect.map(open({ path, maxBytes }), shapeOf)

/**
 * The same without a thread: this one stands still while the disk works. For specs, where starting a thread for each
 * store takes longer than the spec.
 */
export const makeWithoutThread = ({
  maxBytes = defaultMaxBytes,
  path
}: Options): Effect.Effect<MapStoreShape, StoreFailed | StoreFull, Scope.Scope> =>
  Effect.map(open({ path, maxBytes }, here), shapeOf)

// A refusal that the request cannot have: a bug, so it becomes a defect.
const onlyStore = <A>(effect: Effect.Effect<A, Refused>): Effect.Effect<A, StoreFailed> =>
  Effect.catchTags(effect, { StoreFull: Effect.die, MalformedRecords: Effect.die, InvalidOperation: Effect.die })
const orFull = <A>(effect: Effect.Effect<A, Refused>): Effect.Effect<A, StoreFailed | StoreFull> =>
  Effect.catchTags(effect, { MalformedRecords: Effect.die, InvalidOperation: Effect.die })
const orMalformed = <A>(
  effect: Effect.Effect<A, Refused>
): Effect.Effect<A, StoreFailed | StoreFull | MalformedRecords> =>
  Effect.catchTag(effect, "InvalidOperation", Effect.die)
const orInvalid = <A>(
  effect: Effect.Effect<A, Refused>
): Effect.Effect<A, StoreFailed | StoreFull | InvalidOperation> =>
  Effect.catchTag(effect, "MalformedRecords", Effect.die)

/** Without room the file cannot even note what to remove. */
const fullIsFailure = <A>(effect: Effect.Effect<A, Refused>): Effect.Effect<A, StoreFailed> =>
  onlyStore(
    Effect.catchTag(effect, "StoreFull", ({ message, operation }) =>
      Effect.fail(new StoreFailed({ operation, reason: "unavailable", detail: message }))
    )
  )

const shapeOf = ({ ask }: StoreClient): MapStoreShape => ({
  partitions: onlyStore(ask({ type: "partitions" })),
  size: (partitionId) => onlyStore(ask({ type: "size", partitionId })),
  read: (partitionId, maxChunkBytes) =>
    pages((after) => ask({ type: "read", partitionId, after, maxBytes: chunkBytes(maxChunkBytes) })),
  merge: (partitionId, chunk, epoch = Epoch.none) =>
    Effect.map(orMalformed(ask({ type: "merge", partitionId, chunk, epoch })), ({ changed, latest, refused }) => ({
      changed,
      refused,
      latest: Option.fromUndefinedOr(latest)
    })),
  apply: (partitionId, deltas, epoch = Epoch.none) =>
    Effect.map(orMalformed(ask({ type: "apply", partitionId, deltas, epoch })), (answer) => ({
      ...answer,
      latest: Option.fromUndefinedOr(answer.latest)
    })),
  drop: (partitionId, ifVersion) => fullIsFailure(ask({ type: "drop", partitionId, ifVersion })),
  digests: (partitionId, nodes) => onlyStore(ask({ type: "digests", partitionId, nodes })),
  keyDigests: (partitionId, node) =>
    pagesOf((after) => ask({ type: "keyDigests", partitionId, after, node })).pipe(
      Stream.filter((keys) => keys.length > 0)
    ),
  records: (partitionId, keys) => onlyStore(ask({ type: "records", partitionId, keys })),
  collect: (partitionId, epoch, scope) => {
    const gone = scope._tag === "tombstones" ? undefined : Option.getOrElse(scope.keys, () => "all" as const)
    return fullIsFailure(ask({ type: "collect", partitionId, epoch, gone }))
  },
  note: (partitionId) => Effect.map(onlyStore(ask({ type: "note", partitionId })), Option.fromUndefinedOr),
  setNote: (partitionId, note) =>
    note.length > maxNoteBytes
      ? Effect.die(new Error(`a note of ${note.length} bytes; ${maxNoteBytes} are allowed`))
      : orFull(ask({ type: "setNote", partitionId, note })),
  write: (partitionId, operations, reading) => orInvalid(ask({ type: "write", partitionId, operations, reading })),
  get: (partitionId, key) => Effect.flatMap(onlyStore(ask({ type: "get", partitionId, key })), decodeAll),
  iterate: (partitionId, mapName, mapType) =>
    pages((after) => ask({ type: "values", partitionId, after, map: { mapName, mapType } })).pipe(
      Stream.mapEffect(decode)
    )
})

/** Pages one after the other; the next is asked for when the stream is pulled. */
const pagesOf = <A>(
  ask: (after: Position) => Effect.Effect<Page<A>, Refused>
): Stream.Stream<ReadonlyArray<A>, StoreFailed> =>
  Stream.unfold<Position | undefined, ReadonlyArray<A>, StoreFailed, never>(start, (after) =>
    after === undefined
      ? Effect.undefined
      : Effect.map(onlyStore(ask(after)), ({ items, next }) => [items, next] as const)
  )

const pages = <A>(ask: (after: Position) => Effect.Effect<Page<A>, Refused>): Stream.Stream<A, StoreFailed> =>
  Stream.flattenIterable(pagesOf(ask))

const decode = (data: Uint8Array): Effect.Effect<MapRecord, StoreFailed> =>
  Effect.mapError(
    Effect.fromResult(decodeRecord(data)),
    ({ message }) => new StoreFailed({ operation: "read", reason: "corrupted", detail: message })
  )

const decodeAll = (records: ReadonlyArray<Uint8Array>): Effect.Effect<KeyRecords, StoreFailed> =>
  Effect.forEach(records, decode)

/** The file as one store, behind both services. */
export const layer = (options: Options): Layer.Layer<MapStore | PartitionStore, StoreFailed | StoreFull> =>
  Layer.effectContext(
    Effect.map(make(options), (shape) => Context.make(MapStore, shape).pipe(Context.add(PartitionStore, shape)))
  )
