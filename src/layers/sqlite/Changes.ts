/** Requests that change a partition, each within a transaction. What is refused is found before anything is changed. */
import { Result } from "effect"
import { Epoch } from "../../domain/data/Epoch.ts"
import type { InvalidOperation } from "../../domain/data/InvalidOperation.ts"
import { KeyRecords } from "../../domain/data/KeyRecords.ts"
import { MapOperation } from "../../domain/data/MapOperation.ts"
import { MapRecord } from "../../domain/data/MapRecord.ts"
import { mergeRecord } from "../../domain/data/MergeRecord.ts"
import {
  decodeChunk,
  decodeDeltas,
  encodeDelta,
  type MalformedRecords,
  type NamedRecord
} from "../../domain/data/RecordCodec.ts"
import { Timestamp } from "../../domain/data/Timestamp.ts"
import type { MapChange } from "../../services/MapStore.ts"
import { compactDelta } from "./Compact.ts"
import { type Partition, type Partitions, start } from "./Partitions.ts"
import { type KeyPlace, placeOf, recordOf, recordsOf, type Row, tagOf } from "./RecordRows.ts"
import type { Answers, Changing, MergeAnswer } from "./Requests.ts"

export const change = (
  partitions: Partitions,
  request: Changing
): Result.Result<Answers[Changing["type"]], MalformedRecords | InvalidOperation> => {
  const { partitionId } = request
  switch (request.type) {
    case "merge": {
      const { mapName } = request.chunk
      return Result.map(decodeChunk(request.chunk), (records) => {
        const incoming = records.map((record) => ({ mapName, record }))
        // What changed is not told, so that it need not be encoded and copied.
        return { ...merge(partitions, partitionId, incoming, request.epoch), changes: [] }
      })
    }
    case "apply":
      return Result.map(decodeDeltas(request.deltas), (incoming) => {
        const { changes, ...merged } = merge(partitions, partitionId, incoming, request.epoch)
        return {
          ...merged,
          changes: changes.map(({ mapName, record }) => compactDelta(encodeDelta(mapName, record)))
        }
      })
    case "drop":
      return Result.succeed(drop(partitions, partitionId, request.ifVersion))
    case "collect":
      return Result.succeed(collect(partitions, request))
    case "setNote":
      partitions.setNote(partitions.use(partitionId), request.note)
      return Result.succeed(undefined)
    case "write":
      return write(partitions, request)
  }
}

const merge = (
  partitions: Partitions,
  partitionId: number,
  incoming: ReadonlyArray<NamedRecord>,
  epoch: Epoch
): Omit<MergeAnswer, "changes"> & { readonly changes: ReadonlyArray<NamedRecord> } => {
  const changes: Array<NamedRecord> = []
  let refused = 0
  let latest: Timestamp | undefined
  for (const { mapName, record } of incoming) {
    const time = MapRecord.latest(record)
    latest = latest === undefined ? time : Timestamp.max(latest, time)
    const place = placeOf({ mapName, mapType: record.type, key: record.key })
    const partition = partitions.use(partitionId)
    const row = partitions.rows.find(partition.generation, place, tagOf(record))
    const next = mergeRecord(row === undefined ? undefined : recordOf(row.data), record, epoch)
    if (next === "refused") refused++
    if (next === "refused" || next === "known") continue
    partitions.put(partition, place, row, next)
    changes.push({ mapName, record: next })
  }
  return { changed: changes.length, refused, latest, changes }
}

/** A key that a write has to do with: what its rows hold, and what they will hold. */
interface Touched {
  readonly place: KeyPlace
  readonly rows: ReadonlyArray<Row>
  records: KeyRecords
  /** Changed records, the last version of each. */
  changed: KeyRecords
}

const write = (
  partitions: Partitions,
  { operations, partitionId, reading }: Extract<Changing, { readonly type: "write" }>
): Result.Result<ReadonlyArray<MapChange>, InvalidOperation> => {
  const tooMany = MapOperation.tooMany(operations)
  if (tooMany !== undefined) return Result.fail(tooMany)
  const known = partitions.find(partitionId)
  const touched = new Map<string, Touched>()
  for (const operation of operations) {
    const key = touch(partitions, known, touched, operation)
    const stamped = MapOperation.stamp(operation, key.records, reading)
    if (Result.isFailure(stamped)) return Result.fail(stamped.failure)
    for (const record of stamped.success) {
      key.records = KeyRecords.merge(key.records, record)
      key.changed = KeyRecords.merge(key.changed, record)
    }
  }
  const changes: Array<MapChange> = []
  for (const { changed, place, rows } of touched.values()) {
    for (const record of changed) {
      const tag = tagOf(record)
      const row = rows.find((row) => Buffer.compare(row.tag, tag) === 0)
      partitions.put(partitions.use(partitionId), place, row, record)
      changes.push({ mapName: place.mapName, record })
    }
  }
  return Result.succeed(changes)
}

const touch = (
  partitions: Partitions,
  partition: Partition | undefined,
  touched: Map<string, Touched>,
  operation: MapOperation
): Touched => {
  const { key, mapName } = operation
  const mapType = MapOperation.mapTypeOf(operation)
  const name = JSON.stringify([mapType, mapName, key])
  const known = touched.get(name)
  if (known !== undefined) return known
  const place = placeOf({ mapName, mapType, key })
  const rows = partition === undefined ? [] : partitions.rows.ofKey(partition.generation, place)
  const fresh: Touched = { place, rows, records: recordsOf(rows), changed: KeyRecords.none }
  touched.set(name, fresh)
  return fresh
}

const drop = (partitions: Partitions, partitionId: number, ifVersion: number | undefined): boolean => {
  const partition = partitions.find(partitionId)
  if (ifVersion !== undefined && ifVersion !== (partition?.version ?? 0)) return false
  if (partition !== undefined) partitions.drop(partition)
  return true
}

const collect = (
  partitions: Partitions,
  { epoch, gone, partitionId }: Extract<Changing, { readonly type: "collect" }>
): number => {
  const partition = partitions.find(partitionId)
  if (partition === undefined) return 0
  const out = rowsToCollect(partitions, partition, epoch, gone)
  for (const row of out) partitions.remove(partition, row)
  return out.length
}

const rowsToCollect = (
  { rows }: Partitions,
  { generation }: Partition,
  epoch: Epoch,
  gone: Extract<Changing, { readonly type: "collect" }>["gone"]
): ReadonlyArray<Row> => {
  const isGone = ({ at, removed }: Row): boolean => at < epoch.markMs && (removed || at >= epoch.baseMs)
  if (gone === undefined) return rows.tombstonesBefore(generation, epoch.markMs)
  if (gone === "all") return Array.from(rows.after(generation, start, 0xffff_ffff)).filter(isGone)
  return gone.flatMap((name) => rows.ofKey(generation, placeOf(name))).filter(isGone)
}
