/** A replica's side of a write: it takes what the owner sends if the owner may send it, and says so when it is stored. */
import { touch } from "./Touch.ts"
import { accepts, isRecovering, suspend } from "./Authority.ts"
import type { DataBodyOf, Stamp } from "./DataMessage.ts"
import type { Awaited } from "./DataState.ts"
import type { DataStep } from "./DataStep.ts"
import type { StoreResult } from "./DataCommand.ts"

/** The owner, or who takes itself for it, sends a change. */
export const replicate = (
  step: DataStep,
  from: string,
  incarnation: number,
  body: DataBodyOf<"replicate">,
  stamp: Stamp
): void => {
  const { content, epoch, partitionId, writeId } = body
  const partition = step.partition(partitionId)
  if (!accepts(step, partition, from, stamp)) {
    step.tell(from, partitionId, { type: "replicated", partitionId, writeId, accepted: false }, incarnation)
    return
  }
  suspend(step, partition, stamp)
  // What recovers is of another history until everyone has handed over.
  if (!isRecovering(step, partitionId)) touch(step, partition)
  step.takes(partition)
  step.store(
    partitionId,
    { _tag: "Merge", content, epoch },
    { _tag: "Replicate", partitionId, nodeId: from, incarnation, writeId }
  )
}

/** The store has it. */
export const stored = (
  step: DataStep,
  awaited: Extract<Awaited, { readonly _tag: "Replicate" }>,
  result: StoreResult
): void => {
  const { incarnation, nodeId, partitionId, writeId } = awaited
  const partition = step.partition(partitionId)
  partition.storing--
  partition.changes++
  if (result._tag === "Merged") {
    step.observe(result.latest)
    step.tell(nodeId, partitionId, { type: "replicated", partitionId, writeId, accepted: true }, incarnation)
  } else
    step.note(
      `partition ${partitionId} could not be stored${result._tag === "Failed" ? `: ${result.detail}` : ""}`,
      "warn"
    )
}
