/** What a step did to the partitions: pure figures from the tables that nodes reported before and after. */
import type { NodeId } from "../../domain/model/Scalars.ts"
import type { Placement } from "../NodeReport.ts"

/** Partitions that each of `nodes` owns, in their order. */
export const ownedCounts = (placement: Placement, nodes: ReadonlyArray<NodeId>): ReadonlyArray<number> => {
  const counts = new Map<NodeId, number>()
  for (const row of placement) if (row !== undefined) counts.set(row.owner, (counts.get(row.owner) ?? 0) + 1)
  return nodes.map((nodeId) => counts.get(nodeId) ?? 0)
}

/** Most minus fewest partitions owned by one of `nodes`; 0 without nodes. */
export const spread = (placement: Placement, nodes: ReadonlyArray<NodeId>): number => {
  const counts = ownedCounts(placement, nodes)
  return counts.length === 0 ? 0 : Math.max(...counts) - Math.min(...counts)
}

/** Partitions whose owner differs; one that had none, or has none, differs from one that has. */
export const ownersMoved = (before: Placement, after: Placement): number => {
  let moved = 0
  for (let p = 0; p < Math.max(before.length, after.length); p++) {
    if (before[p]?.owner !== after[p]?.owner) moved++
  }
  return moved
}

/** Partitions that had replicas before a fault, none of which is on a node that outlived it. */
export const withoutReplica = (before: Placement, isAlive: (nodeId: NodeId) => boolean): number =>
  before.filter((row) => row !== undefined && !isAlive(row.owner) && !row.backups.some(isAlive)).length

/** Partitions of `victim` whose new owner held a backup of them, so that nothing had to be copied. */
export const promotedBackups = (before: Placement, after: Placement, victim: NodeId): number =>
  before.filter((row, p) => {
    const owner = after[p]?.owner
    return row?.owner === victim && owner !== undefined && row.backups.includes(owner)
  }).length
