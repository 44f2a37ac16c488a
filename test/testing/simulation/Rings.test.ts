/** Clusters on rings keep every rule that clusters all-to-all keep, and cost a fraction of the heartbeats. */
import { assert, describe, it } from "@effect/vitest"
import { available, majority, staticQuorum } from "../../../src/domain/protocol/Quorum.ts"
import { allToAll, rings } from "../../../src/domain/protocol/Topology.ts"
import { Simulation } from "../../../src/testing.ts"

const policies = [available, majority, staticQuorum(4)]

describe("on rings", () => {
  it.each(policies)("seven nodes with three watchers each keep the rules under chaos, policy $name", (policy) => {
    for (let seed = 1; seed <= 8; seed++) {
      const { violation } = Simulation.run({ seed, nodes: 7, policy, topology: rings({ k: 3, above: 0 }) })
      assert.isUndefined(violation, `seed ${seed}`)
    }
  })

  it("twelve nodes with four watchers each keep the rules under partitions", () => {
    for (let seed = 1; seed <= 4; seed++) {
      const topology = rings({ k: 4, above: 0 })
      const { violation } = Simulation.run({ seed, nodes: 12, profile: "partitions", policy: majority, topology })
      assert.isUndefined(violation, `seed ${seed}`)
    }
  })

  it("a cluster takes fewer steps than all-to-all, and the same as it below the bound", () => {
    const options = { seed: 3, nodes: 16, profile: "calm", virtualMs: 15_000 } as const
    const all = Simulation.run({ ...options, topology: allToAll })
    const ring = Simulation.run({ ...options, topology: rings({ k: 3, above: 0 }) })
    assert.isTrue(ring.ok)
    assert.isBelow(ring.steps, 0.7 * all.steps)
    assert.strictEqual(Simulation.run({ ...options, topology: rings({ k: 3, above: 16 }) }).traceHash, all.traceHash)
    assert.strictEqual(Simulation.run(options).traceHash, all.traceHash)
  })

  it("the master's silent death is noticed by its watchers, and the next oldest takes over", () => {
    const faults: ReadonlyArray<Simulation.Fault> = [{ _tag: "Kill", atMs: 12_000, node: "master", withHost: true }]
    const topology = rings({ k: 4, above: 0 })
    const { ok, transcript } = Simulation.run({
      seed: 9,
      nodes: 12,
      policy: majority,
      topology,
      faults,
      transcript: true
    })
    assert.isTrue(ok)
    const claim = transcript.findIndex((line) => line.includes("claims mastership") && line.includes("is not heard"))
    const dead = transcript.findIndex((line) => line.includes("is dead"))
    assert.isAtLeast(claim, 0, "nobody claims")
    assert.isAbove(dead, claim)
  })
})
