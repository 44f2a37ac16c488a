/** Some hundred seeds of the shipped simulator; `npm run soak` runs as many as are wanted. */
import { describe, expect, it } from "vitest"
import { available, majority, type QuorumPolicy, staticQuorum } from "../../src/domain/protocol/Quorum.ts"
import { Simulation } from "../../src/testing.ts"
import { addressOf, VirtualCluster } from "./VirtualCluster.ts"

const chunk = 40
const policies: ReadonlyArray<readonly [name: string, of: (nodes: number) => QuorumPolicy]> = [
  ["available", () => available],
  ["majority", () => majority],
  ["staticQuorum", (nodes) => staticQuorum(Math.floor(nodes / 2) + 1)]
]
const sizes = [2, 3, 4, 5, 7]

describe("the hunt", () => {
  it.each(policies.flatMap(([name, of]) => sizes.map((nodes) => ({ name, of, nodes }))))(
    "$name, $nodes nodes: nothing breaks a rule in 40 seeds",
    ({ nodes, of }) => {
      for (let seed = 1; seed <= chunk; seed++) {
        const { violation } = Simulation.run({ seed, nodes, policy: of(nodes) })
        expect(violation, `seed ${seed}`).toBeUndefined()
      }
    }
  )

  it.each([
    { policy: staticQuorum(3), nodes: 4, seed: 2010, rule: "a queued join whose process asks no more is forgotten" },
    {
      policy: majority,
      nodes: 5,
      seed: 6475,
      rule: "a death that may have settled is not taken back by another master"
    },
    {
      policy: available,
      nodes: 9,
      seed: 11119,
      rule: "whoever goes over to another lineage counts by what it has said until the master hears of that"
    },
    {
      policy: available,
      nodes: 6,
      seed: 54132,
      rule: "a leave of the master that does not settle leaves no room for another process under its id"
    }
  ])("$policy.name, $nodes nodes, seed $seed: $rule", ({ nodes, policy, seed }) => {
    expect(Simulation.run({ seed, nodes, policy }).violation).toBeUndefined()
  })

  it("under `available` some runs split the cluster, which merges again", () => {
    const seeds = Array.from({ length: chunk }, (_, i) => i + 1)
    expect(seeds.filter((seed) => Simulation.run({ seed, nodes: 5 }).lineages > 1)).not.toEqual([])
  })

  it("the seeds draw every kind of fault, of which each takes place", () => {
    const drawn = new Set<string>()
    for (let seed = 1; seed <= 200; seed++) {
      for (const { _tag } of Simulation.run({ seed, nodes: 4, virtualMs: 12_000 }).schedule) drawn.add(_tag)
    }
    expect(drawn).toEqual(new Set(Simulation.Fault.members.map((member) => member.fields._tag.ast.literal)))
  })

  it("the checks catch a broken policy: one under which half of the voters settle a view, whichever half", () => {
    const half: QuorumPolicy = {
      ...majority,
      quorum: (voters, has) => voters.length > 0 && 2 * voters.filter(has).length >= voters.length
    }
    const seeds = Array.from({ length: 400 }, (_, i) => i + 1)
    const seed = seeds.find((one) => !Simulation.run({ seed: one, nodes: 4, policy: half }).ok)
    if (seed === undefined) throw new Error("no seed found it")
    expect(Simulation.run({ seed, nodes: 4, policy: half }).violation).toMatch(/conflict|beside another lineage/)
    expect(Simulation.run({ seed, nodes: 4, policy: majority }).violation).toBeUndefined()
  })

  it("the checks catch a broken core: a member declared dead by one that alone does not hear it", () => {
    const world = new VirtualCluster()
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
    expect(() => world.safety.stepped(master, before)).toThrow("declares n3@3000 dead while n1,n2 of n1,n2")
  })
})
