/** Who must agree before the cluster changes: the policy that a node follows in a split. */
import { Context, Layer } from "effect"
import { available, majority, type QuorumPolicy, staticQuorum } from "../domain/protocol/Quorum.ts"

/**
 * One quorum function, the same on all nodes of a cluster.
 *
 * **When to use.** `layerAvailable` (the default) for data that merges: every side of a split goes on.
 * `layerMajority` where two sides must never both change the cluster: the smaller one halts.
 * `layerStaticQuorum(n)` where in addition never fewer than `n` nodes may go on.
 *
 * **Gotchas.** With a quorum the silent loss of too many hosts halts the cluster until enough of them come back.
 */
export class SplitBrainPolicy extends Context.Service<SplitBrainPolicy, QuorumPolicy>()(
  "effect-squadron/SplitBrainPolicy"
) {
  static readonly layerAvailable: Layer.Layer<SplitBrainPolicy> = Layer.succeed(SplitBrainPolicy, available)
  static readonly layerMajority: Layer.Layer<SplitBrainPolicy> = Layer.succeed(SplitBrainPolicy, majority)
  /** `count`: whole number from 1; more than half of the nodes that the cluster is meant to have. */
  static readonly layerStaticQuorum = (count: number): Layer.Layer<SplitBrainPolicy> =>
    Layer.sync(SplitBrainPolicy, () => staticQuorum(count))
}
