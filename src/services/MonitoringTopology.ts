/** Who watches whom in the cluster: everyone everyone, or each node a fixed number of others. */
import { Context, Layer } from "effect"
import { allToAll, defaultTopology, rings, type RingsOptions, type Topology } from "../domain/protocol/Topology.ts"

const reference: Context.Reference<Topology> = Context.Reference("effect-squadron/MonitoringTopology", {
  defaultValue: () => defaultTopology
})

/**
 * A pure function of the view, the same on all nodes of a cluster. Without a layer: all-to-all up to 100 members, and
 * rings with 8 watchers for each node above.
 *
 * **When to use.** `layerAllToAll` for clusters with nodes of other releases, which know no rings. `layerRings` to have
 * other numbers: fewer watchers cost less and notice a silent node as fast, more tell a lost link from a dead node
 * when many fail at once.
 *
 * **Details.** All-to-all costs each node one message for every member in each heartbeat interval; rings cost `k`, and
 * a report to each of the three oldest members once in four intervals. Connections stay one for every pair: data goes
 * from any node to any other.
 *
 * **Gotchas.** Nodes that disagree accuse each other of silence.
 */
export const MonitoringTopology = Object.assign(reference, {
  layerAllToAll: Layer.succeed(reference, allToAll),
  /** Throws a RangeError, as a defect of the layer, for options out of range. */
  layerRings: (options: RingsOptions = {}): Layer.Layer<never> => Layer.sync(reference, () => rings(options))
})
