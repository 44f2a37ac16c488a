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

/** What decides about a record. */
export interface Aged {
  /** The wall clock of its last change. */
  readonly changedMs: number
  readonly isTombstone: boolean
}

const aged = (record: MapRecord): Aged => ({
  changedMs: MapRecord.changedAt(record).wallMs,
  isTombstone: MapRecord.isTombstone(record)
})

/** Whether a record that the partition lacks was known once and is gone: `baseMs` ≤ change < `markMs`. */
const isGone = (epoch: Epoch, record: MapRecord): boolean => isAgedGone(epoch, aged(record))

const isAgedGone = (epoch: Epoch, { changedMs, isTombstone }: Aged): boolean =>
  changedMs < epoch.markMs && (changedMs >= epoch.baseMs || isTombstone)

/** Whether a tombstone may be collected. */
const isCollected = (epoch: Epoch, record: MapRecord): boolean => isAgedCollected(epoch, aged(record))

const isAgedCollected = (epoch: Epoch, { changedMs, isTombstone }: Aged): boolean =>
  isTombstone && changedMs < epoch.markMs

export const Epoch = Object.assign(schema, { none, isGone, isCollected, isAgedGone, isAgedCollected })
