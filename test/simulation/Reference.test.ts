/** Mixed clusters: nodes of the reference, as observed, beside Squadron nodes, led by the one kind or the other. */
import { describe, expect, it } from "vitest"
import { available, majority } from "../../src/domain/protocol/Quorum.ts"
import { Simulation } from "../../src/testing.ts"

const seeds = Array.from({ length: 24 }, (_, i) => i + 1)

describe("with nodes of the reference", () => {
  it.each([available, majority])("Squadron nodes break no rule and agree again, policy $name", (policy) => {
    for (const seed of seeds) {
      const { violation } = Simulation.run({ seed, nodes: 1 + (seed % 4), policy, profile: "reference" })
      expect(violation, `seed ${seed}`).toBeUndefined()
    }
  })

  it("in some runs they lead, and in some Squadron does", () => {
    const said = seeds.map((seed) => Simulation.run({ seed, nodes: 3, profile: "reference", transcript: true }))
    const isLed = said.map(({ transcript }) => transcript.some((line) => line.includes("of the reference, leads")))
    expect(new Set(isLed)).toEqual(new Set([true, false]))
  })
})
