/** Who must agree before the cluster changes: the policy that a node follows in a split. */
import { Context, Layer } from "effect"
import { available, type QuorumPolicy } from "../domain/protocol/Quorum.ts"

/**
 * One quorum function, the same on all nodes of a cluster.
 *
 * **When to use.** `layerAvailable` (the default) for data that merges: every side of a split goes on.
 */
export class SplitBrainPolicy extends Context.Service<SplitBrainPolicy, QuorumPolicy>()(
  "effect-squadron/SplitBrainPolicy"
) {
  static readonly layerAvailable: Layer.Layer<SplitBrainPolicy> = Layer.succeed(SplitBrainPolicy, available)
}
