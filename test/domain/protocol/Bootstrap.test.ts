/** How nodes that know only addresses become a cluster. */
import { Option } from "effect"
import { describe, expect, it } from "vitest"
import { start } from "../../../src/domain/protocol/AwakeClock.ts"
import * as Bootstrap from "../../../src/domain/protocol/Bootstrap.ts"
import { maxFreshNodes, maxKnownAddresses } from "../../../src/domain/protocol/Bounds.ts"
import { staticQuorum } from "../../../src/domain/protocol/Quorum.ts"
import { Step } from "../../../src/domain/protocol/Transition.ts"
import { addressOf, VirtualCluster } from "../../simulation/VirtualCluster.ts"
import { joinRequest, Transcript } from "./Transcript.ts"

/** What the nodes say of themselves; no messages. */
const story = (world: VirtualCluster): string =>
  world.log
    .filter((line) => !/receives|ended/.test(line))
    .map((line) => line.trim())
    .join("\n")

describe("bootstrap", () => {
  it("four at once: the lowest id asks for promises and founds with all", () => {
    const world = new VirtualCluster()
    const seeds = ["n1", "n2", "n3", "n4"].map(addressOf)
    for (const id of ["n3", "n1", "n4", "n2"]) world.start(id, { seeds, node: { partitionCount: 4 } })
    world.run(3000)
    expect(story(world)).toMatchInlineSnapshot(`
      "0.000  n3@1000 starts
      0.000  n1@2000 starts
      0.000  n4@3000 starts
      0.000  n2@4000 starts
      1.366  n1@2000 view 1 of n1.2000: founded by n1, n2, n3, n4
      1.366  n1@2000 founds a cluster with n1, n2, n3, n4
      1.367  n2@4000 view 1 of n1.2000: founded by n1, n2, n3, n4
      1.367  n2@4000 joined n1's cluster of 4
      1.367  n3@1000 view 1 of n1.2000: founded by n1, n2, n3, n4
      1.367  n3@1000 joined n1's cluster of 4
      1.367  n4@3000 view 1 of n1.2000: founded by n1, n2, n3, n4
      1.367  n4@3000 joined n1's cluster of 4"
    `)
  })

  it("a fresh node answers a fresh one with what it knows, and promises the lowest id", () => {
    const n2 = new Transcript("n2", { seeds: ["n1"] }).tick().dialled(1, "n1")
    n2.receive(1, joinRequest("n1", { promise: 1, promisedTo: "n1" }))
    expect(n2.text()).toMatchInlineSnapshot(`
      "0 tick
        dial 127.0.0.1:9001
      0 dialled #1 to n1
        #1 -> JOIN_REQUEST of n2@2000, promise 0 to nobody
      0 #1 <- JOIN_REQUEST of n1@1000, promise 1 to n1
        #1 -> JOIN_RESPONSE of n2: NOT_MASTER_YET: this node looks for a cluster itself
        = looks for a cluster, heard n1, promise 1 to n1"
    `)
  })

  it("of more fresh nodes than can be remembered the seeds are, and the lowest ids", () => {
    const n900 = new Transcript("n900", { seeds: ["n901", "n902"] }).tick()
    const heard = (): Pick<ReadonlyMap<string, unknown>, "has" | "size"> =>
      n900.state.phase._tag === "Fresh" ? n900.state.phase.heard : new Map<string, unknown>()
    const speak = (id: string): void => {
      const connection = 9000 + heard().size + Number(id.slice(1))
      n900.accepted(connection).receive(connection, joinRequest(id))
    }
    for (let i = 1; i < maxFreshNodes; i++) speak(`n${i}`)
    for (const seed of ["n901", "n902"]) speak(seed)
    expect([heard().size, heard().has("n901"), heard().has("n902")]).toEqual([maxFreshNodes, true, true])
    // The highest id has made room; a higher one finds none, a lower one does.
    expect(heard().has("n99")).toBe(false)
    speak("n999")
    expect(heard().has("n999")).toBe(false)
    speak("n100000")
    expect([heard().size, heard().has("n100000"), heard().has("n98")]).toEqual([maxFreshNodes, true, false])
  })

  it("the candidate founds when the others have promised", () => {
    const n1 = new Transcript("n1", { seeds: ["n2"] }).tick().dialled(2, "n2")
    n1.receive(2, joinRequest("n2")).until(1000)
    n1.text()
    n1.receive(2, joinRequest("n2", { promise: 1, promisedTo: "n1" })).until(1250)
    expect(n1.text()).toMatchInlineSnapshot(`
      "1000 #2 <- JOIN_REQUEST of n2@2000, promise 1 to n1
        #2 -> JOIN_RESPONSE of n1: NOT_MASTER_YET: this node looks for a cluster itself
      1250 tick
        forget the heartbeats of n2
        note: founds a cluster with n1, n2
        #2 -> JOIN_RESPONSE of n1: accepted, view 1 of n1.1000 proposed [n1@1000 active, n2@2000 active]
        = master of view 1 of n1.1000 proposed [n1@1000 active, n2@2000 active], table 0"
    `)
  })

  it("a founder takes back a founding that does not settle in six beats, as another process", () => {
    const n1 = new Transcript("n1", { seeds: ["n2"] }).tick().dialled(2, "n2")
    n1.receive(2, joinRequest("n2")).until(1000)
    n1.receive(2, joinRequest("n2", { promise: 1, promisedTo: "n1" })).until(1250)
    n1.until(7250)
    expect([n1.joined.settled, n1.joined.viewAtMs]).toEqual([false, 1250])
    n1.until(7500)
    expect([n1.state.phase._tag, n1.state.self.incarnation]).toEqual(["Fresh", 1001])
  })

  it("a promise is not broken for a later candidate with a higher id", () => {
    const n3 = new Transcript("n3", { seeds: ["n1", "n2"] }).tick().dialled(1, "n1").dialled(2, "n2")
    n3.receive(1, joinRequest("n1", { promise: 1, promisedTo: "n1" }))
    n3.receive(2, joinRequest("n2", { promise: 2, promisedTo: "n2" }))
    expect(n3.state.phase).toMatchObject({ promise: { term: 1, to: "n1" } })
  })

  it("a founding that is not this node's current promise is not adopted", () => {
    const n2 = new Transcript("n2", { seeds: ["n1"] }).tick().dialled(1, "n1")
    n2.text()
    n2.receive(1, {
      type: "JOIN_RESPONSE",
      accepted: true,
      rejectReason: Option.none(),
      rejectCode: Option.none(),
      responderNodeId: Option.some("n1"),
      membersView: Option.some({
        version: 1,
        members: ["n1", "n2"].map((nodeId, i) => ({
          nodeId,
          host: "127.0.0.1",
          clientPort: 0,
          clusterPort: 9001 + i,
          state: "active" as const,
          joinVersion: 0,
          incarnation: (i + 1) * 1000
        }))
      }),
      partitionAssignments: Option.none(),
      lineage: "n1.1000",
      parent: { lineage: "", version: 0 },
      ancestors: [],
      base: {
        voters: [
          { nodeId: "n1", incarnation: 1000 },
          { nodeId: "n2", incarnation: 2000 }
        ],
        founding: [
          { present: ["n2"], configured: 1 },
          { present: ["n1"], configured: 1 }
        ]
      },
      settled: false,
      incarnation: 1000,
      promise: 1
    })
    expect(n2.text()).toMatchInlineSnapshot(`
      "0 #1 <- JOIN_RESPONSE of n1: accepted, view 1 of n1.1000 proposed [n1@1000 active, n2@2000 active]
        ignore JOIN_RESPONSE of n1: otherFounding"
    `)
  })

  it("a fresh node that hears a member asks to be admitted, and founds nothing meanwhile", () => {
    const n2 = new Transcript("n2", { seeds: ["n1"] }).tick().accepted(7)
    n2.text()
    n2.receive(7, {
      type: "HEARTBEAT",
      senderId: "n9",
      timestampMs: 0,
      membersViewVersion: 3,
      suspectedNodes: [],
      incarnation: 9000,
      lineage: "n9.9000"
    })
    expect(n2.text()).toMatchInlineSnapshot(`
      "0 #7 <- HEARTBEAT of n9@9000 in view 3 of n9.9000 not settled, promise undefined to nobody, table 0
        #7 is identified
        #7 -> JOIN_REQUEST of n2@2000, promise 0 to nobody"
    `)
  })
})

describe("of more fresh nodes than addresses are remembered", () => {
  it("the candidate is asked as well: it founds nothing before it hears from those who wait for it", () => {
    const node = new Transcript("n5", { seeds: ["n1"] }).tick()
    const hear = (id: string, connection: number) =>
      node.accepted(connection).receive(connection, joinRequest(id, { seeds: [{ address: "127.0.0.1:9001" }] }))
    for (let i = 0; i < maxKnownAddresses + 5; i++) hear(`n${100 + i}`, 10 + i)
    node.text()
    hear("a9", 900)
    node.until(2500)
    expect(node.text()).toContain("#900 -> JOIN_REQUEST of n5")
  })

  it("the candidate asks everybody it heard: they promise to whom they hear", () => {
    const node = new Transcript("n1", { seeds: ["n2"] }).tick()
    const last = maxKnownAddresses + 5
    for (let i = 1; i <= last; i++) node.accepted(i).receive(i, joinRequest(`n${100 + i}`))
    node.text()
    node.until(2500)
    expect(node.text()).toContain(`#${last} -> JOIN_REQUEST of n1`)
  })

  it("the candidate's address is told first, and asked although there is no room for it", () => {
    const told = new Array<string>()
    const teller = new Transcript("n5", { seeds: ["n1"] }).tick()
    for (let i = 0; i < 40; i++) teller.accepted(10 + i).receive(10 + i, joinRequest(`n${100 + i}`))
    teller.accepted(900).receive(900, joinRequest("a9"))
    const { phase } = teller.state
    if (phase._tag === "Fresh")
      told.push(...(Bootstrap.notMasterYet(new Step(teller.state, start(0)), phase).known ?? []))
    expect(told[0]).toBe("127.0.0.1:9009")
    expect(told.length).toBeLessThan(40)

    const node = new Transcript("n6", { seeds: ["n1"] }).tick()
    for (let i = 0; i < maxKnownAddresses; i++) node.accepted(10 + i).receive(10 + i, joinRequest(`n${100 + i}`))
    node.text()
    node.accepted(800).receive(800, joinRequest("n5", { known: told }))
    node.until(2500)
    expect(node.text().match(/dial 127\.0\.0\.1:9009/g)).toHaveLength(1)
  })

  it("101 with a fixed quorum found together, although the lowest id has three seeds (static, 100 nodes, seed 50)", () => {
    const world = new VirtualCluster({ policy: staticQuorum(51) })
    const ids = Array.from({ length: 100 }, (_, index) => `n${index + 1}`)
    const seeds = ids.slice(0, 16).map(addressOf)
    for (const id of ids) world.start(id, { seeds, node: { partitionCount: 4 } })
    world.start("a200", { seeds: seeds.slice(0, 3), node: { partitionCount: 4 } })
    expect(world.converge(15_000)).toBeLessThan(15_000)
    expect(world.living.filter(({ state }) => state.phase._tag === "Joined")).toHaveLength(101)
  })
})
