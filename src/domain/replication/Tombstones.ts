/**
 * A tombstone is needed as long as an older version of its record may come back from somewhere. The owner forgets those
 * older than a horizon once all replicas have shown an equal digest, no copy is open, and it has held the partition
 * for a horizon without taking in what others held. It remembers until when it has forgotten (the epoch's mark), so
 * that a record from before which it lacks is refused; and since when it knows the partition at all (its base).
 */
import { Epoch } from "../data/Epoch.ts"
import { MessagePack } from "../codec/MessagePack.ts"
import type { PartitionData } from "./DataState.ts"
import type { DataStep } from "./DataStep.ts"

/** The note that a store keeps beside a partition. */
export const noteCodec = MessagePack.codec(Epoch)

const setEpoch = (step: DataStep, partition: PartitionData, epoch: Epoch): void => {
  partition.epoch = epoch
  step.store(partition.id, { _tag: "SetNote", note: noteCodec.encode(epoch) }, { _tag: "Nothing" })
}

/** Up to when tombstones could be forgotten now; 0 for none. */
export const nextMark = (step: DataStep, partition: PartitionData): number => {
  const { tombstoneHorizonMs } = step.state.settings
  if (step.nowMs - partition.steadySinceMs < tombstoneHorizonMs || partition.copyOut !== undefined) return 0
  return Math.max(0, Math.floor(step.wallMs) - tombstoneHorizonMs)
}

/** All replicas hold the same, and have since the round began. */
export const allEqual = (step: DataStep, partition: PartitionData): void => {
  const { epoch, repair } = partition
  partition.syncedAtMs = step.nowMs
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

/** This node owns a partition of which it was never given a copy: its knowledge begins now. */
export const beginEmpty = (step: DataStep, partition: PartitionData): void => {
  const baseMs = Math.max(Math.floor(step.wallMs), step.state.clock.wallMs)
  setEpoch(step, partition, { baseMs, markMs: 0 })
}
