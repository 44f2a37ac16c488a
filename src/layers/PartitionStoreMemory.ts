/**
 * Partitions in the memory of this process: gone when it ends. As fast as a store can be, and enough where every
 * partition has backups on other nodes.
 */
import { Context, Effect, Layer, Option, Result, Stream } from "effect"
import { maxNoteBytes } from "../domain/data/DataBounds.ts"
import { DigestTree } from "../domain/data/DigestTree.ts"
import { Epoch } from "../domain/data/Epoch.ts"
import { decodeChunk, decodeDelta, decodeDeltas, encodeDelta } from "../domain/data/RecordCodec.ts"
import type { DeltaOp } from "../domain/wire/PartitionMessages.ts"
import { MapStore, type MapStoreShape } from "../services/MapStore.ts"
import { PartitionStore } from "../services/PartitionStore.ts"
import * as AtOnce from "./store/AtOnce.ts"
import { findMap } from "./store/MemoryPartition.ts"
import { chunkBytes, chunks, keyDigests, liveRecords } from "./store/MemoryReading.ts"
import * as Store from "./store/MemoryStore.ts"

export interface Options {
  /**
   * Bytes that all partitions together may take, as `PartitionSize.bytes` counts them: values, keys, and about what
   * keeping a record costs. What would exceed it fails with `StoreFull`. Default 2 GiB.
   */
  readonly maxBytes?: number
}

export const defaultMaxBytes = 2 * 1024 * 1024 * 1024

/** A store with no partitions. */
export const make = ({ maxBytes = defaultMaxBytes }: Options = {}): Effect.Effect<MapStoreShape> =>
  Effect.sync(() => shapeOf(Store.make(maxBytes)))

/** The stream of what a walk yields, one by one: the walk goes on only when the next piece is wanted. */
const walk = <A>(pieces: () => Generator<A>): Stream.Stream<A> =>
  Stream.suspend(() => Stream.fromIterable(pieces(), { chunkSize: 1 }))

const shapeOf = (store: Store.MemoryStore): MapStoreShape => {
  const partition = (partitionId: number) => store.partitions.get(partitionId)
  const apply = (partitionId: number, deltas: ReadonlyArray<DeltaOp>, epoch = Epoch.none, inPlace = false) =>
    Result.flatMap(decodeDeltas(deltas, inPlace), (incoming) => Store.merge(store, partitionId, incoming, epoch))
  const atOnce = {
    write: (partitionId, operations, reading) => Store.write(store, partitionId, operations, reading),
    // Nobody keeps a record: what is stored is a copy.
    apply: (partitionId, deltas, epoch) => apply(partitionId, deltas, epoch, true),
    get: (partitionId, key) => Store.liveOf(store, partitionId, key)
  } satisfies AtOnce.AtOnce
  return AtOnce.offer(
    {
      partitions: Effect.sync(() => [...store.partitions.keys()].map((id) => Store.sizeOf(store, id))),
      size: (partitionId) => Effect.sync(() => Store.sizeOf(store, partitionId)),
      read: (partitionId, maxChunkBytes) =>
        walk(function* () {
          const found = partition(partitionId)
          if (found !== undefined) yield* chunks(found, chunkBytes(maxChunkBytes))
        }),
      merge: (partitionId, chunk, epoch = Epoch.none) =>
        Effect.suspend(() =>
          Effect.fromResult(
            Result.flatMap(decodeChunk(chunk, true), (records) => {
              const incoming = records.map((record) => ({ mapName: chunk.mapName, record }))
              return Store.merge(store, partitionId, incoming, epoch)
            })
          )
        ).pipe(Effect.map(({ changed, latest, refused }) => ({ changed, latest, refused }))),
      apply: (partitionId, deltas, epoch) =>
        Effect.suspend(() => Effect.fromResult(apply(partitionId, deltas, epoch))).pipe(
          Effect.map(({ changed, changes, latest, refused }) => ({
            changed,
            latest,
            refused,
            // Encoded when somebody wants them: few do.
            get changes() {
              return changes.map(({ mapName, record }) => encodeDelta(mapName, record))
            }
          }))
        ),
      drop: (partitionId, ifVersion) => Effect.sync(() => Store.drop(store, partitionId, ifVersion)),
      digests: (partitionId, nodes) =>
        Effect.sync(() => {
          const digests = partition(partitionId)?.digests
          return nodes.map((node) => (digests === undefined ? 0 : DigestTree.sum(digests, node)))
        }),
      keyDigests: (partitionId, node) =>
        walk(function* () {
          const found = partition(partitionId)
          if (found !== undefined && DigestTree.isNode(node)) yield* keyDigests(found, node)
        }).pipe(Stream.filter((piece) => piece.length > 0)),
      records: (partitionId, keys) => Effect.sync(() => Store.recordsOf(store, partitionId, keys)),
      collect: (partitionId, epoch, scope) => Effect.sync(() => Store.collect(store, partitionId, epoch, scope)),
      note: (partitionId) => Effect.sync(() => Option.fromUndefinedOr(partition(partitionId)?.note)),
      setNote: (partitionId, note) =>
        note.length > maxNoteBytes
          ? Effect.die(new Error(`a note of ${note.length} bytes; ${maxNoteBytes} are allowed`))
          : Effect.sync(() => Store.setNote(store, partitionId, note)),
      write: (partitionId, operations, reading) =>
        Effect.suspend(() => Effect.fromResult(atOnce.write(partitionId, operations, reading))).pipe(
          Effect.map((changes) => changes.map(({ mapName, record }) => ({ mapName, record })))
        ),
      // Decoded anew: bytes of its own, for whoever wants to keep them.
      get: (partitionId, key) =>
        Effect.sync(() => atOnce.get(partitionId, key).map((delta) => Result.getOrThrow(decodeDelta(delta)))),
      iterate: (partitionId, mapName, mapType) =>
        walk(function* () {
          const found = partition(partitionId)
          const map = found === undefined ? undefined : findMap(found, mapName, mapType)
          if (map !== undefined) yield* liveRecords(map)
        }).pipe(Stream.flattenIterable)
    },
    atOnce
  )
}

/** One store, as both services. */
export const layer = (options: Options = {}): Layer.Layer<MapStore | PartitionStore> =>
  Layer.effectContext(
    Effect.map(make(options), (shape) => Context.make(MapStore, shape).pipe(Context.add(PartitionStore, shape)))
  )
