/**
 * A store of our own: counters that many may count at once. Each is a number for every process that has counted, and
 * two versions merge to the larger number of each, so nothing is counted twice and nothing is lost. The cluster copies,
 * replicates and repairs them without knowing what they are.
 */
import { Context, Effect, Layer, Option, Result, Schema, Stream } from "effect"
import {
  DataBounds,
  DigestTree,
  keyHash,
  MalformedRecords,
  MapStore,
  MessagePack,
  PartitionStore,
  RecordDigest,
  StoreFull
} from "effect-squadron"

/** Counters of all partitions together; one more is `StoreFull`. */
const maxCounters = 1_000_000
const mapName = "counters"

const Count = Schema.Struct({ by: Schema.String, count: Schema.Int })
const Counter = Schema.Struct({ key: Schema.String, counts: Schema.Array(Count) })
export type Counter = typeof Counter.Type
const one = MessagePack.codec(Counter)
const many = MessagePack.codec(Schema.Array(Counter))

/** The larger number of every process, in the order of their names: equal counters have equal bytes. */
export const mergeCounters = (a: Counter, b: Counter): Counter => {
  const counts = new Map(a.counts.map(({ by, count }) => [by, count]))
  for (const { by, count } of b.counts) counts.set(by, Math.max(count, counts.get(by) ?? 0))
  const sorted = [...counts].toSorted(([x], [y]) => (x < y ? -1 : 1))
  return { key: a.key, counts: sorted.map(([by, count]) => ({ by, count })) }
}

export const totalOf = ({ counts }: Counter): number => counts.reduce((sum, { count }) => sum + count, 0)

/** Some counters as a chunk of the cluster. */
export const chunkOf = (counters: ReadonlyArray<Counter>) => ({
  mapName,
  mapType: "lww" as const,
  data: many.encode(counters)
})

/** One counter as a record of the cluster. */
export const recordOf = (counter: Counter) => ({ mapName, key: counter.key, entry: one.encode(counter) })

interface Stored {
  readonly counter: Counter
  readonly bytes: number
  readonly digest: RecordDigest
}
interface Partition {
  readonly counters: Map<string, Stored>
  readonly digests: DigestTree
  bytes: number
  version: number
  note: Uint8Array | undefined
}

const storedOf = (counter: Counter): Stored => {
  const entry = one.encode(counter)
  return { counter, bytes: entry.length, digest: RecordDigest.ofBytes(mapName, counter.key, entry) }
}

export class CounterStore extends Context.Service<
  CounterStore,
  {
    /** What this node holds of a counter. */
    readonly find: (partitionId: number, key: string) => Effect.Effect<Option.Option<Counter>>
  }
>()("CounterStore") {}

const decoded = <A>(result: Result.Result<A, { readonly message: string }>) =>
  Result.mapError(result, ({ message }) => new MalformedRecords({ mapName, reason: message }))
const merged = (changed: number) => ({ changed, refused: 0, latest: Option.none() })

const make = () => {
  const partitions = new Map<number, Partition>()
  let counters = 0
  let version = 0

  const partitionOf = (partitionId: number): Partition => {
    const found = partitions.get(partitionId)
    if (found !== undefined) return found
    const made = { counters: new Map(), digests: DigestTree.make(), bytes: 0, version: 0, note: undefined }
    partitions.set(partitionId, made)
    return made
  }
  const sizeOf = (partitionId: number) => {
    const { bytes = 0, counters: held, version: seen = 0 } = partitions.get(partitionId) ?? {}
    return { partitionId, records: held?.size ?? 0, bytes, version: seen }
  }

  /** Merges all, or nothing when there is no room for it. Those that changed, as they are now. */
  const merge = (partitionId: number, incoming: ReadonlyArray<Counter>): Result.Result<Array<Counter>, StoreFull> => {
    const known = partitions.get(partitionId)?.counters
    const fresh = new Set(incoming.map(({ key }) => key).filter((key) => known?.has(key) !== true))
    if (counters + fresh.size > maxCounters) return Result.fail(new StoreFull({ operation: "merge", limitBytes: 0 }))
    if (incoming.length === 0) return Result.succeed([])
    const partition = partitionOf(partitionId)
    const changed = new Map<string, Counter>()
    for (const counter of incoming) {
      const { key } = counter
      const old = partition.counters.get(key)
      const next = storedOf(mergeCounters(counter, old?.counter ?? { key, counts: [] }))
      if (next.digest === old?.digest) continue
      partition.counters.set(key, next)
      partition.bytes += next.bytes - (old?.bytes ?? 0)
      DigestTree.replace(partition.digests, DigestTree.leafOf(keyHash(mapName, key)), old?.digest ?? 0, next.digest)
      changed.set(key, next.counter)
    }
    counters += fresh.size
    if (changed.size > 0) partition.version = ++version
    return Result.succeed([...changed.values()])
  }

  const store = PartitionStore.of({
    partitions: Effect.sync(() => [...partitions.keys()].map(sizeOf)),
    size: (partitionId) => Effect.sync(() => sizeOf(partitionId)),
    read: (partitionId, maxChunkBytes = DataBounds.defaultChunkBytes) =>
      Stream.suspend(() => Stream.fromIterable(chunksOf(partitions.get(partitionId), maxChunkBytes), { chunkSize: 1 })),
    merge: (partitionId, chunk) =>
      Effect.suspend(() =>
        Effect.fromResult(
          Result.flatMap(decoded(many.decode(chunk.data)), (incoming) =>
            Result.map(merge(partitionId, incoming), (changes) => merged(changes.length))
          )
        )
      ),
    apply: (partitionId, deltas) =>
      Effect.suspend(() =>
        Effect.fromResult(
          Result.flatMap(decoded(Result.all(deltas.map(({ entry }) => one.decode(entry)))), (incoming) =>
            Result.map(merge(partitionId, incoming), (changes) => ({
              ...merged(changes.length),
              changes: changes.map(recordOf)
            }))
          )
        )
      ),
    drop: (partitionId, ifVersion) =>
      Effect.sync(() => {
        const { records, version: seen } = sizeOf(partitionId)
        if (ifVersion !== undefined && ifVersion !== seen) return false
        counters -= records
        partitions.delete(partitionId)
        return true
      }),
    digests: (partitionId, nodes) =>
      Effect.sync(() => {
        const digests = partitions.get(partitionId)?.digests
        return nodes.map((node) => (digests === undefined ? 0 : DigestTree.sum(digests, node)))
      }),
    keyDigests: (partitionId, node) =>
      Stream.suspend(() => {
        const [first, last] = DigestTree.hashRange(node)
        const below = [...(partitions.get(partitionId)?.counters ?? [])].filter(([key]) => {
          const hash = keyHash(mapName, key)
          return hash >= first && hash <= last
        })
        const keys = below.map(([key, { digest }]) => ({ mapName, mapType: "lww" as const, key, digest }))
        return keys.length === 0 ? Stream.empty : Stream.make(keys)
      }),
    records: (partitionId, keys) =>
      Effect.sync(() =>
        keys.flatMap(({ key }) => {
          const found = partitions.get(partitionId)?.counters.get(key)
          return found === undefined ? [] : [recordOf(found.counter)]
        })
      ),
    // Nothing is ever removed, so there is nothing to forget.
    collect: () => Effect.succeed(0),
    note: (partitionId) => Effect.sync(() => Option.fromUndefinedOr(partitions.get(partitionId)?.note)),
    setNote: (partitionId, note) =>
      Effect.sync(() => {
        partitionOf(partitionId).note = note
      })
  })
  const find = (partitionId: number, key: string) =>
    Effect.sync(() => Option.fromUndefinedOr(partitions.get(partitionId)?.counters.get(key)?.counter))
  return { store, find }
}

function* chunksOf(partition: Partition | undefined, maxChunkBytes: number) {
  let waiting: Array<Counter> = []
  let bytes = 0
  for (const { bytes: length, counter } of partition?.counters.values() ?? []) {
    if (waiting.length > 0 && bytes + length > maxChunkBytes) {
      yield chunkOf(waiting)
      waiting = []
      bytes = 0
    }
    waiting.push(counter)
    bytes += length
  }
  if (waiting.length > 0) yield chunkOf(waiting)
}

/** The store of one process, gone with it. */
export const makeCounterStore = Effect.sync(make)

/** One store, for the node that keeps it and for the application that reads it. */
export const layerOf = ({
  find,
  store
}: ReturnType<typeof make>): Layer.Layer<MapStore | PartitionStore | CounterStore> =>
  MapStore.layerWithoutMaps.pipe(
    Layer.provideMerge(Layer.succeed(PartitionStore, store)),
    Layer.merge(Layer.succeed(CounterStore, CounterStore.of({ find })))
  )
