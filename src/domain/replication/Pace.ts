/**
 * How fast records leave a node that are not what clients are waiting for: chunks of copies, and of what it hands over.
 * They share one rate, and flow evenly at it.
 *
 * A node that comes too late to send, because it has other things to do, makes up for one chunk at most. So what is
 * bulk slows down when the node is busy, without anybody measuring how busy it is.
 */
import type { DataStep } from "./DataStep.ts"

/** A node may make up for this much at least: a timer that is late must not slow down fast copies. */
const catchUpMs = 5

/** Whether a chunk may be sent now. If not, the node asks to be woken when it may. */
const mayFlow = (step: DataStep): boolean => {
  const { copyBudget: budget, settings } = step.state
  const { chunkBytes, copyBytesPerSecond } = settings
  const earned = ((step.nowMs - budget.atMs) / 1000) * copyBytesPerSecond
  budget.bytes = Math.min(budget.bytes + earned, Math.max(chunkBytes, (copyBytesPerSecond * catchUpMs) / 1000))
  budget.atMs = step.nowMs
  // Less than a byte is what rounding leaves.
  if (budget.bytes > -1) return true
  step.wake((-budget.bytes / copyBytesPerSecond) * 1000)
  return false
}

/** A chunk has been sent. */
const spend = (step: DataStep, bytes: number): void => {
  step.state.copyBudget.bytes -= bytes
}

export const Pace = { mayFlow, spend }
