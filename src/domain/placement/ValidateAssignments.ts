/** Whether rows that a peer sent can stand in a table of this node. */
import { Result } from "effect"
import type { PartitionAssignment } from "../model/Partition.ts"
import { InvalidPlacement, type PlacementFault } from "./InvalidPlacement.ts"

/**
 * The rows themselves, or the first that no table of `partitionCount` partitions can hold: its id is
 * out of range or was listed before, a node stands in it twice, it has backups but no owner, or a
 * backup without a name. An empty owner without backups is a partition nobody holds, and valid.
 */
export const validateAssignments = (
  assignments: ReadonlyArray<PartitionAssignment>,
  partitionCount: number
): Result.Result<ReadonlyArray<PartitionAssignment>, InvalidPlacement> => {
  const seen = new Set<number>()
  for (const [row, assignment] of assignments.entries()) {
    const fail = (fault: PlacementFault, value: number | string) =>
      Result.fail(new InvalidPlacement({ fault, value, row }))
    const { partitionId, owner, backups } = assignment
    if (!Number.isInteger(partitionId) || partitionId < 0 || partitionId >= partitionCount) {
      return fail("partitionIdOutOfRange", partitionId)
    }
    if (seen.has(partitionId)) return fail("duplicatePartitionId", partitionId)
    seen.add(partitionId)
    if (owner === "" && backups.length > 0) return fail("emptyOwner", partitionId)
    if (backups.includes("")) return fail("emptyBackup", partitionId)
    const nodes = new Set([owner])
    for (const backup of backups) {
      if (nodes.has(backup)) return fail("duplicateNode", backup)
      nodes.add(backup)
    }
  }
  return Result.succeed(assignments)
}
