/** Which node owns what. */
import { Context, type Effect, type Option } from "effect"
import type { MigrationTask } from "../domain/model/Migration.ts"
import type { PartitionState } from "../domain/model/Partition.ts"
import type { PartitionMapPayload } from "../domain/model/PartitionMap.ts"
import type { NodeId } from "../domain/model/Scalars.ts"
import type { PartitionTableUpdatePayload } from "../domain/wire/PartitionMessages.ts"
import type { UnknownPartition, UpdateRejected } from "./ClusterErrors.ts"

export class ClusterPartitionService extends Context.Service<
  ClusterPartitionService,
  {
    /** The partition of a key, 0…partitionCount−1; the same on all nodes. */
    readonly hashToPartition: (key: string) => Effect.Effect<number>
    readonly getOwner: (partitionId: number) => Effect.Effect<Option.Option<NodeId>, UnknownPartition>
    readonly isLocalOwner: (partitionId: number) => Effect.Effect<boolean, UnknownPartition>
    readonly isLocalBackup: (partitionId: number) => Effect.Effect<boolean, UnknownPartition>
    readonly getState: (partitionId: number) => Effect.Effect<PartitionState, UnknownPartition>
    /** The table as clients read it, with the members of the current view. */
    readonly getPartitionMap: Effect.Effect<PartitionMapPayload>
    /** Version of the table, 0 while there is none. */
    readonly version: Effect.Effect<number>
    /** The moves that would bring the current table to the planner's target for the current members, in order. */
    readonly rebalance: Effect.Effect<ReadonlyArray<MigrationTask>>
    /** Takes a table that `from` sends. */
    readonly applyPartitionUpdate: (
      from: NodeId,
      update: PartitionTableUpdatePayload
    ) => Effect.Effect<void, UpdateRejected>
    /** Partitions that the node owns, ascending. */
    readonly partitionsForNode: (nodeId: NodeId) => Effect.Effect<ReadonlyArray<number>>
  }
>()("effect-squadron/ClusterPartitionService") {}
