/** The content of one partition in memory: a table of records for each map. Everything here happens at once. */
import { DigestTree } from "../../domain/data/DigestTree.ts"
import type { KeyName } from "../../domain/data/KeyName.ts"
import type { KeyRecords } from "../../domain/data/KeyRecords.ts"
import type { MapRecord } from "../../domain/data/MapRecord.ts"
import { recordBytes } from "../../domain/data/MergeRecord.ts"
import { keyHash, RecordDigest } from "../../domain/data/RecordDigest.ts"
import type { MapType } from "../../domain/model/Migration.ts"
import * as RecordTable from "./RecordTable.ts"

export interface MemoryMap {
  readonly mapName: string
  readonly mapType: MapType
  readonly table: RecordTable.RecordTable
}

export interface MemoryPartition {
  readonly partitionId: number
  /** By type and name. */
  readonly maps: Map<string, MemoryMap>
  readonly digests: DigestTree
  note: Uint8Array | undefined
  records: number
  bytes: number
  version: number
}

export const make = (partitionId: number): MemoryPartition => ({
  partitionId,
  maps: new Map(),
  digests: DigestTree.make(),
  note: undefined,
  records: 0,
  bytes: 0,
  version: 0
})

const mapKey = (mapName: string, mapType: MapType): string => `${mapType} ${mapName}`

export const findMap = (partition: MemoryPartition, mapName: string, mapType: MapType): MemoryMap | undefined =>
  partition.maps.get(mapKey(mapName, mapType))

/** The map; one that is not there becomes part of the partition with its first record. */
const mapOf = (partition: MemoryPartition, mapName: string, mapType: MapType): MemoryMap =>
  findMap(partition, mapName, mapType) ?? { mapName, mapType, table: RecordTable.make() }

/** A key of a map. */
export interface Entry {
  readonly map: MemoryMap
  readonly key: string
  readonly hash: number
}

const entryIn = (map: MemoryMap, key: string): Entry => ({ map, key, hash: keyHash(map.mapName, key) })

/** What a key holds. */
export const heldOf = ({ hash, key, map }: Entry): ReadonlyArray<RecordTable.Held> =>
  RecordTable.find(map.table, hash, key)

export const recordsOf = (entry: Entry): KeyRecords => heldOf(entry).map(({ record }) => record)

export const findEntry = (partition: MemoryPartition, { key, mapName, mapType }: KeyName): Entry | undefined => {
  const map = findMap(partition, mapName, mapType)
  return map === undefined ? undefined : entryIn(map, key)
}

export const entryOf = (partition: MemoryPartition, mapName: string, mapType: MapType, key: string): Entry =>
  entryIn(mapOf(partition, mapName, mapType), key)

/** The version of `record` that is here. */
export const findHeld = ({ hash, map }: Entry, record: MapRecord): RecordTable.Held | undefined =>
  RecordTable.findSame(map.table, hash, record)

/** Puts `next` where an older version of it is held, or in addition when none is; its bytes as they are kept. */
export const put = (
  partition: MemoryPartition,
  { hash, map }: Entry,
  held: RecordTable.Held | undefined,
  next: MapRecord
): Uint8Array => {
  const { mapName, mapType, table } = map
  if (table.records === 0) partition.maps.set(mapKey(mapName, mapType), map)
  const before = held === undefined ? 0 : RecordTable.digestAt(table, held.place)
  const digest = RecordDigest.of(mapName, next)
  const place =
    held === undefined
      ? RecordTable.add(table, hash, digest, next)
      : RecordTable.replace(table, held.place, digest, next)
  DigestTree.replace(partition.digests, DigestTree.leafOf(hash), before, digest)
  partition.records += held === undefined ? 1 : 0
  partition.bytes += recordBytes(next) - (held === undefined ? 0 : recordBytes(held.record))
  return RecordTable.encodedAt(table, place)
}

export const remove = (
  partition: MemoryPartition,
  { mapName, mapType, table }: MemoryMap,
  { place, record }: RecordTable.Held
): void => {
  DigestTree.replace(
    partition.digests,
    DigestTree.leafOf(RecordTable.hashAt(table, place)),
    RecordTable.digestAt(table, place),
    0
  )
  RecordTable.remove(table, place)
  if (table.records === 0) partition.maps.delete(mapKey(mapName, mapType))
  partition.records--
  partition.bytes -= recordBytes(record)
}

/** A record that was put, and how it was before: enough to take it back. */
export interface Put {
  readonly map: MemoryMap
  readonly old: MapRecord | undefined
  readonly next: MapRecord
  /** The bytes of `next`. */
  readonly bytes: Uint8Array
}

export const takeBack = (partition: MemoryPartition, { map, next, old }: Put): void => {
  const entry = entryIn(map, next.key)
  const held = findHeld(entry, next)
  if (held === undefined) throw new Error("what was put is not there")
  if (old === undefined) remove(partition, map, held)
  else put(partition, entry, held, old)
}
