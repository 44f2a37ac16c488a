/** Small models: the protocol breaks no rule in any order up to a depth, and what is planted is found. */
import { describe, expect, it } from "vitest"
import { available, majority, type QuorumPolicy, staticQuorum } from "../../../src/domain/protocol/Quorum.ts"
import { Exploration } from "../../../src/testing.ts"

const few: Exploration.Faults = { suspicions: 2, breaks: 1, crashes: 1, restarts: 1, leaves: 0 }
const many: Exploration.Faults = { suspicions: 8, breaks: 3, crashes: 1, restarts: 1, leaves: 1 }
const maxModels = 100_000

const policies = [available, majority, staticQuorum(2)]
const starts = ["settled", "fresh"] as const

/** Half of the voters settle a view, whichever half. */
const half: QuorumPolicy = {
  ...majority,
  quorum: (voters, has) => voters.length > 0 && 2 * voters.filter(has).length >= voters.length
}

describe("all orders", () => {
  it.each(
    policies.flatMap((policy) =>
      starts.flatMap((from) => [
        { policy, from, nodes: 2, depth: 5, atLeast: 2000 },
        { policy, from, nodes: 3, depth: 3, atLeast: 1500 }
      ])
    )
  )(
    "of $nodes $from nodes under $policy.name up to depth $depth break no rule",
    ({ atLeast, depth, from, nodes, policy }) => {
      const { cutShort, models, repeated, violation } = Exploration.explore({
        name: "all orders",
        nodes,
        policy,
        from,
        depth,
        faults: few,
        maxModels
      })
      expect(violation).toBeUndefined()
      expect(models).toBeGreaterThan(atLeast)
      expect(repeated).toBeGreaterThan(0)
      expect(cutShort.models).toBe(0)
    }
  )

  it("end at the limit of models, and say so", () => {
    const scenario = { name: "limit", nodes: 2, policy: majority, from: "settled", depth: 6, faults: few } as const
    const { cutShort, models } = Exploration.explore({ ...scenario, maxModels: 100 })
    expect(models).toBe(100)
    expect(cutShort.models).toBeGreaterThan(0)
  })
})

describe("walks", () => {
  it.each(policies.flatMap((policy) => [2, 3, 4].map((nodes) => ({ policy, nodes }))))(
    "of $nodes nodes under $policy.name break no rule",
    ({ nodes, policy }) => {
      for (const from of starts) {
        const scenario = { name: "walks", nodes, policy, from, depth: 100, faults: many, maxModels } as const
        const { transitions, violation } = Exploration.walk(scenario, 100, 7)
        expect(violation && Exploration.describePath(scenario, violation.path)).toBeUndefined()
        expect(transitions).toBeGreaterThan(8000)
      }
    }
  )

  it("find a policy under which two halves settle, and tell how, without an action too many", () => {
    const scenario = {
      name: "half",
      nodes: 4,
      policy: half,
      from: "settled",
      depth: 100,
      faults: many,
      maxModels
    } as const
    const { violation } = Exploration.walk(scenario, 500, 1)
    expect(violation?.rule).toMatch(/settled views conflict|two masters/)
    const path = violation?.path ?? []
    expect(path.length).toBeLessThanOrEqual(40)
    const told = Exploration.describePath(scenario, path)
    expect(told).toHaveLength(path.length)
    expect(told.at(-1)).toContain(violation?.rule)
  })

  it("are the same again for the same seed", () => {
    const scenario = {
      name: "same",
      nodes: 3,
      policy: half,
      from: "settled",
      depth: 100,
      faults: many,
      maxModels
    } as const
    expect(Exploration.walk(scenario, 50, 3)).toEqual(Exploration.walk(scenario, 50, 3))
  })
})
