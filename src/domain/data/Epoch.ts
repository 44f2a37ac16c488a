/**
 * What a partition's owner has forgotten on purpose. Tombstones cannot be kept for ever; once they are collected, a
 * record from before could come back from a node that was away. So the owner remembers until when it collected, and
 * since when it knows the partition at all: a record from in between that it lacks was removed.
 */
import { Schema } from "effect"
import { U64 } from "../model/Scalars.ts"
import { MapRecord } from "./MapRecord.ts"

const schema = Schema.Struct({
  /** Since when this line of owners knows the partition: an owner that began empty knows of nothing before. */
  baseMs: U64,
  /** Tombstones from before this moment are collected. */
  markMs: U64
})
export type Epoch = typeof schema.Type

/** Nothing was collected yet. */
const none: Epoch = { baseMs: 0, markMs: 0 }

/** Whether a record that the partition lacks was known once and is gone: `baseMs` ≤ change < `markMs`. */
const isGone = (epoch: Epoch, record: MapRecord): boolean => {
  const { wallMs } = MapRecord.changedAt(record)
  return wallMs < epoch.markMs && (wallMs >= epoch.baseMs || MapRecord.isTombstone(record))
}

/** Whether a tombstone may be collected. */
const isCollected = (epoch: Epoch, record: MapRecord): boolean =>
  MapRecord.isTombstone(record) && MapRecord.changedAt(record).wallMs < epoch.markMs

export const Epoch = Object.assign(schema, { none, isGone, isCollected })
