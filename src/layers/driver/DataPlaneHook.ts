/**
 * Where the data plane of a node is joined to its driver. What the driver's outbox executes comes here in its order:
 * first that the cluster looks different, then the messages of the same commit. Set as a reference before the driver
 * is built; absent on a node that keeps no data.
 */
import { Context, type Effect, type Scope } from "effect"
import type { NodeId } from "../../domain/model/Scalars.ts"
import type { ClusterState } from "../../domain/protocol/ClusterState.ts"
import type { Transition } from "../../domain/protocol/Transition.ts"
import type { Sight } from "../../domain/replication/Sight.ts"
import type { ClusterMessage } from "../../domain/wire/ClusterMessage.ts"
import type { ClusterChange } from "../../domain/model/ClusterChange.ts"
import type { Ignored } from "./IgnoredInput.ts"

/** What the data plane needs of its driver. */
export interface Kernel {
  readonly state: ClusterState
  readonly commit: <A>(transition: Transition<A>) => Effect.Effect<A>
  readonly ignore: (ignored: Ignored) => Effect.Effect<void>
  readonly publish: (change: ClusterChange) => Effect.Effect<void>
}

export interface DataPlaneHook {
  /** Begins, and gives the fiber's work: as vital as the driver's own. Before anything is handed over. */
  readonly run: (kernel: Kernel) => Effect.Effect<Effect.Effect<never>, never, Scope.Scope>
  readonly seen: (sight: Sight) => void
  readonly delivered: (from: NodeId, message: ClusterMessage) => void
  /** Less has been handed over than may wait. */
  readonly hasRoom: () => boolean
  /** Waits for that. */
  readonly room: Effect.Effect<void>
}

export const DataPlaneHook = Context.Reference<DataPlaneHook | undefined>("effect-squadron/DataPlaneHook", {
  defaultValue: () => undefined
})
