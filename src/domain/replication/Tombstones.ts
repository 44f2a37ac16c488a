/**
 * A tombstone is needed as long as an older version of its record may come back from somewhere. The owner forgets those
 * older than a horizon once all replicas have shown an equal digest, no copy is open, and it has held the partition
 * for a horizon without taking in what others held. It remembers until when it has forgotten (the epoch's mark), so
 * that a record from before which it lacks is refused; and since when it knows the partition at all (its base).
 *
 * Both stand in a note beside the records, with the time at which they were last known to be those of a replica: a
 * process that comes back knows what its data is worth. Whoever holds data with a note lacks no record of the time
 * between base and mark that was not removed.
 */
import { Result, Schema } from "effect"
import { Epoch } from "../data/Epoch.ts"
import { MessagePack } from "../codec/MessagePack.ts"
import { U64 } from "../model/Scalars.ts"
import { ViewHistory } from "../wire/Extensions.ts"
import type { Touch } from "./DataMessage.ts"
import type { PartitionData } from "./DataState.ts"
import type { DataStep } from "./DataStep.ts"
import { ageOf, historyOf, isNowOfPresent, isOfOneHistory, isOfPresent, partedMs, touch, touchOf } from "./Touch.ts"

/** The note that a store keeps beside a partition. `syncedAtMs`: wall clock, milliseconds since 1970, in that view. */
const PartitionNote = Schema.Struct({ ...Epoch.fields, syncedAtMs: U64, history: Schema.optionalKey(ViewHistory) })
export const noteCodec = MessagePack.codec(PartitionNote)

/** A note says when its partition was last in touch as exactly as this share of the horizon. */
const noteShare = 1 / 24
/** Of the time since the owner's mark: data that was out of touch longer may lack removals that are forgotten. */
const staleShare = 0.8

const note = (step: DataStep, partition: PartitionData): void => {
  partition.notedAtMs = step.nowMs
  const syncedAtMs = Math.max(0, Math.floor(step.wallMs - ageOf(step, partition)))
  const { syncedIn } = partition
  const history = syncedIn === undefined ? {} : { history: historyOf(syncedIn) }
  const bytes = noteCodec.encode({ ...partition.epoch, syncedAtMs, ...history })
  step.store(partition.id, { _tag: "SetNote", note: bytes }, { _tag: "Nothing" })
}

const setEpoch = (step: DataStep, partition: PartitionData, epoch: Epoch): void => {
  partition.epoch = epoch
  partition.isEpochPartial = false
  note(step, partition)
}

/** The store says what it kept of a partition while no process ran. What was learned since then stays. */
export const restore = (step: DataStep, partition: PartitionData, bytes: Uint8Array): void => {
  const read = noteCodec.decode(bytes)
  if (Result.isFailure(read)) {
    step.note(`the note of partition ${partition.id} cannot be read: ${read.failure.message}`, "warn")
    return
  }
  const { baseMs, history, markMs, syncedAtMs } = read.success
  if (partition.epoch.baseMs > 0 || partition.epoch.markMs > 0) return
  partition.epoch = { baseMs, markMs }
  partition.epochIn = history
  partition.epochInMarkMs = markMs
  partition.syncedAtMs = step.nowMs - Math.max(0, Math.floor(step.wallMs) - syncedAtMs)
  partition.syncedIn = history
}

/** This copy is one that counts, as of now: a restart is to know about when that was. */
export const inSync = (step: DataStep, partition: PartitionData): void => {
  touch(step, partition)
  const isOld = step.nowMs - partition.notedAtMs > noteShare * step.state.settings.tombstoneHorizonMs
  if (partition.hasData && isOld) note(step, partition)
}

/**
 * Could data that was out of touch for so long bring back what the owner of the partition has removed and forgotten?
 * Not if the same is forgotten of it: it has come, or was taken over, since.
 */
export const isStale = (step: DataStep, partition: PartitionData, known: Epoch, told: Touch): boolean => {
  const { markMs } = partition.epoch
  if (known.markMs >= markMs) return false
  const agedMs = Math.max(step.state.settings.tombstoneHorizonMs, step.wallMs - markMs)
  return told.ageMs > staleShare * agedMs && isOfOneHistory(told, partition)
}

/** The wall clock at a monotonic time, no earlier than 1970. */
const wallOf = (step: DataStep, atMs: number): number => Math.max(0, Math.floor(step.wallMs - (step.nowMs - atMs)))

/** What is gone of data that is handed over: nothing that was written after it had parted from the owner's history. */
export const goneOf = (step: DataStep, partition: PartitionData, told: Touch): Epoch => {
  const { baseMs, markMs } = partition.epoch
  if (isOfPresent(told)) return { baseMs, markMs: Math.min(markMs, wallOf(step, partition.epochPartedMs)) }
  if (isOfOneHistory(told, partition)) return { baseMs, markMs: Math.min(markMs, partition.epochInMarkMs) }
  const upToMs = told.commonMs === undefined ? 0 : Math.max(0, Math.floor(step.wallMs - told.commonMs))
  return { baseMs, markMs: Math.min(markMs, upToMs) }
}

/** The owner has taken the partition over, or taken in what others held. */
export const unsettle = (step: DataStep, partition: PartitionData): void => {
  partition.steadySinceMs = step.nowMs
  partition.steadyWallMs = step.wallMs
}

/** Up to when tombstones could be forgotten now; 0 for none. A clock that jumps ahead makes none of them older. */
export const nextMark = (step: DataStep, partition: PartitionData): number => {
  const { tombstoneHorizonMs } = step.state.settings
  const steadyMs = step.nowMs - partition.steadySinceMs
  if (steadyMs < tombstoneHorizonMs || partition.copyOut !== undefined) return 0
  return Math.max(0, Math.floor(Math.min(step.wallMs, partition.steadyWallMs + steadyMs)) - tombstoneHorizonMs)
}

/** All replicas hold the same, and have since the round began. */
export const allEqual = (step: DataStep, partition: PartitionData): void => {
  const { epoch, repair } = partition
  inSync(step, partition)
  if (repair.markMs <= epoch.markMs || repair.markMs <= epoch.baseMs || partition.copyOut !== undefined) return
  partition.epochPartedMs = Number.POSITIVE_INFINITY
  setEpoch(step, partition, { baseMs: epoch.baseMs, markMs: repair.markMs })
  step.store(partition.id, { _tag: "Collect", epoch: partition.epoch, keys: undefined }, { _tag: "Nothing" })
}

/** A replica forgets what its owner has forgotten. */
export const adopt = (step: DataStep, partition: PartitionData, epoch: Epoch): void => {
  isNowOfPresent(partition)
  if (epoch.markMs === partition.epoch.markMs && epoch.baseMs === partition.epoch.baseMs) return
  setEpoch(step, partition, epoch)
  step.store(partition.id, { _tag: "Collect", epoch, keys: undefined }, { _tag: "Nothing" })
}

const fromNow = (step: DataStep): Epoch => ({
  baseMs: Math.max(Math.floor(step.wallMs), step.state.clock.wallMs),
  markMs: 0
})

const begin = (step: DataStep, partition: PartitionData): void => {
  isNowOfPresent(partition)
  setEpoch(step, partition, fromNow(step))
}

/** What is told of the partition with a copy of it. */
export const knownOf = (step: DataStep, partition: PartitionData): Epoch =>
  partition.isEpochPartial ? fromNow(step) : partition.epoch

/**
 * This node owns a partition that no replica has survived. What it holds of it from before is worth what its note says;
 * without any its knowledge begins now.
 */
export const takeOver = (step: DataStep, partition: PartitionData): void => {
  if (partition.hasData && partition.epoch.markMs > 0) {
    if (partition.epochIn !== undefined) partition.epochPartedMs = partedMs(step, touchOf(step, partition))
    return
  }
  begin(step, partition)
}

/**
 * Somebody hands over data that is worth more: what it does not hold of the time before its mark is gone, here as well.
 * The note says nothing until all of it has come.
 */
export const yieldTo = (step: DataStep, partition: PartitionData, epoch: Epoch, told: Touch): void => {
  const own = touchOf(step, partition)
  setEpoch(step, partition, Epoch.none)
  partition.epoch = epoch
  partition.isEpochPartial = true
  partition.epochIn = told.history
  partition.epochInMarkMs = epoch.markMs
  partition.epochPartedMs = partedMs(step, told)
  const gone = goneOf(step, partition, own)
  if (gone.markMs > 0) step.store(partition.id, { _tag: "Collect", epoch: gone, keys: "all" }, { _tag: "Nothing" })
}

/** All that the epoch tells of is here. */
export const settle = (step: DataStep, partition: PartitionData): void => {
  partition.isEpochPartial = false
  note(step, partition)
}

/** Whoever handed over does not go on, or not to this node: knowledge begins now, since what is lacking may exist. */
export const breakOff = (step: DataStep, partition: PartitionData): void => {
  if (partition.isEpochPartial) begin(step, partition)
}

/** Not all that the data was known to hold is there any more, or nothing is. */
export const forget = (step: DataStep, partition: PartitionData): void => {
  isNowOfPresent(partition)
  if (partition.epoch.baseMs === 0 && partition.epoch.markMs === 0) return
  setEpoch(step, partition, Epoch.none)
}
