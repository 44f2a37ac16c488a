/** Who is let in, and what everyone is told. */
import { Option } from "effect"
import { describe, expect, it } from "vitest"
import { maxEagerMembers } from "../../../src/domain/protocol/Bounds.ts"
import { portOf } from "../../simulation/VirtualCluster.ts"
import { founder, heartbeat, joinRequest, masterOf, referenceJoinRequest, Transcript } from "./Transcript.ts"

const ids = (from: number, count: number): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, i) => `n${from + i}`)

describe("joining", () => {
  it("many at once into a large cluster come with one view: what everyone adopts brings many changes", () => {
    const n1 = masterOf("n1", ids(2, maxEagerMembers - 1))
    const { version } = n1.joined.view
    for (const id of ids(201, 20)) n1.accepted(portOf(id)).receive(portOf(id), joinRequest(id))
    const joined = n1.joined
    // The first comes at once or waits, as those after it do.
    expect(joined.view.version - version).toBeLessThanOrEqual(1)
    n1.until(1000)
    expect(n1.joined.view.members.length).toBe(maxEagerMembers + 20)
    expect(n1.joined.view.version - version).toBeLessThanOrEqual(3)
  })

  it("a node without seeds founds a cluster at once, with version 1 and join version 0", () => {
    const n1 = new Transcript("n1").tick()
    expect(n1.text()).toMatchInlineSnapshot(`
      "0 tick
        note: founds a cluster with n1
        publish MemberAdded n1@1000 active (founded by n1)
        publish MasterChanged to n1 in term 0
        = master of view 1 of n1.1000 settled [n1@1000 active], table 0"
    `)
    expect(n1.joined.view.members[0]?.joinVersion).toBe(0)
  })

  it("a joiner is admitted as joining, answered when that view is settled, and active when it shows it", () => {
    const n1 = founder("n1").accepted(2).receive(2, joinRequest("n2"))
    n1.receive(2, heartbeat("n2", n1))
    expect(n1.text()).toMatchInlineSnapshot(`
      "0 accepted #2
      0 #2 <- JOIN_REQUEST of n2@2000, promise 0 to nobody
        #2 is identified
        forget the heartbeats of n2
        publish MemberAdded n2@2000 joining (n2 joins)
        note: view 2 settled: n2 joins
        #2 -> JOIN_RESPONSE of n1: accepted, view 2 of n1.1000 settled [n1@1000 active, n2@2000 joining]
        publish PartitionTableUpdated 1
        #2 -> PARTITION_TABLE_UPDATE 1 of n1.1000 {n1 n1 n1 n1}
        = master of view 2 of n1.1000 settled [n1@1000 active, n2@2000 joining], table 1
      0 #2 <- HEARTBEAT of n2@2000 in view 2 of n1.1000 settled, table 1
        publish MemberUpdated n2@2000 active (n2 is active)
        note: view 3 settled: n2 is active
        #2 -> MEMBERS_UPDATE view 3 of n1.1000 settled [n1@1000 active, n2@2000 active]
        publish PartitionMoved 2 from n1 to n2
        publish PartitionMoved 3 from n1 to n2
        publish PartitionTableUpdated 2
        #2 -> PARTITION_TABLE_UPDATE 2 of n1.1000 {n1+n2 n1+n2 n2+n1 n2+n1}
        = master of view 3 of n1.1000 settled [n1@1000 active, n2@2000 active], table 2"
    `)
  })

  it("a member that is not master answers with its view, and the joiner goes straight to the master", () => {
    const master = masterOf("n1", ["n2"])
    const { view } = master.joined
    const n3 = new Transcript("n3", { seeds: ["n2"] }).tick().dialled(2, "n2")
    n3.receive(2, {
      type: "JOIN_RESPONSE",
      accepted: false,
      rejectReason: Option.some("not master"),
      rejectCode: Option.some("NOT_MASTER_YET"),
      responderNodeId: Option.some("n2"),
      membersView: Option.some({ version: view.version, members: view.members }),
      partitionAssignments: Option.none(),
      lineage: view.lineage,
      parent: view.parent,
      ancestors: view.ancestors,
      base: view.base,
      settled: true,
      incarnation: 2000
    })
    expect(n3.text()).toMatchInlineSnapshot(`
      "0 tick
        dial 127.0.0.1:9002
      0 dialled #2 to n2
        #2 -> JOIN_REQUEST of n3@3000, promise 0 to nobody
      0 #2 <- JOIN_RESPONSE of n2: NOT_MASTER_YET: not master, view 3 of n1.1000 settled [n1@1000 active, n2@2000 active]
        dial 127.0.0.1:9001
        = looks for a cluster, asks 127.0.0.1:9001"
    `)
  })

  it("a fresh process replaces the one before it under its id, which is thereby proven dead", () => {
    const n1 = masterOf("n1", ["n2", "n3"])
    n1.accepted(22).receive(22, joinRequest("n2", { incarnation: 2001 }))
    expect(n1.text()).toMatchInlineSnapshot(`
      "0 accepted #22
      0 #22 <- JOIN_REQUEST of n2@2001, promise 0 to nobody
        #22 is identified
        close #2: replaced by a new process
        note: n2 is proven dead: its id came back as another process
        #22 -> HEARTBEAT of n1@1000 in view 5 of n1.1000 settled, promise 0 to n1, table 3, suspects n2
        #3 -> HEARTBEAT of n1@1000 in view 5 of n1.1000 settled, promise 0 to n1, table 3, suspects n2
        forget the heartbeats of n2
        publish MemberRemoved n2@2000 active (n2 rejoins)
        publish MemberAdded n2@2001 joining (n2 rejoins)
        note: view 6 settled: n2 rejoins
        #3 -> MEMBERS_UPDATE view 6 of n1.1000 settled [n1@1000 active, n2@2001 joining, n3@3000 active]
        #22 -> JOIN_RESPONSE of n1: accepted, view 6 of n1.1000 settled [n1@1000 active, n2@2001 joining, n3@3000 active]
        #22 -> MEMBERS_UPDATE view 6 of n1.1000 settled [n1@1000 active, n2@2001 joining, n3@3000 active]
        publish PartitionMoved 3 from n2 to n1
        publish PartitionTableUpdated 4
        #22 -> PARTITION_TABLE_UPDATE 4 of n1.1000 {n1+n3 n1 n3 n1}
        #3 -> PARTITION_TABLE_UPDATE 4 of n1.1000 {n1+n3 n1 n3 n1}
        publish PartitionMoved 3 from n1 to n3
        publish PartitionTableUpdated 5
        #22 -> PARTITION_TABLE_UPDATE 5 of n1.1000 {n1+n3 n1+n3 n3+n1 n3+n1}
        #3 -> PARTITION_TABLE_UPDATE 5 of n1.1000 {n1+n3 n1+n3 n3+n1 n3+n1}
        = master of view 6 of n1.1000 settled [n1@1000 active, n2@2001 joining, n3@3000 active], table 5"
    `)
  })

  it("a second process with the id of a member that is heard is refused without a code", () => {
    const n1 = masterOf("n1", ["n2"])
    n1.accepted(22).receive(22, joinRequest("n2", { incarnation: 2001, clusterPort: 9999 }))
    expect(n1.text()).toMatchInlineSnapshot(`
      "0 accepted #22
      0 #22 <- JOIN_REQUEST of n2@2001, promise 0 to nobody
        #22 -> JOIN_RESPONSE of n1: without a code: node id "n2" is in use by 127.0.0.1:9002; give this node another id or stop that one
        close #22: its join was refused
        ignore JOIN_REQUEST of n2: refused"
    `)
  })

  it("a joiner with the master's own id is refused", () => {
    const n1 = founder("n1")
      .accepted(5)
      .receive(5, joinRequest("n1", { incarnation: 5000, clusterPort: 9999 }))
    expect(n1.text()).toMatchInlineSnapshot(`
      "0 accepted #5
      0 #5 <- JOIN_REQUEST of n1@5000, promise 0 to nobody
        #5 -> JOIN_RESPONSE of n1: without a code: node id "n1" is in use by 127.0.0.1:9001; give this node another id or stop that one
        close #5: its join was refused
        ignore JOIN_REQUEST of n1: refused"
    `)
  })

  it.each([
    ["another cluster", joinRequest("n2", { clusterId: "other" }), "WRONG_CLUSTER_ID"],
    ["another protocol version", joinRequest("n2", { protocolVersion: 2 }), "PROTOCOL_VERSION_MISMATCH"],
    ["no token", joinRequest("n2"), "AUTH_FAILED"],
    ["a wrong token", joinRequest("n2", { authToken: Option.some("guess") }), "AUTH_FAILED"]
  ])("a node of %s is refused with a code", (_, request, code) => {
    const n1 = founder("n1", { node: { authToken: "secret" } })
      .accepted(2)
      .receive(2, request)
    expect(n1.text()).toContain(`JOIN_RESPONSE of n1: ${code}`)
    expect(n1.joined.view.members).toHaveLength(1)
  })

  it("the right token admits", () => {
    const n1 = founder("n1", { node: { authToken: "secret" } }).accepted(2)
    n1.receive(2, joinRequest("n2", { authToken: Option.some("secret") }))
    expect(n1.joined.view.members).toHaveLength(2)
  })

  it("a full cluster refuses further members, not those that come back", () => {
    const n1 = masterOf("n1", ["n2"], { node: { maxMembers: 2 } })
    n1.accepted(3).receive(3, joinRequest("n3"))
    expect(n1.text()).toMatchInlineSnapshot(`
      "0 accepted #3
      0 #3 <- JOIN_REQUEST of n3@3000, promise 0 to nobody
        #3 is identified
        #3 -> JOIN_RESPONSE of n1: CLUSTER_FULL: the cluster has its limit of 2 members
        ignore JOIN_REQUEST of n3: refused"
    `)
    n1.accepted(22).receive(22, joinRequest("n2", { incarnation: 2001 }))
    expect(n1.text()).toContain("n2@2001 joining")
  })

  it("a joiner that falls silent is dropped", () => {
    const n1 = founder("n1").accepted(2).receive(2, joinRequest("n2")).until(15_000, [])
    expect(n1.text()).toContain("n2 joined and fell silent")
    expect(n1.joined.view.members).toHaveLength(1)
  })

  it("a node that is refused stops with the reason", () => {
    const n2 = new Transcript("n2", { seeds: ["n1"] }).tick().dialled(1, "n1")
    n2.receive(1, {
      type: "JOIN_RESPONSE",
      accepted: false,
      rejectReason: Option.some("this is another cluster"),
      rejectCode: Option.some("WRONG_CLUSTER_ID"),
      responderNodeId: Option.some("n1"),
      membersView: Option.none(),
      partitionAssignments: Option.none(),
      incarnation: 1000
    })
    expect(n2.text()).toMatchInlineSnapshot(`
      "0 tick
        dial 127.0.0.1:9001
      0 dialled #1 to n1
        #1 -> JOIN_REQUEST of n2@2000, promise 0 to nobody
      0 #1 <- JOIN_RESPONSE of n1: WRONG_CLUSTER_ID: this is another cluster
        stop: WRONG_CLUSTER_ID by n1: this is another cluster
        ignore JOIN_RESPONSE of n1: refused"
    `)
  })

  it("towards a peer that has sent no extension none is sent: not in the answer, the table or the heartbeat", () => {
    const n1 = founder("n1").accepted(2).receive(2, referenceJoinRequest("n2")).until(1000)
    expect(n1.text()).toMatchInlineSnapshot(`
      "0 accepted #2
      0 #2 <- JOIN_REQUEST of n2
        #2 is identified
        forget the heartbeats of n2
        publish MemberAdded n2 active (n2 joins)
        note: view 2 settled: n2 joins
        publish PartitionTableUpdated 1
        #2 -> JOIN_RESPONSE of n1: accepted, view 2 [n1 active, n2 active]
        #2 -> PARTITION_TABLE_UPDATE 1 {n1+n2 n2+n1 n1+n2 n2+n1}
        = master of view 2 of n1.1000 settled [n1@1000 active, n2 active], table 1
      250 tick
        #2 -> HEARTBEAT of n1 in view 2
      1000 tick
        #2 -> HEARTBEAT of n1 in view 2"
    `)
  })

  it("a node whose id is in use elsewhere gives up; it does not take the other for itself and found alone", () => {
    const second = new Transcript("n1", { seeds: ["n2"] }).tick()
    for (let connection = 1; connection <= 8; connection++) {
      second.dialled(connection, "n2")
      second.receive(connection, {
        type: "JOIN_RESPONSE",
        accepted: false,
        rejectReason: Option.some('node id "n1" is in use'),
        rejectCode: Option.none(),
        responderNodeId: Option.some("n1"),
        membersView: Option.none(),
        partitionAssignments: Option.none(),
        incarnation: 77
      })
      second.closed(connection)
      second.until(connection * 1000)
    }
    const text = second.text()
    expect(text).toContain('stop: REFUSED by n1: node id "n1" is in use')
    expect(text).not.toContain("founds")
  })

  it("a peer of the reference lives in the cluster: heard by its bare heartbeats, sent no extension, given no vote", () => {
    const n1 = founder("n1").accepted(2).receive(2, referenceJoinRequest("n2"))
    for (let now = 1000; now <= 30_000; now += 1000) {
      n1.until(now)
      const { view } = n1.joined
      n1.receive(2, {
        type: "HEARTBEAT",
        senderId: "n2",
        timestampMs: 0,
        membersViewVersion: view.version,
        suspectedNodes: []
      })
    }
    expect(n1.joined.view.members.map((member) => member.state)).toEqual(["active", "active"])
    const sent = n1
      .text()
      .split("\n")
      .filter((line) => line.includes("#2 ->"))
    expect(sent.filter((line) => line.includes("n1.1000"))).toEqual([])
    expect(sent.filter((line) => line.includes("PARTITION_TABLE_UPDATE"))).toHaveLength(1)
    expect([...n1.state.peers].map(([, peer]) => peer.report?.votes)).toEqual([false])
  })

  it("a node that counts on another number of partitions is refused: keys would go astray", () => {
    const n1 = founder("n1")
      .accepted(2)
      .receive(2, joinRequest("n2", { partitionCount: 500 }))
    const text = n1.text()
    expect(text).toContain("this cluster has 4 partitions, not 500")
    expect(n1.joined.view.members.map((member) => member.nodeId)).toEqual(["n1"])
    n1.accepted(3).receive(3, joinRequest("n2", { partitionCount: 4 }))
    expect(n1.joined.view.members.map((member) => member.nodeId)).toEqual(["n1", "n2"])
  })
})
