/** Faults observed in nodes of the reference, which this core must not have. The numbers are of the list of faults. */
import { describe, expect, it } from "vitest"
import { disagreement } from "../../../src/testing/simulation/Agreement.ts"
import { addressOf, VirtualCluster } from "../../simulation/VirtualCluster.ts"
import { founder, heartbeat, joinRequest, masterOf, Transcript } from "./Transcript.ts"

const cluster = (count: number, skewedClocks = false): VirtualCluster => {
  const world = new VirtualCluster({ skewedClocks })
  const ids = Array.from({ length: count }, (_, i) => `n${i + 1}`)
  for (const id of ids) world.start(id, { seeds: ids.map(addressOf), node: { partitionCount: 12 } })
  expect(converge(world)).toBeGreaterThan(0)
  return world
}
const converge = (world: VirtualCluster, limitMs = 60_000): number =>
  world.runWhile(() => disagreement(world.living) !== undefined, limitMs)

describe("faults of the reference", () => {
  it("1: a join brings everyone the same table", () => {
    const world = cluster(3)
    world.start("n4", { seeds: [addressOf("n2")], node: { partitionCount: 12 } })
    expect(converge(world)).toBeGreaterThan(0)
    expect(new Set(world.living.map((process) => JSON.stringify(process.joined?.table))).size).toBe(1)
  })

  it("2 and 3: a death reaches everyone as one view of one version", () => {
    const world = cluster(4)
    world.kill("n3")
    world.run(2000)
    expect(new Set(world.living.map((process) => process.joined?.view.version)).size).toBe(1)
    for (const observer of world.living) {
      expect(observer.joined?.view.members.find((member) => member.nodeId === "n3")?.state).toBe("dead")
    }
  })

  it("4: after the master's death all survivors are connected", () => {
    const world = cluster(4)
    world.kill("n1")
    expect(converge(world)).toBeGreaterThan(0)
    for (const process of world.living) expect(process.state.mesh.links.size).toBe(2)
  })

  it("5: a node that comes back starts with a fresh detector history and is not suspect on the next tick", () => {
    const world = cluster(3)
    world.kill("n3")
    world.run(3000)
    world.start("n3", { seeds: [addressOf("n1")], node: { partitionCount: 12 } })
    expect(converge(world, 5000)).toBeGreaterThan(0)
    world.run(5000)
    const blamed = world
      .changesOf("n1")
      .filter(
        (change) =>
          change._tag === "MemberUpdated" &&
          change.member.incarnation === world.get("n3").incarnation &&
          change.member.state !== "active"
      )
    expect(blamed).toEqual([])
  })

  it("6: a suspect that is heard again is active, and the next blip is no instant death", () => {
    const world = cluster(3)
    for (let blip = 0; blip < 3; blip++) {
      world.stall("n3", 2500)
      world.run(8000)
      expect(disagreement(world.living)).toBeUndefined()
    }
  })

  it("7: one missed heartbeat costs nothing: nobody is dead, the table stays, and the next one clears it", () => {
    const world = cluster(3)
    world.run(10_000)
    const table = world.get("n1").joined?.table
    for (let i = 0; i < 5; i++) {
      world.stall("n3", 1560)
      world.run(5000)
    }
    for (const { joined } of world.living) {
      expect(joined?.table.version).toBe(table?.version)
      expect(joined?.view.members.map(({ state }) => state)).toEqual(["active", "active", "active"])
    }
    expect(
      world.changesOf("n1").some((change) => change._tag === "MemberUpdated" && change.cause.includes("dead"))
    ).toBe(false)
  })

  it("8: neither clocks that differ nor clocks that drift make anyone suspect", () => {
    const world = cluster(4, true)
    world.forgetChanges()
    world.run(120_000)
    for (const process of world.living) expect(world.changesOf(process.host)).toEqual([])
  })

  it("9: a member that never heartbeats is suspected and removed", () => {
    const n1 = founder("n1").accepted(2).receive(2, joinRequest("n2")).until(20_000)
    expect(n1.joined.view.members.map((member) => member.nodeId)).toEqual(["n1"])
  })

  it("10: the end of an old socket does not kill the node that has reconnected", () => {
    const n1 = masterOf("n1", ["n2"]).accepted(22)
    n1.receive(22, heartbeat("n2", n1)).closed(2).refused("n2").until(250)
    expect(n1.joined.view.members.map((member) => member.state)).toEqual(["active", "active"])
  })

  it("11: a joiner with the master's own id is refused and overwrites nothing", () => {
    const n1 = founder("n1")
    const before = n1.joined.view
    n1.accepted(5).receive(5, joinRequest("n1", { incarnation: 77, clusterPort: 9999 }))
    expect(n1.joined.view).toBe(before)
    expect(n1.text()).toContain("is in use")
  })

  it("12: an unjoined socket can neither freeze the view nor rewrite the table", () => {
    const n1 = masterOf("n1", ["n2"])
    const { view, table } = n1.joined
    const version = Number.MAX_SAFE_INTEGER
    n1.accepted(8).receive(8, { type: "MEMBERS_UPDATE", view: { version, members: [] }, clusterTimeMs: 0 })
    n1.accepted(9).receive(9, heartbeat("evil", n1, { incarnation: 9 }))
    n1.receive(9, { type: "MEMBERS_UPDATE", view: { version, members: view.members }, clusterTimeMs: 0 })
    n1.receive(9, {
      type: "PARTITION_TABLE_UPDATE",
      assignments: [{ partitionId: 0, owner: "evil", backups: [] }],
      version,
      completedMigrations: [],
      lineage: view.lineage,
      viewVersion: view.version
    })
    expect(n1.joined.view).toBe(view)
    expect(n1.joined.table).toBe(table)
  })

  it("13: protocol version and token are checked", () => {
    const n1 = founder("n1", { node: { authToken: "secret" } })
    n1.accepted(2).receive(2, joinRequest("n2", { protocolVersion: 7 }))
    n1.accepted(3).receive(3, joinRequest("n3"))
    expect(n1.joined.view.members).toHaveLength(1)
  })

  it("14: a frozen master is replaced, and learns it when it thaws", () => {
    const world = cluster(4)
    world.run(5000)
    world.freeze("n1")
    expect(world.runWhile(() => !world.get("n2").isActing, 5000)).toBeGreaterThan(0)
    world.run(15_000)
    world.thaw("n1")
    world.run(1000)
    expect(world.get("n1").isActing).toBe(false)
    expect(converge(world)).toBeGreaterThan(-1)
  })

  it("15: a cold start of mutual seeds takes less than three seconds", () => {
    const world = new VirtualCluster()
    for (const id of ["n1", "n2", "n3"]) world.start(id, { seeds: ["n1", "n2", "n3"].map(addressOf) })
    const ms = converge(world)
    expect(ms).toBeGreaterThan(0)
    expect(ms).toBeLessThan(3000)
  })

  it("19: seeds that name only a member that is not master lead to the master", () => {
    const world = cluster(3)
    world.start("n4", { seeds: [addressOf("n3")], node: { partitionCount: 12 } })
    expect(converge(world, 5000)).toBeGreaterThan(0)
    expect(world.get("n4").joined?.view.members).toHaveLength(4)
  })

  it("19: a node with unreachable seeds does not promote itself", () => {
    const n1 = new Transcript("n1", { seeds: ["n2", "n3"] }).tick().refused("n2").refused("n3").until(29_000)
    expect(n1.state.phase._tag).toBe("Fresh")
    // Nor for a while, in a view that could not settle.
    expect(n1.text()).not.toContain("founds")
  })
})
