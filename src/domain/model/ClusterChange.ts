/** What an application may want to react to, and the commands of the migration service. */
import { Schema } from "effect"
import { MemberInfo } from "./MemberInfo.ts"
import { MigrationTask } from "./Migration.ts"
import { NodeId, Text, U32, U64 } from "./Scalars.ts"

/** Something changed in the cluster, as this node sees it. `cause` says why, in words. */
export const ClusterChange = Schema.Union([
  Schema.TaggedStruct("MemberAdded", { member: MemberInfo, cause: Text }),
  Schema.TaggedStruct("MemberUpdated", { member: MemberInfo, cause: Text }),
  Schema.TaggedStruct("MemberRemoved", { member: MemberInfo, cause: Text }),
  Schema.TaggedStruct("PartitionMoved", { partitionId: U32, oldOwner: NodeId, newOwner: NodeId }),
  Schema.TaggedStruct("PartitionTableUpdated", { version: U64 }),
  /** Another node acts as master now. */
  Schema.TaggedStruct("MasterChanged", { masterId: Schema.OptionFromOptionalKey(NodeId), term: U64 }),
  /** No replica of this partition survived: its data is gone. */
  Schema.TaggedStruct("PartitionLost", { partitionId: U32, lastOwner: NodeId }),
  /**
   * A copy that leaves this node: it has begun, has sent everything (`ready`), or is over. `elapsedMs` since its
   * start; `bytes` of records.
   */
  Schema.TaggedStruct("MigrationProgress", {
    partitionId: U32,
    source: NodeId,
    destination: NodeId,
    phase: Schema.Literals(["started", "ready", "finished", "abandoned"]),
    chunks: U64,
    bytes: U64,
    elapsedMs: U64
  }),
  /** Data of a partition that this node does not hold by the table has been handed over to its owner, and dropped. */
  Schema.TaggedStruct("StrayHandedOver", { partitionId: U32 }),
  /** Data that was out of touch for longer than deletions are remembered is kept here, and not merged. */
  Schema.TaggedStruct("StraySetAside", { partitionId: U32 }),
  /** This process was put out of the view, or its view was lost: it holds no partition until it has rejoined. */
  Schema.TaggedStruct("LocalNodeExpelled", { cause: Text })
])
export type ClusterChange = typeof ClusterChange.Type

export const MigrationCommand = Schema.Union([
  Schema.TaggedStruct("Start", { task: MigrationTask }),
  Schema.TaggedStruct("Cancel", { partitionId: U32 }),
  Schema.TaggedStruct("CancelAll", {})
])
export type MigrationCommand = typeof MigrationCommand.Type
