/**
 * Data of a partition that this node does not hold by the table (any more, or yet): it comes home, and is never
 * simply dropped. It is offered to the owner chunk by chunk; the owner confirms each once everyone who must holds it;
 * and it is dropped when all of it is confirmed and nothing has changed meanwhile.
 *
 * Of a partition that none of its replicas has survived, listed backups and the owner itself hand over what they have
 * from before as well: their rows say nothing about it.
 */
import { Epoch } from "../data/Epoch.ts"
import { memberAs } from "../protocol/ClusterView.ts"
import { acts, holderOf, isOwner, isRecovering, isReplica, rowOf } from "./Authority.ts"
import type { DataBodyOf } from "./DataMessage.ts"
import type { Awaited, PartitionData, StrayHandOff } from "./DataState.ts"
import type { DataStep } from "./DataStep.ts"
import type { StoreResult } from "./DataCommand.ts"
import * as Owner from "./Owner.ts"
import { Pace } from "./Pace.ts"
import * as Recovering from "./Recovering.ts"
import { isNowOfPresent, touchOf } from "./Touch.ts"

/** Does this node hold data that it has to hand over? */
export const isStray = (step: DataStep, partition: PartitionData): boolean => {
  if (!partition.hasData || partition.isSetAside) return false
  if (!isReplica(step, partition.id)) return true
  if (!isRecovering(step, partition.id) || hasHandedOver(step, partition)) return false
  // What the owner is given goes to its backups as it comes.
  return !isOwner(step, partition.id) || Recovering.recoveryOf(step, partition).hasOwn
}

/** Has everything been confirmed by the process that owns the partition now? */
export const hasHandedOver = (step: DataStep, partition: PartitionData): boolean => {
  const owner = rowOf(step, partition.id)?.owner
  return owner !== undefined && partition.handedTo === `${owner}#${holderOf(step, owner)}`
}

/** Begins, goes on with, or gives up the hand-off of a partition. */
export const consider = (step: DataStep, partition: PartitionData): void => {
  const { sight, state } = step
  const isMember = sight.view !== undefined && memberAs(sight.view, sight.self) !== undefined
  const isBusy = partition.copyIn !== undefined || partition.readied !== undefined || partition.copyOut !== undefined
  if (!state.isOpened || !isMember || isBusy || !isStray(step, partition)) {
    stop(step, partition)
    return
  }
  const owner = rowOf(step, partition.id)?.owner
  const incarnation = owner === undefined ? 0 : holderOf(step, owner)
  if (owner === undefined || incarnation === 0) return stop(step, partition)
  const known = partition.stray
  if (known?.owner === owner && known.incarnation === incarnation) return repeat(step, partition, known)
  stop(step, partition)
  if (owner !== step.selfId && (!step.isPeer(owner) || sight.links.get(owner) === undefined)) return
  const session: StrayHandOff = {
    owner,
    incarnation,
    reader: step.nextId(),
    version: undefined,
    batch: 0,
    chunk: undefined,
    isRead: false,
    sentAtMs: step.nowMs,
    resendAfterMs: patienceMs(step)
  }
  partition.stray = session
  step.store(partition.id, { _tag: "Size" }, { _tag: "Stray", partitionId: partition.id, session })
}

// Removals that it lacks are forgotten where it would be merged: it could bring back what is gone.
const setAside = (step: DataStep, partition: PartitionData): void => {
  stop(step, partition)
  if (partition.isSetAside) return
  partition.isSetAside = true
  step.changed({ _tag: "StraySetAside", partitionId: partition.id })
  step.note(`data of partition ${partition.id} was out of touch for too long and is not merged`, "warn")
}

export const stop = (step: DataStep, partition: PartitionData): void => {
  const session = partition.stray
  if (session === undefined) return
  partition.stray = undefined
  step.state.waitingStrays.delete(partition)
  if (!session.isRead) step.store(partition.id, { _tag: "CloseRead", reader: session.reader }, { _tag: "Nothing" })
}

const read = (step: DataStep, partition: PartitionData, session: StrayHandOff): void =>
  step.store(
    partition.id,
    { _tag: "Read", reader: session.reader, maxBytes: step.state.settings.chunkBytes },
    { _tag: "Stray", partitionId: partition.id, session }
  )

const send = (step: DataStep, partition: PartitionData, session: StrayHandOff): void => {
  if (session.chunk === undefined) return
  session.sentAtMs = step.nowMs
  if (!Pace.mayFlow(step)) {
    step.state.waitingStrays.add(partition)
    return
  }
  step.state.waitingStrays.delete(partition)
  // The owner sends it on to each of its backups.
  const backups = rowOf(step, partition.id)?.backups.length ?? 0
  Pace.spend(step, (1 + backups) * session.chunk.data.length)
  const content = { chunks: [session.chunk], deltas: [] }
  const { batch, incarnation, owner } = session
  const offer = { partitionId: partition.id, batch, content, epoch: partition.epoch, touch: touchOf(step, partition) }
  if (owner === step.selfId) Owner.offer(step, owner, incarnation, offer)
  else step.tell(owner, partition.id, { type: "offer", ...offer }, incarnation)
}

/** Sends what has waited for its time. */
export const flow = (step: DataStep): void => {
  for (const partition of Array.from(step.state.waitingStrays)) {
    if (partition.stray === undefined) step.state.waitingStrays.delete(partition)
    else send(step, partition, partition.stray)
  }
}

/** The owner and its backups have so long to store a chunk before it is offered again, and twice as long each time. */
const patienceMs = (step: DataStep): number => 2 * step.state.settings.resendMs
const maxPatienceMs = 16_000

const repeat = (step: DataStep, partition: PartitionData, session: StrayHandOff): void => {
  if (session.chunk === undefined) return
  // It has not been sent yet.
  if (step.state.waitingStrays.has(partition)) return send(step, partition, session)
  if (step.nowMs - session.sentAtMs <= session.resendAfterMs) return
  session.resendAfterMs = Math.min(2 * session.resendAfterMs, maxPatienceMs)
  send(step, partition, session)
}

/** The store has answered. */
export const stored = (
  step: DataStep,
  { partitionId, session }: Extract<Awaited, { readonly _tag: "Stray" }>,
  result: StoreResult
): void => {
  const partition = step.partition(partitionId)
  if (result._tag === "Dropped" && result.dropped) {
    dropped(step, partition)
    return
  }
  if (partition.stray !== session) return
  switch (result._tag) {
    case "Size":
      session.version = result.version
      return result.records === 0 ? finish(step, partition, session) : read(step, partition, session)
    case "Chunk":
      session.batch = step.nextId()
      session.chunk = result.chunk
      return send(step, partition, session)
    case "End":
      session.isRead = true
      return finish(step, partition, session)
    default:
      // Changed meanwhile, or the store has failed: it begins anew at a tick.
      return stop(step, partition)
  }
}

// Everything has been confirmed. What is listed stays; the rest goes if nothing has changed since.
const finish = (step: DataStep, partition: PartitionData, session: StrayHandOff): void => {
  session.chunk = undefined
  if (isReplica(step, partition.id)) {
    partition.handedTo = `${session.owner}#${session.incarnation}`
    stop(step, partition)
    Recovering.declareFor(step, partition.id)
    return
  }
  if (partition.storing > 0) return stop(step, partition)
  step.store(
    partition.id,
    { _tag: "Drop", ifVersion: session.version ?? 0 },
    { _tag: "Stray", partitionId: partition.id, session }
  )
}

const dropped = (step: DataStep, partition: PartitionData): void => {
  partition.stray = undefined
  if (partition.storing > 0) return
  partition.hasData = false
  partition.epoch = Epoch.none
  isNowOfPresent(partition)
  partition.changes++
  step.changed({ _tag: "StrayHandedOver", partitionId: partition.id })
  Recovering.declareFor(step, partition.id)
}

/** The owner has confirmed a chunk, or cannot take it now. */
export const offered = (step: DataStep, from: string, body: Omit<DataBodyOf<"offered">, "type">): void => {
  const partition = step.partition(body.partitionId)
  const session = partition.stray
  if (session?.owner !== from || session.batch !== body.batch || session.chunk === undefined) return
  if (body.stale === true) return setAside(step, partition)
  session.resendAfterMs = patienceMs(step)
  if (!body.accepted) return
  session.chunk = undefined
  read(step, partition, session)
}

/** May data of this partition be handed over to this node now? */
export const isWelcome = (step: DataStep, partition: PartitionData): boolean => {
  const { maxDeltaBytes, maxPendingBytes, maxPendingWrites } = step.state.settings
  return (
    step.state.isOpened &&
    acts(step, partition) &&
    partition.pending.size < maxPendingWrites &&
    step.state.pendingBytes < maxPendingBytes &&
    (partition.copyOut?.deltaBytes ?? 0) < maxDeltaBytes
  )
}
