/**
 * Everything two nodes say to each other: a payload and its tag, the tag first. The Encoded side is
 * exactly the wire's JSON shape.
 */
import { Schema } from "effect"
import { NodeId } from "../model/Scalars.ts"
import { HeartbeatComplaintPayload, ExplicitSuspicionPayload, HeartbeatPayload } from "./HeartbeatMessages.ts"
import {
  JoinRequestPayload,
  JoinResponsePayload,
  LeaveRequestPayload,
  MasterElectedPayload,
  MembersUpdatePayload
} from "./MembershipMessages.ts"
import { DagCompletePayload, DagDataPayload, DagExecutePayload, OpForwardPayload } from "./OperationMessages.ts"
import {
  MigrateCancelPayload,
  MigrateDataPayload,
  MigrateFinalizePayload,
  MigrateReadyPayload,
  MigrateStartPayload,
  PartitionTableUpdatePayload
} from "./PartitionMessages.ts"
import { MergeRequestPayload, SplitBrainProbePayload, SplitBrainProbeResponsePayload } from "./SplitBrainMessages.ts"

const message = <const Tag extends string, const Fields extends Schema.Struct.Fields>(
  type: Tag,
  payload: Schema.Struct<Fields>
) => Schema.Struct({ type: Schema.tag(type), ...payload.fields })

export const ClusterMessage = Schema.Union([
  message("JOIN_REQUEST", JoinRequestPayload),
  message("JOIN_RESPONSE", JoinResponsePayload),
  message("MEMBERS_UPDATE", MembersUpdatePayload),
  message("LEAVE_REQUEST", LeaveRequestPayload),
  message("MASTER_ELECTED", MasterElectedPayload),
  message("HEARTBEAT", HeartbeatPayload),
  message("HEARTBEAT_COMPLAINT", HeartbeatComplaintPayload),
  message("EXPLICIT_SUSPICION", ExplicitSuspicionPayload),
  message("PARTITION_TABLE_UPDATE", PartitionTableUpdatePayload),
  message("FETCH_PARTITION_TABLE", Schema.Struct({})),
  message("MIGRATE_START", MigrateStartPayload),
  message("MIGRATE_DATA", MigrateDataPayload),
  message("MIGRATE_READY", MigrateReadyPayload),
  message("MIGRATE_FINALIZE", MigrateFinalizePayload),
  message("MIGRATE_CANCEL", MigrateCancelPayload),
  message("SPLIT_BRAIN_PROBE", SplitBrainProbePayload),
  message("SPLIT_BRAIN_PROBE_RESPONSE", SplitBrainProbeResponsePayload),
  message("MERGE_REQUEST", MergeRequestPayload),
  message("OP_FORWARD", OpForwardPayload),
  message("DAG_EXECUTE", DagExecutePayload),
  message("DAG_DATA", DagDataPayload),
  message("DAG_COMPLETE", DagCompletePayload)
])
export type ClusterMessage = typeof ClusterMessage.Type

/** Tag of a message. */
export type ClusterMessageType = ClusterMessage["type"]
/** The message with the given tag. */
export type ClusterMessageOf<Type extends ClusterMessageType> = Extract<ClusterMessage, { readonly type: Type }>

/** A message that has arrived, with the node that its connection belongs to. */
export const InboundClusterMessage = Schema.Struct({ senderNodeId: NodeId, message: ClusterMessage })
export type InboundClusterMessage = typeof InboundClusterMessage.Type
