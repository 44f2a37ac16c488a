/**
 * Reading all of a map in a partition, page by page, at its owner. A scan is open between its pages, for as long as
 * somebody goes on with it; the cursor that its client holds names the process that keeps it, so that another owner
 * does not go on with what it has not begun.
 */
import type { DataBodyOf, Reply } from "./DataMessage.ts"
import type { Awaited, ReplyTo } from "./DataState.ts"
import type { DataStep } from "./DataStep.ts"
import type { StoreResult } from "./DataCommand.ts"
import type { WorkOf } from "./DataMessage.ts"

type Answer = (step: DataStep, replyTo: ReplyTo, reply: Reply) => void

/** The next page, or the first. */
export const page = (
  step: DataStep,
  replyTo: ReplyTo,
  { partitionId }: DataBodyOf<"request">,
  work: WorkOf<"scan">,
  answer: Answer
): void => {
  const { cursor, mapName, mapType, maxBytes } = work
  const { scans, settings } = step.state
  if (cursor === undefined && scans.size >= settings.maxScans) {
    const detail = `${settings.maxScans} scans are open`
    return answer(step, replyTo, { type: "refused", reason: "overloaded", detail })
  }
  const reader = cursor?.reader ?? step.nextId()
  const isOurs = cursor === undefined || cursor.process === step.sight.self.incarnation
  const known = cursor === undefined ? { partitionId, usedAtMs: step.nowMs, isBusy: false } : scans.get(reader)
  if (!isOurs || known === undefined || known.isBusy || known.partitionId !== partitionId) {
    return answer(step, replyTo, { type: "refused", reason: "scanLost" })
  }
  known.isBusy = true
  scans.set(reader, known)
  step.store(
    partitionId,
    { _tag: "Scan", reader, mapName, mapType, maxBytes: Math.min(maxBytes, settings.chunkBytes) },
    { _tag: "Scan", reader, replyTo }
  )
}

/** The store has read a page. */
export const read = (
  step: DataStep,
  { reader, replyTo }: Extract<Awaited, { readonly _tag: "Scan" }>,
  result: StoreResult,
  answer: Answer
): void => {
  const { scans } = step.state
  const known = scans.get(reader)
  if (result._tag !== "Page") {
    scans.delete(reader)
    const detail = result._tag === "Failed" ? result.detail : ""
    return answer(step, replyTo, { type: "refused", reason: "storeFailed", detail })
  }
  const { deltas, isEnd } = result
  if (isEnd || known === undefined) {
    scans.delete(reader)
    return answer(step, replyTo, { type: "page", deltas })
  }
  known.isBusy = false
  known.usedAtMs = step.nowMs
  answer(step, replyTo, { type: "page", deltas, cursor: { process: step.sight.self.incarnation, reader } })
}

/** Closes scans that nobody goes on with. */
export const tick = (step: DataStep): void => {
  const { scans, settings } = step.state
  for (const [reader, { isBusy, partitionId, usedAtMs }] of scans) {
    if (isBusy || step.nowMs - usedAtMs <= settings.scanIdleMs) continue
    scans.delete(reader)
    step.store(partitionId, { _tag: "CloseRead", reader }, { _tag: "Nothing" })
  }
}
