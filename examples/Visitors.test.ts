/** The service under the simulator: nodes crash, freeze and are cut off, and no visit that was acknowledged is missing. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Result } from "effect"
import { MapStore, type MapStoreShape, PartitionStoreMemory } from "effect-squadron"
import { SimulatedCluster } from "effect-squadron/testing"
import { Visitors } from "./Visitors.ts"

const pages = ["home", "news", "help"]

/** A new one for each run: what the programs were told, and the disks of the nodes. */
const scenario = (): SimulatedCluster.Scenario & { readonly acknowledged: ReadonlySet<string> } => {
  const acknowledged = new Set<string>()
  const seen = new Map<string, ReadonlySet<string>>()
  const disks = new Map<string, MapStoreShape>()
  const diskOf = (nodeId: string) => {
    const disk = disks.get(nodeId) ?? Effect.runSync(PartitionStoreMemory.make())
    disks.set(nodeId, disk)
    return disk
  }
  const look = (nodeId: string) =>
    Effect.gen(function* () {
      const visitors = yield* Visitors
      const found = yield* Effect.forEach(pages, (page) =>
        Effect.map(visitors.of(page), (names) => names.map((name) => `${page} ${name}`))
      )
      seen.set(nodeId, new Set(found.flat()))
    }).pipe(Effect.result, Effect.andThen(Effect.sleep("1 second")))
  return {
    acknowledged,
    store: ({ nodeId }) => Layer.succeed(MapStore, diskOf(nodeId)),
    program: ({ nodeId, start }) =>
      Effect.gen(function* () {
        const visitors = yield* Visitors
        for (const [i, page] of [...pages, ...pages, ...pages, ...pages].entries()) {
          const visitor = `${nodeId}#${start}-${i}`
          const visited = yield* Effect.result(visitors.visit(page, visitor))
          if (Result.isSuccess(visited)) acknowledged.add(`${page} ${visitor}`)
          yield* Effect.sleep("500 millis")
        }
        yield* Effect.forever(look(nodeId))
      }).pipe(Effect.provide(Visitors.layer)),
    eventually: {
      "every node sees every acknowledged visit": ({ nodes }) => {
        for (const visit of acknowledged) {
          const blind = nodes.find(({ nodeId }) => seen.get(nodeId)?.has(visit) !== true)
          if (blind !== undefined) return `${blind.nodeId} does not see "${visit}"`
        }
        return undefined
      }
    }
  }
}

describe("visitors of pages", () => {
  it("none is lost while durable nodes crash, freeze and are cut off", { timeout: 60_000 }, () => {
    const runs: Array<ReturnType<typeof scenario>> = []
    const counted = () => {
      const made = scenario()
      runs.push(made)
      return made
    }
    const { violations } = SimulatedCluster.check(counted, { nodes: 3, seeds: 2, virtualMs: 10_000 })
    assert.strictEqual(violations, 0)
    assert.isAbove(
      runs.reduce((sum, { acknowledged }) => sum + acknowledged.size, 0),
      20
    )
  })
})
