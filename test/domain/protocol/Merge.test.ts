/** Two parts of a split meet: who asks, who judges, who rejoins, and what is not acted upon. */
import { Option } from "effect"
import { describe, expect, it } from "vitest"
import { maxOutside } from "../../../src/domain/protocol/Bounds.ts"
import { decideMergeByReach, type Reach } from "../../../src/domain/protocol/DecideMergeByReach.ts"
import { available, majority } from "../../../src/domain/protocol/Quorum.ts"
import { encodeClusterMessage } from "../../../src/domain/codec/ClusterMessageCodec.ts"
import type { ClusterMessageOf } from "../../../src/domain/wire/ClusterMessage.ts"
import { addressOf, portOf, VirtualCluster } from "../../simulation/VirtualCluster.ts"
import { founder, heartbeat, joinRequest, masterOf, Transcript, welcome } from "./Transcript.ts"

/** A process of another part, whose master is `id`. */
const probe = (
  id: string,
  reach: number,
  change: Partial<ClusterMessageOf<"SPLIT_BRAIN_PROBE">> = {}
): ClusterMessageOf<"SPLIT_BRAIN_PROBE"> => ({
  type: "SPLIT_BRAIN_PROBE",
  senderClusterId: "",
  senderMasterId: id,
  senderMemberCount: reach,
  senderViewVersion: 1,
  lineage: `${id}.1`,
  speaker: { nodeId: id, incarnation: 1 },
  masterAddress: addressOf(id),
  masterJoinVersion: 5,
  reach,
  ...change
})

const mergeRequest = (
  id: string,
  reach: number,
  change: Partial<ClusterMessageOf<"MERGE_REQUEST">> = {}
): ClusterMessageOf<"MERGE_REQUEST"> => ({
  type: "MERGE_REQUEST",
  sourceClusterId: "",
  sourceMembers: [],
  sourceViewVersion: 1,
  lineage: `${id}.1`,
  speaker: { nodeId: id, incarnation: 1 },
  masterId: id,
  masterAddress: addressOf(id),
  masterJoinVersion: 5,
  reach,
  voters: [{ nodeId: id, incarnation: 1 }],
  ...change
})

/** A probe of a part that nobody gives way to. */
const probeBy = (nodeId: string, incarnation: number) => probe("n9", 0, { speaker: { nodeId, incarnation } })
const proven = (node: Transcript) => node.state.peers.get("n2")?.provenDead

const sent = (text: string, type: string) => text.split("\n").filter((line) => line.includes(`-> ${type}`)).length

const part = (lineage: string, reach: number, masterId: string, masterJoinVersion: number): Reach => ({
  lineage,
  reach,
  masterId,
  masterJoinVersion
})

describe("decideMergeByReach", () => {
  it.each([
    { why: "more reachable voters", local: part("a", 3, "n1", 9), remote: part("b", 2, "n2", 0), says: "localWins" },
    {
      why: "a live part of one, not a halted one",
      local: part("a", 0, "n1", 0),
      remote: part("b", 1, "n2", 9),
      says: "remoteWins"
    },
    {
      why: "as many: the older master",
      local: part("a", 2, "n2", 1),
      remote: part("b", 2, "n1", 4),
      says: "localWins"
    },
    { why: "as old: the lower id", local: part("a", 2, "n2", 1), remote: part("b", 2, "n1", 1), says: "remoteWins" },
    {
      why: "the same master: the lower lineage",
      local: part("a", 2, "n1", 1),
      remote: part("b", 2, "n1", 1),
      says: "localWins"
    },
    { why: "two halted parts", local: part("a", 0, "n1", 1), remote: part("b", 0, "n2", 1), says: "undecided" },
    { why: "one lineage", local: part("a", 2, "n1", 1), remote: part("a", 5, "n2", 1), says: "undecided" }
  ])("$why: $says", ({ local, remote, says }) => {
    expect(decideMergeByReach(local, remote)).toBe(says)
  })

  it("both sides come to opposite answers", () => {
    const parts = ["a", "b"].flatMap((lineage) =>
      [0, 1, 2].flatMap((reach) =>
        ["n1", "n2"].flatMap((id) => [0, 7].map((version) => part(lineage, reach, id, version)))
      )
    )
    const opposite = { localWins: "remoteWins", remoteWins: "localWins", undecided: "undecided" } as const
    for (const one of parts) {
      for (const other of parts) expect(decideMergeByReach(other, one)).toBe(opposite[decideMergeByReach(one, other)])
    }
  })
})

describe("probes", () => {
  it("every member probes its seeds and former members outside the view, and no member of it", () => {
    const n1 = masterOf("n1", ["n2", "n3"], { seeds: [], config: { splitBrainCheckIntervalMs: 1000 } })
    n1.receive(3, { type: "LEAVE_REQUEST", nodeId: "n3", reason: Option.none(), incarnation: 3000 })
    n1.closed(3)
    n1.text()
    const text = n1.until(4000).text()
    expect(text).toContain(`dial ${addressOf("n3")}`)
    expect(text).not.toContain(`dial ${addressOf("n2")}`)
    expect(sent(n1.dialled(33, "n3").text(), "SPLIT_BRAIN_PROBE")).toBe(1)
  })

  it("a probe opens a connection with its extensions, and fits into an opening frame", () => {
    const ids = Array.from({ length: 60 }, (_, i) => `n${i + 2}`)
    const n1 = masterOf("n1", ids).dialled(900, "n99")
    const { commands } = n1
    const opening = commands.flatMap((command) => (command._tag === "Send" ? [command.message] : []))
    expect(opening.map(({ type }) => type)).toEqual(["SPLIT_BRAIN_PROBE"])
    expect(opening[0]).toMatchObject({ lineage: "n1.1000", reach: expect.any(Number), masterAddress: addressOf("n1") })
    for (const message of opening) expect(encodeClusterMessage(message).length).toBeLessThan(1024)
  })

  it("a foreign lineage that beats is probed at once, at most once in a heartbeat interval", () => {
    const n1 = masterOf("n1", ["n2"]).accepted(9)
    let probes = 0
    for (let i = 0; i < 40; i++) {
      probes += sent(
        n1.receive(9, heartbeat("n9", n1, { lineage: "n9.1", incarnation: 9 })).text(),
        "SPLIT_BRAIN_PROBE"
      )
    }
    expect(probes).toBe(1)
    n1.until(1500).text()
    expect(
      sent(n1.receive(9, heartbeat("n9", n1, { lineage: "n9.1", incarnation: 9 })).text(), "SPLIT_BRAIN_PROBE")
    ).toBe(1)
  })

  it("a probe that uses a member's name does not divert what is meant for the member", () => {
    const n1 = masterOf("n1", ["n2"]).accepted(9)
    const probing = n1.receive(9, probe("n9", 1, { speaker: { nodeId: "n2", incarnation: 7 } })).text()
    expect(n1.state.mesh.links.get("n2")).toEqual([2])
    expect(sent(probing, "SPLIT_BRAIN_PROBE_RESPONSE")).toBe(1)
  })

  it("a probe by a later process of a member's id proves the member gone, unless it is still heard", () => {
    // Both follow a node of the reference since they were started again, and ask n1 for nothing.
    const heard = masterOf("n1", ["n2", "n3"], { policy: majority }).accepted(9).receive(9, probeBy("n2", 2001))
    expect(proven(heard)).toBeUndefined()
    const silent = masterOf("n1", ["n2", "n3"], { policy: majority }).until(4000, ["n2", "n3"]).accepted(9)
    expect(proven(silent.receive(9, probeBy("n2", 1999)))).toBeUndefined()
    expect(proven(silent.receive(9, probeBy("n2", 2001)))).toBe(2000)
    expect(silent.accepted(8).receive(8, probeBy("n3", 3001)).until(4250, ["n2", "n3"]).state.phase._tag).toBe("Fresh")
  })

  it("a probe by a member's own process from another lineage proves that it will not come back, where no side forks", () => {
    // A founder that has gone to a node of the reference instead beats to nobody here; a relayed answer proves nothing.
    const told = [majority, available].map((policy) =>
      proven(masterOf("n1", ["n2", "n3"], { policy }).receive(2, probeBy("n2", 2000)))
    )
    expect(told).toEqual([2000, undefined])
  })

  it("a probe of a lineage that ours continues is answered with our view, and nobody merges", () => {
    const n1 = masterOf("n1", ["n2"]).accepted(9)
    const { lineage, version } = n1.joined.view
    n1.until(1000).text()
    const text = n1.receive(9, probe("n9", 9, { lineage, senderViewVersion: version - 1 })).text()
    expect(sent(text, "MEMBERS_UPDATE")).toBe(1)
    expect(sent(text, "MERGE_REQUEST") + sent(text, "SPLIT_BRAIN_PROBE_RESPONSE")).toBe(0)
  })

  it("former members are remembered up to a bound", () => {
    const n1 = founder("n1")
    for (let i = 2; i < 2 + maxOutside + 30; i++) {
      const id = `n${i}`
      n1.accepted(i).receive(i, joinRequest(id))
      n1.receive(i, heartbeat(id, n1))
      n1.receive(i, { type: "LEAVE_REQUEST", nodeId: id, reason: Option.none(), incarnation: i * 1000 })
    }
    expect(n1.joined.view.members).toHaveLength(1)
    expect(n1.state.split.outside.size).toBe(maxOutside)
  })

  it("a probe of another cluster, without the token, or of the reference merges nothing", () => {
    const n1 = masterOf("n1", ["n2"], { node: { authToken: "secret" } })
    const ask = (change: object) =>
      n1
        .accepted(9)
        .receive(9, probe("n9", 5, change))
        .text()
    expect(ask({ senderClusterId: "other" })).toContain("otherCluster")
    expect(ask({})).toContain("wrongToken")
    expect(ask({ authToken: "guess" })).toContain("wrongToken")
    expect(sent(ask({ authToken: "secret" }), "SPLIT_BRAIN_PROBE_RESPONSE")).toBe(1)
    const bare: ClusterMessageOf<"SPLIT_BRAIN_PROBE"> = {
      type: "SPLIT_BRAIN_PROBE",
      senderClusterId: "",
      senderMasterId: "n8",
      senderMemberCount: 9,
      senderViewVersion: 9
    }
    const open = masterOf("n1", ["n2"]).accepted(8)
    expect(open.receive(8, bare).text()).toContain("withoutLineage")
    expect(open.joined.view.members).toHaveLength(2)
  })
})

describe("merging", () => {
  it("the winner's master asks, and does not give way for five heartbeats", () => {
    const n1 = masterOf("n1", ["n2"]).accepted(9)
    n1.receive(2, heartbeat("n2", n1))
    n1.text()
    const text = n1.receive(9, probe("n9", 1)).text()
    expect(sent(text, "SPLIT_BRAIN_PROBE_RESPONSE")).toBe(1)
    expect(sent(text, "MERGE_REQUEST")).toBe(1)
    expect(n1.receive(9, mergeRequest("n9", 9)).text()).toContain("hasJustWon")
    n1.until(5250)
    n1.receive(9, mergeRequest("n9", 9))
    expect(n1.state.phase._tag).toBe("Fresh")
  })

  it("the loser's master judges again, tells its members, and rejoins at the winner's master", () => {
    const n1 = masterOf("n1", ["n2"]).dialled(9, "n9")
    n1.receive(2, heartbeat("n2", n1)).receive(9, mergeRequest("n9", 1))
    expect(n1.state.phase._tag).toBe("Joined")
    n1.text()
    const text = n1.receive(9, mergeRequest("n9", 3)).text()
    expect(text).toContain("#2 -> MERGE_REQUEST")
    expect(n1.state.self.incarnation).toBe(1001)
    const { phase } = n1.state
    if (phase._tag !== "Fresh") throw new Error("still joined")
    expect(phase.target?.address).toBe(addressOf("n9"))
    expect(phase.formerVoters).toEqual([{ nodeId: "n9", incarnation: 1 }])
  })

  it("who gives way to a live cluster founds no other meanwhile, though it finds nobody", () => {
    const n1 = masterOf("n1", ["n2"], { policy: majority }).dialled(9, "n9")
    n1.receive(2, heartbeat("n2", n1)).receive(9, mergeRequest("n9", 3))
    expect(n1.until(60_000).state.phase._tag).toBe("Fresh")
  })

  it("a member follows its own master's word, and reports what others say to it", () => {
    const n1 = masterOf("n1", ["n2"])
    const n2 = new Transcript("n2", { seeds: ["n1"] }).tick().dialled(1, "n1")
    n2.receive(1, welcome("n1", n1.joined.view)).dialled(9, "n9")
    n2.text()
    const told = n2.receive(9, mergeRequest("n9", 3)).text()
    expect(told).toContain("#1 -> SPLIT_BRAIN_PROBE_RESPONSE")
    expect(n2.state.phase._tag).toBe("Joined")
    n2.receive(1, mergeRequest("n9", 3, { speaker: { nodeId: "n1", incarnation: 1000 } }))
    expect(n2.state.phase._tag).toBe("Fresh")
  })

  it("a fresh node that is probed by a live part joins it", () => {
    const n2 = new Transcript("n2", { seeds: ["n1"] }).tick().accepted(9)
    n2.text()
    expect(n2.receive(9, probe("n9", 2)).text()).toContain(`dial ${addressOf("n9")}`)
  })

  it("under majority a member whose part has halted for fifteen heartbeats goes over to a live one, not earlier", () => {
    const n1 = masterOf("n1", [], { policy: majority })
    const beatAll = () => {
      for (const { nodeId } of n1.joined.view.members) {
        if (nodeId !== "n1") n1.receive(portOf(nodeId) - 9000, heartbeat(nodeId, n1))
      }
    }
    for (const id of ["n2", "n3"]) {
      n1.accepted(portOf(id) - 9000).receive(portOf(id) - 9000, joinRequest(id))
      for (let i = 0; i < 3; i++) beatAll()
    }
    const n3 = new Transcript("n3", { seeds: ["n1"], policy: majority }).tick().dialled(1, "n1")
    n3.receive(1, welcome("n1", n1.joined.view)).until(14_000, ["n1", "n2"]).dialled(9, "n9")
    n3.receive(9, mergeRequest("n9", 1))
    expect(n3.state.phase._tag).toBe("Joined")
    n3.until(21_000, ["n1", "n2"]).dialled(10, "n9").receive(10, mergeRequest("n9", 1))
    expect(n3.state.phase._tag).toBe("Fresh")
    expect(n3.state.self.incarnation).toBe(3001)
  })

  it.each([
    { policy: undefined, ids: ["n1", "n2", "n3", "n4", "n5"], left: ["n1", "n2"] },
    { policy: undefined, ids: ["n1", "n2", "n3", "n4"], left: ["n1", "n2"] },
    { policy: majority, ids: ["n1", "n2", "n3", "n4", "n5"], left: ["n1", "n2"] }
  ])("a split of $ids into $left and the rest heals to one lineage and one table", ({ policy, ids, left }) => {
    const world = new VirtualCluster(policy === undefined ? {} : { policy })
    for (const id of ids) {
      world.start(id, {
        seeds: ids.map(addressOf),
        config: { suspicionTimeoutMs: 2500, splitBrainCheckIntervalMs: 5000 }
      })
    }
    const isOne = () =>
      world.living.every((one) => one.joined?.settled === true && one.joined.view.members.length === ids.length) &&
      new Set(
        world.living.map(
          (one) => `${one.joined?.view.lineage} ${one.joined?.view.version} ${one.joined?.table.version}`
        )
      ).size === 1
    expect(world.runWhile(() => !isOne(), 20_000)).toBeGreaterThan(0)
    world.run(5000)
    for (const one of left) for (const other of ids) if (!left.includes(other)) world.cut(one, other)
    world.run(25_000)
    const lineages = new Set(world.living.map((one) => one.joined?.view.lineage))
    expect(lineages.size).toBe(policy === undefined ? 2 : 1)
    expect(isOne()).toBe(false)
    world.network.mendAll()
    expect(world.runWhile(() => !isOne(), 20_000)).toBeGreaterThan(0)
  })
})
