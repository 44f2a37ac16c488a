/** One or more realistic messages of every kind, as they are typed in the domain. */
import { Option } from "effect"
import type { MemberInfo } from "../../../src/domain/model/MemberInfo.ts"
import type { ClusterMessage } from "../../../src/domain/wire/ClusterMessage.ts"

const none = Option.none()

const member = (n: number, extra: Partial<MemberInfo> = {}): MemberInfo => ({
  nodeId: `node-${n}`,
  host: `10.0.0.${n}`,
  clientPort: 8080,
  clusterPort: 9090 + n,
  state: "active",
  joinVersion: n,
  ...extra
})

const members = [
  member(1),
  member(2, { state: "suspect", incarnation: 4_503_599_627_370_496, zone: "eu-1a" }),
  member(3, { state: "joining", nodeId: "节点-🚀", clusterPort: 65_535, joinVersion: Number.MAX_SAFE_INTEGER })
]
const everyOctet = Uint8Array.from({ length: 256 }, (_, i) => i)

export const samples: ReadonlyArray<ClusterMessage> = [
  {
    type: "JOIN_REQUEST",
    nodeId: "node-3",
    host: "10.0.0.3",
    clientPort: 8080,
    clusterPort: 9090,
    clusterId: "production",
    protocolVersion: 1,
    authToken: Option.some("correct horse battery staple"),
    incarnation: 77,
    zone: "eu-1b",
    features: ["bin"]
  },
  {
    type: "JOIN_RESPONSE",
    accepted: true,
    rejectReason: none,
    rejectCode: none,
    responderNodeId: none,
    membersView: Option.some({ version: 4_294_967_297, members }),
    partitionAssignments: Option.some([
      { partitionId: 0, owner: "node-1", backups: ["node-2"] },
      { partitionId: 270, owner: "node-2", backups: [] }
    ]),
    lineage: "node-1/77"
  },
  {
    type: "JOIN_RESPONSE",
    accepted: false,
    rejectReason: Option.some("not master; master address: 10.0.0.1:9090"),
    rejectCode: Option.some("NOT_MASTER_YET"),
    responderNodeId: Option.some("node-2"),
    membersView: none,
    partitionAssignments: none
  },
  { type: "MEMBERS_UPDATE", view: { version: 3, members }, clusterTimeMs: 1_700_000_000_000, settled: true },
  { type: "MEMBERS_UPDATE", view: { version: 0, members: [] }, clusterTimeMs: 0 },
  { type: "LEAVE_REQUEST", nodeId: "node-2", reason: Option.some("graceful shutdown") },
  { type: "LEAVE_REQUEST", nodeId: "node-2", reason: none, incarnation: 0 },
  {
    type: "MASTER_ELECTED",
    masterAddress: "10.0.0.1:9090",
    masterNodeId: "node-1",
    term: 2,
    electionId: "6f1c0c5e-7a0b-4c62-9d0e-3f7a2b1c4d5e"
  },
  {
    type: "HEARTBEAT",
    senderId: "node-1",
    timestampMs: 1_700_000_000_000,
    membersViewVersion: 5,
    suspectedNodes: ["node-3", "node-4"]
  },
  {
    type: "HEARTBEAT",
    senderId: "node-1",
    timestampMs: 1_700_000_000_000,
    membersViewVersion: 5,
    suspectedNodes: [],
    incarnation: 77,
    lineage: "node-1/77",
    settled: 5,
    promise: 2,
    promisedTo: "node-1"
  },
  {
    type: "HEARTBEAT_COMPLAINT",
    complainerId: "node-1",
    complainerViewVersion: 5,
    suspectId: "node-3",
    suspectViewVersion: 4
  },
  { type: "EXPLICIT_SUSPICION", suspectId: "node-3", reason: "missed 5 heartbeats", masterViewVersion: 7 },
  {
    type: "PARTITION_TABLE_UPDATE",
    assignments: Array.from({ length: 40 }, (_, partitionId) => ({
      partitionId,
      owner: `node-${partitionId % 3}`,
      backups: [`node-${(partitionId + 1) % 3}`]
    })),
    version: 42,
    completedMigrations: ["mig-100"]
  },
  { type: "FETCH_PARTITION_TABLE" },
  { type: "MIGRATE_START", migrationId: "mig-100", partitionId: 42, destinationNodeId: "node-2" },
  {
    type: "MIGRATE_DATA",
    partitionId: 42,
    mapStates: [
      { mapName: "users", data: everyOctet, mapType: "lww" },
      { mapName: "tags", data: new Uint8Array(0), mapType: "or" }
    ],
    deltaOps: [{ mapName: "users", key: "alice", entry: Uint8Array.of(0xca, 0xfe, 0, 127, 128) }],
    sourceVersion: 7
  },
  { type: "MIGRATE_READY", migrationId: "", partitionId: 7, sourceNodeId: "node-1" },
  { type: "MIGRATE_FINALIZE", migrationId: "mig-100", partitionId: 42, newOwner: "node-2" },
  { type: "MIGRATE_CANCEL", migrationId: "mig-100", partitionId: 42, reason: "source node left" },
  {
    type: "SPLIT_BRAIN_PROBE",
    senderClusterId: "production",
    senderMasterId: "node-1",
    senderMemberCount: 3,
    senderViewVersion: 10
  },
  {
    type: "SPLIT_BRAIN_PROBE_RESPONSE",
    responderClusterId: "production",
    responderMasterId: "node-2",
    responderMemberCount: 4_294_967_295,
    responderViewVersion: 4_294_967_296,
    responderMasterJoinVersion: 1,
    lineage: "node-2/5"
  },
  { type: "MERGE_REQUEST", sourceClusterId: "production", sourceMembers: members, sourceViewVersion: 65_536 },
  {
    type: "OP_FORWARD",
    sourceNodeId: "node-1",
    targetPartitionId: 42,
    clientId: Option.some("client-abc"),
    payload: Uint8Array.of(1, 2, 3, 4)
  },
  { type: "OP_FORWARD", sourceNodeId: "é".repeat(16), targetPartitionId: 270, clientId: none, payload: everyOctet },
  { type: "DAG_EXECUTE", executionId: "exec-1", plan: Uint8Array.of(129, 161, 97, 1) },
  { type: "DAG_DATA", executionId: "exec-1", sourceVertex: "scan", destVertex: "agg", items: Uint8Array.of(146, 1, 2) },
  {
    type: "DAG_COMPLETE",
    executionId: "exec-1",
    nodeId: "node-2",
    success: false,
    error: Option.some("x".repeat(300)),
    results: Option.some(Uint8Array.of(145, 192))
  },
  { type: "DAG_COMPLETE", executionId: "exec-2", nodeId: "node-2", success: true, error: none, results: none }
]
