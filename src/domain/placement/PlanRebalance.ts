/**
 * From a table to a target, as the original plans it: which partitions must change their owner. A row
 * that only gains or loses backups is no task here.
 */
import type { MigrationTask } from "../model/Migration.ts"
import type { PartitionAssignment } from "../model/Partition.ts"
import { ClusterPartitionTable } from "./ClusterPartitionTable.ts"

/**
 * One task for each row of `target` whose owner differs from the table's, sorted by partition id. A
 * partition without a row in the table is skipped: nobody could send its data.
 */
export const planRebalance = (
  table: ClusterPartitionTable,
  target: ReadonlyArray<PartitionAssignment>
): ReadonlyArray<MigrationTask> => {
  const tasks: Array<MigrationTask> = []
  for (const { partitionId, owner, backups } of target) {
    const current = ClusterPartitionTable.getPartition(table, partitionId)
    if (current === undefined || current.owner === owner) continue
    tasks.push({ partitionId, source: current.owner, destination: owner, newBackups: backups })
  }
  return tasks.toSorted((a, b) => a.partitionId - b.partitionId)
}
