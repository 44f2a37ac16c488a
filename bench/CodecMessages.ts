/** Messages as a cluster of realistic size sends them, the same in every run. */
import { Option } from "effect"
import type { ClusterMessage } from "../src/domain/wire/ClusterMessage.ts"
import type { MemberInfo } from "../src/domain/model/MemberInfo.ts"
import type { PartitionAssignment } from "../src/domain/model/Partition.ts"

/** Marsaglia's xorshift: a seeded stream of 32-bit integers. */
const xorshift = (seed: number): (() => number) => {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}

const next = xorshift(0x2545f491)

/** A fresh random UUID of the stream. */
export const uuid = (): string => {
  const hex = Array.from({ length: 4 }, () => next().toString(16).padStart(8, "0")).join("")
  return [hex.slice(0, 8), hex.slice(8, 12), `4${hex.slice(13, 16)}`, `a${hex.slice(17, 20)}`, hex.slice(20)].join("-")
}

export const ids = (count: number): ReadonlyArray<string> => Array.from({ length: count }, uuid)

/** Short names, as small clusters give them: node-1, node-2, … */
export const names = (count: number): ReadonlyArray<string> => Array.from({ length: count }, (_, i) => `node-${i + 1}`)

const members = (nodeIds: ReadonlyArray<string>): ReadonlyArray<MemberInfo> =>
  nodeIds.map((nodeId, i) => ({
    nodeId,
    host: `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`,
    clientPort: 8080,
    clusterPort: 9090 + (i % 100),
    state: i % 17 === 16 ? "suspect" : "active",
    joinVersion: i + 1
  }))

const table = (nodeIds: ReadonlyArray<string>): ReadonlyArray<PartitionAssignment> =>
  Array.from({ length: 271 }, (_, partitionId) => ({
    partitionId,
    owner: nodeIds[partitionId % nodeIds.length] ?? "",
    backups: [nodeIds[(partitionId + 1) % nodeIds.length] ?? ""]
  }))

export const randomBytes = (length: number): Uint8Array => Uint8Array.from({ length }, () => next() >>> 24)

const now = 1_732_312_345_678

export const heartbeat = (nodeIds: ReadonlyArray<string>): ClusterMessage => ({
  type: "HEARTBEAT",
  senderId: nodeIds[0] ?? "",
  timestampMs: now,
  membersViewVersion: 42,
  suspectedNodes: nodeIds.slice(1, 3)
})

export const view = (nodeIds: ReadonlyArray<string>): ClusterMessage => ({
  type: "MEMBERS_UPDATE",
  view: { version: 70_000, members: members(nodeIds) },
  clusterTimeMs: now
})

export const partitionTable = (nodeIds: ReadonlyArray<string>): ClusterMessage => ({
  type: "PARTITION_TABLE_UPDATE",
  assignments: table(nodeIds),
  version: 12,
  completedMigrations: ["271-0001", "271-0002"]
})

export const joinResponse = (nodeIds: ReadonlyArray<string>): ClusterMessage => ({
  type: "JOIN_RESPONSE",
  accepted: true,
  rejectReason: Option.none(),
  rejectCode: Option.none(),
  responderNodeId: Option.none(),
  membersView: Option.some({ version: 7, members: members(nodeIds) }),
  partitionAssignments: Option.some(table(nodeIds))
})

export const migrateData = (data: Uint8Array): ClusterMessage => ({
  type: "MIGRATE_DATA",
  partitionId: 17,
  mapStates: [{ mapName: "users", data, mapType: "lww" }],
  deltaOps: [],
  sourceVersion: 3
})

/** Ten kinds of small messages, as they mix on a connection while nodes join and partitions move. */
export const controlMessages = (nodeIds: ReadonlyArray<string>): ReadonlyArray<ClusterMessage> => {
  const [a = "", b = "", c = ""] = nodeIds
  const migrationId = `${a.slice(0, 8)}-17`
  return [
    heartbeat(nodeIds),
    view([a, b, c]),
    { type: "HEARTBEAT", senderId: b, timestampMs: now + 13, membersViewVersion: 42, suspectedNodes: [] },
    {
      type: "HEARTBEAT_COMPLAINT",
      complainerId: a,
      complainerViewVersion: 42,
      suspectId: b,
      suspectViewVersion: 41
    },
    { type: "EXPLICIT_SUSPICION", suspectId: c, reason: "phi 8.3 for 10012 ms", masterViewVersion: 42 },
    { type: "MIGRATE_START", migrationId, partitionId: 17, destinationNodeId: b },
    { type: "MIGRATE_READY", migrationId, partitionId: 17, sourceNodeId: a },
    { type: "MIGRATE_FINALIZE", migrationId, partitionId: 17, newOwner: b },
    {
      type: "JOIN_REQUEST",
      nodeId: c,
      host: "10.0.0.3",
      clientPort: 8080,
      clusterPort: 9090,
      clusterId: "production",
      protocolVersion: 1,
      authToken: Option.some("b7e9c1d4-token")
    },
    {
      type: "OP_FORWARD",
      sourceNodeId: a,
      targetPartitionId: 199,
      clientId: Option.some("client-7f3a"),
      payload: randomBytes(24)
    }
  ]
}
