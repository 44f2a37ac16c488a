/**
 * The flat API of `effect-squadron`. Importing it runs nothing and needs no Node module: the TCP
 * transport and the node program are `effect-squadron/node`, what specs need is
 * `effect-squadron/testing`.
 */

// ---- types of the cluster -----------------------------------------------------------------------
export { NodeState, NodeStatus } from "./domain/model/NodeState.ts"
export { PartitionAssignment, PartitionMeta, PartitionState } from "./domain/model/Partition.ts"
export { ActiveMigration, MapType, MigrationPhase, MigrationTask } from "./domain/model/Migration.ts"
export { MemberInfo } from "./domain/model/MemberInfo.ts"
export { MembersView } from "./domain/model/MembersView.ts"
export { ClusterHealth } from "./domain/model/ClusterHealth.ts"
export { ClusterConfig } from "./domain/model/ClusterConfig.ts"
export { NodeConfig } from "./domain/model/NodeConfig.ts"
export { InvalidConfig } from "./domain/model/InvalidConfig.ts"
export { PartitionMapMessage, PartitionMapPayload } from "./domain/model/PartitionMap.ts"
export { ClusterChange, MigrationCommand } from "./domain/model/ClusterChange.ts"
export { CodePointOrder, compareCodePoints } from "./domain/model/CodePointOrder.ts"
export { Incarnation, Lineage, NodeId } from "./domain/model/Scalars.ts"

// ---- messages -----------------------------------------------------------------------------------
export {
  ClusterMessage,
  type ClusterMessageOf,
  type ClusterMessageType,
  InboundClusterMessage
} from "./domain/wire/ClusterMessage.ts"
export {
  JoinRejectReason,
  JoinRequestPayload,
  JoinResponsePayload,
  LeaveRequestPayload,
  MasterElectedPayload,
  MembersUpdatePayload
} from "./domain/wire/MembershipMessages.ts"
export {
  ExplicitSuspicionPayload,
  HeartbeatComplaintPayload,
  HeartbeatPayload
} from "./domain/wire/HeartbeatMessages.ts"
export {
  DeltaOp,
  MapStateChunk,
  MigrateCancelPayload,
  MigrateDataPayload,
  MigrateFinalizePayload,
  MigrateReadyPayload,
  MigrateStartPayload,
  PartitionTableUpdatePayload
} from "./domain/wire/PartitionMessages.ts"
export {
  MergeRequestPayload,
  SplitBrainProbePayload,
  SplitBrainProbeResponsePayload
} from "./domain/wire/SplitBrainMessages.ts"
export {
  DagCompletePayload,
  DagDataPayload,
  DagExecutePayload,
  OpForwardPayload
} from "./domain/wire/OperationMessages.ts"

// ---- codec --------------------------------------------------------------------------------------
export { MessagePack, type MessagePackCodec } from "./domain/codec/MessagePack.ts"
export {
  decodeClusterMessage,
  encodeClusterMessage,
  encodeClusterMessageInto
} from "./domain/codec/ClusterMessageCodec.ts"
export { MalformedMessage } from "./domain/codec/MalformedMessage.ts"
export { UnencodableValue } from "./domain/codec/UnencodableValue.ts"
export * as Frame from "./domain/codec/Frame.ts"

// ---- detection ----------------------------------------------------------------------------------
export { PhiAccrual, PhiAccrualConfig } from "./domain/detection/PhiAccrual.ts"
export { Deadline } from "./domain/detection/Deadline.ts"
export type { ArrivalWindow } from "./domain/detection/ArrivalWindow.ts"
export type { Detector } from "./domain/detection/Detector.ts"
export { PhiAccrualFailureDetector } from "./layers/PhiAccrualFailureDetector.ts"
export { DeadlineFailureDetector } from "./layers/DeadlineFailureDetector.ts"

// ---- placement ----------------------------------------------------------------------------------
export { hashToPartition } from "./domain/placement/HashToPartition.ts"
export { computeAssignment } from "./domain/placement/ComputeAssignment.ts"
export { planRebalance } from "./domain/placement/PlanRebalance.ts"
export { orderMigrations } from "./domain/placement/OrderMigrations.ts"
export { planAssignment, type PlacementPlan, type PlacementRequest } from "./domain/placement/PlanAssignment.ts"
export { ClusterPartitionTable } from "./domain/placement/ClusterPartitionTable.ts"
export { InvalidPlacement } from "./domain/placement/InvalidPlacement.ts"

// ---- data ---------------------------------------------------------------------------------------
export * as DataBounds from "./domain/data/DataBounds.ts"
export { Timestamp } from "./domain/data/Timestamp.ts"
export { defaultMaxClockDriftMs, HybridClock } from "./domain/data/HybridClock.ts"
export { LwwRecord, MapRecord, OrRecord } from "./domain/data/MapRecord.ts"
export { KeyRecords } from "./domain/data/KeyRecords.ts"
export { MapOperation } from "./domain/data/MapOperation.ts"
export { InvalidOperation } from "./domain/data/InvalidOperation.ts"
export { Epoch } from "./domain/data/Epoch.ts"
export { keyHash, RecordDigest } from "./domain/data/RecordDigest.ts"
export { DigestTree } from "./domain/data/DigestTree.ts"
export {
  decodeChunk,
  decodeDelta,
  encodeChunk,
  encodeDelta,
  encodeRecord,
  MalformedRecords
} from "./domain/data/RecordCodec.ts"

// ---- protocol -----------------------------------------------------------------------------------
export { decideMerge, type MergeDecision, RemoteCluster } from "./domain/protocol/DecideMerge.ts"
export type { ClusterState } from "./domain/protocol/ClusterState.ts"
export type { ClusterCommand, StopReason } from "./domain/protocol/ClusterCommand.ts"
export type { Transition } from "./domain/protocol/Transition.ts"
export { available, majority, type QuorumPolicy, staticQuorum } from "./domain/protocol/Quorum.ts"
export { allToAll, rings, type RingsOptions, type Topology } from "./domain/protocol/Topology.ts"

// ---- services -----------------------------------------------------------------------------------
export { ClusterService } from "./services/ClusterService.ts"
export { NotOwner, OutcomeUnknown, Overloaded, PartitionUnavailable } from "./services/MapErrors.ts"
export { DuplicateRoute, MessageTooLarge, NoHandler, UndecodableMessage } from "./services/RouterErrors.ts"
export { PartitionRouter, type Route, type Routed, type SendError } from "./services/PartitionRouter.ts"
export { MembershipService } from "./services/MembershipService.ts"
export { ClusterPartitionService } from "./services/ClusterPartitionService.ts"
export { MigrationService } from "./services/MigrationService.ts"
export { FailureDetector } from "./services/FailureDetector.ts"
export { ClusterChannelReceivers, ClusterChannels } from "./services/ClusterChannels.ts"
export { ClusterDriver } from "./services/ClusterDriver.ts"
export { AssignmentPlanner } from "./services/AssignmentPlanner.ts"
export { MonitoringTopology } from "./services/MonitoringTopology.ts"
export { SplitBrainPolicy } from "./services/SplitBrainPolicy.ts"
export { type TransportEvent, Transport } from "./services/Transport.ts"
export {
  type Applied,
  type CollectScope,
  type Merged,
  type PartitionSize,
  PartitionStore,
  type PartitionStoreShape
} from "./services/PartitionStore.ts"
export { KeyDigest, KeyName } from "./domain/data/KeyName.ts"
export { type MapChange, MapStore, type MapStoreShape } from "./services/MapStore.ts"
export { StoreFailed, StoreFull } from "./services/StoreErrors.ts"
export { TransportLimits } from "./services/TransportLimits.ts"
export {
  ForgetRefused,
  InvalidMigrationTask,
  JoinFailed,
  NoSuchMigration,
  NotMaster,
  UnknownMember,
  UnknownPartition,
  UpdateRejected
} from "./services/ClusterErrors.ts"

// ---- layers -------------------------------------------------------------------------------------
export * as Cluster from "./layers/Cluster.ts"
export * as PartitionStoreMemory from "./layers/PartitionStoreMemory.ts"
