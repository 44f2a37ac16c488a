/** Joining, views and leaving. */
import { Schema } from "effect"
import { MembersView } from "../model/MembersView.ts"
import { PartitionAssignment } from "../model/Partition.ts"
import { NodeId, Text, U16, U32, U64 } from "../model/Scalars.ts"
import { BootstrapExtensions, JoinExtensions, LeaveExtensions, ViewExtensions } from "./Extensions.ts"

/** Version of the protocol that `JOIN_REQUEST` announces. */
export const protocolVersion = 1

/** Why a join was refused, for machines; `rejectReason` says it to people. */
export const JoinRejectReason = Schema.Literals([
  "NOT_MASTER_YET",
  "AUTH_FAILED",
  "PROTOCOL_VERSION_MISMATCH",
  "WRONG_CLUSTER_ID",
  "CLUSTER_FULL"
])
export type JoinRejectReason = typeof JoinRejectReason.Type

/** A process without a view asks for one. Always means a fresh process. */
export const JoinRequestPayload = Schema.Struct({
  nodeId: NodeId,
  host: Text,
  clientPort: U16,
  clusterPort: U16,
  clusterId: Text,
  protocolVersion: U32,
  authToken: Schema.OptionFromOptionalKey(Text),
  ...BootstrapExtensions,
  ...JoinExtensions
})
export type JoinRequestPayload = typeof JoinRequestPayload.Type

/** The answer: a view and the partition table, or why not. */
export const JoinResponsePayload = Schema.Struct({
  accepted: Schema.Boolean,
  rejectReason: Schema.OptionFromOptionalKey(Text),
  rejectCode: Schema.OptionFromOptionalKey(JoinRejectReason),
  responderNodeId: Schema.OptionFromOptionalKey(NodeId),
  membersView: Schema.OptionFromOptionalKey(MembersView),
  partitionAssignments: Schema.OptionFromOptionalKey(Schema.Array(PartitionAssignment)),
  ...ViewExtensions,
  ...BootstrapExtensions
})
export type JoinResponsePayload = typeof JoinResponsePayload.Type

/** The acting master's new view. */
export const MembersUpdatePayload = Schema.Struct({
  view: MembersView,
  /** Wall clock of the sender, milliseconds since 1970. */
  clusterTimeMs: U64,
  ...ViewExtensions
})
export type MembersUpdatePayload = typeof MembersUpdatePayload.Type

/** A member asks the master to go. */
export const LeaveRequestPayload = Schema.Struct({
  nodeId: NodeId,
  reason: Schema.OptionFromOptionalKey(Text),
  ...LeaveExtensions
})
export type LeaveRequestPayload = typeof LeaveRequestPayload.Type

/** A claim was won: who is master now, in which term. */
export const MasterElectedPayload = Schema.Struct({
  masterAddress: Text,
  masterNodeId: NodeId,
  term: U64,
  electionId: Text
})
export type MasterElectedPayload = typeof MasterElectedPayload.Type
