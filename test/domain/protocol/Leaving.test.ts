/** Going in good order. */
import { Option } from "effect"
import { describe, expect, it } from "vitest"
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
