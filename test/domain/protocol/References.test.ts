/** Nodes of the reference in one cluster with Squadron nodes: followed while one leads, and lived with while we do. */
import { Option } from "effect"
import { describe, expect, it } from "vitest"
import type { MemberInfo } from "../../../src/domain/model/MemberInfo.ts"
import { termOf } from "../../../src/domain/protocol/Version.ts"
import { majority, staticQuorum } from "../../../src/domain/protocol/Quorum.ts"
import type { ClusterMessage, ClusterMessageOf } from "../../../src/domain/wire/ClusterMessage.ts"
import { computeAssignment } from "../../../src/index.ts"
import { partOf } from "../../../src/domain/protocol/SplitPart.ts"
import { transition } from "../../../src/domain/protocol/Transition.ts"
import { addressOf, portOf } from "../../simulation/VirtualCluster.ts"
import {
  founder,
  joinRequest,
  masterOf,
  referenceJoinRequest,
  Transcript,
  type TranscriptOptions
} from "./Transcript.ts"

const member = (id: string, joinVersion: number, change: Partial<MemberInfo> = {}): MemberInfo => ({
  nodeId: id,
  host: "127.0.0.1",
  clientPort: portOf(id) + 1000,
  clusterPort: portOf(id),
  state: "active",
  joinVersion,
  ...change
})
const beat = (id: string, version: number): ClusterMessageOf<"HEARTBEAT"> => ({
  type: "HEARTBEAT",
  senderId: id,
  timestampMs: 0,
  membersViewVersion: version,
  suspectedNodes: []
})
const accepts = (version: number, members: ReadonlyArray<MemberInfo>): ClusterMessage => ({
  type: "JOIN_RESPONSE",
  accepted: true,
  rejectReason: Option.none(),
  rejectCode: Option.none(),
  responderNodeId: Option.none(),
  membersView: Option.some({ version, members }),
  partitionAssignments: Option.some(computeAssignment(members, 4, 1))
})
const update = (version: number, members: ReadonlyArray<MemberInfo>): ClusterMessage => ({
  type: "MEMBERS_UPDATE",
  view: { version, members },
  clusterTimeMs: 0
})

const three = [member("n1", 0), member("n3", 2), member("n2", 3)]

const refusal = (id: string): ClusterMessageOf<"JOIN_RESPONSE"> => ({
  type: "JOIN_RESPONSE",
  accepted: false,
  rejectReason: Option.some("not master"),
  rejectCode: Option.some("NOT_MASTER_YET"),
  responderNodeId: Option.some(id),
  membersView: Option.none(),
  partitionAssignments: Option.none()
})

/** `n2` on connection 1 to its seed `n1`, a node of the reference that leads `n3`, which is one as well. */
const follower = (options: TranscriptOptions = {}) => {
  const n2 = new Transcript("n2", { ...options, seeds: ["n1"] }).tick().dialled(1, "n1").receive(1, accepts(3, three))
  n2.receive(1, beat("n1", 3)).tick()
  n2.text()
  return n2
}

describe("a node of the reference leads", () => {
  it("its acceptance is followed: its list, its table, heartbeats without extensions", () => {
    const n2 = new Transcript("n2", { seeds: ["n1"] }).tick().dialled(1, "n1").receive(1, accepts(3, three))
    expect(n2.joined.view.ledBy).toBe("n1")
    expect(n2.joined.view.members.map(({ nodeId }) => nodeId)).toEqual(["n1", "n3", "n2"])
    expect(n2.joined.table.rows.map((row) => row?.owner)).toEqual(["n1", "n2", "n3", "n1"])
    expect(n2.text()).toContain("#1 -> HEARTBEAT of n2 in view 3")
  })

  it("nobody else's is: not over a connection that somebody else has opened, nor from where nobody was sent", () => {
    const n2 = new Transcript("n2", { seeds: ["n1"] }).tick().accepted(7)
    n2.receive(7, referenceJoinRequest("n1")).receive(7, accepts(3, three))
    expect(n2.state.phase._tag).toBe("Fresh")
    const other = new Transcript("n2", { seeds: ["n4"] }).tick().dialled(1, "n1").receive(1, accepts(3, three))
    expect(other.state.phase._tag).toBe("Fresh")
  })

  it("a higher version is taken from it alone; one that is not higher from nobody", () => {
    const n2 = follower()
    const { view } = n2.joined
    n2.accepted(7)
      .receive(7, beat("n1", 9))
      .receive(7, update(Number.MAX_SAFE_INTEGER, three.slice(1)))
    n2.accepted(8)
      .receive(8, beat("n3", 9))
      .receive(8, update(9, three.slice(1)))
    n2.receive(1, update(3, three.slice(1)))
    expect(n2.joined.view).toBe(view)
    n2.receive(1, update(5, [...three, member("n4", 5)]))
    expect(n2.joined.view.members).toHaveLength(4)
  })

  it("called dead by it, because a connection ended, the node asks again and keeps its view", () => {
    const n2 = follower()
    n2.receive(1, update(5, [member("n1", 0), member("n2", 3, { state: "dead" })]))
    expect(n2.text()).toContain("#1 -> JOIN_REQUEST of n2@2000")
    n2.receive(1, accepts(6, [member("n1", 0), member("n2", 6)]))
    expect(n2.joined.view.version).toBe(6)
  })

  it("that says later that it does not lead is followed no more: an acceptance can be late", () => {
    const refused = follower().receive(1, refusal("n1")).until(500)
    expect(refused.joined.view.ledBy).toBeUndefined()
    // Nobody else's word is taken for that.
    const n2 = follower().accepted(7).receive(7, beat("n1", 3)).receive(7, refusal("n1")).until(500)
    expect(n2.joined.view.ledBy).toBe("n1")
  })

  it("to which processes are sent in vain is asked whether it leads: that it does not, it would never say by itself", () => {
    const n2 = follower().accepted(9)
    const asked = (fromMs: number, untilMs: number): string => {
      for (let atMs = fromMs; atMs <= untilMs; atMs += 1000) {
        n2.until(atMs).receive(1, beat("n1", 3)).receive(9, joinRequest("n5"))
      }
      return n2.text()
    }
    expect(asked(1000, 10_000)).not.toContain("#1 -> JOIN_REQUEST")
    // One that was admitted meanwhile, and another later on.
    expect(asked(14_000, 23_000)).not.toContain("#1 -> JOIN_REQUEST")
    // Whoever is refused here is not sent there.
    const refusedMs = [30_000, 31_000, 32_000, 33_000, 34_000, 35_000, 36_000, 37_000, 38_000, 39_000, 40_000]
    for (const atMs of refusedMs) {
      n2.until(atMs).receive(1, beat("n1", 3)).accepted(atMs)
      n2.receive(atMs, joinRequest("n6", { clusterId: "another" }))
    }
    expect(n2.text()).not.toContain("#1 -> JOIN_REQUEST")
    expect(asked(44_000, 54_000)).toContain("#1 -> JOIN_REQUEST of n2@2000")
    expect(n2.receive(1, refusal("n1")).until(55_000).joined.view.ledBy).toBeUndefined()
  })

  it("an answer with a table that comes after a newer one does not bring it back", () => {
    const table: ClusterMessage = {
      type: "PARTITION_TABLE_UPDATE",
      version: 9,
      assignments: computeAssignment(three.slice(0, 1), 4, 1),
      completedMigrations: []
    }
    const n2 = follower().receive(1, table).receive(1, accepts(4, three))
    expect(n2.joined.view.version).toBe(4)
    expect(n2.joined.table.version).toBe(9)
    expect(n2.joined.table.rows.map((row) => row?.owner)).toEqual(["n1", "n1", "n1", "n1"])
  })

  it("when it dies the oldest Squadron node leads in a new term, dials the others and tells them", () => {
    const n2 = follower().closed(1).refused("n1").until(500)
    expect(n2.joined.view.ledBy).toBeUndefined()
    expect(n2.joined.view.version).toBeGreaterThan(2 ** 32)
    const text = n2.text()
    expect(text).toContain("n2 is master of term 1")
    n2.dialled(3, "n3")
    expect(n2.text()).toMatch(/#3 -> HEARTBEAT of n2 .*\n.*#3 -> MEMBERS_UPDATE .*n3 active/)
  })

  it("its follower that takes over shows it as active: suspect in its own copy it would never lead or join again", () => {
    const n2 = follower().until(12_000, ["n1"]).refused("n1").until(12_500, ["n1"])
    expect(n2.joined.view.ledBy).toBeUndefined()
    expect(n2.text()).not.toContain("n1 suspect")
  })

  it("that is silent has the time of a suspicion before somebody takes over", () => {
    const n2 = follower().until(10_000, ["n1"])
    expect(n2.joined.suspected).toEqual(["n1"])
    expect(n2.joined.view.ledBy).toBe("n1")
    n2.until(20_000, ["n1"])
    expect(n2.joined.view.ledBy).toBeUndefined()
  })

  it("who takes over does so in a lineage of its own, under a policy with a quorum as well", () => {
    const n2 = follower({ policy: majority }).closed(1).refused("n1").until(500)
    expect(n2.joined.view.lineage).toBe("n2.2000.1")
  })

  it("its part has no reach: none that Squadron leads gives way to it", () => {
    const n2 = follower()
    expect(transition((step) => partOf(step, n2.joined).reach)(n2.state, 1000)[1]).toBe(0)
  })

  it("one that has started anew and counts lower is not followed: the cluster that was goes on", () => {
    const n2 = follower()
      .closed(1)
      .dialled(2, "n1")
      .receive(2, accepts(2, [member("n1", 0), member("n2", 2)]))
    n2.until(500)
    expect(n2.joined.view.ledBy).toBeUndefined()
    expect(n2.joined.view.version).toBeGreaterThan(2 ** 32)
  })

  it("one that counts lower than this node has held is taken over by who can alone, and followed where nobody can", () => {
    const held = 2 ** 32 + 70
    const asked = (options: TranscriptOptions) => {
      const n2 = new Transcript("n2", { ...options, seeds: ["n1"] })
      n2.state = { ...n2.state, lastVersion: held }
      return n2.tick().dialled(1, "n1").receive(1, accepts(3, three)).receive(1, beat("n1", 3))
    }
    expect(asked({ policy: majority }).joined.view.version).toBeGreaterThan(2 * 2 ** 32)
    const n2 = asked({ policy: staticQuorum(2) })
    expect(n2.joined.view.version).toBe(3)
    expect(n2.joined.claimedAtMs).toBeUndefined()
    n2.receive(1, update(4, [...three, member("n4", 4)]))
    expect(n2.joined.view.members).toHaveLength(4)
    // What it may win later is above all that it has held.
    expect(n2.joined.promise.term).toBe(1)
    expect(n2.state.lastVersion).toBe(held)
  })

  it("its part under the same name is no earlier view of ours: whoever follows it now is shown the part to go over to", () => {
    const n2 = follower().closed(1).refused("n1").until(500)
    const { lineage } = n2.joined.view
    n2.accepted(7).receive(7, {
      type: "SPLIT_BRAIN_PROBE",
      senderClusterId: "",
      senderMasterId: "n4",
      senderMemberCount: 1,
      senderViewVersion: 2,
      lineage: "n1.0",
      speaker: { nodeId: "n4", incarnation: 4000 },
      masterAddress: addressOf("n4"),
      masterJoinVersion: 0,
      reach: 0
    })
    expect(n2.commands).toContainEqual(
      expect.objectContaining({
        _tag: "Send",
        connection: 7,
        message: expect.objectContaining({ type: "SPLIT_BRAIN_PROBE_RESPONSE", lineage, reach: 1 })
      })
    )
  })

  it("a sibling is known also over the connection that was dialled to it before there was a view", () => {
    const n2 = new Transcript("n2", { seeds: ["n1", "n4"] }).tick().dialled(1, "n1").dialled(4, "n4")
    n2.receive(4, { ...refusal("n4"), incarnation: 4000 })
    const four = [member("n1", 0), member("n4", 2), member("n2", 3)]
    n2.receive(1, accepts(3, four)).receive(1, beat("n1", 3))
    n2.text()
    n2.until(500)
    expect(n2.text()).toContain("#4 -> SPLIT_BRAIN_PROBE")
    n2.receive(4, { ...beat("n4", 3), lineage: "n1.0", incarnation: 4000 })
    expect(n2.joined.view.members.map(({ incarnation }) => incarnation)).toEqual([undefined, 4000, 2000])
  })

  it("gone, with too few siblings left to take over, it is not waited for: its follower looks for a cluster", () => {
    const n2 = new Transcript("n2", { seeds: ["n1", "n4", "n5"], policy: majority }).tick().dialled(1, "n1")
    const members = [member("n1", 0), member("n2", 3), member("n4", 4), member("n5", 5)]
    n2.receive(1, accepts(5, members)).receive(1, beat("n1", 5))
    for (const [id, incarnation] of [["n4", 4000] as const, ["n5", 5000] as const]) {
      const connection = portOf(id) - 9000
      n2.dialled(connection, id).receive(connection, { ...beat(id, 5), lineage: "n1.0", incarnation })
      n2.closed(connection).refused(id)
    }
    n2.until(500)
    expect(n2.joined.view.ledBy).toBe("n1")
    n2.closed(1).refused("n1").until(1000)
    expect(n2.state.phase._tag).toBe("Fresh")
  })

  it("a leave is the end of the connection: nobody would answer", () => {
    expect(follower().leave().text()).toContain("stop: left")
  })
})

describe("Squadron leads", () => {
  it("a node of the reference blocks nothing under a policy with a quorum, by its silence or its death", () => {
    const n1 = founder("n1", { policy: majority })
    for (const id of ["n2", "n3", "n4"])
      n1.accepted(portOf(id) - 9000).receive(portOf(id) - 9000, referenceJoinRequest(id))
    expect(n1.joined.settled).toBe(true)
    expect(n1.joined.view.members).toHaveLength(4)
    n1.until(40_000)
    expect(n1.joined.view.members.map(({ nodeId }) => nodeId)).toEqual(["n1"])
  })

  it("a node of the reference is active until it is dead: what it takes for suspect it never takes for active again", () => {
    const n1 = founder("n1").accepted(2).receive(2, referenceJoinRequest("n2")).receive(2, beat("n2", 2))
    const states = new Set<string>()
    for (let atMs = 1000; atMs < 14_000; atMs += 250) {
      n1.until(atMs, ["n2"])
      for (const one of n1.joined.view.members) if (one.nodeId === "n2") states.add(one.state)
    }
    expect([...states]).toEqual(["active", "dead"])
  })

  it("its welcome has the table that counts it in, before the update of that table", () => {
    const n1 = founder("n1").accepted(2).receive(2, referenceJoinRequest("n2"))
    expect(n1.text()).toMatch(/#2 -> JOIN_RESPONSE of n1: accepted, .*\n.*#2 -> PARTITION_TABLE_UPDATE 1 .*n2/)
  })

  it("a view that it has counted by itself is superseded; a version made to freeze ours is not believed", () => {
    const n1 = founder("n1").accepted(2).receive(2, referenceJoinRequest("n2"))
    n1.receive(2, beat("n2", 2)).until(1000).receive(2, beat("n2", 5)).until(1500)
    expect(n1.joined.view.version).toBeGreaterThan(5)
    const { version } = n1.joined.view
    n1.receive(2, beat("n2", Number.MAX_SAFE_INTEGER)).until(2500)
    expect(n1.joined.view.version).toBe(version)
  })

  it("what it holds from a part with a higher term is superseded in a term above, which rises so now and then only", () => {
    const n1 = masterOf("n1", []).accepted(2).receive(2, referenceJoinRequest("n2"))
    n1.receive(2, beat("n2", 2 * 2 ** 32 + 7)).until(1000)
    const { version } = n1.joined.view
    expect(version).toBeGreaterThan(3 * 2 ** 32)
    n1.receive(2, beat("n2", 5 * 2 ** 32)).until(2000)
    expect(n1.joined.view.version).toBe(version)
    n1.until(40_000)
      .receive(2, beat("n2", 900 * 2 ** 32))
      .until(41_000)
    expect(termOf(n1.joined.view.version)).toBe(3)
  })

  it("beside it versions rise by more than it counts by itself", () => {
    const n1 = founder("n1").accepted(2).receive(2, referenceJoinRequest("n2"))
    const { version } = n1.joined.view
    n1.accepted(3).receive(3, joinRequest("n3"))
    expect(n1.joined.view.version).toBe(version + 16)
  })

  it("one that believes to be master is not: its views, its answers and its suspicions change nothing", () => {
    const n1 = masterOf("n1", ["n3"]).accepted(2).receive(2, referenceJoinRequest("n2")).receive(2, beat("n2", 4))
    const { view } = n1.joined
    n1.receive(2, update(2 ** 40, [member("n2", 0)]))
    n1.receive(2, accepts(2 ** 40, [member("n2", 0), member("n1", 1)]))
    n1.receive(2, { ...beat("n2", view.version), suspectedNodes: ["n1", "n3"] })
    expect(n1.joined.view).toBe(view)
    expect([...n1.state.peers].find(([id]) => id === "n2")?.[1].report?.suspected).toEqual([])
  })

  it("dead and heard again it comes back as the youngest: as the oldest it would take itself for master", () => {
    const n1 = founder("n1").accepted(2).receive(2, referenceJoinRequest("n2")).receive(2, beat("n2", 2))
    for (let atMs = 1000; n1.joined.view.members.at(-1)?.state === "active"; atMs += 250) n1.until(atMs, ["n2"])
    const deadIn = n1.joined.view.version
    n1.receive(2, beat("n2", 2)).until(15_000)
    const back = n1.joined.view.members.find(({ nodeId }) => nodeId === "n2")
    expect(back?.state).toBe("active")
    expect(back?.joinVersion).toBeGreaterThan(deadIn)
  })

  it("of several connections with one none is closed, and nothing is agreed: it knows nothing of that", () => {
    const n1 = founder("n1").accepted(2).receive(2, referenceJoinRequest("n2")).receive(2, beat("n2", 2)).accepted(22)
    n1.receive(22, beat("n2", 2))
    n1.text()
    n1.receive(2, beat("n2", 2)).receive(22, beat("n2", 2)).receive(2, beat("n2", 2))
    expect(n1.text()).not.toContain("->")
    expect(n1.state.mesh.links.get("n2")).toEqual([2, 22])
  })

  it("frozen until it was removed, it is taken back when it is heard again on its connection", () => {
    const n1 = founder("n1").accepted(2).receive(2, referenceJoinRequest("n2")).receive(2, beat("n2", 2))
    n1.until(30_000, ["n2"])
    expect(n1.joined.view.members.map(({ nodeId }) => nodeId)).toEqual(["n1"])
    n1.accepted(8).receive(8, beat("n2", 2)).until(30_500)
    expect(n1.joined.view.members.map(({ nodeId }) => nodeId)).toEqual(["n1"])
    n1.receive(2, beat("n2", 2)).until(31_000)
    expect(n1.joined.view.members.map(({ nodeId }) => nodeId)).toEqual(["n1", "n2"])
  })
})
