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
import type { NamedRecord } from "../../domain/data/RecordCodec.ts"
import { Timestamp } from "../../domain/data/Timestamp.ts"
import type { DeltaOp } from "../../domain/wire/PartitionMessages.ts"
import type { MapChange } from "../../services/MapStore.ts"
import type { KeyName } from "../../domain/data/KeyName.ts"
import type { CollectScope, Merged, PartitionSize } from "../../services/PartitionStore.ts"
import { StoreFull } from "../../services/StoreErrors.ts"
import {
  type Entry,
  entryOf,
  findEntry,
  findHeld,
  heldOf,
  make as makePartition,
  type MemoryMap,
  type MemoryPartition,
  type Put,
  put,
  recordsOf as recordsIn,
  remove,
  takeBack
} from "./MemoryPartition.ts"
import * as RecordTable from "./RecordTable.ts"

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
  readonly done: Array<Put>
}

const begin = (store: MemoryStore, partitionId: number): Work => {
  const partition = partitionOf(store, partitionId)
  return { partition, bytesBefore: partition.bytes, done: [] }
}

const change = ({ done, partition }: Work, entry: Entry, held: RecordTable.Held | undefined, next: MapRecord): void => {
  const bytes = put(partition, entry, held, next)
  done.push({ map: entry.map, old: held?.record, next, bytes })
}

/** Keeps what was done, or takes it back when the store would become too large by it. */
const commit = (store: MemoryStore, work: Work, operation: string): Result.Result<void, StoreFull> => {
  const { bytesBefore, done, partition } = work
  const grown = partition.bytes - bytesBefore
  if (grown > 0 && store.bytes + grown > store.maxBytes) {
    undo(store, work)
    return Result.fail(new StoreFull({ operation, limitBytes: store.maxBytes }))
  }
  store.bytes += grown
  if (done.length > 0) partition.version = ++store.version
  tidy(done)
  forgetIfEmpty(store, partition)
  return Result.void
}

const undo = (store: MemoryStore, { done, partition }: Work): void => {
  for (const put of done.toReversed()) takeBack(partition, put)
  tidy(done)
  forgetIfEmpty(store, partition)
}

/** Gives back memory of the maps that were changed. */
const tidy = (done: ReadonlyArray<Put>): void => {
  let last: MemoryMap | undefined
  for (const { map } of done) {
    if (map !== last) RecordTable.tidy(map.table)
    last = map
  }
}

const forgetIfEmpty = (store: MemoryStore, partition: MemoryPartition): void => {
  if (partition.note === undefined && partition.maps.size === 0) store.partitions.delete(partition.partitionId)
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
    const held = findHeld(entry, record)
    const next = mergeRecord(held?.record, record, epoch)
    if (next === "refused") refused++
    if (next === "refused" || next === "known") continue
    change(work, entry, held, next)
    changes.push({ mapName, record: next })
  }
  return Result.map(commit(store, work, "merge"), () => ({
    changed: changes.length,
    refused,
    latest: Option.fromUndefinedOr(latest),
    changes
  }))
}

/** What was written, with its bytes as they are kept: a view. */
export interface StoredChange extends MapChange {
  readonly bytes: Uint8Array
}

/** Carries out operations, all or none. */
export const write = (
  store: MemoryStore,
  partitionId: number,
  operations: ReadonlyArray<MapOperation>,
  reading: Timestamp
): Result.Result<ReadonlyArray<StoredChange>, StoreFull | InvalidOperation> => {
  const tooMany = MapOperation.tooMany(operations)
  if (tooMany !== undefined) return Result.fail(tooMany)
  const work = begin(store, partitionId)
  for (const operation of operations) {
    const { key, mapName } = operation
    const entry = entryOf(work.partition, mapName, MapOperation.mapTypeOf(operation), key)
    const stamped = MapOperation.stamp(operation, recordsIn(entry), reading)
    if (Result.isFailure(stamped)) {
      undo(store, work)
      return Result.fail(stamped.failure)
    }
    for (const next of stamped.success) change(work, entry, findHeld(entry, next), next)
  }
  return Result.map(commit(store, work, "write"), () => lastChanges(work.done))
}

/** The changed records, of each its last version. */
const lastChanges = (done: ReadonlyArray<Put>): ReadonlyArray<StoredChange> => {
  const changes: Array<StoredChange> = []
  const places = new Map<string, number>()
  for (const { bytes, map, next: record } of done) {
    const name = JSON.stringify([map.mapName, record.type, record.key, record.type === "or" ? record.tag : null])
    const place = places.get(name) ?? changes.length
    places.set(name, place)
    changes[place] = { mapName: map.mapName, record, bytes }
  }
  return changes
}

/** Removes what the scope says; how many records. */
export const collect = (store: MemoryStore, partitionId: number, epoch: Epoch, scope: CollectScope): number => {
  const partition = store.partitions.get(partitionId)
  if (partition === undefined) return 0
  const before = partition.records
  const bytesBefore = partition.bytes
  const keys = scope._tag === "gone" ? Option.getOrUndefined(scope.keys) : undefined
  if (keys === undefined) collectAll(partition, epoch, scope._tag)
  else collectKeys(partition, epoch, keys)
  const removed = before - partition.records
  store.bytes += partition.bytes - bytesBefore
  if (removed > 0) partition.version = ++store.version
  for (const { table } of partition.maps.values()) RecordTable.tidy(table)
  forgetIfEmpty(store, partition)
  return removed
}

const collectAll = (partition: MemoryPartition, epoch: Epoch, scope: CollectScope["_tag"]): void => {
  const onlyTombstones = scope === "tombstones"
  const isOut = onlyTombstones ? Epoch.isAgedCollected : Epoch.isAgedGone
  for (const map of partition.maps.values()) {
    const { table } = map
    for (const place of RecordTable.placesWhere(table, (header) => isOut(epoch, header), onlyTombstones)) {
      remove(partition, map, { place, record: RecordTable.recordAt(table, place) })
    }
  }
}

const collectKeys = (partition: MemoryPartition, epoch: Epoch, keys: ReadonlyArray<KeyName>): void => {
  for (const key of keys) {
    const entry = findEntry(partition, key)
    if (entry === undefined) continue
    for (const held of heldOf(entry)) if (Epoch.isGone(epoch, held.record)) remove(partition, entry.map, held)
  }
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

/** All records of the given keys, as deltas: views of what is kept. */
export const recordsOf = (
  store: MemoryStore,
  partitionId: number,
  keys: ReadonlyArray<KeyName>
): ReadonlyArray<DeltaOp> => {
  const partition = store.partitions.get(partitionId)
  if (partition === undefined) return []
  return keys.flatMap((key) => {
    const entry = findEntry(partition, key)
    return entry === undefined ? [] : deltasOf(entry, heldOf(entry))
  })
}

/** The records of a key that are no tombstones, in the order of their tags, as `recordsOf`. */
export const liveOf = (store: MemoryStore, partitionId: number, key: KeyName): ReadonlyArray<DeltaOp> => {
  const partition = store.partitions.get(partitionId)
  const entry = partition === undefined ? undefined : findEntry(partition, key)
  if (entry === undefined) return []
  return deltasOf(
    entry,
    heldOf(entry).filter(({ record }) => !MapRecord.isTombstone(record))
  )
}

const deltasOf = ({ key, map }: Entry, held: ReadonlyArray<RecordTable.Held>): ReadonlyArray<DeltaOp> =>
  held.map(({ place }) => ({ mapName: map.mapName, key, entry: RecordTable.encodedAt(map.table, place) }))
