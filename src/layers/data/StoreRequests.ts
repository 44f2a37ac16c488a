/**
 * What a store is asked for, as its methods. Every request ends in a result: what a store fails with is told to
 * whoever asked, and a store that dies of a bug has failed as well, so that one bad record does not end the node.
 */
import { Cause, Effect, Exit, Option, Pull, Result, Scope, Stream } from "effect"
import type { KeyDigest } from "../../domain/data/KeyName.ts"
import type { KeyRecords } from "../../domain/data/KeyRecords.ts"
import { MapRecord } from "../../domain/data/MapRecord.ts"
import { decodeChunk, encodeDelta, type MalformedRecords } from "../../domain/data/RecordCodec.ts"
import { Timestamp } from "../../domain/data/Timestamp.ts"
import type { InvalidOperation } from "../../domain/data/InvalidOperation.ts"
import type { StoredPartition, StoreRequest, StoreResult } from "../../domain/replication/DataCommand.ts"
import type { Content, Delta } from "../../domain/replication/DataMessage.ts"
import type { MapStateChunk } from "../../domain/wire/PartitionMessages.ts"
import type { MapChange, MapStoreShape } from "../../services/MapStore.ts"
import type { StoreFailed, StoreFull } from "../../services/StoreErrors.ts"
import type { AtOnce } from "../store/AtOnce.ts"

type StoreError = StoreFailed | StoreFull | MalformedRecords | InvalidOperation
type RequestOf<Tag extends StoreRequest["_tag"]> = Extract<StoreRequest, { readonly _tag: Tag }>

/** A partition, or a map of it, that is being read. */
interface Reading<A> {
  readonly scope: Scope.Closeable
  readonly pull: Pull.Pull<ReadonlyArray<A>, StoreFailed>
  /** What came with others and has not been asked for. */
  rest: ReadonlyArray<A>
}

/** The store of one node, and what is being read of it: one for each copy or hand-off, and the open scans. */
export interface StoreAccess {
  readonly store: MapStoreShape
  readonly readings: Map<number, Reading<MapStateChunk>>
  readonly scans: Map<number, Reading<MapRecord>>
  /** Somebody wants to know which records change. */
  readonly isWatched: () => boolean
  readonly changed: (partitionId: number, deltas: ReadonlyArray<Delta>) => Effect.Effect<void>
}

const done: StoreResult = { _tag: "Done" }

/** Carries out one request; never fails. */
export const execute = (access: StoreAccess, partitionId: number, request: StoreRequest): Effect.Effect<StoreResult> =>
  Effect.catchCause(carryOut(access, partitionId, request), (cause) => {
    if (Cause.hasInterruptsOnly(cause)) return Effect.interrupt
    const failure = Option.getOrUndefined(Cause.findErrorOption(cause))
    if (failure !== undefined) return Effect.succeed(failed(failure))
    return Effect.as(logDeath(request, cause), storeBug)
  })

/** What whoever asked is told of a store that has died. */
export const storeBug: StoreResult = { _tag: "Failed", reason: "failed", detail: "a bug of the store" }

export const logDeath = (request: StoreRequest, cause: Cause.Cause<unknown>): Effect.Effect<void> =>
  Effect.logError(`the store died of ${request._tag}`, cause)

/** The answer of a store that need not be waited for; `undefined` if this request takes an effect. */
export const answerAtOnce = (atOnce: AtOnce, partitionId: number, request: StoreRequest): StoreResult | undefined => {
  switch (request._tag) {
    case "Write": {
      const changes = atOnce.write(partitionId, request.operations, request.reading)
      return Result.isSuccess(changes)
        ? written(
            changes.success,
            changes.success.map(({ bytes, mapName, record: { key } }) => ({ mapName, key, entry: bytes }))
          )
        : failed(changes.failure)
    }
    case "Merge": {
      if (request.content.chunks.length > 0 || request.content.deltas.length === 0) return undefined
      const applied = atOnce.apply(partitionId, request.content.deltas, request.epoch)
      if (Result.isFailure(applied)) return failed(applied.failure)
      const { changed, latest } = applied.success
      return { _tag: "Merged", changed, latest: Option.getOrUndefined(latest) }
    }
    case "Get":
      return { _tag: "Got", deltas: atOnce.get(partitionId, request.key) }
    default:
      return undefined
  }
}

const failed = (error: StoreError): StoreResult => {
  switch (error._tag) {
    case "StoreFull":
      return { _tag: "Failed", reason: "full", detail: error.message }
    case "StoreFailed":
      return { _tag: "Failed", reason: "failed", detail: error.message }
    case "MalformedRecords":
      return { _tag: "Failed", reason: "invalid", detail: error.message }
    case "InvalidOperation":
      // Whoever asked knows the rest.
      return { _tag: "Failed", reason: "invalid", detail: error.reason }
  }
}

const got = ({ key: { mapName } }: RequestOf<"Get">, records: KeyRecords): StoreResult => ({
  _tag: "Got",
  deltas: records.map((record) => encodeDelta(mapName, record))
})

const carryOut = (
  access: StoreAccess,
  partitionId: number,
  request: StoreRequest
): Effect.Effect<StoreResult, StoreError> => {
  const { store } = access
  switch (request._tag) {
    case "Write":
      return write(access, partitionId, request)
    case "Merge":
      return merge(access, partitionId, request)
    case "Get":
      return Effect.map(store.get(partitionId, request.key), (records) => got(request, records))
    case "Read":
      return read(access, partitionId, request)
    case "Scan":
      return scan(access, partitionId, request)
    case "CloseRead":
      return Effect.as(close(access, request.reader), done)
    case "Size":
      return Effect.map(store.size(partitionId), ({ records, version }) => ({ _tag: "Size", records, version }))
    case "Drop":
      return Effect.map(store.drop(partitionId, request.ifVersion), (dropped) => ({ _tag: "Dropped", dropped }))
    case "Digests":
      return Effect.map(store.digests(partitionId, request.nodes), (digests) => ({ _tag: "Digests", digests }))
    case "KeyDigests":
      return store.keyDigests(partitionId, request.node).pipe(
        Stream.runFold(
          (): Array<KeyDigest> => [],
          (keys, piece) => {
            keys.push(...piece)
            return keys
          }
        ),
        Effect.map((keys) => ({ _tag: "KeyDigests", keys }))
      )
    case "Records":
      return Effect.map(store.records(partitionId, request.keys), (deltas) => ({ _tag: "Got", deltas }))
    case "Collect": {
      const { epoch, keys } = request
      const scope =
        keys === undefined
          ? ({ _tag: "tombstones" } as const)
          : ({ _tag: "gone", keys: keys === "all" ? Option.none() : Option.some(keys) } as const)
      return Effect.as(store.collect(partitionId, epoch, scope), done)
    }
    case "SetNote":
      return Effect.as(store.setNote(partitionId, request.note), done)
  }
}

/** What the store holds, with the notes beside it. */
export const storedPartitions = (store: MapStoreShape): Effect.Effect<ReadonlyArray<StoredPartition>, StoreFailed> =>
  Effect.flatMap(store.partitions, (sizes) =>
    Effect.forEach(sizes, ({ partitionId, records }) =>
      Effect.map(store.note(partitionId), (note) => ({
        partitionId,
        hasRecords: records > 0,
        note: Option.getOrUndefined(note)
      }))
    )
  )

// ---- changing -------------------------------------------------------------------------------------

const write = (
  { changed, isWatched, store }: StoreAccess,
  partitionId: number,
  { operations, reading }: RequestOf<"Write">
): Effect.Effect<StoreResult, StoreError> =>
  Effect.flatMap(store.write(partitionId, operations, reading), (changes) => {
    const result = written(changes, encodedAll(changes))
    const { deltas } = result
    return isWatched() && deltas.length > 0 ? Effect.as(changed(partitionId, deltas), result) : Effect.succeed(result)
  })

const encodedAll = (changes: ReadonlyArray<MapChange>): ReadonlyArray<Delta> =>
  changes.map(({ mapName, record }) => encodeDelta(mapName, record))

const written = (
  changes: ReadonlyArray<MapChange>,
  deltas: ReadonlyArray<Delta>
): Extract<StoreResult, { readonly _tag: "Written" }> => {
  let latest: Timestamp | undefined
  for (const { record } of changes) {
    const time = MapRecord.latest(record)
    latest = latest === undefined ? time : Timestamp.max(latest, time)
  }
  return { _tag: "Written", deltas, latest }
}

/**
 * A chunk says nothing of what it changes: whoever watches has its records merged one by one. The chunks of a store
 * with data of its own are merged as they are, and nobody hears of what they change.
 */
const asDeltas = ({ chunks, deltas }: Content): Content => {
  const whole: Array<MapStateChunk> = []
  const single: Array<Delta> = []
  for (const chunk of chunks) {
    const records = decodeChunk(chunk)
    if (Result.isFailure(records)) whole.push(chunk)
    else single.push(...records.success.map((record) => encodeDelta(chunk.mapName, record)))
  }
  return { chunks: whole, deltas: [...single, ...deltas] }
}

const merge = Effect.fnUntraced(function* (
  access: StoreAccess,
  partitionId: number,
  { content, epoch }: RequestOf<"Merge">
): Effect.fn.Return<StoreResult, StoreError> {
  const { store } = access
  const isWatched = content.chunks.length > 0 && access.isWatched()
  const { chunks, deltas } = isWatched ? asDeltas(content) : content
  let changed = 0
  let latest: Timestamp | undefined
  const saw = (time: Option.Option<Timestamp>): void => {
    if (Option.isSome(time)) latest = latest === undefined ? time.value : Timestamp.max(latest, time.value)
  }
  for (const chunk of chunks) {
    const merged = yield* store.merge(partitionId, chunk, epoch)
    changed += merged.changed
    saw(merged.latest)
  }
  if (deltas.length > 0) {
    const applied = yield* store.apply(partitionId, deltas, epoch)
    changed += applied.changed
    saw(applied.latest)
    if (access.isWatched() && applied.changes.length > 0) yield* access.changed(partitionId, applied.changes)
  }
  return { _tag: "Merged", changed, latest }
})

// ---- reading --------------------------------------------------------------------------------------

const opened = Effect.fnUntraced(function* <A>(
  readings: Map<number, Reading<A>>,
  reader: number,
  stream: () => Stream.Stream<A, StoreFailed>
) {
  const known = readings.get(reader)
  if (known !== undefined) return known
  const scope = yield* Scope.make()
  const pull = yield* Stream.toPull(stream()).pipe(Scope.provide(scope))
  const reading: Reading<A> = { scope, pull, rest: [] }
  readings.set(reader, reading)
  return reading
})

/** What comes next: what is left over, or what the stream gives; nothing at its end. */
const following = <A>(access: StoreAccess, reader: number, { pull, rest }: Reading<A>) =>
  rest.length > 0
    ? Effect.succeed(rest)
    : pull.pipe(
        Pull.catchDone((): Effect.Effect<ReadonlyArray<A>> => Effect.succeed([])),
        // A reading that has failed is of no use any more.
        Effect.onError(() => close(access, reader))
      )

const read = Effect.fnUntraced(function* (
  access: StoreAccess,
  partitionId: number,
  { maxBytes, reader }: RequestOf<"Read">
): Effect.fn.Return<StoreResult, StoreError> {
  const reading = yield* opened(access.readings, reader, () => access.store.read(partitionId, maxBytes))
  const [chunk, ...rest] = yield* following(access, reader, reading)
  reading.rest = rest
  if (chunk !== undefined) return { _tag: "Chunk", chunk }
  yield* close(access, reader)
  return { _tag: "End" }
})

const scan = Effect.fnUntraced(function* (
  access: StoreAccess,
  partitionId: number,
  { mapName, mapType, maxBytes, reader }: RequestOf<"Scan">
): Effect.fn.Return<StoreResult, StoreError> {
  const reading = yield* opened(access.scans, reader, () => access.store.iterate(partitionId, mapName, mapType))
  const deltas: Array<Delta> = []
  let bytes = 0
  while (bytes < maxBytes) {
    const records = yield* following(access, reader, reading)
    let taken = 0
    for (const record of records) {
      if (bytes >= maxBytes) break
      const delta = encodeDelta(mapName, record)
      bytes += delta.entry.length + delta.key.length
      deltas.push(delta)
      taken++
    }
    reading.rest = records.slice(taken)
    if (records.length > 0) continue
    yield* close(access, reader)
    return { _tag: "Page", deltas, isEnd: true }
  }
  return { _tag: "Page", deltas, isEnd: false }
})

const close = ({ readings, scans }: StoreAccess, reader: number): Effect.Effect<void> =>
  Effect.suspend(() => {
    const reading = readings.get(reader) ?? scans.get(reader)
    readings.delete(reader)
    scans.delete(reader)
    return reading === undefined ? Effect.void : Scope.close(reading.scope, Exit.void)
  })

/** Ends all readings: the node stops. */
export const closeAll = (access: StoreAccess): Effect.Effect<void> =>
  Effect.suspend(() =>
    Effect.forEach([...access.readings.keys(), ...access.scans.keys()], (reader) => close(access, reader), {
      discard: true
    })
  )
