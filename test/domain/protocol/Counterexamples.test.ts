/** Histories that broke simpler designs. Each must end well here. */
import { describe, expect, it } from "vitest"
import { termOf } from "../../../src/domain/protocol/Version.ts"
import { disagreement } from "../../../src/testing/simulation/Agreement.ts"
import { addressOf, type ClusterOptions, type StartOptions, VirtualCluster } from "../../simulation/VirtualCluster.ts"
import type { Process } from "../../../src/testing/simulation/Process.ts"

const ids = (count: number): ReadonlyArray<string> => Array.from({ length: count }, (_, i) => `n${i + 1}`)

/** A settled cluster of n1 (master), n2, …, watched for everything that must never happen. */
const cluster = (count: number, options: StartOptions = {}, world: ClusterOptions = {}): VirtualCluster => {
  const running = new VirtualCluster(world)
  const seeds = ids(count).map(addressOf)
  for (const id of ids(count)) running.start(id, { seeds, node: { partitionCount: 12 }, ...options })
  expect(running.runWhile(() => disagreement(running.living) !== undefined)).toBeGreaterThan(0)
  return running
}

const converge = (world: VirtualCluster, limitMs = 60_000): number =>
  world.runWhile(() => disagreement(world.living) !== undefined, limitMs)

const stateOf = (observer: Process, id: string): string | undefined =>
  observer.joined?.view.members.find((member) => member.nodeId === id)?.state

const masters = (world: VirtualCluster): ReadonlyArray<string> =>
  world.living.filter((process) => process.isActing).map((process) => process.id)

describe("counterexamples to simpler designs", () => {
  it("A and B are cut, C hears both: nobody is removed, and the table stays", () => {
    const world = cluster(3)
    world.cut("n1", "n2")
    world.run(60_000)
    for (const observer of world.living) {
      expect(["active", "suspect"]).toContain(stateOf(observer, "n1"))
      expect(["active", "suspect"]).toContain(stateOf(observer, "n2"))
      expect(observer.joined?.view.members).toHaveLength(3)
    }
    world.network.mendAll()
    expect(converge(world)).toBeGreaterThan(-1)
  })

  it("a cut in one direction counts for both ends, and removes nobody whom most hear", () => {
    const world = cluster(5)
    world.network.cut("n3", "n1")
    world.run(60_000)
    expect(stateOf(world.get("n1"), "n3")).toBe("suspect")
    expect(new Set(world.living.map((process) => process.joined?.view.lineage)).size).toBe(1)
    world.network.mendAll()
    expect(converge(world)).toBeGreaterThan(-1)
  })

  it("the master marks all others suspect, then dies: they still have votes and claim", () => {
    const world = cluster(3)
    world.cut("n1", "n2")
    world.cut("n1", "n3")
    world.run(2500)
    world.kill("n1", true)
    world.network.mendAll()
    expect(converge(world)).toBeGreaterThan(-1)
    expect(masters(world)).toEqual(["n2"])
  })

  it("the oldest, deposed while it was frozen, does not act again inside its successor's term", () => {
    const world = cluster(4)
    world.freeze("n1")
    world.run(8000)
    expect(masters(world)).toContain("n2")
    const term = termOf(world.get("n2").joined?.view.version ?? 0)
    world.thaw("n1")
    expect(converge(world)).toBeGreaterThan(-1)
    // The safety check saw every step; in the end one of them acts, in a term of its own if it is n1.
    const [master] = masters(world)
    if (master === "n1") expect(termOf(world.get("n1").joined?.view.version ?? 0)).toBeGreaterThan(term)
  })

  it("three short outages and one flap do not make a quorum of complaints", () => {
    const world = cluster(7)
    for (const [i, other] of ["n2", "n3", "n4"].entries()) {
      world.later(i * 3000, () => world.cut(other, "n7"))
      world.later(i * 3000 + 2500, () => {
        world.network.mend([
          [other, "n7"],
          ["n7", other]
        ])
      })
    }
    world.later(4000, () => world.stall("n5", 200))
    world.run(30_000)
    for (const observer of world.living) expect(observer.joined?.view.members).toHaveLength(7)
    expect(converge(world)).toBeGreaterThan(-1)
  })

  it("a master that proposes a death and freezes does not settle it from old acknowledgements after the thaw", () => {
    const world = cluster(3)
    world.cut("n3", "n1")
    world.cut("n3", "n2")
    world.run(9500)
    world.freeze("n1")
    world.run(500)
    world.network.mendAll()
    world.run(20_000)
    world.thaw("n1")
    expect(converge(world)).toBeGreaterThan(-1)
    expect(world.living).toHaveLength(3)
  })

  it("a leaving master tells its successors before it goes: nobody takes it for dead", () => {
    const world = cluster(3)
    world.leave("n1")
    world.run(3000)
    expect(world.get("n1").stopped).toEqual({ _tag: "Left" })
    expect(masters(world)).toEqual(["n2"])
    for (const id of ["n2", "n3"]) {
      expect(world.get(id).joined?.view.members.map((member) => `${member.nodeId} ${member.state}`)).toEqual([
        "n2 active",
        "n3 active"
      ])
      expect(
        world.changesOf(id).some((change) => change._tag === "MemberUpdated" && change.cause.includes("dead"))
      ).toBe(false)
    }
  })

  it("a master that is cut off while it leaves does not leave the others without a master", () => {
    const world = cluster(3, { node: { partitionCount: 12, leaveTimeoutMs: 5000 } })
    world.cut("n1", "n2")
    world.cut("n1", "n3")
    world.leave("n1")
    world.run(30_000)
    expect(world.get("n1").isAlive).toBe(false)
    expect(masters(world)).toEqual(["n2"])
    expect(disagreement(world.living)).toBeUndefined()
  })

  it("two of two leave at once", () => {
    const world = cluster(2)
    world.leave("n1")
    world.leave("n2")
    world.run(30_000)
    expect(world.living.map((process) => process.id)).toEqual([])
  })

  it("claims of many do not outbid each other for ever", () => {
    const world = cluster(7, {}, { delay: { minMs: 20, maxMs: 250 } })
    world.kill("n1", true)
    expect(world.runWhile(() => masters(world).length !== 1, 15_000)).toBeGreaterThan(-1)
    expect(converge(world)).toBeGreaterThan(-1)
    expect(termOf(world.get("n2").joined?.view.version ?? 0)).toBeLessThanOrEqual(3)
  })

  it("parts that merge do not raise their terms against each other: one claim for those who come over is enough", () => {
    const world = cluster(6, { config: { suspicionTimeoutMs: 2500, splitBrainCheckIntervalMs: 2000 } })
    const parts = [
      ["n1", "n2"],
      ["n3", "n4"],
      ["n5", "n6"]
    ]
    for (const part of parts) {
      for (const one of part) for (const other of ids(6)) if (!part.includes(other)) world.cut(one, other)
    }
    world.run(20_000)
    const terms = () => world.living.map(({ joined }) => termOf(joined?.view.version ?? 0))
    const highest = Math.max(...terms())
    world.network.mendAll()
    expect(converge(world)).toBeGreaterThan(-1)
    expect(Math.max(...terms())).toBeLessThanOrEqual(highest + parts.length)
  })

  it("every address changes in a rolling upgrade: one node after another comes back elsewhere, and the cluster lives on", () => {
    const world = cluster(4)
    const seeds = [...ids(4), "n11", "n12", "n13", "n14"].map(addressOf)
    for (const id of ids(4)) {
      world.kill(id)
      world.run(2000)
      world.start(id, { seeds, host: `n1${id.slice(1)}`, node: { partitionCount: 12 } })
      expect(converge(world, 20_000)).toBeGreaterThan(-1)
    }
    const ports = world.get("n14").joined?.view.members.map(({ clusterPort }) => clusterPort)
    expect(ports?.toSorted()).toEqual([9011, 9012, 9013, 9014])
  })

  it("two members each sure to be master: of the thawed one and its successor only one acts in a term of a lineage", () => {
    const world = cluster(5)
    world.run(5000)
    world.freeze("n1")
    world.run(9000)
    world.thaw("n1")
    for (let i = 0; i < 400; i++) {
      world.run(25)
      const acting = world.living.filter((process) => process.isActing)
      const terms = acting.map(({ joined }) => `${joined?.view.lineage} ${termOf(joined?.view.version ?? 0)}`)
      expect(new Set(terms).size).toBe(terms.length)
    }
    expect(masters(world)).toHaveLength(1)
  })

  it("a thawed process that was removed asks again as a new one", () => {
    const world = cluster(4)
    world.freeze("n3")
    world.run(25_000)
    expect(stateOf(world.get("n1"), "n3")).toBeUndefined()
    const { incarnation } = world.get("n3")
    world.thaw("n3")
    expect(converge(world)).toBeGreaterThan(-1)
    expect(world.get("n3").incarnation).toBe(incarnation + 1)
    expect(world.changesOf("n3").some((change) => change._tag === "LocalNodeExpelled")).toBe(true)
  })
})

const startAll = (count: number, seedsOf: (index: number) => ReadonlyArray<string>): VirtualCluster => {
  const world = new VirtualCluster({ delay: { minMs: 0.2, maxMs: 3 } })
  for (const [index, id] of ids(count).entries()) {
    world.start(id, { seeds: seedsOf(index).map(addressOf), node: { partitionCount: 12, joinTimeoutMs: 10_000 } })
  }
  return world
}

describe("a cold start", () => {
  it("of four nodes at once with equal seeds ends in one cluster within three seconds", () => {
    const world = startAll(4, () => ids(4))
    const ms = converge(world, 10_000)
    expect(ms).toBeGreaterThan(0)
    expect(ms).toBeLessThan(3000)
    expect(new Set(world.living.map((process) => process.joined?.view.lineage))).toEqual(new Set(["n1.1000"]))
  })

  it.each([3, 5, 7])("of %i nodes in a ring of seeds ends in one cluster", (count) => {
    const world = startAll(count, (index) => [`n${((index + 1) % count) + 1}`])
    expect(converge(world, 10_000)).toBeGreaterThan(0)
    expect(new Set(world.living.map((process) => process.joined?.view.lineage)).size).toBe(1)
  })

  it("of two halves that cannot reach each other founds one cluster at most", () => {
    const world = startAll(4, () => ids(4))
    for (const left of ["n1", "n2"]) for (const right of ["n3", "n4"]) world.cut(left, right)
    world.run(9000)
    expect(world.living.filter((process) => process.joined !== undefined)).toEqual([])
  })

  it("with no seed reachable ends with a reason that names the seeds", () => {
    const world = new VirtualCluster()
    world.start("n1", { seeds: ["127.0.0.1:9008", "127.0.0.1:9009"], node: { joinTimeoutMs: 5000 } })
    world.run(6000)
    expect(world.get("n1").stopped).toEqual({
      _tag: "NoClusterFound",
      reason: "127.0.0.1:9008 refused the connection; 127.0.0.1:9009 refused the connection"
    })
  })

  it("of a node that has only itself as seed founds alone", () => {
    const world = new VirtualCluster()
    world.start("n1", { seeds: [addressOf("n1")] })
    expect(converge(world, 3000)).toBeGreaterThan(0)
  })
})
