/** Partitions: their state on a node, and who holds them. */
import { Schema } from "effect"
import { NodeId, U32 } from "./Scalars.ts"

/** Partitions of a cluster unless configured otherwise; prime, as in the reference. */
export const defaultPartitionCount = 271

export const PartitionState = Schema.Literals(["unassigned", "active", "migrating", "receiving", "draining", "lost"])
export type PartitionState = typeof PartitionState.Type

/** One row of the partition table as a node keeps it. */
export const PartitionMeta = Schema.Struct({
  partitionId: U32,
  owner: NodeId,
  backups: Schema.Array(NodeId),
  state: PartitionState,
  version: U32
})
export type PartitionMeta = typeof PartitionMeta.Type

/** One row of the partition table as it travels: owner and backups, in promotion order. */
export const PartitionAssignment = Schema.Struct({
  partitionId: U32,
  owner: NodeId,
  backups: Schema.Array(NodeId)
})
export type PartitionAssignment = typeof PartitionAssignment.Type
