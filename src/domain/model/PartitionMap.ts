/** What clients of the cluster are told: where each node listens and who owns each partition. */
import { Schema } from "effect"
import { NodeStatus } from "./NodeState.ts"
import { I64, NodeId, Text, U32 } from "./Scalars.ts"

const NodeEndpoints = Schema.Struct({ websocket: Text, http: Schema.OptionFromOptionalKey(Text) })

const NodeInfo = Schema.Struct({ nodeId: NodeId, endpoints: NodeEndpoints, status: NodeStatus })

const PartitionInfo = Schema.Struct({
  partitionId: U32,
  ownerNodeId: NodeId,
  backupNodeIds: Schema.Array(NodeId)
})

export const PartitionMapPayload = Schema.Struct({
  /** Low 32 bits of the table's version. */
  version: U32,
  partitionCount: U32,
  nodes: Schema.Array(NodeInfo),
  /** Sorted by partition id. */
  partitions: Schema.Array(PartitionInfo),
  /** Wall clock, milliseconds since 1970. */
  generatedAt: I64
})
export type PartitionMapPayload = typeof PartitionMapPayload.Type

export const PartitionMapMessage = Schema.Struct({
  type: Schema.tag("PARTITION_MAP"),
  payload: PartitionMapPayload
})
export type PartitionMapMessage = typeof PartitionMapMessage.Type
