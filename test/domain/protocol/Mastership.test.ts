/** Claims: one master for each term. */
import { isActing } from "../../../src/domain/protocol/ClusterState.ts"
import { nextVersion } from "../../../src/domain/protocol/Version.ts"
import { Option } from "effect"
import { describe, expect, it } from "vitest"
import type { ClusterMessageOf } from "../../../src/domain/wire/ClusterMessage.ts"
import { masterByAge, toWire } from "../../../src/domain/protocol/ClusterView.ts"
import { heartbeat, masterOf, Transcript } from "./Transcript.ts"

const welcome = (
  view: ClusterMessageOf<"MEMBERS_UPDATE">["view"],
  extensions: Partial<ClusterMessageOf<"JOIN_RESPONSE">>
): ClusterMessageOf<"JOIN_RESPONSE"> => ({
  type: "JOIN_RESPONSE",
  accepted: true,
  rejectReason: Option.none(),
  rejectCode: Option.none(),
  responderNodeId: Option.some("n1"),
  membersView: Option.some(view),
  partitionAssignments: Option.none(),
  ...extensions,
  incarnation: 1000
})

/** A member `id` of the cluster of n1, n2 and n3, linked to the others by connections of their numbers. */
const memberOf = (id: string): Transcript => {
  const master = masterOf("n1", ["n2", "n3"])
  const node = new Transcript(id, { seeds: ["n1"] }).tick().dialled(1, "n1")
  const update: ClusterMessageOf<"MEMBERS_UPDATE"> = {
    type: "MEMBERS_UPDATE",
    clusterTimeMs: 0,
    ...toWire(master.joined.view, true)
  }
  const { type: _, view, clusterTimeMs: __, ...extensions } = update
  node.receive(1, welcome(view, extensions))
  for (const other of ["n2", "n3"]) {
    if (other !== id) node.accepted(Number(other.slice(1))).receive(Number(other.slice(1)), heartbeat(other, node))
  }
  node.receive(1, heartbeat("n1", node, { promisedTo: "n1" }))
  node.text()
  return node
}

/** When n2, elected at 3500 ms with the vote of n3, declares n1 dead; n3 may hear n1 again at that moment. */
const diesAt = (n3Hears: boolean) => {
  const n2 = memberOf("n2").until(2000, ["n1"])
  n2.receive(3, heartbeat("n3", n2, { suspectedNodes: ["n1"] })).until(3500, ["n1"])
  n2.receive(3, heartbeat("n3", n2, { promise: 1, promisedTo: "n2", suspectedNodes: n3Hears ? [] : ["n1"] }))
  expect(isActing(n2.state, n2.joined)).toBe(true)
  const isDead = () => n2.joined.view.members.find(({ nodeId }) => nodeId === "n1")?.state === "dead"
  let now = 3500
  for (; now < 20_000 && !isDead(); now += 250) {
    n2.until(now, ["n1"]).receive(3, heartbeat("n3", n2, { suspectedNodes: ["n1"] }))
  }
  return now
}

describe("mastership", () => {
  it("the oldest claims when those it hears do not hear the master either, and wins with their votes", () => {
    const n2 = memberOf("n2").until(2000, ["n1"])
    n2.receive(3, heartbeat("n3", n2, { suspectedNodes: ["n1"] })).until(2250, ["n1"])
    const { view, promise } = n2.joined
    n2.receive(
      3,
      heartbeat("n3", n2, {
        membersViewVersion: view.version,
        promise: promise.term,
        promisedTo: "n2",
        suspectedNodes: ["n1"]
      })
    )
    expect(n2.text()).toMatchInlineSnapshot(`
      "250 tick
        #1 -> HEARTBEAT of n2@2000 in view 5 of n1.1000 settled, table 0
        #3 -> HEARTBEAT of n2@2000 in view 5 of n1.1000 settled, table 0
      750 tick
        #1 -> HEARTBEAT of n2@2000 in view 5 of n1.1000 settled, table 0, suspects n1
        #3 -> HEARTBEAT of n2@2000 in view 5 of n1.1000 settled, table 0, suspects n1
        = member of view 5 of n1.1000 settled [n1@1000 active, n2@2000 active, n3@3000 active], table 0, suspects n1
      1000 tick
        #1 -> HEARTBEAT of n2@2000 in view 5 of n1.1000 settled, table 0, suspects n1
        #3 -> HEARTBEAT of n2@2000 in view 5 of n1.1000 settled, table 0, suspects n1
      2000 tick
        #1 -> HEARTBEAT of n2@2000 in view 5 of n1.1000 settled, table 0, suspects n1
        #3 -> HEARTBEAT of n2@2000 in view 5 of n1.1000 settled, table 0, suspects n1
      2000 #3 <- HEARTBEAT of n3@3000 in view 5 of n1.1000 settled, table 0, suspects n1
      2250 tick
        note: claims mastership in term 1: n1 is not heard
        #1 -> HEARTBEAT of n2@2000 in view 5 of n1.1000 settled, promise 1 to n2, table 0, suspects n1
        #3 -> HEARTBEAT of n2@2000 in view 5 of n1.1000 settled, promise 1 to n2, table 0, suspects n1
        = member of view 5 of n1.1000 settled [n1@1000 active, n2@2000 active, n3@3000 active], table 0, promise 1 to n2, suspects n1
      2250 #3 <- HEARTBEAT of n3@3000 in view 5 of n1.1000 settled, promise 1 to n2, table 0, suspects n1
        publish MemberUpdated n1@1000 suspect (n2 is master of term 1)
        publish MasterChanged to n2 in term 1
        note: view 4294967302 settled: n2 is master of term 1
        #1 -> MEMBERS_UPDATE view 1/6 of n2.2000.1 settled [n1@1000 suspect, n2@2000 active, n3@3000 active]
        #3 -> MEMBERS_UPDATE view 1/6 of n2.2000.1 settled [n1@1000 suspect, n2@2000 active, n3@3000 active]
        #1 -> MASTER_ELECTED n2 in term 1
        #3 -> MASTER_ELECTED n2 in term 1
        = master of view 1/6 of n2.2000.1 settled [n1@1000 suspect, n2@2000 active, n3@3000 active], table 0, suspects n1"
    `)
  })

  it("a claim is for a term above all that voters have promised, in which they can vote", () => {
    // n3 has promised the terms up to 4 to others, whose claims failed.
    const n2 = memberOf("n2").until(2000, ["n1"])
    n2.receive(3, heartbeat("n3", n2, { promise: 4, promisedTo: "n1", suspectedNodes: ["n1"] })).until(2250, ["n1"])
    expect(n2.joined.promise).toEqual({ term: 5, to: "n2" })
  })

  it("whoever was older than the winner is younger in its view, so that nobody older acts when it comes back", () => {
    const n2 = memberOf("n2").until(2000, ["n1"])
    n2.receive(3, heartbeat("n3", n2, { suspectedNodes: ["n1"] })).until(2250, ["n1"])
    n2.receive(3, heartbeat("n3", n2, { promise: 1, promisedTo: "n2", suspectedNodes: ["n1"] }))
    const { members, version } = n2.joined.view
    expect(isActing(n2.state, n2.joined)).toBe(true)
    expect(members.find(({ nodeId }) => nodeId === "n1")?.joinVersion).toBe(version)
    expect(masterByAge(n2.joined.view)?.nodeId).toBe("n2")
  })

  it("the time of the old master as a suspect begins with the claim that most not hearing it has made, if they go on", () => {
    expect(diesAt(false)).toBeLessThanOrEqual(13_000)
    expect(diesAt(true)).toBeGreaterThanOrEqual(13_500)
  })

  it("a vote of who holds a newer view than the claimant does not count", () => {
    const n2 = memberOf("n2").until(2000, ["n1"])
    n2.receive(3, heartbeat("n3", n2, { suspectedNodes: ["n1"] })).until(2250, ["n1"])
    const vote = { promise: 1, promisedTo: "n2", suspectedNodes: ["n1"] }
    n2.receive(3, heartbeat("n3", n2, { ...vote, membersViewVersion: n2.joined.view.version + 1 }))
    expect(isActing(n2.state, n2.joined)).toBe(false)
  })

  it("one node that does not hear the master claims nothing while others hear it", () => {
    const n2 = memberOf("n2").until(2000, ["n1"])
    for (let now = 3000; now < 20_000; now += 1000) {
      n2.receive(3, heartbeat("n3", n2)).until(now, ["n1"])
    }
    expect(n2.text()).not.toContain("claims mastership")
  })

  it("a voter promises once in a term", () => {
    const n3 = memberOf("n3").until(2000, ["n1"])
    n3.receive(2, heartbeat("n2", n3, { promise: 1, promisedTo: "n2", suspectedNodes: ["n1"] }))
    expect(n3.joined.promise).toEqual({ term: 1, to: "n2" })
    n3.receive(1, heartbeat("n1", n3, { promise: 1, promisedTo: "n1" }))
    expect(n3.joined.promise).toEqual({ term: 1, to: "n2" })
  })

  it("a voter that hears the master promises nobody else", () => {
    const n3 = memberOf("n3").until(500)
    n3.receive(2, heartbeat("n2", n3, { promise: 1, promisedTo: "n2" }))
    expect(n3.joined.promise.to).toBe("")
  })

  it("a claimant that holds an older view gets no vote", () => {
    // The last view of n1 has reached n3 and not n2.
    const n3 = memberOf("n3")
    const { view } = n3.joined
    const newer = { ...view, version: view.version + 1, parent: { lineage: view.lineage, version: view.version } }
    n3.receive(1, { type: "MEMBERS_UPDATE", clusterTimeMs: 0, ...toWire(newer, true) }).until(2000, ["n1"])
    const claim = { promise: 1, promisedTo: "n2", suspectedNodes: ["n1"] }
    n3.receive(2, heartbeat("n2", n3, { ...claim, membersViewVersion: view.version }))
    expect(n3.joined.promise.to).toBe("")
    n3.receive(2, heartbeat("n2", n3, claim))
    expect(n3.joined.promise.to).toBe("n2")
  })

  it("the next in rank waits two intervals for the oldest to claim", () => {
    const n3 = memberOf("n3").until(2000, ["n1"])
    n3.receive(2, heartbeat("n2", n3, { suspectedNodes: ["n1"] })).until(2500, ["n1"])
    expect(n3.joined.suspected).toEqual(["n1"])
    expect(n3.joined.promise.to).toBe("")
    n3.until(3000, ["n1"])
    expect(n3.joined.promise).toEqual({ term: 1, to: "n3" })
  })

  it("who has promised itself a term and lost it does not act in the winner's view of that term", () => {
    const n2 = memberOf("n2").until(2000, ["n1"])
    n2.receive(3, heartbeat("n3", n2, { suspectedNodes: ["n1"] })).until(2250, ["n1"])
    expect(n2.joined.promise).toEqual({ term: 1, to: "n2" })
    const { view } = n2.joined
    const version = nextVersion(view.version, 1)
    const won = { ...view, version, parent: { lineage: view.lineage, version: view.version } }
    n2.receive(3, { type: "MEMBERS_UPDATE", clusterTimeMs: 0, ...toWire(won, false) })
    expect(n2.joined.view.version).toBe(version)
    expect(isActing(n2.state, n2.joined)).toBe(false)
  })

  it("a recovered master that is older again does not act in its successor's term", () => {
    const n2 = memberOf("n2").until(2000, ["n1"])
    n2.receive(3, heartbeat("n3", n2, { suspectedNodes: ["n1"] })).until(2250, ["n1"])
    n2.receive(3, heartbeat("n3", n2, { promise: 1, promisedTo: "n2", suspectedNodes: ["n1"] }))
    const n1 = masterOf("n1", ["n2", "n3"])
    n1.receive(2, { type: "MEMBERS_UPDATE", clusterTimeMs: 0, ...toWire(n2.joined.view, true) })
    expect(n1.text()).toMatchInlineSnapshot(`
      "0 #2 <- MEMBERS_UPDATE view 1/6 of n2.2000.1 settled [n1@1000 suspect, n2@2000 active, n3@3000 active]
        publish MemberUpdated n1@1000 suspect (n2 is master of term 1)
        publish MasterChanged to n2 in term 1
        #2 -> HEARTBEAT of n1@1000 in view 1/6 of n2.2000.1 settled, promise 1 to nobody, table 3
        = member of view 1/6 of n2.2000.1 settled [n1@1000 suspect, n2@2000 active, n3@3000 active], table 3"
    `)
  })
})
