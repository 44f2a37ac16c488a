/**
 * In which order moves start. A destination that already is a backup has the data, so its move is a
 * promotion and comes first. Then the partitions with the fewest replicas: they are the nearest to loss.
 */
import type { MigrationTask } from "../model/Migration.ts"
import { ClusterPartitionTable } from "./ClusterPartitionTable.ts"

/**
 * `tasks` sorted by: destination is a backup in `table`, fewer replicas (owner and backups; a partition
 * the table does not know has 0), partition id. Tasks equal in all three keep their order.
 */
export const orderMigrations = (
  tasks: ReadonlyArray<MigrationTask>,
  table: ClusterPartitionTable
): ReadonlyArray<MigrationTask> =>
  tasks
    .map((task) => {
      const row = ClusterPartitionTable.getPartition(table, task.partitionId)
      return {
        task,
        rank: row?.backups.includes(task.destination) === true ? 0 : 1,
        replicas: row === undefined ? 0 : 1 + row.backups.length
      }
    })
    .toSorted((a, b) => a.rank - b.rank || a.replicas - b.replicas || a.task.partitionId - b.task.partitionId)
    .map(({ task }) => task)
