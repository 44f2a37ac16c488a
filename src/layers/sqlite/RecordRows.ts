/** Records as rows: their names, and the statements that read and write them. */
import type { DatabaseSync, SQLOutputValue } from "node:sqlite"
import { Result } from "effect"
import { DigestTree } from "../../domain/data/DigestTree.ts"
import { KeyRecords } from "../../domain/data/KeyRecords.ts"
import { MapRecord } from "../../domain/data/MapRecord.ts"
import { decodeRecord, encodeRecord } from "../../domain/data/RecordCodec.ts"
import { keyHash, RecordDigest } from "../../domain/data/RecordDigest.ts"
import type { KeyName } from "../../domain/data/KeyName.ts"

/** Where a row stands in its generation. */
export interface Position {
  readonly hash: number
  readonly id: Uint8Array
  readonly tag: Uint8Array
}

/** A row as it is read. */
export interface Row extends Position {
  readonly digest: RecordDigest
  readonly at: number
  readonly removed: boolean
  readonly data: Uint8Array
}

/** A key with what its rows are found by. */
export interface KeyPlace extends KeyName {
  readonly hash: number
  readonly id: Uint8Array
}

export const placeOf = ({ key, mapName, mapType }: KeyName): KeyPlace => ({
  mapName,
  mapType,
  key,
  hash: keyHash(mapName, key),
  id: Buffer.concat([mapPrefix({ mapName, mapType }), Buffer.from(key)])
})

/** The beginning of the ids of all keys of a map. */
export const mapPrefix = ({ mapName, mapType }: Omit<KeyName, "key">): Uint8Array => {
  const name = Buffer.from(mapName)
  return Buffer.concat([Uint8Array.of(mapType === "lww" ? 0 : 1, name.length), name])
}

/** The key of an id. */
export const nameOf = (id: Uint8Array): KeyName => {
  const [type = 0, length = 0] = id
  const text = Buffer.from(id.buffer, id.byteOffset, id.length)
  return {
    mapType: type === 0 ? "lww" : "or",
    mapName: text.toString("utf8", 2, 2 + length),
    key: text.toString("utf8", 2 + length)
  }
}

const noTag = new Uint8Array(0)

/** Names a record among those of its key; bytes in the order of the tags. */
export const tagOf = (record: MapRecord): Uint8Array => {
  if (record.type === "lww") return noTag
  const { counter, node, wallMs } = record.tag
  const bytes = Buffer.alloc(10 + Buffer.byteLength(node))
  bytes.writeUIntBE(wallMs, 0, 6)
  bytes.writeUInt32BE(counter, 6)
  bytes.write(node, 10)
  return bytes
}

/** The record in a row. One that does not decode means that the file is damaged. */
export const recordOf = (data: Uint8Array): MapRecord => {
  const record = decodeRecord(data)
  if (Result.isFailure(record)) throw Object.assign(new Error("a stored record is damaged"), { errcode: 11 })
  return record.success
}

/** Statements on the records of one database. */
export interface RecordRows {
  /** All rows of a key, in the order of their tags. */
  readonly ofKey: (generation: number, place: KeyPlace) => ReadonlyArray<Row>
  readonly find: (generation: number, place: KeyPlace, tag: Uint8Array) => Row | undefined
  /** Rows behind a position, by hash up to `lastHash`. */
  readonly after: (generation: number, position: Position, lastHash: number) => Iterable<Row>
  /** Sums of the digests in each leaf that has any, by number of the leaf from 0. */
  readonly leaves: (generation: number) => Iterable<readonly [leaf: number, digest: RecordDigest]>
  /** Tombstones that were last changed before a millisecond. */
  readonly tombstonesBefore: (generation: number, ms: number) => ReadonlyArray<Row>
  readonly put: (generation: number, place: KeyPlace, record: MapRecord) => RecordDigest
  readonly remove: (generation: number, position: Position) => void
  /** Removes some rows of a generation; how many. */
  readonly removeSome: (generation: number, limit: number) => number
}

const hashBits = 32
/** Half of a digest. */
const halfBits = 26

const columns = "hash, id, tag, digest, at, removed, data"
const key = "generation = ? AND hash = ? AND id = ?"

export const recordRows = (database: DatabaseSync): RecordRows => {
  const ofKey = database.prepare(`SELECT ${columns} FROM records WHERE ${key} ORDER BY tag`)
  const find = database.prepare(`SELECT ${columns} FROM records WHERE ${key} AND tag = ?`)
  const after = database.prepare(`SELECT ${columns} FROM records
    WHERE generation = ? AND (hash, id, tag) > (?, ?, ?) AND hash <= ? ORDER BY hash, id, tag`)
  // Added up where they are read: a partition of many records is a few thousand numbers here. Each sum has 64 bits, so
  // that the halves of the digests are added up by themselves.
  const leaves =
    database.prepare(`SELECT hash >> ${hashBits - DigestTree.leafBits} AS leaf, sum(digest >> ${halfBits}) AS high,
    sum(digest & ${2 ** halfBits - 1}) AS low FROM records WHERE generation = ? GROUP BY leaf`)
  const tombstones = database.prepare(`SELECT ${columns} FROM records
    WHERE generation = ? AND at < ? AND removed = 1 ORDER BY at`)
  const put = database.prepare(`INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET digest = excluded.digest, at = excluded.at, removed = excluded.removed, data = excluded.data`)
  const remove = database.prepare(`DELETE FROM records WHERE ${key} AND tag = ?`)
  const removeSome = database.prepare(`DELETE FROM records WHERE generation = ? AND (hash, id, tag) IN
    (SELECT hash, id, tag FROM records WHERE generation = ? LIMIT ?)`)
  return {
    ofKey: (generation, { hash, id }) => ofKey.all(generation, hash, id).map(rowOf),
    find: (generation, { hash, id }, tag) => {
      const row = find.get(generation, hash, id, tag)
      return row === undefined ? undefined : rowOf(row)
    },
    *after(generation, { hash, id, tag }, lastHash) {
      for (const row of after.iterate(generation, hash, id, tag, lastHash)) yield rowOf(row)
    },
    *leaves(generation) {
      for (const row of leaves.iterate(generation)) {
        const high = (integer(row, "high") % 2 ** halfBits) * 2 ** halfBits
        yield [integer(row, "leaf"), RecordDigest.add(high, integer(row, "low"))]
      }
    },
    tombstonesBefore: (generation, ms) => tombstones.all(generation, ms).map(rowOf),
    put: (generation, { hash, id, mapName }, record) => {
      const digest = RecordDigest.of(mapName, record)
      const at = MapRecord.changedAt(record).wallMs
      const removed = MapRecord.isTombstone(record) ? 1 : 0
      put.run(generation, hash, id, tagOf(record), digest, at, removed, encodeRecord(record))
      return digest
    },
    remove: (generation, { hash, id, tag }) => {
      remove.run(generation, hash, id, tag)
    },
    removeSome: (generation, limit) => Number(removeSome.run(generation, generation, limit).changes)
  }
}

type Columns = Record<string, SQLOutputValue>

const rowOf = (row: Columns): Row => ({
  hash: integer(row, "hash"),
  id: blob(row, "id"),
  tag: blob(row, "tag"),
  digest: integer(row, "digest"),
  at: integer(row, "at"),
  removed: integer(row, "removed") === 1,
  data: blob(row, "data")
})

/** A column that must be an integer; anything else means that the file is damaged. */
export const integer = (row: Columns, column: string): number => {
  const value = row[column]
  if (typeof value !== "number") throw Object.assign(new Error(`${column} is no number`), { errcode: 11 })
  return value
}

export const blob = (row: Columns, column: string): Uint8Array => {
  const value = row[column]
  if (!(value instanceof Uint8Array)) throw Object.assign(new Error(`${column} holds no bytes`), { errcode: 11 })
  return value
}

/** The records in rows of one key. */
export const recordsOf = (rows: ReadonlyArray<Row>): KeyRecords => rows.map(({ data }) => recordOf(data))
