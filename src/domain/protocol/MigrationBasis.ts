/** What a plan starts from where partitions carry data (rows mean processes, not ids), and what it aims at. */
import type { PartitionAssignment } from "../model/Partition.ts"
import type { NodeId } from "../model/Scalars.ts"
import { ClusterPartitionTable } from "../placement/ClusterPartitionTable.ts"
import type { RecoveringPartition } from "../wire/Extensions.ts"
import type { Joined } from "./ClusterState.ts"
import { incarnationOf, memberOf } from "./ClusterView.ts"
import * as Mesh from "./Mesh.ts"
import { replicasOf } from "./MigrationSteps.ts"
import { peerOf } from "./Peers.ts"
import { planFor } from "./TableSharing.ts"
import type { Step } from "./Transition.ts"
import { termOf } from "./Version.ts"

/** The rows, without those that came back as another process: they hold nothing of what a row says. */
export const withoutReplaced = (joined: Joined): ReadonlyArray<PartitionAssignment> => {
  const rows = ClusterPartitionTable.assignments(joined.table)
  const replaced = new Set<NodeId>()
  for (const { incarnation, nodeId } of joined.custody.holders) {
    const now = memberOf(joined.view, nodeId)
    if (now !== undefined && incarnationOf(now) !== incarnation) replaced.add(nodeId)
  }
  if (joined.custody.holders.length > 0) {
    const known = new Set(joined.custody.holders.map(({ nodeId }) => nodeId))
    for (const { nodeId } of joined.view.members) if (!known.has(nodeId)) replaced.add(nodeId)
  }
  if (replaced.size === 0) return rows
  const present = (nodeId: NodeId): NodeId => (replaced.has(nodeId) ? "" : nodeId)
  return rows.map(({ backups, owner, partitionId }) => ({
    partitionId,
    owner: present(owner),
    backups: backups.map(present)
  }))
}

/** Partitions without a living replica wait for what others hold of them. */
export const recoveringNow = (
  joined: Joined,
  rows: ReadonlyArray<PartitionAssignment>,
  holders: ReadonlySet<NodeId>,
  partitionCount: number
): ReadonlyArray<RecoveringPartition> => {
  const known = new Map(joined.custody.recovering.map((entry) => [entry.partitionId, entry]))
  const rowOf = new Map(rows.map((row) => [row.partitionId, row]))
  const recovering: Array<RecoveringPartition> = []
  for (let partitionId = 0; partitionId < partitionCount; partitionId++) {
    const before = known.get(partitionId)
    const row = rowOf.get(partitionId)
    const survives = row !== undefined && replicasOf(row).some((nodeId) => holders.has(nodeId))
    if (before !== undefined) recovering.push(before)
    else if (!survives) {
      const old = joined.table.rows[partitionId]
      recovering.push({ partitionId, replicas: old === undefined ? [] : replicasOf(old) })
    }
  }
  return recovering
}

/** The rows as they should be; whoever leaves is in none. */
export const targetFor = (
  step: Step,
  joined: Joined,
  rows: ReadonlyArray<PartitionAssignment>,
  leavers: ReadonlyArray<NodeId>
): ReadonlyArray<PartitionAssignment> => {
  const members = joined.view.members.filter(({ nodeId }) => !leavers.includes(nodeId))
  return planFor(step.state, members, rows).target
}

/**
 * A new master may have missed the last tables of the one before: it asks whoever reports a newer one, and plans when
 * it has it. Rows from before would make owners of nodes whose copies are old.
 */
export const awaitsNewerTable = (step: Step, joined: Joined): boolean => {
  if (termOf(joined.table.version) >= termOf(joined.view.version)) return false
  if (step.nowMs - joined.viewAtMs > step.timing.reportFreshMs) return false
  let newest: { readonly nodeId: NodeId; readonly version: number } | undefined
  for (const { nodeId } of joined.view.members) {
    const version = peerOf(step.state, nodeId)?.report?.tableVersion ?? 0
    if (version > (newest?.version ?? joined.table.version)) newest = { nodeId, version }
  }
  if (newest === undefined) return false
  Mesh.sendTo(step, newest.nodeId, { type: "FETCH_PARTITION_TABLE" })
  return true
}
