/** An operator says that members are gone for good: the rest goes on, and heals if that was wrong. */
import { transition } from "../../../src/domain/protocol/Transition.ts"
import { describe, expect, it } from "vitest"
import { forget, type ForgetOutcome } from "../../../src/domain/protocol/Forget.ts"
import { majority, type QuorumPolicy, staticQuorum } from "../../../src/domain/protocol/Quorum.ts"
import { addressOf, VirtualCluster } from "../../simulation/VirtualCluster.ts"

const ids = ["n1", "n2", "n3", "n4", "n5"]
const options = { seeds: ids.map(addressOf), config: { suspicionTimeoutMs: 2500, splitBrainCheckIntervalMs: 5000 } }

const cluster = (policy: QuorumPolicy): VirtualCluster => {
  const world = new VirtualCluster({ policy })
  for (const id of ids) world.start(id, options)
  expect(world.converge(20_000)).toBeGreaterThan(0)
  world.run(5000)
  return world
}

const forgetAt = (world: VirtualCluster, host: string, gone: ReadonlyArray<string>): ForgetOutcome => {
  let outcome: ForgetOutcome | undefined
  world.world.hasForgotten = true
  world.world.act(world.get(host), (step) => {
    outcome = forget(step, gone)
  })
  if (outcome === undefined) throw new Error(`${host} is down`)
  return outcome
}

const membersAt = (world: VirtualCluster, host: string) =>
  world
    .get(host)
    .joined?.view.members.map(({ nodeId }) => nodeId)
    .toSorted()

describe("forget", () => {
  it("the two left of five go on when an operator says that the three will not come back", () => {
    const world = cluster(majority)
    for (const id of ["n1", "n2", "n3"]) world.kill(id, true)
    world.run(30_000)
    expect(membersAt(world, "n4")).toEqual(ids)
    expect(world.get("n4").joined?.settled === true && world.get("n4").isActing).toBe(false)
    expect(forgetAt(world, "n4", ["n1", "n2", "n3"])).toEqual({ _tag: "Forgotten" })
    expect(world.converge(5000)).toBeGreaterThan(-1)
    expect(membersAt(world, "n4")).toEqual(["n4", "n5"])
    expect(membersAt(world, "n5")).toEqual(["n4", "n5"])
    expect(world.get("n4").joined?.settled).toBe(true)
  })

  it("a forgotten machine that comes back joins as a new process", () => {
    const world = cluster(majority)
    for (const id of ["n1", "n2", "n3"]) world.kill(id, true)
    world.run(30_000)
    forgetAt(world, "n5", ["n1", "n2", "n3"])
    world.run(3000)
    world.start("n2", options)
    expect(world.converge(20_000)).toBeGreaterThan(0)
    expect(membersAt(world, "n4")).toEqual(["n2", "n4", "n5"])
  })

  it("if the forgotten three live after all, the two clusters become one when they meet", () => {
    const world = cluster(majority)
    for (const id of ["n4", "n5"]) for (const other of ["n1", "n2", "n3"]) world.cut(id, other)
    world.run(20_000)
    expect(membersAt(world, "n1")).toEqual(["n1", "n2", "n3"])
    expect(forgetAt(world, "n4", ["n1", "n2", "n3"])).toEqual({ _tag: "Forgotten" })
    world.run(10_000)
    expect(membersAt(world, "n5")).toEqual(["n4", "n5"])
    world.network.mendAll()
    expect(world.converge(60_000)).toBeGreaterThan(0)
    expect(membersAt(world, "n4")).toEqual(ids)
  })

  it("both survivors told at once become one cluster", () => {
    const world = cluster(majority)
    for (const id of ["n1", "n2", "n3"]) world.kill(id, true)
    world.run(30_000)
    forgetAt(world, "n4", ["n1", "n2", "n3"])
    forgetAt(world, "n5", ["n1", "n2", "n3"])
    expect(world.converge(60_000)).toBeGreaterThan(-1)
    expect(membersAt(world, "n4")).toEqual(["n4", "n5"])
  })

  it("a member that is heard, one that is unknown, and too few that are named are refused, and nothing changes", () => {
    const world = cluster(majority)
    for (const id of ["n1", "n2", "n3"]) world.kill(id, true)
    world.run(30_000)
    const { view } = world.get("n4").joined ?? {}
    expect(forgetAt(world, "n4", ["n1", "n5"])).toEqual({ _tag: "StillHeard", nodeId: "n5" })
    expect(forgetAt(world, "n4", ["n9"])).toEqual({ _tag: "Unknown", nodeId: "n9" })
    expect(forgetAt(world, "n4", ["n1"])).toEqual({ _tag: "TooFewLeft" })
    expect(forgetAt(world, "n4", ["n4"])).toEqual({ _tag: "StillHeard", nodeId: "n4" })
    expect(world.get("n4").joined?.view).toBe(view)
  })

  it("staticQuorum(n) is never gone below", () => {
    const world = cluster(staticQuorum(3))
    for (const id of ["n1", "n2", "n3"]) world.kill(id, true)
    world.run(30_000)
    expect(forgetAt(world, "n4", ["n1", "n2", "n3"])).toEqual({ _tag: "TooFewLeft" })
  })

  it("a node without a view refuses", () => {
    const world = new VirtualCluster({ policy: majority })
    world.start("n1", { seeds: [addressOf("n1"), addressOf("n2"), addressOf("n3")] })
    const [, outcome] = transition((step) => forget(step, ["n2"]))(world.get("n1").state, 10)
    expect(outcome).toEqual({ _tag: "NotAMember" })
  })
})
