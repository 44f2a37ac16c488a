/**
 * A partition that none of its listed replicas has survived. Any member becomes its owner, and it is unavailable until
 * every member has handed over what it holds of it and said so, and the replicas of before have come back and done the
 * same, or a time has passed. Only then is it open, or lost. So a restart of all nodes with their data loses nothing
 * and reports nothing.
 */
import type { Epoch } from "../data/Epoch.ts"
import type { Incarnation, NodeId } from "../model/Scalars.ts"
import { incarnationOf, memberAs } from "../protocol/ClusterView.ts"
import { acts, rowOf } from "./Authority.ts"
import type { DataBodyOf, Touch } from "./DataMessage.ts"
import type { PartitionData, Recovery } from "./DataState.ts"
import type { DataStep } from "./DataStep.ts"
import * as Strays from "./Strays.ts"
import * as Tombstones from "./Tombstones.ts"

/** Does this node hold nothing of the partition that its owner lacks? */
const hasNothing = (step: DataStep, partitionId: number): boolean => {
  const partition = step.state.partitions.get(partitionId)
  if (partition === undefined || !partition.hasData || partition.isSetAside) return true
  return partition.copyIn === undefined && Strays.hasHandedOver(step, partition)
}

const declarationOf = (step: DataStep, partitionIds: ReadonlyArray<number>): DataBodyOf<"declare"> => ({
  type: "declare",
  partitionIds,
  held: partitionIds.filter((id) => step.state.partitions.get(id)?.wasHeld === true)
})

/** Tells the owners of partitions that wait what this node does not hold. Nothing is known before the store is open. */
export const declare = (step: DataStep): void => {
  if (!step.state.isOpened || step.sight.view === undefined) return
  if (memberAs(step.sight.view, step.sight.self) === undefined) return
  const byOwner = new Map<NodeId, Array<number>>()
  for (const partitionId of step.state.recovering.keys()) {
    const owner = rowOf(step, partitionId)?.owner
    if (owner === undefined || owner === step.selfId || !hasNothing(step, partitionId)) continue
    const known = byOwner.get(owner)
    if (known === undefined) byOwner.set(owner, [partitionId])
    else known.push(partitionId)
  }
  for (const [owner, partitionIds] of byOwner) step.tell(owner, 0, declarationOf(step, partitionIds))
}

/** One partition has been handed over. */
export const declareFor = (step: DataStep, partitionId: number): void => {
  if (!step.state.recovering.has(partitionId) || !hasNothing(step, partitionId)) return
  const owner = rowOf(step, partitionId)?.owner
  if (owner === step.selfId) judge(step)
  else if (owner !== undefined) step.tell(owner, 0, declarationOf(step, [partitionId]))
}

export const recoveryOf = (step: DataStep, partition: PartitionData): Recovery => {
  partition.recovery ??= {
    sinceMs: step.nowMs,
    declared: new Map(),
    hasOwn: partition.hasData,
    // What it has itself is handed over as well, and counts then; a copy that was complete and empty counts now.
    hasReceived: partition.wasHeld,
    offers: new Map(),
    toldAtMs: Number.NEGATIVE_INFINITY
  }
  return partition.recovery
}

/** A member has said what it does not hold. */
export const declared = (
  step: DataStep,
  from: NodeId,
  incarnation: number,
  { held = [], partitionIds }: Omit<DataBodyOf<"declare">, "type">
): void => {
  for (const partitionId of partitionIds) {
    if (!step.state.recovering.has(partitionId)) continue
    const partition = step.partition(partitionId)
    if (!acts(step, partition)) continue
    hasAll(step, partition, from, incarnation)
    if (held.includes(partitionId)) received(step, partition)
  }
  judge(step)
}

/** The owner has everything that a process held: it knows what that one knew to be gone. */
const hasAll = (step: DataStep, partition: PartitionData, nodeId: NodeId, incarnation: Incarnation): void => {
  const { declared, offers } = recoveryOf(step, partition)
  declared.set(nodeId, incarnation)
  const offer = offers.get(nodeId)
  if (offer?.incarnation === incarnation && offer.epoch.markMs >= partition.epoch.markMs) {
    Tombstones.settle(step, partition)
  }
}

/** How long the owner waits for a first word of everyone before it takes the first data, in times of `resendMs`. */
const firstWordResends = 2

interface Offer {
  readonly nodeId: NodeId
  readonly incarnation: Incarnation
  readonly epoch: Epoch
  readonly touch: Touch
}

/**
 * May data be merged into a partition that recovers? Whose removals are forgotten up to the latest moment comes first:
 * of what the others hold, it tells what is gone.
 */
export const admits = (
  step: DataStep,
  partition: PartitionData,
  { epoch, incarnation, nodeId, touch }: Offer
): boolean => {
  const { view } = step.sight
  if (view === undefined || !step.state.recovering.has(partition.id)) return true
  const { declared, offers, sinceMs } = recoveryOf(step, partition)
  offers.set(nodeId, { incarnation, epoch })
  if (epoch.markMs > partition.epoch.markMs) {
    Tombstones.yieldTo(step, partition, epoch, touch)
    // What the owner hands over itself is read again, without what is gone.
    Strays.stop(step, partition)
  }
  const isEarly = step.nowMs - sinceMs < firstWordResends * step.state.settings.resendMs
  for (const member of view.members) {
    const id = member.nodeId
    if (member.state === "dead" || member.carriesData !== true || id === nodeId) continue
    const isDone = declared.get(id) === incarnationOf(member)
    const offer = offers.get(id)
    const hasSpoken = isDone || offer?.incarnation === incarnationOf(member)
    // What the owner has itself it need not be told.
    if (isEarly && !hasSpoken && id !== step.selfId) return false
    if (!isDone && id !== step.selfId && hasSpoken && (offer?.epoch.markMs ?? 0) > epoch.markMs) return false
  }
  return true
}

/** Records of the partition have come in. */
export const received = (step: DataStep, partition: PartitionData): void => {
  if (step.state.recovering.has(partition.id)) recoveryOf(step, partition).hasReceived = true
}

const isOver = (step: DataStep, partition: PartitionData, recovery: Recovery): boolean => {
  const { view } = step.sight
  if (view === undefined || Strays.isStray(step, partition)) return false
  if (step.nowMs - recovery.sinceMs > step.state.settings.recoveryTimeoutMs) return true
  const awaited = new Set(step.state.recovering.get(partition.id))
  for (const member of view.members) {
    if (member.state === "dead" || member.carriesData !== true) continue
    const { nodeId } = member
    if (nodeId !== step.selfId && recovery.declared.get(nodeId) !== incarnationOf(member)) return false
    awaited.delete(nodeId)
  }
  return awaited.size === 0
}

/** Looks which partitions of this node need not wait any more, and tells the master, until the table says so. */
export const judge = (step: DataStep): void => {
  if (step.state.recovering.size === 0 || !step.state.isOpened) return
  const over: Array<number> = []
  const empty: Array<number> = []
  for (const partitionId of step.state.recovering.keys()) {
    const partition = step.partition(partitionId)
    if (!acts(step, partition)) continue
    const recovery = recoveryOf(step, partition)
    if (step.nowMs - recovery.toldAtMs < step.state.settings.resendMs || !isOver(step, partition, recovery)) continue
    recovery.toldAtMs = step.nowMs
    over.push(partitionId)
    if (!recovery.hasReceived) empty.push(partitionId)
  }
  if (over.length === 0) return
  const master = step.masterId
  if (master === step.selfId) step.run({ _tag: "Recovered", from: master, partitionIds: over, empty })
  else if (master !== undefined) step.tell(master, 0, { type: "recovered", partitionIds: over, empty })
}
