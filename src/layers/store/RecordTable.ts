/**
 * The records of one map in memory: encoded, in slabs, found by the hashes of their keys. The heap holds nothing for a
 * single record, so that a collection takes no longer with a gigabyte of them than with none.
 *
 * A walk has a cursor instead of a position: the table may change between two steps in any way, and what is there all
 * the time is met once.
 */
import { Result } from "effect"
import { MapRecord } from "../../domain/data/MapRecord.ts"
import { decodeRecord, decodeRecordInPlace, encodeRecord, encodeRecordInto } from "../../domain/data/RecordCodec.ts"
import type { RecordDigest } from "../../domain/data/RecordDigest.ts"
import { Timestamp } from "../../domain/data/Timestamp.ts"
import * as PlaceIndex from "./PlaceIndex.ts"
import * as Slabs from "./Slabs.ts"

export interface RecordTable {
  readonly index: PlaceIndex.PlaceIndex
  readonly slabs: Slabs.Slabs
  records: number
}

/** A record that is here. The place is its own until it is replaced or removed, or the table is tidied. */
export interface Held {
  readonly place: number
  readonly record: MapRecord
}

export const make = (): RecordTable => ({ index: PlaceIndex.make(), slabs: Slabs.make(), records: 0 })

/** The record at a place. Its value is a view of what is kept: to be copied by whoever keeps it for long. */
export const recordAt = (table: RecordTable, place: number): MapRecord =>
  Result.getOrThrow(decodeRecordInPlace(Slabs.recordAt(table.slabs, place)))

/** The bytes of the record, a view of what is kept. */
export const encodedAt = ({ slabs }: RecordTable, place: number): Uint8Array => Slabs.recordAt(slabs, place)

/** The record at a place, with bytes of its own. */
export const copyAt = (table: RecordTable, place: number): MapRecord =>
  Result.getOrThrow(decodeRecord(Slabs.recordAt(table.slabs, place)))

export const isTombstoneAt = ({ slabs }: RecordTable, place: number): boolean => Slabs.isTombstone(slabs, place)

export const hashAt = ({ slabs }: RecordTable, place: number): number => Slabs.hashOf(slabs, place)

export const digestAt = ({ slabs }: RecordTable, place: number): RecordDigest => Slabs.digestOf(slabs, place)

/** The records of a key whose hash is `hash`, as `KeyRecords` has them. */
export const find = (table: RecordTable, hash: number, key: string): ReadonlyArray<Held> => {
  const found: Array<Held> = []
  for (const place of PlaceIndex.placesOf(table.index, hash)) {
    const record = recordAt(table, place)
    if (record.key === key) found.push({ place, record })
  }
  return found.length < 2 ? found : found.toSorted(byTag)
}

const byTag = ({ record: a }: Held, { record: b }: Held): number =>
  a.type === "or" && b.type === "or" ? Timestamp.compare(a.tag, b.tag) : 0

/** Adds a record; its place. */
export const add = (table: RecordTable, hash: number, digest: RecordDigest, record: MapRecord): number => {
  const { index, slabs } = table
  const header = headerOf(hash, digest, record)
  const place = Slabs.add(slabs, header, encoded(record))
  PlaceIndex.add(index, hash, place, header.isTombstone)
  PlaceIndex.split(index, hash, (at) => Slabs.isTombstone(slabs, at))
  table.records++
  return place
}

/** Puts `record` where an older version of it is; its place. */
export const replace = (table: RecordTable, place: number, digest: RecordDigest, record: MapRecord): number => {
  const { index, slabs } = table
  const header = headerOf(Slabs.hashOf(slabs, place), digest, record)
  const tombstones = Number(header.isTombstone) - Number(Slabs.isTombstone(slabs, place))
  const next = Slabs.add(slabs, header, encoded(record))
  PlaceIndex.replace(index, header.hash, place, next, tombstones)
  Slabs.remove(slabs, place)
  return next
}

export const remove = (table: RecordTable, place: number): void => {
  const { index, slabs } = table
  PlaceIndex.remove(index, Slabs.hashOf(slabs, place), place, Slabs.isTombstone(slabs, place))
  Slabs.remove(slabs, place)
  table.records--
}

/** The version of `record` that is here. */
export const findSame = (table: RecordTable, hash: number, record: MapRecord): Held | undefined => {
  const mark = markOf(record)
  for (const place of PlaceIndex.placesOf(table.index, hash)) {
    if (Slabs.markOf(table.slabs, place) !== mark) continue
    const known = recordAt(table, place)
    if (known.key === record.key && MapRecord.isSame(known, record)) return { place, record: known }
  }
  return undefined
}

/** Additions of one key have different tags; in a burst only the counters differ. */
const markOf = (record: MapRecord): number =>
  record.type === "or" ? (record.tag.wallMs + 31 * record.tag.counter) % 0x1_0000 : 0

const headerOf = (hash: number, digest: RecordDigest, record: MapRecord): Slabs.BlockHeader => ({
  hash,
  mark: markOf(record),
  digest,
  changedMs: MapRecord.changedAt(record).wallMs,
  isTombstone: MapRecord.isTombstone(record)
})

// Where records are encoded before they are put where they stay. The functions here are synchronous and leave nothing
// behind in it.
const scratch = new Uint8Array(64 * 1024)

const encoded = (record: MapRecord): Uint8Array => {
  const end = encodeRecordInto(record, scratch, 0)
  return end < 0 ? encodeRecord(record) : scratch.subarray(0, end)
}

/** Slabs that one change empties at most, so that none takes long. */
const emptiedAtOnce = 2

/** Gives back some of the memory that dead blocks take, if that is much. Places do not hold any more. */
export const tidy = ({ index, slabs }: RecordTable): void => {
  for (let i = 0; i < emptiedAtOnce && Slabs.isWasteful(slabs); i++) {
    for (const place of Slabs.mostWasted(slabs)) {
      PlaceIndex.replace(index, Slabs.hashOf(slabs, place), place, Slabs.move(slabs, place), 0)
    }
  }
}

// ---- walking ------------------------------------------------------------------------------------

/** How far a walk has come: all before, in the order of hashes and then of digests, is done. */
export interface Cursor {
  hash: number
  digest: number
}

export const start = (hash = 0): Cursor => ({ hash, digest: -1 })

/** Goes back to the first record of the cursor's hash. */
export const restart = (cursor: Cursor): void => {
  cursor.digest = -1
}

/**
 * The place of the first record behind the cursor, which moves there; `undefined` when its hash would be above `last`.
 * Of two records with equal hashes and equal digests it meets one, which is as improbable as that they count as equal.
 */
export const advance = (table: RecordTable, cursor: Cursor, last = 2 ** 32 - 1): number | undefined => {
  for (;;) {
    const bucket = PlaceIndex.bucketOf(table.index, cursor.hash)
    const place = firstBehind(table, bucket, cursor)
    if (place !== undefined) return cursor.hash <= last ? place : undefined
    if (bucket.last >= last) return undefined
    cursor.hash = bucket.last + 1
    cursor.digest = -1
  }
}

const firstBehind = ({ slabs }: RecordTable, bucket: PlaceIndex.Bucket, cursor: Cursor): number | undefined => {
  const { count, hashes, places } = bucket
  let found: number | undefined
  let hash = 2 ** 32
  let digest = 0
  for (let row = 0; row < count; row++) {
    const candidate = hashes[row] ?? 0
    if (candidate < cursor.hash || candidate > hash) continue
    const place = places[row] ?? 0
    const its = Slabs.digestOf(slabs, place)
    if (candidate === cursor.hash && its <= cursor.digest) continue
    if (candidate === hash && its > digest) continue
    found = place
    hash = candidate
    digest = its
  }
  if (found !== undefined) {
    cursor.hash = hash
    cursor.digest = digest
  }
  return found
}

/** The places of records for which `is` holds, by what their headers say; only tombstones if so asked. */
export const placesWhere = (
  { index, slabs }: RecordTable,
  is: (header: Slabs.BlockHeader) => boolean,
  onlyTombstones: boolean
): ReadonlyArray<number> => {
  const found: Array<number> = []
  for (const { count, places, tombstones } of PlaceIndex.buckets(index)) {
    if (onlyTombstones && tombstones === 0) continue
    for (let row = 0; row < count; row++) {
      const place = places[row] ?? 0
      if (is(Slabs.headerOf(slabs, place))) found.push(place)
    }
  }
  return found
}
