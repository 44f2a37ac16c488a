/** Going in good order. */
import { Option } from "effect"
import { describe, expect, it } from "vitest"
import { majority } from "../../../src/domain/protocol/Quorum.ts"
import { founder, heartbeat, joinRequest, masterOf, Transcript } from "./Transcript.ts"

describe("leaving", () => {
  it("a follower asks until it is out of a settled view", () => {
    const n1 = masterOf("n1", ["n2", "n3"])
    n1.receive(2, { type: "LEAVE_REQUEST", nodeId: "n2", reason: Option.some("shutdown"), incarnation: 2000 })
    expect(n1.text()).toMatchInlineSnapshot(`
      "0 #2 <- LEAVE_REQUEST of n2@2000
        publish MemberRemoved n2@2000 active (n2 leaves)
        note: view 6 settled: n2 leaves
        #3 -> MEMBERS_UPDATE view 6 of n1.1000 settled [n1@1000 active, n3@3000 active]
        #2 -> MEMBERS_UPDATE view 6 of n1.1000 settled [n1@1000 active, n3@3000 active]
        publish PartitionMoved 3 from n2 to n1
        publish PartitionTableUpdated 4
        #3 -> PARTITION_TABLE_UPDATE 4 of n1.1000 {n1+n3 n1 n3 n1}
        publish PartitionMoved 3 from n1 to n3
        publish PartitionTableUpdated 5
        #3 -> PARTITION_TABLE_UPDATE 5 of n1.1000 {n1+n3 n1+n3 n3+n1 n3+n1}
        = master of view 6 of n1.1000 settled [n1@1000 active, n3@3000 active], table 5"
    `)
  })

  it("a request of an earlier process of the id is not heeded", () => {
    const n1 = masterOf("n1", ["n2"])
    n1.receive(2, { type: "LEAVE_REQUEST", nodeId: "n2", reason: Option.some("shutdown"), incarnation: 1999 })
    expect(n1.text()).toMatchInlineSnapshot(`
      "0 #2 <- LEAVE_REQUEST of n2@1999
        ignore LEAVE_REQUEST of n2: otherIncarnation"
    `)
  })

  it("a leaving master goes when a member knows the view without it to be settled", () => {
    const n1 = masterOf("n1", ["n2", "n3"]).leave()
    n1.receive(2, heartbeat("n2", n1))
    expect(n1.text()).toMatchInlineSnapshot(`
      "0 asked to leave
        note: leaving the cluster
        note: view 6 proposed: n1 leaves
        #2 -> MEMBERS_UPDATE view 6 of n1.1000 proposed [n2@2000 active, n3@3000 active]
        #3 -> MEMBERS_UPDATE view 6 of n1.1000 proposed [n2@2000 active, n3@3000 active]
        = master of view 6 of n1.1000 proposed [n2@2000 active, n3@3000 active], table 3
      0 #2 <- HEARTBEAT of n2@2000 in view 6 of n1.1000 not settled, table 3
        publish MemberRemoved n1@1000 active (n1 leaves)
        publish MasterChanged to n2 in term 0
        #2 -> HEARTBEAT of n1@1000 in view 6 of n1.1000 settled, promise 0 to n1, table 3
        #3 -> HEARTBEAT of n1@1000 in view 6 of n1.1000 settled, promise 0 to n1, table 3
        = master of view 6 of n1.1000 settled [n2@2000 active, n3@3000 active], table 3"
    `)
  })

  it("a leaving master stays while it alone knows that the view without it is settled", () => {
    const n1 = masterOf("n1", ["n2", "n3"]).leave()
    n1.receive(2, heartbeat("n2", n1, { settled: 0 })).until(500)
    expect(n1.joined.settled).toBe(true)
    expect(n1.text()).not.toContain("stop: left")
    n1.receive(2, heartbeat("n2", n1)).tick()
    expect(n1.text()).toContain("stop: left")
  })

  it("the last member goes at once", () => {
    expect(founder("n1").leave().text()).toMatchInlineSnapshot(`
      "0 asked to leave
        note: leaving the cluster
        stop: left"
    `)
  })

  it("a node without a view goes at once", () => {
    expect(new Transcript("n1", { seeds: ["n2"] }).leave().text()).toMatchInlineSnapshot(`
      "0 asked to leave
        note: leaving the cluster
        stop: left"
    `)
  })

  it("a leaver whose master does not answer goes after its timeout", () => {
    const n1 = founder("n1", { node: { leaveTimeoutMs: 3000 } })
      .accepted(2)
      .receive(2, joinRequest("n2"))
    n1.receive(2, heartbeat("n2", n1)).leave().until(4000)
    expect(n1.text()).toContain("stop: left")
  })
})

/** The settled master n1 of n1…n4 under `majority`. */
const settledMaster = (): Transcript => {
  const n1 = masterOf("n1", ["n2", "n3", "n4"], { policy: majority })
  for (let i = 0; i < 2; i++) for (const id of [2, 3, 4]) n1.receive(id, heartbeat(`n${id}`, n1))
  expect([n1.joined.settled, n1.joined.view.members.length]).toEqual([true, 4])
  return n1
}

const states = (node: Transcript): ReadonlyArray<string> =>
  node.joined.view.members.map(({ nodeId, state }) => `${nodeId} ${state}`)

describe("a leave that does not settle", () => {
  it("leaves no room for another process that has asked under the master's id meanwhile", () => {
    const n1 = settledMaster().leave()
    expect(states(n1)).toEqual(["n2 active", "n3 active", "n4 active"])
    const request = joinRequest("n1", { incarnation: 9000, clusterPort: 9999 })
    n1.accepted(9).receive(9, request)
    n1.until(3000)
    expect(states(n1)).toEqual(["n2 active", "n3 active", "n4 active", "n1 active"])
    for (let atMs = 3250; atMs < 9000; atMs += 250) {
      n1.until(atMs).accepted(atMs).receive(atMs, request)
      const own = n1.joined.view.members.filter(({ nodeId }) => nodeId === "n1")
      expect(own.map(({ incarnation }) => incarnation)).not.toContain(9000)
      expect(own.length).toBeLessThan(2)
    }
  })

  it("is superseded with the leaver back in, when only with it the rest has a quorum", () => {
    // n2 and n3 fall silent as n4 leaves: of n1, n2 and n3 the oldest alone is too little, with n4 it is half.
    const n1 = settledMaster()
    n1.receive(4, { type: "LEAVE_REQUEST", nodeId: "n4", reason: Option.some("shutdown"), incarnation: 4000 })
    const proposed = n1.joined.view
    expect(states(n1)).toEqual(["n1 active", "n2 active", "n3 active"])
    for (let atMs = 500; n1.joined.view.version === proposed.version && atMs < 5000; atMs += 500) {
      n1.until(atMs, ["n2", "n3"]).receive(4, heartbeat("n4", n1, { membersViewVersion: proposed.version - 1 }))
    }
    expect(states(n1)).toEqual(["n1 active", "n2 suspect", "n3 suspect", "n4 leaving"])
    n1.receive(4, heartbeat("n4", n1))
    expect(n1.joined.settled).toBe(true)
  })

  it("of the master itself keeps it from voting: two could act in turn", () => {
    const n1 = settledMaster().leave()
    const { term } = n1.joined.promise
    n1.receive(2, heartbeat("n2", n1, { promise: term + 1, promisedTo: "n2" }))
    expect(n1.joined.promise).toEqual({ term, to: "n1" })
  })

  it("of the master itself is superseded with it back in, and proposed again once that has settled", () => {
    const n1 = settledMaster().leave()
    const proposed = n1.joined.view
    expect(states(n1)).toEqual(["n2 active", "n3 active", "n4 active"])
    // Nobody acknowledges, though all are heard.
    for (let atMs = 500; n1.joined.view.version === proposed.version && atMs < 5000; atMs += 500) {
      n1.until(atMs)
      for (const id of [2, 3, 4]) n1.receive(id, heartbeat(`n${id}`, n1, { membersViewVersion: proposed.version - 1 }))
    }
    expect(states(n1).toSorted()).toEqual(["n1 active", "n2 active", "n3 active", "n4 active"])
    expect(n1.joined.settled).toBe(false)
    for (const id of [2, 3, 4]) n1.receive(id, heartbeat(`n${id}`, n1))
    n1.tick()
    expect(states(n1)).toEqual(["n2 active", "n3 active", "n4 active"])
  })
})
