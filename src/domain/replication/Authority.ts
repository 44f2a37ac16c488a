/**
 * Who may act for a partition, and whose word counts.
 *
 * A node acts only if its newest table lists it, and means this very process. Versions of tables are totally ordered
 * within a history of views; of two nodes the one with the newer table is right. So a replica rejects whoever is not
 * the owner by a table at least as new as the sender's; and who takes something from an owner with a newer table
 * stops acting for that partition itself until that table arrives.
 */
import type { Incarnation, NodeId } from "../model/Scalars.ts"
import type { PartitionMeta } from "../model/Partition.ts"
import type { Voter } from "../wire/Extensions.ts"
import type { Stamp } from "./DataMessage.ts"
import type { PartitionData } from "./DataState.ts"
import type { DataStep } from "./DataStep.ts"
import { isRelated, memberIncarnation } from "./Sight.ts"

export const rowOf = (step: DataStep, partitionId: number): PartitionMeta | undefined => {
  const { table } = step.sight
  return table.version > 0 ? table.rows[partitionId] : undefined
}

export const isOwner = (step: DataStep, partitionId: number): boolean =>
  step.state.isListed && rowOf(step, partitionId)?.owner === step.selfId

export const isReplica = (step: DataStep, partitionId: number): boolean => {
  const row = rowOf(step, partitionId)
  return step.state.isListed && row !== undefined && (row.owner === step.selfId || row.backups.includes(step.selfId))
}

export const isSuspended = (step: DataStep, partition: PartitionData): boolean =>
  partition.suspendedTo > step.tableVersion

/** May this node decide for the partition now? */
export const acts = (step: DataStep, partition: PartitionData): boolean =>
  isOwner(step, partition.id) && !isSuspended(step, partition)

export const isRecovering = (step: DataStep, partitionId: number): boolean => step.state.recovering.has(partitionId)

/** The process that the rows mean by a node id; 0 matches none. */
export const holderOf = (step: DataStep, nodeId: NodeId): Incarnation => step.state.holders.get(nodeId) ?? 0

/**
 * Everyone who must hold a write before it is acknowledged: the listed backups, and a destination that has been sent
 * everything. With the processes that are meant. Asked for several times with each write, and worked out when what it
 * follows from is another.
 */
export const ackSet = (step: DataStep, partition: PartitionData): ReadonlyArray<Voter> => {
  const row = rowOf(step, partition.id)
  const { holders } = step.state
  const ready = partition.copyOut?.phase === "ready" ? partition.copyOut : undefined
  const known = partition.ackers
  if (known.row === row && known.holders === holders && known.ready === ready) return known.set
  const set = (row?.backups ?? [])
    .filter((nodeId) => nodeId !== ready?.destination)
    .map((nodeId) => ({ nodeId, incarnation: holderOf(step, nodeId) }))
  if (ready !== undefined) set.push({ nodeId: ready.destination, incarnation: ready.incarnation })
  partition.ackers = { row, holders, ready, set }
  return set
}

/** Is this very process among them? */
export const includes = (processes: ReadonlyArray<Voter>, { incarnation, nodeId }: Voter): boolean =>
  processes.some((one) => one.nodeId === nodeId && one.incarnation === incarnation)

/** Own authority for the partition rests until a table of this version arrives. */
export const suspend = (step: DataStep, partition: PartitionData, stamp: Stamp): void => {
  if (stamp.tableVersion > step.tableVersion) {
    partition.suspendedTo = Math.max(partition.suspendedTo, stamp.tableVersion)
    partition.wasSuspended = true
  }
}

/** May this sender put records into the partition here, as its owner? */
export const accepts = (step: DataStep, partition: PartitionData, from: NodeId, stamp: Stamp): boolean => {
  if (step.sight.view === undefined || !isRelated(step.sight, stamp)) return false
  // The sender knows more than this node does.
  if (stamp.tableVersion > step.tableVersion) return true
  if (rowOf(step, partition.id)?.owner !== from || holderOf(step, from) !== memberIncarnation(step.sight, from)) {
    return false
  }
  return isReplica(step, partition.id) || partition.copyIn?.source === from || partition.readied?.source === from
}
