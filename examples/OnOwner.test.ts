/** The singleton under the simulator: nodes crash, freeze and restart, and the order of fibers comes from a seed. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { SimulatedCluster } from "effect-squadron/testing"
import { onOwnerOf } from "./OnOwner.ts"

const key = "the nightly report"

const nameOf = ({ nodeId, start }: SimulatedCluster.NodeStart) => `${nodeId}#${start}`

/** A new one for each run: what the programs tell is kept in here. */
const scenario = (): SimulatedCluster.Scenario => {
  const working = new Set<string>()
  // A process that was killed said nothing before it died: only the living count.
  const workers = ({ nodes }: SimulatedCluster.SimulatedWorld) => nodes.filter((node) => working.has(nameOf(node)))

  return {
    program: (node) => {
      const begins = Effect.andThen(
        Effect.log("begins"),
        Effect.sync(() => working.add(nameOf(node)))
      )
      const ends = Effect.sync(() => working.delete(nameOf(node)))
      return onOwnerOf(
        key,
        Effect.acquireUseRelease(
          begins,
          () => Effect.never,
          () => ends
        )
      )
    },
    invariants: {
      "whoever knows of another owner has stopped": SimulatedCluster.lasting(2000, (world) => {
        const late = workers(world).find((node) => !node.isFrozen && node.ownerOf(key) !== node.nodeId)
        return late && `${late.nodeId} goes on, and knows that ${late.ownerOf(key) ?? "nobody"} owns the key`
      })
    },
    eventually: {
      "the owner works, and nobody else": (world) => {
        const names = workers(world).map(({ nodeId }) => nodeId)
        const owner = world.nodes[0]?.ownerOf(key)
        return names.join() === owner ? undefined : `${owner} owns the key, and [${names.join()}] work`
      }
    }
  }
}

describe("a singleton on the owner of a key", () => {
  it("keeps its promise while nodes crash", () => {
    const { faults, violations } = SimulatedCluster.check(scenario, { nodes: 3, profile: "crashes", seeds: 10 })
    assert.strictEqual(violations, 0)
    assert.isAbove(Object.keys(faults).length, 3)
  })
})
