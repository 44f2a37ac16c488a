/**
 * A client of this node asks: its request goes to the owner of the partition, and its answer comes back.
 *
 * It is sent again only after an explicit refusal. A connection that ends, an owner that is put out of the cluster, or
 * time that runs out leaves its fate unknown: it may have taken effect, and a second one could undo what others have
 * written since. An owner that has stamped the write and may not acknowledge it any more returns the entries; those go
 * to the new owner as they are.
 */
import { rowOf } from "./Authority.ts"
import type { DataEvent } from "./DataCommand.ts"
import { isRead, type RefusalReason, type Reply } from "./DataMessage.ts"
import type { OriginRequest } from "./DataState.ts"
import type { DataStep } from "./DataStep.ts"
import * as Owner from "./Owner.ts"
import { isOwnMember, linkTo, memberIncarnation } from "./Sight.ts"

/** Refusals that another attempt cannot change. */
const isFinal = (reason: RefusalReason): boolean =>
  reason === "invalid" ||
  reason === "scanLost" ||
  reason === "notEnoughReplicas" ||
  reason === "storeFailed" ||
  reason === "storeFull"

export const ask = (step: DataStep, event: Extract<DataEvent, { readonly _tag: "Asked" }>): void => {
  const { ack, id, minCopies, partitionId, timeoutMs, work } = event
  if (step.state.requests.size >= step.state.settings.maxRequests) {
    step.answer(id, {
      _tag: "Refused",
      reason: "overloaded",
      detail: `${step.state.settings.maxRequests} requests are under way`,
      copies: 0
    })
    return
  }
  const request: OriginRequest = {
    id,
    partitionId,
    work,
    ack,
    minCopies,
    deadlineMs: step.nowMs + timeoutMs,
    sent: undefined,
    retryAtMs: step.nowMs,
    stamped: undefined,
    refusal: undefined
  }
  step.state.requests.set(id, request)
  route(step, request)
}

/** Sends a request to the owner, as far as this node knows it. */
const route = (step: DataStep, request: OriginRequest): void => {
  const { ack, deadlineMs, id, minCopies, partitionId, stamped } = request
  const work = stamped === undefined ? request.work : { type: "stamped" as const, deltas: stamped }
  const ttlMs = Math.max(1, Math.ceil(deadlineMs - step.nowMs))
  const owner = rowOf(step, partitionId)?.owner
  request.retryAtMs = step.nowMs + step.state.settings.retryMs
  // Nobody listens to who is out of its own view, as when it leaves.
  if (owner === undefined || !isOwnMember(step.sight)) return
  const body = { type: "request" as const, id, partitionId, work, ack, minCopies, ttlMs }
  if (owner === step.selfId) {
    const { incarnation } = step.sight.self
    request.sent = { nodeId: owner, incarnation, connection: undefined }
    Owner.request(step, { nodeId: owner, incarnation, id }, body)
    return
  }
  const incarnation = memberIncarnation(step.sight, owner)
  if (incarnation === undefined || !step.tell(owner, partitionId, body, incarnation)) return
  request.sent = { nodeId: owner, incarnation, connection: linkTo(step.sight, owner) }
}

const finish = (step: DataStep, request: OriginRequest, outcome: Parameters<DataStep["answer"]>[1]): void => {
  step.state.requests.delete(request.id)
  step.answer(request.id, outcome)
}

/** The answer of a node to a request. */
export const replied = (step: DataStep, from: string, id: number, reply: Reply): void => {
  const request = step.state.requests.get(id)
  if (request?.sent?.nodeId !== from) return
  switch (reply.type) {
    case "done":
      return finish(step, request, { _tag: "Done", latest: reply.latest })
    case "value":
      return finish(step, request, { _tag: "Value", deltas: reply.deltas })
    case "page":
      return finish(step, request, { _tag: "Page", deltas: reply.deltas, cursor: reply.cursor })
    case "unknown":
      return finish(step, request, { _tag: "Unknown", detail: "not all replicas have confirmed it in time" })
    case "stale":
      request.stamped = reply.deltas
      request.sent = undefined
      break
    case "refused": {
      const { copies = 0, detail = "", reason } = reply
      request.refusal = { reason, detail, copies }
      if (isFinal(reason) && request.stamped === undefined) {
        return finish(step, request, { _tag: "Refused", reason, detail, copies })
      }
      request.sent = undefined
    }
  }
  request.retryAtMs = step.nowMs + step.state.settings.retryMs
}

const expire = (step: DataStep, request: OriginRequest): void => {
  if (!isRead(request.work) && (request.sent !== undefined || request.stamped !== undefined)) {
    return finish(step, request, { _tag: "Unknown", detail: "no answer in time" })
  }
  const { refusal } = request
  if (refusal !== undefined) return finish(step, request, { _tag: "Refused", ...refusal })
  finish(step, request, { _tag: "Unavailable", detail: "the owner of the partition cannot be reached" })
}

// A page that was read and got lost cannot be read again.
const isPageOfScan = ({ work }: OriginRequest): boolean => work.type === "scan" && work.cursor !== undefined

const loseScan = (step: DataStep, request: OriginRequest, detail: string): void =>
  finish(step, request, { _tag: "Refused", reason: "scanLost", detail, copies: 0 })

/**
 * Requests whose connection has ended, or whose addressee is no member any more, so that nothing it says counts: reads
 * are asked again, the fate of writes is unknown. A write's answer may still come over another connection to the same
 * process. A node that stands still keeps its connections.
 */
export const reachChanged = (step: DataStep): void => {
  for (const request of step.state.requests.values()) {
    const { sent } = request
    if (sent?.connection === undefined) continue
    const links = step.sight.links.get(sent.nodeId) ?? []
    const isLinked = isRead(request.work) ? links.includes(sent.connection) : links.length > 0
    const isMember = memberIncarnation(step.sight, sent.nodeId) === sent.incarnation
    if (isLinked && isMember) continue
    const why = isLinked ? `${sent.nodeId} was put out of the cluster` : `the connection to ${sent.nodeId} ended`
    if (isPageOfScan(request)) loseScan(step, request, why)
    else if (isRead(request.work)) {
      request.sent = undefined
      request.retryAtMs = step.nowMs
    } else finish(step, request, { _tag: "Unknown", detail: why })
  }
}

/** The table has changed: who waits for an owner tries again. */
export const tableChanged = (step: DataStep): void => {
  for (const request of step.state.requests.values()) if (request.sent === undefined) request.retryAtMs = step.nowMs
}

const outOfPlace = "this node has lost its place in the cluster"

/** This process has lost its membership: nobody's answer reaches it any more. */
export const expelled = (step: DataStep): void => {
  for (const request of step.state.requests.values()) {
    if (request.sent === undefined || request.sent.nodeId === step.selfId) continue
    if (isPageOfScan(request)) loseScan(step, request, outOfPlace)
    else if (isRead(request.work)) request.sent = undefined
    else finish(step, request, { _tag: "Unknown", detail: outOfPlace })
  }
}

export const tick = (step: DataStep): void => {
  for (const request of step.state.requests.values()) {
    if (step.nowMs >= request.deadlineMs) expire(step, request)
    else if (request.sent === undefined && step.nowMs >= request.retryAtMs) route(step, request)
  }
}
