/** Some hundred runs of the seeded hunt; `node test/simulation/hunt.ts FROM TO [POLICY]` hunts further. */
import { describe, expect, it } from "vitest"
import { majority, type QuorumPolicy } from "../../src/domain/protocol/Quorum.ts"
import { policies, scenario } from "./Scenario.ts"

const chunk = 40
const shares = [
  { policy: "available", runs: 160 },
  { policy: "majority", runs: 80 },
  { policy: "static", runs: 80 }
]

describe("the hunt", () => {
  it.each(
    shares.flatMap(({ policy, runs }) =>
      Array.from({ length: runs / chunk }, (_, i) => ({ policy, from: i * chunk + 1 }))
    )
  )("$policy: nothing breaks a rule in 40 runs from seed $from", ({ policy, from }) => {
    for (let seed = from; seed < from + chunk; seed++) {
      const { fault, story } = scenario(seed, { policyFor: policies(policy) })
      expect(fault, `seed ${seed}: ${story}`).toBeUndefined()
    }
  })

  it.each([
    { policy: "majority", seed: 14_733, rule: "a base voter that came back as another process has no vote" },
    { policy: "majority", seed: 16_070, rule: "a base voter that came back as another process has no vote" },
    { policy: "available", seed: 15_780, rule: "a view none of whose base voters is left is dropped" }
  ])("$policy, seed $seed: $rule", ({ policy, seed }) => {
    expect(scenario(seed, { policyFor: policies(policy) }).fault).toBeUndefined()
  })

  it("under `available` some of those runs have split the cluster, which merged again", () => {
    const seeds = Array.from({ length: chunk }, (_, i) => i + 1)
    expect(seeds.filter((seed) => scenario(seed).lineages > 1)).not.toEqual([])
  })

  it("the checks catch a broken policy: one under which half of the voters settle a view, whichever half", () => {
    const half: QuorumPolicy = {
      ...majority,
      quorum: (voters, has) => voters.length > 0 && 2 * voters.filter(has).length >= voters.length
    }
    expect(scenario(31, { policyFor: () => half }).fault).toContain("settled views conflict")
    expect(scenario(31, { policyFor: () => majority }).fault).toBeUndefined()
  })

  it("the same seed gives the same trace, another seed another", () => {
    const [first, again, other] = [scenario(7), scenario(7), scenario(8)]
    expect(again.traceHash).toBe(first.traceHash)
    expect(again.steps).toBe(first.steps)
    expect(other.traceHash).not.toBe(first.traceHash)
  })

  it("the checks catch a broken core: a member declared dead by one that alone does not hear it", async () => {
    const { Safety } = await import("./Safety.ts")
    const { VirtualCluster, addressOf } = await import("./VirtualCluster.ts")
    const world = new VirtualCluster()
    const safety = new Safety(world)
    world.observer = safety
    const seeds = ["n1", "n2", "n3"].map(addressOf)
    for (const id of ["n1", "n2", "n3"]) world.start(id, { seeds })
    world.run(20_000)
    const master = world.get("n1")
    const { phase } = master.state
    if (phase._tag !== "Joined") throw new Error("no view")
    const before = master.state
    const members = phase.view.members.map((member) =>
      member.nodeId === "n3" ? { ...member, state: "dead" as const } : member
    )
    const parent = { lineage: phase.view.lineage, version: phase.view.version }
    master.state = {
      ...before,
      phase: { ...phase, view: { ...phase.view, members, parent, version: phase.view.version + 1 } }
    }
    expect(() => safety.stepped(master, before)).toThrow("declares n3@3000 dead while n1,n2 of n1,n2")
  })
})
