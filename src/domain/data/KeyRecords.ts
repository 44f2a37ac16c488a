/**
 * All records of one key of one map: one register, or the additions of an observed-remove map in the order of their
 * tags. A store that keeps its records by key holds one of these for each.
 */
import { MapRecord, type OrRecord } from "./MapRecord.ts"
import { Timestamp } from "./Timestamp.ts"

export type KeyRecords = ReadonlyArray<MapRecord>

const none: KeyRecords = []

/** The records with one more version merged in; `records` itself when that changes nothing. */
const merge = (records: KeyRecords, incoming: MapRecord): KeyRecords => {
  const at = records.findIndex((record) => MapRecord.isSame(record, incoming))
  const known = records[at]
  if (known === undefined) return inserted(records, incoming)
  const merged = MapRecord.merge(known, incoming)
  return merged === known ? records : records.with(at, merged)
}

const inserted = (records: KeyRecords, incoming: MapRecord): KeyRecords => {
  if (records.length === 0) return [incoming]
  if (incoming.type === "lww") throw new Error("A key has one register")
  const at = records.findLastIndex((record) => record.type === "or" && isBefore(record, incoming))
  return records.toSpliced(at + 1, 0, incoming)
}

const isBefore = (a: OrRecord, b: OrRecord): boolean => Timestamp.compare(a.tag, b.tag) < 0

/** The version of `incoming` that is here. */
const find = (records: KeyRecords, incoming: MapRecord): MapRecord | undefined =>
  records.find((record) => MapRecord.isSame(record, incoming))

/** Those that are no tombstones. */
const live = (records: KeyRecords): KeyRecords => records.filter((record) => !MapRecord.isTombstone(record))

/** The latest timestamp in any of them. */
const latest = (records: KeyRecords): Timestamp | undefined => {
  let last: Timestamp | undefined
  for (const record of records) {
    const time = MapRecord.latest(record)
    last = last === undefined ? time : Timestamp.max(last, time)
  }
  return last
}

export const KeyRecords = { none, merge, find, live, latest }
