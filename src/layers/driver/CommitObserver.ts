/**
 * Sees every commit of a node's driver, in the moment in which it happens: for simulators, which check what
 * must never happen between two states. Set as a reference before the driver is built; absent in production.
 */
import { Context } from "effect"
import type { ClusterState } from "../../domain/protocol/ClusterState.ts"

/** Called within the commit: must return at once, throw nothing, and commit nothing itself. */
export type Observe = (before: ClusterState, after: ClusterState, commands: number) => void

export const CommitObserver = Context.Reference<Observe | undefined>("effect-squadron/CommitObserver", {
  defaultValue: () => undefined
})
