/**
 * Who owns and who backs up each partition, as one node knows it. A table is an immutable value: a
 * change gives a new one and shares every row that stays.
 *
 * The reference keeps a hash map and takes any partition id; a peer could then grow it without end,
 * with rows no key ever maps to. Here the rows are an array as long as the partition count, so an id
 * beyond it has no place: storing one is a defect, and what a peer sends goes through
 * `validateAssignments` first.
 */
import { Option } from "effect"
import { formatAddress } from "../model/Address.ts"
import type { MembersView } from "../model/MembersView.ts"
import { nodeStatus } from "../model/NodeState.ts"
import type { PartitionAssignment, PartitionMeta, PartitionState } from "../model/Partition.ts"
import type { PartitionMapPayload } from "../model/PartitionMap.ts"
import type { NodeId } from "../model/Scalars.ts"
import { InvalidPlacement } from "./InvalidPlacement.ts"
import { validateAssignments } from "./ValidateAssignments.ts"

/** Partitions a table may have: 2^24, far above the million that placement is measured with. */
export const maxPartitionCount = 2 ** 24

export interface ClusterPartitionTable {
  /** Version of the whole table, 0…2^53−1: term × 2^32 + counter. */
  readonly version: number
  /** At index p the row of partition p; `undefined` while it is unassigned. As long as the partition count. */
  readonly rows: ReadonlyArray<PartitionMeta | undefined>
}

const versionWrap = 2 ** 32

/** An empty table of version 0 for partitions 0…`count` − 1. A `count` beyond 0…`maxPartitionCount` is a defect. */
const make = (count: number): ClusterPartitionTable => {
  if (!Number.isInteger(count) || count < 0 || count > maxPartitionCount) {
    throw new InvalidPlacement({ fault: "partitionCountOutOfRange", value: count })
  }
  return { version: 0, rows: new Array<PartitionMeta | undefined>(count).fill(undefined) }
}

const requirePartition = (table: ClusterPartitionTable, partitionId: number): void => {
  if (!Number.isInteger(partitionId) || partitionId < 0 || partitionId >= table.rows.length) {
    throw new InvalidPlacement({ fault: "partitionIdOutOfRange", value: partitionId })
  }
}

// As in the reference: a new row is active, a known one keeps its state and version.
const assigned = (
  previous: PartitionMeta | undefined,
  { partitionId, owner, backups }: PartitionAssignment
): PartitionMeta =>
  previous === undefined
    ? { partitionId, owner, backups, state: "active", version: 0 }
    : { ...previous, owner, backups }

/**
 * The table with this owner and these backups for one partition: active if it had no row, else in the
 * state it was in. The table's version stays. A partition id beyond the table is a defect (`InvalidPlacement`).
 */
const setOwner = (
  table: ClusterPartitionTable,
  partitionId: number,
  owner: NodeId,
  backups: ReadonlyArray<NodeId>
): ClusterPartitionTable => {
  requirePartition(table, partitionId)
  const row = assigned(table.rows[partitionId], { partitionId, owner, backups: [...backups] })
  return { ...table, rows: table.rows.with(partitionId, row) }
}

/** The table with one partition in this state; an unassigned partition has no state to set, and the table stays. */
const setState = (table: ClusterPartitionTable, partitionId: number, state: PartitionState): ClusterPartitionTable => {
  const row = table.rows[partitionId]
  return row === undefined || row.state === state
    ? table
    : { ...table, rows: table.rows.with(partitionId, { ...row, state }) }
}

/**
 * The table with these rows in place of its own and its version one higher, also when no row is given.
 * Rows that are not given stay; of two rows for one partition the later stays. A partition id beyond
 * the table is a defect. O(partitions + rows).
 */
const applyAssignments = (
  table: ClusterPartitionTable,
  assignments: ReadonlyArray<PartitionAssignment>
): ClusterPartitionTable => {
  const rows = table.rows.slice()
  for (const assignment of assignments) {
    requirePartition(table, assignment.partitionId)
    rows[assignment.partitionId] = assigned(rows[assignment.partitionId], assignment)
  }
  return { version: table.version + 1, rows }
}

const getPartition = (table: ClusterPartitionTable, partitionId: number): PartitionMeta | undefined =>
  table.rows[partitionId]

/** Ids of the partitions that `nodeId` owns, ascending. */
const partitionsForNode = (table: ClusterPartitionTable, nodeId: NodeId): ReadonlyArray<number> =>
  table.rows.flatMap((row) => (row?.owner === nodeId ? [row.partitionId] : []))

const incrementVersion = (table: ClusterPartitionTable): ClusterPartitionTable => withVersion(table, table.version + 1)

const withVersion = (table: ClusterPartitionTable, version: number): ClusterPartitionTable => ({ ...table, version })

const version = (table: ClusterPartitionTable): number => table.version

const partitionCount = (table: ClusterPartitionTable): number => table.rows.length

/** The assigned rows as they travel, by ascending partition id. */
const assignments = (table: ClusterPartitionTable): ReadonlyArray<PartitionAssignment> =>
  table.rows.flatMap((row) =>
    row === undefined ? [] : [{ partitionId: row.partitionId, owner: row.owner, backups: row.backups }]
  )

/**
 * What clients are told: where each member of `members` listens, and the assigned rows by ascending
 * partition id. `generatedAtMs` is wall clock time in milliseconds since 1970. Clients know versions of
 * 32 bits, so the map carries the low half of the table's.
 */
const toPartitionMap = (
  table: ClusterPartitionTable,
  members: MembersView,
  generatedAtMs: number
): PartitionMapPayload => ({
  version: table.version % versionWrap,
  partitionCount: table.rows.length,
  nodes: members.members.map((member) => ({
    nodeId: member.nodeId,
    endpoints: { websocket: `ws://${formatAddress(member.host, member.clientPort)}`, http: Option.none() },
    status: nodeStatus(member.state)
  })),
  partitions: assignments(table).map((row) => ({
    partitionId: row.partitionId,
    ownerNodeId: row.owner,
    backupNodeIds: row.backups
  })),
  generatedAt: generatedAtMs
})

export const ClusterPartitionTable = {
  make,
  setOwner,
  setState,
  applyAssignments,
  getPartition,
  partitionsForNode,
  incrementVersion,
  withVersion,
  version,
  partitionCount,
  assignments,
  toPartitionMap,
  validateAssignments
}
