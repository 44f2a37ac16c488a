/** What a policy with a quorum changes: who settles, who claims, who halts, and when a view is lost. */
import { describe, expect, it } from "vitest"
import { majority, staticQuorum } from "../../../src/domain/protocol/Quorum.ts"
import type { MemberInfo } from "../../../src/domain/model/MemberInfo.ts"
import { type ClusterView, toWire } from "../../../src/domain/protocol/ClusterView.ts"
import { heartbeat, joinRequest, masterOf, Transcript, welcome } from "./Transcript.ts"
import { addressOf, portOf, VirtualCluster } from "../../simulation/VirtualCluster.ts"

/** Three processes of one cluster, each with all as seeds. */
const cluster = (policy = majority, ids: ReadonlyArray<string> = ["n1", "n2", "n3"]) => {
  const world = new VirtualCluster({ policy })
  for (const id of ids) world.start(id, { seeds: ids.map(addressOf), config: { suspicionTimeoutMs: 2500 } })
  const agree = () =>
    world.living.every((one) => one.joined?.settled === true && one.joined.view.members.length === ids.length)
  expect(world.runWhile(() => !agree(), 20_000)).toBeGreaterThan(0)
  world.run(5000)
  return world
}

describe("majority", () => {
  it("a view settles when more than half of its voters and of its base have it", () => {
    const n1 = masterOf("n1", ["n2", "n3"], { policy: majority })
    const settled = () => n1.joined.settled
    n1.receive(2, heartbeat("n2", n1)).receive(3, heartbeat("n3", n1)).receive(2, heartbeat("n2", n1)).text()
    expect(settled()).toBe(true)
    n1.accepted(4).receive(4, joinRequest("n4"))
    expect(n1.joined.view.members).toHaveLength(4)
    expect(settled()).toBe(false)
    expect(n1.text()).not.toContain("#4 -> JOIN_RESPONSE")
    n1.receive(3, heartbeat("n3", n1))
    expect(settled()).toBe(true)
    expect(n1.text()).toContain("#4 -> JOIN_RESPONSE")
  })

  it("a death is not settled any more when the member is heard before the acknowledgement comes", () => {
    // n1 and n2 do not hear n3; n1 proposes its death, n3 is heard again, and only then n2 acknowledges.
    const n1 = masterOf("n1", ["n2", "n3"], { policy: majority, config: { suspicionTimeoutMs: 2500 } })
    n1.receive(2, heartbeat("n2", n1)).receive(3, heartbeat("n3", n1))
    n1.receive(2, heartbeat("n2", n1)).receive(3, heartbeat("n3", n1))
    const stateOfN3 = () => n1.joined.view.members.find(({ nodeId }) => nodeId === "n3")?.state
    for (let atMs = 1000; stateOfN3() !== "dead" && atMs < 10_000; atMs += 250) {
      n1.until(atMs, ["n3"])
      if (stateOfN3() !== "dead") n1.receive(2, heartbeat("n2", n1, { suspectedNodes: ["n3"] }))
    }
    expect([stateOfN3(), n1.joined.settled]).toEqual(["dead", false])
    n1.receive(3, heartbeat("n3", n1, { membersViewVersion: n1.joined.view.version - 1 }))
    n1.receive(2, heartbeat("n2", n1))
    expect(n1.joined.settled).toBe(false)
    for (let atMs = 10_250; stateOfN3() === "dead" && atMs < 20_000; atMs += 250) n1.until(atMs)
    expect(stateOfN3()).toBe("active")
  })

  it("the smaller side halts with the view it has, the larger goes on; healed, there is one lineage", () => {
    const world = cluster()
    const before = world.get("n1").joined?.view
    world.cut("n1", "n2")
    world.cut("n1", "n3")
    world.run(20_000)
    expect(world.get("n1").joined?.view.version).toBe((before?.version ?? 0) + 1)
    expect(world.get("n1").joined?.settled).toBe(false)
    expect(world.get("n2").isActing).toBe(true)
    expect(world.get("n2").joined?.view.members.map(({ nodeId }) => nodeId)).toEqual(["n2", "n3"])
    world.network.mendAll()
    world.run(30_000)
    for (const one of world.living) {
      expect(one.joined?.view.lineage).toBe(before?.lineage)
      expect(one.joined?.view.members).toHaveLength(3)
    }
  })

  it("of two halves the one with the oldest goes on", () => {
    const world = cluster(majority, ["n1", "n2"])
    world.cut("n1", "n2")
    const halted = world.get("n2").joined?.view
    world.run(20_000)
    expect(world.get("n1").joined?.view.members).toHaveLength(1)
    expect(world.get("n2").joined?.view).toBe(halted)
  })

  it("a member that hears neither the master nor a quorum does not claim", () => {
    const world = cluster()
    for (const other of ["n1", "n3"]) world.cut("n2", other)
    world.run(20_000)
    expect(world.get("n2").isActing).toBe(false)
    expect(world.get("n2").state.self.incarnation).toBe(2000)
  })

  it("views of two members that differ on who is older do not keep both from dialling", () => {
    // n1, cut off, takes itself for the oldest; n3 has followed n2, for which n1 is the youngest. Then n2 dies.
    const world = cluster()
    world.cut("n1", "n2")
    world.cut("n1", "n3")
    const takesOver = () =>
      world.get("n2").isActing && world.get("n3").joined?.view.version === world.get("n2").joined?.view.version
    expect(world.runWhile(() => !takesOver(), 20_000)).toBeGreaterThan(0)
    world.kill("n2")
    world.run(3000)
    for (const [from, to] of [
      ["n1", "n3"],
      ["n1", "n2"],
      ["n3", "n1"]
    ] as const)
      world.network.reset(from, to)
    world.run(5000)
    world.network.mendAll()
    expect(
      world.runWhile(
        () =>
          !world.living.some(
            (one) => one.isActing && one.joined?.settled === true && one.joined.view.version > 2 ** 32
          ),
        30_000
      )
    ).toBeGreaterThan(0)
  })
})

const member = (id: string): MemberInfo => ({
  nodeId: id,
  host: "127.0.0.1",
  clientPort: 1,
  clusterPort: portOf(id),
  state: "active",
  joinVersion: 1,
  incarnation: (portOf(id) - 9000) * 1000
})

const view = (version: number, ids: ReadonlyArray<string>): ClusterView => ({
  lineage: "n1.1000",
  version,
  parent: { lineage: "n1.1000", version: version - 1 },
  ancestors: [],
  members: ids.map(member),
  base: { voters: ["n1", "n2", "n3"].map((nodeId, i) => ({ nodeId, incarnation: (i + 1) * 1000 })) },
  cause: "test"
})

describe("a base voter that the next view leaves out", () => {
  it("keeps voting while that view is unsettled, and rejoins when any member says that it is settled", () => {
    const n3 = new Transcript("n3", { policy: majority, seeds: ["n1"] }).tick().dialled(1, "n1")
    n3.receive(1, welcome("n1", view(7, ["n1", "n2", "n3"])))
    n3.receive(1, { type: "MEMBERS_UPDATE", clusterTimeMs: 0, ...toWire(view(8, ["n1", "n2"]), false) })
    n3.until(15_000)
    expect(n3.joined.view.version).toBe(8)
    n3.receive(1, { type: "MEMBERS_UPDATE", clusterTimeMs: 0, ...toWire(view(8, ["n1", "n2"]), true) })
    expect(n3.state.phase._tag).toBe("Fresh")
    expect(n3.state.self.incarnation).toBe(3001)
  })
})

describe("a lost view", () => {
  it("most voters restarted: the rest drops the view and founds a new cluster with them", () => {
    const world = cluster()
    const { lineage, version } = world.get("n3").joined?.view ?? { lineage: "", version: 0 }
    for (const id of ["n1", "n2"]) world.kill(id)
    for (const id of ["n1", "n2"]) world.start(id, { seeds: ["n1", "n2", "n3"].map(addressOf) })
    world.run(20_000)
    for (const one of world.living) {
      expect(one.joined?.view.lineage).not.toBe(lineage)
      expect(one.joined?.view.members).toHaveLength(3)
      expect(one.joined?.view.version).toBeGreaterThan(version)
    }
    expect(world.get("n3").state.self.incarnation).toBe(3001)
  })

  it("a silent voter at whose address another process answers is proven dead", () => {
    // n1 and n2 vanish with their machines; x2 comes up at the address of n2, which proves that n2 is gone.
    const world = cluster()
    for (const id of ["n1", "n2"]) world.kill(id, true)
    world.run(5000)
    world.start("x2", { host: "n2", seeds: [addressOf("n3")] })
    world.run(20_000)
    expect(world.get("n3").state.peers.get("n2")?.provenDead).toBe(2000)
  })

  it("a silent voter whose address a newer member has taken counts as lost", () => {
    // Of n1, n2, n3 and x1, which lives where n3 did, n1 is restarted: n2 and x1 alone are no quorum of the four.
    const world = cluster()
    world.kill("n3", true)
    world.start("x1", { host: "n3", seeds: ["n1", "n2"].map(addressOf) })
    const hasFour = () => world.get("n3").joined?.settled === true && world.get("n3").joined?.view.members.length === 4
    expect(world.runWhile(() => !hasFour(), 2000)).toBeGreaterThan(0)
    expect(world.get("n2").joined?.view.members.map(({ state }) => state)).toEqual([
      "active",
      "active",
      "active",
      "active"
    ])
    world.kill("n1")
    world.start("n1", { seeds: ["n1", "n2", "n3"].map(addressOf) })
    const agree = () =>
      world.living.every((one) => one.joined?.settled === true && one.joined.view.members.length === 3)
    expect(world.runWhile(() => !agree(), 30_000)).toBeGreaterThan(0)
    expect(
      world
        .get("n1")
        .joined?.view.members.map(({ nodeId }) => nodeId)
        .toSorted()
    ).toEqual(["n1", "n2", "x1"])
  })

  it("voters that are silent, with nothing proven, keep the view", () => {
    const world = cluster()
    for (const id of ["n1", "n2"]) world.kill(id, true)
    world.run(60_000)
    expect(world.get("n3").joined?.view.members).toHaveLength(3)
    expect(world.get("n3").state.self.incarnation).toBe(3000)
  })
})

describe("staticQuorum", () => {
  it("fewer founders than the quorum found nothing", () => {
    const world = new VirtualCluster({ policy: staticQuorum(3) })
    for (const id of ["n1", "n2"]) world.start(id, { seeds: ["n1", "n2", "n3"].map(addressOf) })
    world.run(15_000)
    expect(world.living.map((one) => one.joined)).toEqual([undefined, undefined])
    world.start("n3", { seeds: ["n1", "n2", "n3"].map(addressOf) })
    expect(world.runWhile(() => !world.living.every((one) => one.joined?.settled === true), 20_000)).toBeGreaterThan(0)
  })

  it("a node with nobody to found with gives up and says so", () => {
    const n1 = new Transcript("n1", { policy: staticQuorum(2) }).until(31_000)
    expect(n1.text()).toContain("stop: no cluster found")
  })

  it("the survivors do not shrink below it", () => {
    const world = cluster(staticQuorum(2))
    world.kill("n3")
    world.run(10_000)
    expect(world.get("n1").joined?.view.members).toHaveLength(2)
    world.kill("n2")
    world.run(10_000)
    // One voter is less than two: it halts, here by dropping the view that is lost.
    expect(world.get("n1").joined).toBeUndefined()
  })
})
