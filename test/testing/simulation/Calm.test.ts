import { expect, it } from "vitest"
import { Simulation } from "../../../src/testing.ts"

it("ticks that judge nobody, because nobody can be silent yet, suspect as ticks that judge everyone", () => {
  for (const profile of ["partitions", "chaos"] as const) {
    const options = { seed: 11, nodes: 4, profile, virtualMs: 15_000 }
    const judged = Simulation.run({
      ...options,
      tamper: (after) => ({ ...after, calmUntilMs: Number.NEGATIVE_INFINITY })
    })
    expect(Simulation.run(options).traceHash).toBe(judged.traceHash)
  }
})
