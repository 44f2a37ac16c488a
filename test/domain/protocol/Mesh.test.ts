/** Connections: who they belong to, and what their end means. */
import { Option } from "effect"
import { describe, expect, it } from "vitest"
import { founder, heartbeat, joinRequest, masterOf, Transcript, welcome } from "./Transcript.ts"

/** A member that has two connections to the older one, and has dialled the first. */
const memberWithTwo = (): Transcript => {
  const master = masterOf("n1", ["n2"])
  const n2 = new Transcript("n2", { seeds: ["n1"] }).tick().dialled(1, "n1")
  n2.receive(1, welcome("n1", master.joined.view)).accepted(11)
  n2.receive(11, heartbeat("n1", n2))
  n2.text()
  expect(n2.state.mesh.links.get("n1")).toEqual([1, 11])
  return n2
}

describe("the mesh", () => {
  it("a connection whose first message is no opening is closed", () => {
    const n1 = founder("n1").accepted(2).receive(2, { type: "FETCH_PARTITION_TABLE" })
    expect(n1.text()).toMatchInlineSnapshot(`
      "0 accepted #2
      0 #2 <- FETCH_PARTITION_TABLE
        close #2: its first message does not say who it is
        ignore FETCH_PARTITION_TABLE of unidentified connection: unidentified"
    `)
  })

  it("after the first message a connection speaks for one node only", () => {
    const n1 = masterOf("n1", ["n2", "n3"])
    n1.receive(2, heartbeat("n3", n1, { suspectedNodes: ["n2"] }))
    expect(n1.text()).toMatchInlineSnapshot(`
      "0 #2 <- HEARTBEAT of n3@3000 in view 5 of n1.1000 settled, table 3, suspects n2
        ignore HEARTBEAT of n2: wrongSender"
    `)
  })

  it("a message on an unknown connection is ignored", () => {
    const n1 = masterOf("n1", ["n2"])
    n1.receive(99, heartbeat("n2", n1))
    expect(n1.text()).toMatchInlineSnapshot(`
      "0 #99 <- HEARTBEAT of n2@2000 in view 3 of n1.1000 settled, table 2
        ignore HEARTBEAT of closed connection: unknownConnection"
    `)
  })

  it("what a process asks of the data plane before it is known as a member is not dropped, but refused there", () => {
    const forward = {
      type: "OP_FORWARD",
      sourceNodeId: "n9",
      targetPartitionId: 0,
      clientId: Option.none(),
      payload: new Uint8Array(1)
    } as const
    const asked = (carriesData: boolean, clientId?: string) => {
      const n1 = masterOf("n1", ["n2"], { carriesData })
        .accepted(9)
        .receive(9, heartbeat("n9", masterOf("n1", ["n9"])))
      n1.receive(9, { ...forward, clientId: Option.fromUndefinedOr(clientId) })
      return n1.commands
    }
    expect(asked(true)).toEqual([{ _tag: "Deliver", from: "n9", message: forward, isMember: false }])
    expect(asked(false, "router")).toMatchObject([{ _tag: "Deliver", isMember: false }])
    // Nobody would refuse it.
    expect(asked(false)).toMatchObject([{ _tag: "Ignored", reason: "notMember" }])
  })

  it("a stranger's view of enormous version changes nothing", () => {
    const n1 = masterOf("n1", ["n2"])
    n1.accepted(9).receive(9, {
      type: "MEMBERS_UPDATE",
      view: { version: Number.MAX_SAFE_INTEGER, members: [] },
      clusterTimeMs: 0
    })
    expect(n1.text()).toMatchInlineSnapshot(`
      "0 accepted #9
      0 #9 <- MEMBERS_UPDATE view 2097151/4294967295 []
        close #9: its first message does not say who it is
        ignore MEMBERS_UPDATE of unidentified connection: unidentified"
    `)
    expect(n1.joined.view.version).toBe(3)
  })

  it("the end of a connection that has been replaced means nothing", () => {
    const n1 = masterOf("n1", ["n2"]).accepted(22)
    n1.receive(22, heartbeat("n2", n1))
    n1.text()
    expect(n1.closed(2).text()).toMatchInlineSnapshot(`"0 #2 ended"`)
  })

  it("of several connections the older member uses the one on which the newer was last heard, and says so there", () => {
    const n1 = masterOf("n1", ["n2"]).accepted(22)
    n1.receive(22, heartbeat("n2", n1))
    n1.text()
    // What was under way on the other one comes after it.
    n1.receive(2, heartbeat("n2", n1)).receive(22, heartbeat("n2", n1))
    expect(n1.text()).toMatchInlineSnapshot(`
      "0 #2 <- HEARTBEAT of n2@2000 in view 3 of n1.1000 settled, table 2
        #2 -> HEARTBEAT of n1@1000 in view 3 of n1.1000 settled, promise 0 to n1, table 2
      0 #22 <- HEARTBEAT of n2@2000 in view 3 of n1.1000 settled, table 2
        #22 -> HEARTBEAT of n1@1000 in view 3 of n1.1000 settled, promise 0 to n1, table 2"
    `)
    expect(n1.state.mesh.links.get("n2")).toEqual([2, 22])
    // It closes none of them.
    expect(n1.until(5000).text()).not.toContain("close")
  })

  it("the newer member closes the others when the older has long left them: what it had sent there has come", () => {
    const n2 = memberWithTwo()
    n2.receive(1, heartbeat("n1", n2)).until(2000)
    expect(n2.text()).not.toContain("close")
    n2.receive(11, heartbeat("n1", n2)).until(2750)
    expect(n2.text()).not.toContain("close")
    expect(n2.until(3000).text()).toContain("close #1: one connection is enough")
    expect(n2.state.mesh.links.get("n1")).toEqual([11])
  })

  it("the newer member closes none while the older still uses another, and asks it", () => {
    const n2 = memberWithTwo()
    n2.receive(11, heartbeat("n1", n2)).until(750)
    n2.receive(1, heartbeat("n1", n2))
    n2.text()
    const text = n2.until(5000).text()
    expect(text).not.toContain("close")
    expect(text).toContain("#11 -> HEARTBEAT")
  })

  it("what both ends had agreed on before another connection came does not count when that one has ended", () => {
    const n2 = memberWithTwo()
    n2.receive(11, heartbeat("n1", n2)).accepted(12).receive(12, heartbeat("n1", n2)).until(750).closed(12)
    n2.text()
    expect(n2.state.mesh.links.get("n1")).toEqual([1, 11])
    const text = n2.until(1250).text()
    expect(text).toContain("#11 -> HEARTBEAT")
    expect(text).not.toContain("close")
  })

  it("the end of a member's last connection is answered by dialling it at once", () => {
    expect(masterOf("n1", ["n2"]).closed(2).text()).toMatchInlineSnapshot(`
      "0 #2 ended
        dial 127.0.0.1:9002"
    `)
  })

  it("a refused redial proves the death of the process: when another does not hear it either, it is dead at once", () => {
    const n1 = masterOf("n1", ["n2", "n3"]).closed(2).refused("n2")
    n1.receive(3, heartbeat("n3", n1, { suspectedNodes: ["n2"] }))
    expect(n1.text()).toMatchInlineSnapshot(`
      "0 #2 ended
        dial 127.0.0.1:9002
      0 n2 refuses connections
        note: n2 is proven dead: its connection ended and its address refuses a new one
        #3 -> HEARTBEAT of n1@1000 in view 5 of n1.1000 settled, promise 0 to n1, table 3, suspects n2
        publish MemberUpdated n2@2000 suspect (n2 is suspect)
        note: view 6 settled: n2 is suspect
        #3 -> MEMBERS_UPDATE view 6 of n1.1000 settled [n1@1000 active, n2@2000 suspect, n3@3000 active]
        = master of view 6 of n1.1000 settled [n1@1000 active, n2@2000 suspect, n3@3000 active], table 3, suspects n2
      0 #3 <- HEARTBEAT of n3@3000 in view 6 of n1.1000 settled, table 3, suspects n2
        publish MemberUpdated n2@2000 dead (n2 is dead (proven))
        note: view 7 settled: n2 is dead (proven)
        #3 -> MEMBERS_UPDATE view 7 of n1.1000 settled [n1@1000 active, n2@2000 dead, n3@3000 active]
        publish PartitionMoved 3 from n2 to n1
        publish PartitionTableUpdated 4
        #3 -> PARTITION_TABLE_UPDATE 4 of n1.1000 {n1+n3 n1 n3 n1}
        publish PartitionMoved 3 from n1 to n3
        publish PartitionTableUpdated 5
        #3 -> PARTITION_TABLE_UPDATE 5 of n1.1000 {n1+n3 n1+n3 n3+n1 n3+n1}
        = master of view 7 of n1.1000 settled [n1@1000 active, n2@2000 dead, n3@3000 active], table 5, suspects n2"
    `)
  })

  it("a refused redial proves nothing of a member that has come back on another connection", () => {
    const n1 = masterOf("n1", ["n2"]).closed(2).accepted(22)
    n1.until(250).receive(22, heartbeat("n2", n1)).refused("n2")
    expect(n1.joined.view.members.map((member) => member.state)).toEqual(["active", "active"])
  })

  it("who answers at a dialled address under another name is not taken for the member that was expected", () => {
    const n1 = masterOf("n1", ["n2", "n3"]).closed(2).dialled(7, "n2")
    n1.text()
    n1.receive(7, heartbeat("n3", n1))
    expect(n1.text()).toMatchInlineSnapshot(`
      "0 #7 <- HEARTBEAT of n3@3000 in view 5 of n1.1000 settled, table 3
        note: n3 answers at 127.0.0.1:9002, where n2 was expected
        #7 -> HEARTBEAT of n1@1000 in view 5 of n1.1000 settled, promise 0 to n1, table 3"
    `)
    expect(n1.state.mesh.links.get("n2")).toBeUndefined()
  })

  it("a node that dials itself closes the connection and forgets that seed", () => {
    const n1 = masterOf("n1", []).accepted(8).receive(8, joinRequest("n1"))
    expect(n1.text()).toMatchInlineSnapshot(`
      "0 accepted #8
      0 #8 <- JOIN_REQUEST of n1@1000, promise 0 to nobody
        ignore JOIN_REQUEST of n1: dialledSelf"
    `)
  })
})
