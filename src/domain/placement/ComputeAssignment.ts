/**
 * The assignment of the original: members in order, partitions dealt to them in turn. It is what a
 * seed of the reference computes, so it must give exactly the same table; but a join or a leave
 * reshuffles nearly every row, which is why the live cluster plans with `planAssignment`.
 */
import { compareCodePoints } from "../model/CodePointOrder.ts"
import type { MemberInfo } from "../model/MemberInfo.ts"
import type { PartitionAssignment } from "../model/Partition.ts"

/** What placement needs to know of a member. */
export type PlacementMember = Pick<MemberInfo, "nodeId" | "state">

/**
 * Rows 0…`partitionCount` − 1: with the n active members sorted by node id (code point order), partition
 * p is owned by member p mod n, and the next `backupCount` members in turn, at most n − 1, are its backups.
 * No active member, no rows. A node id that is listed twice counts twice, as in the reference.
 */
export const computeAssignment = (
  members: ReadonlyArray<PlacementMember>,
  partitionCount: number,
  backupCount: number
): ReadonlyArray<PartitionAssignment> => {
  const ids = members
    .filter((member) => member.state === "active")
    .map((member) => member.nodeId)
    .toSorted(compareCodePoints)
  const backups = Math.min(backupCount, ids.length - 1)
  // Twice in a row, so that a partition's replicas are a slice also where they wrap around.
  const circle = [...ids, ...ids]
  const rows: Array<PartitionAssignment> = []
  if (ids.length === 0) return rows
  for (let partitionId = 0; partitionId < partitionCount; partitionId++) {
    const first = partitionId % ids.length
    const [owner, ...rest] = circle.slice(first, first + 1 + backups)
    if (owner !== undefined) rows.push({ partitionId, owner, backups: rest })
  }
  return rows
}
