/** How fast the simulators let time pass: whole programs, and the protocol alone under the same seeds and faults. */
import { Effect, Stream } from "effect"
import { ClusterService } from "../src/index.ts"
import { SimulatedCluster, Simulation } from "../src/testing.ts"
import type { Row } from "./Harness.ts"

const seeds = [1, 2, 3, 4, 5, 6]
const group = "simulators, virtual seconds per second of one core"

/** A small program: it follows the changes of the cluster, and does something ten times a second. */
const scenario = (): SimulatedCluster.Scenario => ({
  program: () =>
    Effect.gen(function* () {
      const { health, subscribeChanges } = yield* ClusterService
      yield* Effect.forkScoped(Stream.runDrain(subscribeChanges))
      yield* Effect.forever(Effect.andThen(health, Effect.sleep("100 millis")))
    })
})

/** Virtual seconds per second of processor time: others on the machine do not count. */
const speedOf = (run: (seed: number) => { readonly virtualMs: number }): number => {
  for (const seed of seeds) run(seed)
  const before = process.cpuUsage()
  const virtualMs = seeds.reduce((sum, seed) => sum + run(seed).virtualMs, 0)
  const { system, user } = process.cpuUsage(before)
  return (virtualMs * 1000) / (user + system)
}

export const rows = (): ReadonlyArray<Row> =>
  [5, 10].flatMap((nodes): ReadonlyArray<Row> => {
    const options = { nodes, profile: "crashes" } as const
    const programs = speedOf((seed) => SimulatedCluster.run(scenario, { ...options, seed }))
    const protocol = speedOf((seed) => Simulation.run({ ...options, seed }))
    return [
      {
        group,
        name: `programs on ${nodes} nodes`,
        value: programs,
        unit: "s/s",
        ratios: { "the protocol alone": programs / protocol }
      },
      { group, name: `the protocol of ${nodes} nodes`, value: protocol, unit: "s/s" }
    ]
  })
