/**
 * A `MapStore` in memory, as plain functions: what changes a partition does so at once, and takes everything back
 * when the store would become too large.
 */
import { Option, Result } from "effect"
import { Epoch } from "../../domain/data/Epoch.ts"
import type { InvalidOperation } from "../../domain/data/InvalidOperation.ts"
import { MapOperation } from "../../domain/data/MapOperation.ts"
import { MapRecord } from "../../domain/data/MapRecord.ts"
import { mergeRecord } from "../../domain/data/MergeRecord.ts"
import { KeyRecords } from "../../domain/data/KeyRecords.ts"
import { encodeDelta, type NamedRecord } from "../../domain/data/RecordCodec.ts"
import { Timestamp } from "../../domain/data/Timestamp.ts"
import type { DeltaOp } from "../../domain/wire/PartitionMessages.ts"
import type { MapChange } from "../../services/MapStore.ts"
import type { KeyName } from "../../domain/data/KeyName.ts"
import type { CollectScope, Merged, PartitionSize } from "../../services/PartitionStore.ts"
import { StoreFull } from "../../services/StoreErrors.ts"
import {
  type Entry,
  entries,
  entryOf,
  findEntry,
  make as makePartition,
  type MemoryPartition,
  prune,
  replace,
  type Replaced
} from "./MemoryPartition.ts"

export interface MemoryStore {
  readonly partitions: Map<number, MemoryPartition>
  readonly maxBytes: number
  bytes: number
  /** Counts every change of any partition, so that no version comes twice. */
  version: number
}

export const make = (maxBytes: number): MemoryStore => ({ partitions: new Map(), maxBytes, bytes: 0, version: 0 })

const partitionOf = (store: MemoryStore, partitionId: number): MemoryPartition => {
  let partition = store.partitions.get(partitionId)
  if (partition === undefined) store.partitions.set(partitionId, (partition = makePartition(partitionId)))
  return partition
}

/** A change of one partition that is under way. */
interface Work {
  readonly partition: MemoryPartition
  readonly bytesBefore: number
  readonly done: Array<Replaced>
}

const begin = (store: MemoryStore, partitionId: number): Work => {
  const partition = partitionOf(store, partitionId)
  return { partition, bytesBefore: partition.bytes, done: [] }
}

const change = (work: Work, replaced: Replaced): void => {
  replace(work.partition, replaced)
  work.done.push(replaced)
}

/** Keeps what was done, or takes it back when the store would become too large by it. */
const commit = (store: MemoryStore, work: Work, operation: string): Result.Result<void, StoreFull> => {
  const { bytesBefore, done, partition } = work
  const grown = partition.bytes - bytesBefore
  if (grown > 0 && store.bytes + grown > store.maxBytes) {
    takeBack(store, work)
    return Result.fail(new StoreFull({ operation, limitBytes: store.maxBytes }))
  }
  store.bytes += grown
  if (done.length > 0) partition.version = ++store.version
  forgetIfEmpty(store, partition)
  return Result.void
}

const takeBack = (store: MemoryStore, { done, partition }: Work): void => {
  for (const { entry, next, old } of done.toReversed()) {
    replace(partition, { entry, old: next, next: old })
    prune(partition, entry)
  }
  forgetIfEmpty(store, partition)
}

const forgetIfEmpty = (store: MemoryStore, partition: MemoryPartition): void => {
  if (partition.records === 0 && partition.note === undefined && partition.maps.size === 0) {
    store.partitions.delete(partition.partitionId)
  }
}

/** Merges records, all or none. `changes` are those that changed the partition, as they are now. */
export const merge = (
  store: MemoryStore,
  partitionId: number,
  incoming: ReadonlyArray<NamedRecord>,
  epoch: Epoch
): Result.Result<Merged & { readonly changes: ReadonlyArray<MapChange> }, StoreFull> => {
  const work = begin(store, partitionId)
  const changes: Array<MapChange> = []
  let refused = 0
  let latest: Timestamp | undefined
  for (const { mapName, record } of incoming) {
    const time = MapRecord.latest(record)
    latest = latest === undefined ? time : Timestamp.max(latest, time)
    const entry = entryOf(work.partition, mapName, record.type, record.key)
    const old = KeyRecords.find(entry.records, record)
    const next = mergeRecord(old, record, epoch)
    if (next === "refused") refused++
    if (next === "refused" || next === "known") prune(work.partition, entry)
    else {
      change(work, { entry, old, next })
      changes.push({ mapName, record: next })
    }
  }
  return Result.map(commit(store, work, "merge"), () => ({
    changed: changes.length,
    refused,
    latest: Option.fromUndefinedOr(latest),
    changes
  }))
}

/** Carries out operations, all or none. */
export const write = (
  store: MemoryStore,
  partitionId: number,
  operations: ReadonlyArray<MapOperation>,
  reading: Timestamp
): Result.Result<ReadonlyArray<MapChange>, StoreFull | InvalidOperation> => {
  const tooMany = MapOperation.tooMany(operations)
  if (tooMany !== undefined) return Result.fail(tooMany)
  const work = begin(store, partitionId)
  const last = new Map<Entry, Array<MapRecord>>()
  for (const operation of operations) {
    const { key, mapName } = operation
    const entry = entryOf(work.partition, mapName, MapOperation.mapTypeOf(operation), key)
    const stamped = MapOperation.stamp(operation, entry.records, reading)
    if (Result.isFailure(stamped)) {
      prune(work.partition, entry)
      takeBack(store, work)
      return Result.fail(stamped.failure)
    }
    for (const next of stamped.success) {
      change(work, { entry, old: KeyRecords.find(entry.records, next), next })
      last.set(entry, lastOf(last.get(entry) ?? [], next))
    }
    prune(work.partition, entry)
  }
  return Result.map(commit(store, work, "write"), () =>
    [...last].flatMap(([{ mapName }, records]) => records.map((record) => ({ mapName, record })))
  )
}

/** The changed records of a key with one more: it takes the place of its older version. */
const lastOf = (records: Array<MapRecord>, next: MapRecord): Array<MapRecord> => {
  const at = records.findIndex((record) => MapRecord.isSame(record, next))
  if (at < 0) records.push(next)
  else records[at] = next
  return records
}

/** Removes what the scope says; how many records. */
export const collect = (store: MemoryStore, partitionId: number, epoch: Epoch, scope: CollectScope): number => {
  const partition = store.partitions.get(partitionId)
  if (partition === undefined) return 0
  const isOut = scope._tag === "tombstones" ? Epoch.isCollected : Epoch.isGone
  const keys = scope._tag === "gone" ? Option.getOrUndefined(scope.keys) : undefined
  const work = begin(store, partitionId)
  const looked = keys?.flatMap((key) => findEntry(partition, key) ?? []) ?? entries(partition)
  for (const entry of looked) {
    for (const old of entry.records.filter((record) => isOut(epoch, record))) {
      change(work, { entry, old, next: undefined })
    }
    prune(partition, entry)
  }
  Result.getOrThrow(commit(store, work, "collect"))
  return work.done.length
}

/** Removes a partition, if its version is `ifVersion` where that is given. */
export const drop = (store: MemoryStore, partitionId: number, ifVersion?: number): boolean => {
  const partition = store.partitions.get(partitionId)
  if (ifVersion !== undefined && ifVersion !== (partition?.version ?? 0)) return false
  if (partition === undefined) return true
  store.bytes -= partition.bytes
  store.partitions.delete(partitionId)
  return true
}

export const setNote = (store: MemoryStore, partitionId: number, note: Uint8Array): void => {
  partitionOf(store, partitionId).note = Uint8Array.from(note)
}

export const sizeOf = (store: MemoryStore, partitionId: number): PartitionSize => {
  const { bytes = 0, records = 0, version = 0 } = store.partitions.get(partitionId) ?? {}
  return { partitionId, records, bytes, version }
}

/** All records of the given keys, as deltas. */
export const recordsOf = (
  store: MemoryStore,
  partitionId: number,
  keys: ReadonlyArray<KeyName>
): ReadonlyArray<DeltaOp> => {
  const partition = store.partitions.get(partitionId)
  if (partition === undefined) return []
  return keys.flatMap(
    (key) => findEntry(partition, key)?.records.map((record) => encodeDelta(key.mapName, record)) ?? []
  )
}
