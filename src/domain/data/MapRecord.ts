/**
 * What a partition consists of: records, the units that are written, replicated, compared and merged.
 *
 * - `lww`: one register for each key; the latest write wins. A removal is a record too (a tombstone), so that it
 *   wins over an older write that arrives later.
 * - `or`: a set of values for each key. Each addition is a record of its own, named by a tag; a removal marks the
 *   tags that it has seen, so that an addition made at the same time elsewhere stays (observed remove).
 *
 * Two versions of one record merge into their least upper bound: in any order, any number of times, the outcome is
 * the same.
 */
import { Schema } from "effect"
import { Key, Value } from "./DataBounds.ts"
import { Timestamp } from "./Timestamp.ts"

/** The register of one key. Without `value` it is a tombstone. */
export const LwwRecord = Schema.Struct({
  type: Schema.Literal("lww"),
  key: Key,
  time: Timestamp,
  value: Schema.optionalKey(Value)
})
export type LwwRecord = typeof LwwRecord.Type

/** One addition to the values of a key. Once it is removed it is a tombstone and has lost its value. */
export const OrRecord = Schema.Struct({
  type: Schema.Literal("or"),
  key: Key,
  /** When it was added: its name among the records of the key. */
  tag: Timestamp,
  removed: Schema.optionalKey(Timestamp),
  value: Schema.optionalKey(Value)
}).check(
  Schema.makeFilter((record) => (record.removed === undefined) !== (record.value === undefined), {
    expected: "either a value or the time of its removal"
  })
)
export type OrRecord = typeof OrRecord.Type

const schema = Schema.Union([LwwRecord, OrRecord])
export type MapRecord = typeof schema.Type

/** Whether both are versions of one record, provided that they come from one map and one key. */
const isSame = (a: MapRecord, b: MapRecord): boolean =>
  a.type === "lww" ? b.type === "lww" : b.type === "or" && Timestamp.compare(a.tag, b.tag) === 0

/**
 * The least upper bound of two versions of one record. It is `a` itself when `b` adds nothing.
 *
 * Versions with one timestamp should be equal. If a fault made them differ, a value wins over none and the larger
 * bytes over the smaller, so that replicas still end up equal.
 */
const merge = (a: MapRecord, b: MapRecord): MapRecord => {
  if (a.type === "lww" && b.type === "lww") return mergeRegisters(a, b)
  if (a.type === "or" && b.type === "or") return mergeAdditions(a, b)
  throw new Error("Records of different kinds are not versions of one record")
}

const mergeRegisters = (a: LwwRecord, b: LwwRecord): LwwRecord =>
  (Timestamp.compare(a.time, b.time) || compareValues(a.value, b.value)) >= 0 ? a : b

const mergeAdditions = (a: OrRecord, b: OrRecord): OrRecord => {
  if (a.removed === undefined && b.removed === undefined) return compareValues(a.value, b.value) >= 0 ? a : b
  const removed =
    b.removed === undefined || (a.removed !== undefined && Timestamp.compare(a.removed, b.removed) >= 0)
      ? a.removed
      : b.removed
  if (removed === undefined) return a
  return removed === a.removed ? a : { type: "or", key: a.key, tag: a.tag, removed }
}

const compareValues = (a: Uint8Array | undefined, b: Uint8Array | undefined): number => {
  if (a === undefined || b === undefined) return Number(a !== undefined) - Number(b !== undefined)
  const shared = Math.min(a.length, b.length)
  for (let i = 0; i < shared; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

/** Whether the bytes are the same. */
export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => compareValues(a, b) === 0

/** A removal, which only says that something is gone. */
const isTombstone = (record: MapRecord): boolean =>
  record.type === "lww" ? record.value === undefined : record.removed !== undefined

/** When the record was last changed. */
const changedAt = (record: MapRecord): Timestamp =>
  record.type === "lww" ? record.time : (record.removed ?? record.tag)

/** The latest timestamp in the record: what a clock must pass, and what a new stamp for its key must pass. */
const latest = (record: MapRecord): Timestamp =>
  record.type === "lww" || record.removed === undefined ? changedAt(record) : Timestamp.max(record.tag, record.removed)

export const MapRecord = Object.assign(schema, { isSame, merge, isTombstone, changedAt, latest })
