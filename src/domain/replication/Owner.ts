/**
 * The owner's side of a write: it is stamped and applied in the owner's store, sent to everyone who must hold it, and
 * acknowledged when all of them do. When the set changes, writes that wait are sent again and judged again. When the
 * node is no longer the owner, they go back to their origin with their stamps.
 */
import type { Epoch } from "../data/Epoch.ts"
import type { Timestamp } from "../data/Timestamp.ts"
import type { Incarnation, NodeId } from "../model/Scalars.ts"
import type { Voter } from "../wire/Extensions.ts"
import { acts, ackSet, includes, isOwner, isRecovering, isSuspended, rowOf, suspend } from "./Authority.ts"
import {
  bytesOf,
  type Content,
  type DataBodyOf,
  isRead,
  type RefusalReason,
  type Reply,
  type Stamp
} from "./DataMessage.ts"
import type { Awaited, PartitionData, PendingWrite, Purpose, ReplyTo } from "./DataState.ts"
import type { DataStep } from "./DataStep.ts"
import type { StoreResult } from "./DataCommand.ts"
import * as CopyOut from "./CopyOut.ts"
import * as Origin from "./Origin.ts"
import * as Recovering from "./Recovering.ts"
import * as Scans from "./Scans.ts"
import * as Strays from "./Strays.ts"
import * as Tombstones from "./Tombstones.ts"
import { touch } from "./Touch.ts"

/** What was handed over and cannot be confirmed in this time has to be handed over again. */
const offerPatienceMs = 10_000

const answer = (step: DataStep, { id, incarnation, nodeId }: ReplyTo, reply: Reply): void => {
  if (nodeId === step.selfId) Origin.replied(step, nodeId, id, reply)
  else step.tell(nodeId, 0, { type: "reply", id, reply }, incarnation)
}

const refuse = (step: DataStep, replyTo: ReplyTo, reason: RefusalReason, detail = "", copies?: number): void =>
  answer(step, replyTo, {
    type: "refused",
    reason,
    ...(detail === "" ? {} : { detail }),
    ...(copies === undefined ? {} : { copies })
  })

const doneAt = (latest: Timestamp | undefined): Reply =>
  latest === undefined ? { type: "done" } : { type: "done", latest }

/** Why a request cannot be taken now. */
const obstacle = (step: DataStep, partition: PartitionData, isWrite: boolean): RefusalReason | undefined => {
  if (!acts(step, partition)) return "notOwner"
  if (isRecovering(step, partition.id)) return "recovering"
  if (step.state.awaited.size >= step.state.settings.maxStoreRequests) return "overloaded"
  if (!isWrite) return undefined
  const { maxDeltaBytes, maxPendingBytes, maxPendingWrites } = step.state.settings
  const isFull =
    partition.pending.size + partition.storing >= maxPendingWrites ||
    step.state.pendingBytes >= maxPendingBytes ||
    (partition.copyOut?.deltaBytes ?? 0) >= maxDeltaBytes
  return isFull ? "overloaded" : undefined
}

/** Somebody asks for something, perhaps this node itself. */
export const request = (step: DataStep, replyTo: ReplyTo, body: DataBodyOf<"request">): void => {
  const { ack, minCopies, partitionId, ttlMs, work } = body
  const partition = step.partition(partitionId)
  const reason = obstacle(step, partition, !isRead(work))
  if (reason !== undefined) return refuse(step, replyTo, reason)
  if (work.type === "get") {
    step.store(partitionId, { _tag: "Get", key: work.key }, { _tag: "Get", replyTo })
    return
  }
  if (work.type === "scan") return Scans.page(step, replyTo, body, work, answer)
  const copies = 1 + (rowOf(step, partitionId)?.backups.length ?? 0)
  if (ack === "backups" && copies < minCopies) {
    return refuse(step, replyTo, "notEnoughReplicas", `${copies} of ${minCopies} replicas are listed`, copies)
  }
  // Nothing of it is older.
  if (!partition.hasData) touch(step, partition)
  step.takes(partition)
  const stamped = work.type === "stamped" ? work.deltas : undefined
  step.store(
    partitionId,
    work.type === "write"
      ? { _tag: "Write", operations: work.operations, reading: step.tick() }
      : { _tag: "Merge", content: { chunks: [], deltas: work.deltas }, epoch: undefined },
    { _tag: "Write", partitionId, replyTo, ack, minCopies, deadlineMs: step.nowMs + ttlMs, stamped }
  )
}

/** The store has answered a read. */
export const got = (step: DataStep, { replyTo }: Extract<Awaited, { readonly _tag: "Get" }>, result: StoreResult) => {
  if (result._tag === "Got") answer(step, replyTo, { type: "value", deltas: result.deltas })
  else refuse(step, replyTo, "storeFailed", result._tag === "Failed" ? result.detail : "")
}

/** The store has read a page of a map. */
export const scanned = (step: DataStep, awaited: Extract<Awaited, { readonly _tag: "Scan" }>, result: StoreResult) =>
  Scans.read(step, awaited, result, answer)

/** The store has carried out a write. */
export const written = (
  step: DataStep,
  awaited: Extract<Awaited, { readonly _tag: "Write" }>,
  result: StoreResult
): void => {
  const { ack, deadlineMs, minCopies, partitionId, replyTo, stamped } = awaited
  const partition = step.partition(partitionId)
  partition.storing--
  if (result._tag === "Failed") {
    const reasons = { invalid: "invalid", failed: "storeFailed", full: "storeFull" } as const
    return refuse(step, replyTo, reasons[result.reason], result.detail)
  }
  if (result._tag !== "Written" && result._tag !== "Merged") throw new Error(`a write was answered ${result._tag}`)
  step.observe(result.latest)
  const { latest } = result
  const deltas = stamped ?? (result._tag === "Written" ? result.deltas : [])
  if (deltas.length === 0) return answer(step, replyTo, { type: "done" })
  const content = { chunks: [], deltas }
  const isAnswered = ack === "owner" && isOwner(step, partitionId)
  if (isAnswered) answer(step, replyTo, doneAt(latest))
  replicate(
    step,
    partition,
    content,
    { _tag: "Request", replyTo, minCopies: ack === "owner" ? 1 : minCopies, latest, isAnswered },
    deadlineMs
  )
}

/** The owner's store has changed: its replicas, and a copy under way, are to change as well. */
export const replicate = (
  step: DataStep,
  partition: PartitionData,
  content: Content,
  purpose: Purpose,
  deadlineMs: number,
  epoch?: Epoch
): void => {
  partition.changes++
  CopyOut.changed(step, partition, content)
  const bytes = bytesOf(content)
  const write: PendingWrite = {
    id: step.nextId(),
    content,
    bytes,
    epoch,
    purpose,
    deadlineMs,
    acked: nobody,
    sentAtMs: step.nowMs,
    resendAfterMs: step.state.settings.resendMs
  }
  partition.pending.set(write.id, write)
  step.state.pendingBytes += bytes
  if (!isOwner(step, partition.id)) return giveBack(step, partition, write)
  send(step, partition, write)
  settle(step, partition, write)
}

const nobody: ReadonlyArray<Voter> = []

const send = (step: DataStep, partition: PartitionData, write: PendingWrite): void => {
  write.sentAtMs = step.nowMs
  const { content, epoch, id: writeId } = write
  for (const holder of ackSet(step, partition)) {
    if (includes(write.acked, holder)) continue
    const body = { type: "replicate" as const, partitionId: partition.id, writeId, content }
    step.tell(holder.nodeId, partition.id, epoch === undefined ? body : { ...body, epoch }, holder.incarnation)
  }
}

const forget = (step: DataStep, partition: PartitionData, write: PendingWrite): void => {
  partition.pending.delete(write.id)
  step.state.pendingBytes -= write.bytes
}

/** Acknowledges a write when everyone who must holds it. */
const settle = (step: DataStep, partition: PartitionData, write: PendingWrite): void => {
  if (!acts(step, partition)) return
  const needed = ackSet(step, partition)
  for (const holder of needed) if (!includes(write.acked, holder)) return
  const { purpose } = write
  if (purpose._tag === "Request" && 1 + needed.length < purpose.minCopies) return
  forget(step, partition, write)
  if (purpose._tag === "Request" && !purpose.isAnswered) {
    answer(step, purpose.replyTo, doneAt(purpose.latest))
  } else if (purpose._tag === "Offer") {
    confirm(step, purpose.nodeId, purpose.incarnation, {
      partitionId: partition.id,
      batch: purpose.batch,
      accepted: true
    })
  }
}

const confirm = (
  step: DataStep,
  nodeId: NodeId,
  incarnation: Incarnation,
  confirmation: Omit<DataBodyOf<"offered">, "type">
): void => {
  if (nodeId === step.selfId) Strays.offered(step, nodeId, confirmation)
  else step.tell(nodeId, confirmation.partitionId, { type: "offered", ...confirmation }, incarnation)
}

/** It has been merged, and waits for the backups: it will be confirmed. */
const isPending = (
  { pending }: PartitionData,
  { batch, incarnation, nodeId }: Omit<Extract<Purpose, { readonly _tag: "Offer" }>, "_tag">
): boolean => {
  for (const { purpose } of pending.values()) {
    if (purpose._tag !== "Offer" || purpose.nodeId !== nodeId || purpose.incarnation !== incarnation) continue
    if (purpose.batch === batch) return true
  }
  return false
}

/** Somebody hands over records of a partition that it does not hold by the table. */
export const offer = (
  step: DataStep,
  from: NodeId,
  incarnation: Incarnation,
  { batch, content, epoch: known, partitionId, touch: told }: Omit<DataBodyOf<"offer">, "type">
): void => {
  const partition = step.partition(partitionId)
  const isWelcome = Strays.isWelcome(step, partition)
  if (isWelcome && from !== step.selfId && Tombstones.isStale(step, partition, known, told)) {
    return confirm(step, from, incarnation, { partitionId, batch, accepted: false, stale: true })
  }
  if (!isWelcome || !Recovering.admits(step, partition, { nodeId: from, incarnation, epoch: known, touch: told })) {
    return confirm(step, from, incarnation, { partitionId, batch, accepted: false })
  }
  if (isPending(partition, { nodeId: from, incarnation, batch })) return
  step.takes(partition)
  // Of what is worth as much as what the owner has by now nothing can be gone.
  const isWorth = isRecovering(step, partitionId) && known.markMs >= partition.epoch.markMs
  const epoch = isWorth ? undefined : Tombstones.goneOf(step, partition, told)
  step.store(
    partitionId,
    { _tag: "Merge", content, epoch },
    { _tag: "Offer", partitionId, nodeId: from, incarnation, batch, content, epoch }
  )
}

/** The store has merged what was handed over: the replicas are to have it before it is confirmed. */
export const offerMerged = (
  step: DataStep,
  awaited: Extract<Awaited, { readonly _tag: "Offer" }>,
  result: StoreResult
): void => {
  const { batch, content, epoch, incarnation, nodeId, partitionId } = awaited
  const partition = step.partition(partitionId)
  partition.storing--
  if (result._tag !== "Merged") return confirm(step, nodeId, incarnation, { partitionId, batch, accepted: false })
  step.observe(result.latest)
  if (result.changed > 0) Tombstones.unsettle(step, partition)
  Recovering.received(step, partition)
  const deadlineMs = step.nowMs + offerPatienceMs
  replicate(step, partition, content, { _tag: "Offer", nodeId, incarnation, batch }, deadlineMs, epoch)
}

// The new owner is to have what this node has stamped.
const giveBack = (step: DataStep, partition: PartitionData, write: PendingWrite): void => {
  forget(step, partition, write)
  const { purpose } = write
  if (purpose._tag === "Request" && !purpose.isAnswered) {
    answer(step, purpose.replyTo, { type: "stale", deltas: write.content.deltas })
  }
}

/** A replica has answered. */
export const replicated = (
  step: DataStep,
  from: string,
  incarnation: number,
  body: DataBodyOf<"replicated">,
  stamp: Stamp
) => {
  const partition = step.partition(body.partitionId)
  if (!body.accepted) {
    suspend(step, partition, stamp)
    return
  }
  const write = partition.pending.get(body.writeId)
  if (write === undefined) return
  const holder = { nodeId: from, incarnation }
  if (!includes(write.acked, holder)) write.acked = [...write.acked, holder]
  // What recovers is of another history until everyone has handed over.
  if (!isRecovering(step, partition.id)) touch(step, partition)
  settle(step, partition, write)
}

/** Who owns the partition, or who must hold its writes, may have changed. */
export const renew = (step: DataStep, partition: PartitionData): void => {
  const before = partition.judgedBy
  const needed = ackSet(step, partition)
  const isSame = needed === before || (needed.length === before.length && needed.every((one) => includes(before, one)))
  if (isOwner(step, partition.id) && isSame && !partition.wasSuspended) return
  partition.judgedBy = needed
  partition.wasSuspended = isSuspended(step, partition)
  for (const write of partition.pending.values()) {
    if (!isOwner(step, partition.id)) giveBack(step, partition, write)
    else {
      write.resendAfterMs = step.state.settings.resendMs
      send(step, partition, write)
      settle(step, partition, write)
    }
  }
}

/** Sends again what was not answered, and gives up what has taken too long. */
export const tick = (step: DataStep, partition: PartitionData): void => {
  for (const write of partition.pending.values()) {
    const { purpose } = write
    if (step.nowMs >= write.deadlineMs) {
      forget(step, partition, write)
      if (purpose._tag === "Request" && !purpose.isAnswered) answer(step, purpose.replyTo, { type: "unknown" })
    } else if (step.nowMs - write.sentAtMs >= write.resendAfterMs) {
      // Who is slow to store it would be slower with more of it.
      write.resendAfterMs *= 2
      send(step, partition, write)
    }
  }
}
