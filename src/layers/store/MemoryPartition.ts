/**
 * The content of one partition in memory. Everything here happens at once. Keys stand in insertion order, and a
 * walk over them meets keys that are added behind it, which is what makes reading safe under changes.
 */
import { DigestTree } from "../../domain/data/DigestTree.ts"
import { KeyRecords } from "../../domain/data/KeyRecords.ts"
import type { MapRecord } from "../../domain/data/MapRecord.ts"
import { recordBytes } from "../../domain/data/MergeRecord.ts"
import { keyHash, RecordDigest } from "../../domain/data/RecordDigest.ts"
import type { MapType } from "../../domain/model/Migration.ts"
import type { KeyName } from "../../domain/data/KeyName.ts"

/** All records of one key. */
export interface Entry extends KeyName {
  /** Of map and key: where the key stands in the digest tree. */
  readonly hash: number
  records: KeyRecords
  /** Sum of the records' digests. */
  digest: RecordDigest
}

export interface MemoryMap {
  readonly mapName: string
  readonly mapType: MapType
  readonly entries: Map<string, Entry>
}

export interface MemoryPartition {
  readonly partitionId: number
  /** By type and name. */
  readonly maps: Map<string, MemoryMap>
  readonly digests: DigestTree
  /** How many there are. */
  keys: number
  /**
   * The keys of each leaf of the digest tree, once there are many: whoever compares a leaf need not look at all of
   * them, which would hold up everything else.
   */
  leaves: ReadonlyArray<Array<Entry>> | undefined
  note: Uint8Array | undefined
  records: number
  bytes: number
  version: number
}

/** A record that was changed, and how it was before: enough to take the change back. */
export interface Replaced {
  readonly entry: Entry
  readonly old: MapRecord | undefined
  readonly next: MapRecord | undefined
}

export const make = (partitionId: number): MemoryPartition => ({
  partitionId,
  maps: new Map(),
  digests: DigestTree.make(),
  keys: 0,
  leaves: undefined,
  note: undefined,
  records: 0,
  bytes: 0,
  version: 0
})

const mapKey = (mapName: string, mapType: MapType): string => `${mapType} ${mapName}`

export const findMap = (partition: MemoryPartition, mapName: string, mapType: MapType): MemoryMap | undefined =>
  partition.maps.get(mapKey(mapName, mapType))

export const findEntry = (partition: MemoryPartition, { key, mapName, mapType }: KeyName): Entry | undefined =>
  findMap(partition, mapName, mapType)?.entries.get(key)

/** The entry of a key, made when there is none. One that stays empty is removed by the next `replace`. */
export const entryOf = (partition: MemoryPartition, mapName: string, mapType: MapType, key: string): Entry => {
  const name = mapKey(mapName, mapType)
  let map = partition.maps.get(name)
  if (map === undefined) partition.maps.set(name, (map = { mapName, mapType, entries: new Map() }))
  let entry = map.entries.get(key)
  if (entry === undefined) {
    entry = { mapName, mapType, key, hash: keyHash(mapName, key), records: KeyRecords.none, digest: 0 }
    map.entries.set(key, entry)
    partition.keys++
    if (partition.leaves !== undefined) leafOf(partition.leaves, entry.hash).push(entry)
    else if (partition.keys > mostWithoutLeaves) partition.leaves = leavesOf(partition)
  }
  return entry
}

/** Keys of a partition up to which it is looked through as a whole. */
const mostWithoutLeaves = 2048

const leafOf = (leaves: ReadonlyArray<Array<Entry>>, hash: number): Array<Entry> => {
  const leaf = leaves[DigestTree.leafOf(hash) - DigestTree.firstLeaf]
  if (leaf === undefined) throw new Error("a hash has no leaf")
  return leaf
}

const leavesOf = (partition: MemoryPartition): ReadonlyArray<Array<Entry>> => {
  const leaves = Array.from({ length: DigestTree.size - DigestTree.firstLeaf }, (): Array<Entry> => [])
  for (const entry of entries(partition)) leafOf(leaves, entry.hash).push(entry)
  return leaves
}

// The last takes its place: the order in a leaf means nothing.
const takeOut = (leaf: Array<Entry>, entry: Entry): void => {
  const at = leaf.indexOf(entry)
  const last = leaf.pop()
  if (last === undefined || at < 0) throw new Error("an entry is not in its leaf")
  if (last !== entry) leaf[at] = last
}

/** Removes an entry that holds nothing, and its map when that is then empty. */
export const prune = (partition: MemoryPartition, entry: Entry): void => {
  if (entry.records.length > 0) return
  const name = mapKey(entry.mapName, entry.mapType)
  const map = partition.maps.get(name)
  if (map?.entries.delete(entry.key) === true) {
    partition.keys--
    if (partition.leaves !== undefined) takeOut(leafOf(partition.leaves, entry.hash), entry)
  }
  if (map?.entries.size === 0) partition.maps.delete(name)
}

/** Puts `next` in place of `old`, both versions of one record; `undefined` for none. */
export const replace = (partition: MemoryPartition, { entry, next, old }: Replaced): void => {
  const oldDigest = old === undefined ? 0 : digestOf(entry, old)
  const nextDigest = next === undefined ? 0 : RecordDigest.of(entry.mapName, next)
  entry.records = replaced(entry.records, old, next)
  entry.digest = RecordDigest.add(RecordDigest.subtract(entry.digest, oldDigest), nextDigest)
  DigestTree.replace(partition.digests, DigestTree.leafOf(entry.hash), oldDigest, nextDigest)
  partition.records += Number(next !== undefined) - Number(old !== undefined)
  partition.bytes += (next === undefined ? 0 : recordBytes(next)) - (old === undefined ? 0 : recordBytes(old))
}

// The digest of a register is that of its key, which spares hashing its value again.
const digestOf = (entry: Entry, record: MapRecord): RecordDigest =>
  record.type === "lww" ? entry.digest : RecordDigest.of(entry.mapName, record)

const replaced = (records: KeyRecords, old: MapRecord | undefined, next: MapRecord | undefined): KeyRecords => {
  if (old === undefined) return next === undefined ? records : KeyRecords.merge(records, next)
  const at = records.indexOf(old)
  if (at < 0) throw new Error("The replaced record is not among those of its key")
  return next === undefined ? records.toSpliced(at, 1) : records.with(at, next)
}

/** Every entry, those added meanwhile included. */
export function* entries(partition: MemoryPartition): Generator<Entry> {
  for (const { entries } of partition.maps.values()) yield* entries.values()
}
