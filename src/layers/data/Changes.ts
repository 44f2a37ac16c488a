/** What the data plane tells of itself, as changes of the cluster. */
import type { ClusterChange } from "../../domain/model/ClusterChange.ts"
import type { NodeId } from "../../domain/model/Scalars.ts"
import type { DataChange } from "../../domain/replication/DataCommand.ts"

export const changeOf = (self: NodeId, change: DataChange): ClusterChange => {
  switch (change._tag) {
    case "CopyProgress": {
      const { bytes, chunks, destination, elapsedMs, partitionId, phase } = change
      const ms = Math.round(elapsedMs)
      return { _tag: "MigrationProgress", partitionId, source: self, destination, phase, chunks, bytes, elapsedMs: ms }
    }
    case "StrayHandedOver":
      return { _tag: "StrayHandedOver", partitionId: change.partitionId }
    case "StraySetAside":
      return { _tag: "StraySetAside", partitionId: change.partitionId }
  }
}
