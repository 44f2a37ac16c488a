/** The cluster as an application sees it: who is master, who is there, what changes. */
import { Context, type Effect, type Option, type Stream } from "effect"
import type { ClusterChange } from "../domain/model/ClusterChange.ts"
import type { ClusterHealth } from "../domain/model/ClusterHealth.ts"
import type { MembersView } from "../domain/model/MembersView.ts"
import type { NodeId } from "../domain/model/Scalars.ts"
import type { ClusterPartitionTable } from "../domain/placement/ClusterPartitionTable.ts"
import type { StopReason } from "../domain/protocol/ClusterCommand.ts"

export class ClusterService extends Context.Service<
  ClusterService,
  {
    readonly nodeId: NodeId
    /** Does this node act as master? */
    readonly isMaster: Effect.Effect<boolean>
    /** The master of the current view, if it has one. */
    readonly masterId: Effect.Effect<Option.Option<NodeId>>
    readonly membersView: Effect.Effect<MembersView>
    readonly partitionTable: Effect.Effect<ClusterPartitionTable>
    /**
     * What changes from now on. A subscriber that lags more than `maxBufferedChanges` behind loses the
     * oldest: treat a change as a hint to look, and read views and tables from the services.
     */
    readonly subscribeChanges: Stream.Stream<ClusterChange>
    readonly health: Effect.Effect<ClusterHealth>
    /**
     * Completes when this node is a member and has a partition table, at once if it has one. A node's layer is built when
     * it has joined, and the table follows: what asks for owners first thing waits for this.
     */
    readonly ready: Effect.Effect<void>
    /**
     * Leaves in good order; completes when this node is out of a settled view, or has waited `leaveTimeoutMs`. A node
     * with data hands over what it holds before, for `drainTimeoutMs` at most.
     */
    readonly leave: Effect.Effect<void>
    /** Completes when the node stops by itself. */
    readonly stopped: Effect.Effect<StopReason>
  }
>()("effect-squadron/ClusterService") {}
