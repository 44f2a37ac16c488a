/** Frames made to hurt, from a process that has reached the port and is no member: they change nothing but counters. */
import { Option } from "effect"
import { describe, expect, it } from "vitest"
import type { ClusterMessage, ClusterMessageOf } from "../../../src/domain/wire/ClusterMessage.ts"
import { type ClusterView, toWire } from "../../../src/domain/protocol/ClusterView.ts"
import { heartbeat, joinRequest, masterOf, Transcript, welcome } from "./Transcript.ts"

/** What a hostile frame must not touch: everything but the books of connections and the clock. */
const essence = (node: Transcript) => {
  const { clock: _c, mesh: _m, peers, split, ...rest } = node.state
  return { ...rest, lineages: [...split.outside.keys()], peers: peers.keys().filter((id) => id !== "n9") }
}

const stranger = 9

/** A master of three, and a stranger that has opened with a heartbeat of its own, as `n9`. */
const victim = (authToken?: string) => {
  const n1 = masterOf("n1", ["n2", "n3"])
  if (authToken !== undefined) n1.state = { ...n1.state, node: { ...n1.state.node, authToken } }
  n1.accepted(stranger)
  return n1
}
const opened = (n1: Transcript) => n1.receive(stranger, heartbeat("n9", n1, { incarnation: 7, lineage: "n9.7" }))

/** The victim's view with this member instead of itself, of the highest version there is. */
const grab = (n1: Transcript): ClusterView => {
  const { view } = n1.joined
  const [first] = view.members
  if (first === undefined) throw new Error("no members")
  return {
    ...view,
    version: Number.MAX_SAFE_INTEGER,
    parent: { lineage: view.lineage, version: view.version },
    members: [...view.members.slice(1), { ...first, nodeId: "n9", clusterPort: 9009, incarnation: 7 }]
  }
}
const update = (view: ClusterView): ClusterMessageOf<"MEMBERS_UPDATE"> => ({
  type: "MEMBERS_UPDATE",
  clusterTimeMs: 0,
  ...toWire(view, true)
})

const attacks: ReadonlyArray<readonly [what: string, frames: (n1: Transcript) => ReadonlyArray<ClusterMessage>]> = [
  ["a view of version 2^53−1 that lists the stranger", (n1) => [update(grab(n1))]],
  [
    "a view of a lineage that says it continues ours",
    (n1) => [
      update({
        ...grab(n1),
        lineage: "n9.7.1",
        ancestors: [{ lineage: n1.joined.view.lineage, version: n1.joined.view.version }]
      })
    ]
  ],
  ["a welcome that nobody asked for", (n1) => [welcome("n9", grab(n1))]],
  [
    "heartbeats in the names of all members",
    (n1) => ["n1", "n2", "n3"].map((id) => heartbeat(id, n1, { promise: 99, promisedTo: id, suspectedNodes: ["n1"] }))
  ],
  [
    "a partition table of version 2^53−1",
    (n1) => [
      {
        type: "PARTITION_TABLE_UPDATE",
        assignments: [{ partitionId: 0, owner: "n9", backups: [] }],
        version: Number.MAX_SAFE_INTEGER,
        completedMigrations: [],
        lineage: n1.joined.view.lineage,
        viewVersion: n1.joined.view.version
      }
    ]
  ],
  ["leaves in the names of members", () => [{ type: "LEAVE_REQUEST", nodeId: "n2", reason: Option.none() }]],
  [
    "complaints about members",
    () => [
      {
        type: "HEARTBEAT_COMPLAINT",
        complainerId: "n9",
        complainerViewVersion: 1,
        suspectId: "n2",
        suspectViewVersion: 1
      }
    ]
  ],
  [
    "a won election",
    () => [
      { type: "MASTER_ELECTED", masterAddress: "127.0.0.1:9009", masterNodeId: "n9", term: 2 ** 20, electionId: "n9" }
    ]
  ]
]

describe("hostile frames change nothing but counters", () => {
  it.each(attacks)("%s", (_, frames) => {
    const n1 = opened(victim())
    const before = essence(n1)
    for (const frame of frames(n1)) {
      n1.receive(stranger, frame)
      expect(n1.commands.some((command) => command._tag === "Ignored")).toBe(true)
      expect(essence(n1)).toEqual(before)
    }
  })

  it("a join with the master's id, and with another member's, is refused", () => {
    for (const id of ["n1", "n2"]) {
      const n1 = victim()
      const before = essence(n1)
      n1.receive(stranger, joinRequest(id, { clusterPort: 9009, incarnation: 7 }))
      expect(essence(n1)).toEqual(before)
      expect(n1.text()).toContain("is in use by")
    }
  })

  it("a flood of joins without the token admits nobody", () => {
    const n1 = victim("secret")
    const before = essence(n1)
    for (let i = 10; i < 200; i++) {
      n1.accepted(i).receive(i, joinRequest(`n${i}`, { authToken: Option.some("guess") }))
      expect(n1.commands.some((command) => command._tag === "Close")).toBe(true)
    }
    expect(essence(n1)).toEqual(before)
  })

  it("a flood of joins with the token stays within the limit of members", () => {
    const n1 = masterOf("n1", ["n2"], { node: { partitionCount: 4, maxMembers: 8 } })
    for (let i = 10; i < 200; i++) n1.accepted(i).receive(i, joinRequest(`n${i}`))
    expect(n1.joined.view.members.length + n1.joined.joins.size).toBeLessThanOrEqual(8)
    expect(n1.text()).toContain("CLUSTER_FULL")
  })

  it("a bigger part that a stranger invents is not believed without the token", () => {
    const n1 = victim("secret")
    const before = essence(n1)
    n1.receive(stranger, {
      type: "SPLIT_BRAIN_PROBE",
      senderClusterId: "",
      senderMasterId: "n9",
      senderMemberCount: 100,
      senderViewVersion: 1,
      lineage: "n9.7",
      speaker: { nodeId: "n9", incarnation: 7 },
      masterAddress: "127.0.0.1:9009",
      masterJoinVersion: 0,
      reach: 100
    }).receive(stranger, {
      type: "MERGE_REQUEST",
      sourceClusterId: "",
      sourceMembers: [],
      sourceViewVersion: 1,
      lineage: "n9.7",
      speaker: { nodeId: "n9", incarnation: 7 },
      masterAddress: "127.0.0.1:9009",
      masterJoinVersion: 0,
      reach: 100,
      masterId: "n9",
      voters: [{ nodeId: "n9", incarnation: 7 }]
    })
    expect(essence(n1)).toEqual(before)
  })
})
