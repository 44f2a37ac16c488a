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
import type { PartitionData } from "./DataState.ts"
import type { DataStep } from "./DataStep.ts"

/** The note that a store keeps beside a partition. `syncedAtMs`: wall clock, milliseconds since 1970. */
const PartitionNote = Schema.Struct({ ...Epoch.fields, syncedAtMs: U64 })
export const noteCodec = MessagePack.codec(PartitionNote)

/** A note says when its partition was last in touch as exactly as this share of the horizon. */
const noteShare = 1 / 24
/** Of the time since the owner's mark: data that was out of touch longer may lack removals that are forgotten. */
const staleShare = 0.8

const note = (step: DataStep, partition: PartitionData): void => {
  partition.notedAtMs = step.nowMs
  const syncedAtMs = Math.max(0, Math.floor(step.wallMs - ageOf(step, partition)))
  const bytes = noteCodec.encode({ ...partition.epoch, syncedAtMs })
  step.store(partition.id, { _tag: "SetNote", note: bytes }, { _tag: "Nothing" })
}

const setEpoch = (step: DataStep, partition: PartitionData, epoch: Epoch): void => {
  partition.epoch = epoch
  note(step, partition)
}

/** The store says what it kept of a partition while no process ran. What was learned since then stays. */
export const restore = (step: DataStep, partition: PartitionData, bytes: Uint8Array): void => {
  const read = noteCodec.decode(bytes)
  if (Result.isFailure(read)) {
    step.note(`the note of partition ${partition.id} cannot be read: ${read.failure.message}`, "warn")
    return
  }
  const { baseMs, markMs, syncedAtMs } = read.success
  if (partition.epoch.baseMs > 0 || partition.epoch.markMs > 0) return
  partition.epoch = { baseMs, markMs }
  partition.syncedAtMs = step.nowMs - Math.max(0, Math.floor(step.wallMs) - syncedAtMs)
}

/** Milliseconds since this copy last was one that counts. */
export const ageOf = (step: DataStep, partition: PartitionData): number =>
  Math.max(0, Math.ceil(step.nowMs - partition.syncedAtMs))

/** This copy is one that counts, as of now: a restart is to know about when that was. */
export const inSync = (step: DataStep, partition: PartitionData): void => {
  partition.syncedAtMs = step.nowMs
  const isOld = step.nowMs - partition.notedAtMs > noteShare * step.state.settings.tombstoneHorizonMs
  if (partition.hasData && isOld) note(step, partition)
}

/** Could data that was out of touch for so long bring back what the owner of the partition has removed and forgotten? */
export const isStale = (step: DataStep, { epoch }: PartitionData, ageMs: number): boolean =>
  epoch.markMs > 0 && ageMs > staleShare * Math.max(step.state.settings.tombstoneHorizonMs, step.wallMs - epoch.markMs)

/** Up to when tombstones could be forgotten now; 0 for none. */
export const nextMark = (step: DataStep, partition: PartitionData): number => {
  const { tombstoneHorizonMs } = step.state.settings
  if (step.nowMs - partition.steadySinceMs < tombstoneHorizonMs || partition.copyOut !== undefined) return 0
  return Math.max(0, Math.floor(step.wallMs) - tombstoneHorizonMs)
}

/** All replicas hold the same, and have since the round began. */
export const allEqual = (step: DataStep, partition: PartitionData): void => {
  const { epoch, repair } = partition
  inSync(step, partition)
  if (repair.markMs <= epoch.markMs || repair.markMs <= epoch.baseMs || partition.copyOut !== undefined) return
  setEpoch(step, partition, { baseMs: epoch.baseMs, markMs: repair.markMs })
  step.store(partition.id, { _tag: "Collect", epoch: partition.epoch, keys: undefined }, { _tag: "Nothing" })
}

/** A replica forgets what its owner has forgotten. */
export const adopt = (step: DataStep, partition: PartitionData, epoch: Epoch): void => {
  if (epoch.markMs === partition.epoch.markMs && epoch.baseMs === partition.epoch.baseMs) return
  setEpoch(step, partition, epoch)
  step.store(partition.id, { _tag: "Collect", epoch, keys: undefined }, { _tag: "Nothing" })
}

/**
 * This node owns a partition that no replica has survived. What it holds of it from before is worth what its note says;
 * without any its knowledge begins now.
 */
export const takeOver = (step: DataStep, partition: PartitionData): void => {
  if (partition.hasData && partition.epoch.markMs > 0) return
  const baseMs = Math.max(Math.floor(step.wallMs), step.state.clock.wallMs)
  setEpoch(step, partition, { baseMs, markMs: 0 })
}

/**
 * Somebody hands over data that is worth more: what it does not hold of the time before its mark is gone, here as well.
 * The note says nothing until all of it has come.
 */
export const yieldTo = (step: DataStep, partition: PartitionData, epoch: Epoch): void => {
  setEpoch(step, partition, Epoch.none)
  partition.epoch = epoch
  step.store(partition.id, { _tag: "Collect", epoch, keys: "all" }, { _tag: "Nothing" })
}

/** All that the epoch tells of is here. */
export const settle = (step: DataStep, partition: PartitionData): void => setEpoch(step, partition, partition.epoch)

/** Not all that the data was known to hold is there any more, or nothing is. */
export const forget = (step: DataStep, partition: PartitionData): void => {
  if (partition.epoch.baseMs === 0 && partition.epoch.markMs === 0) return
  setEpoch(step, partition, Epoch.none)
}
