/** What the seeded hunt has found, each as small as it can be told. */
import { describe, expect, it } from "vitest"
import { maxStrangers } from "../../../src/domain/protocol/Bounds.ts"
import { type ClusterView, toWire } from "../../../src/domain/protocol/ClusterView.ts"
import type { ClusterMessageOf } from "../../../src/domain/wire/ClusterMessage.ts"
import { staticQuorum } from "../../../src/domain/protocol/Quorum.ts"
import { founder, heartbeat, joinRequest, masterOf, Transcript, welcome } from "./Transcript.ts"

const membersUpdate = (view: ClusterView, settled = true): ClusterMessageOf<"MEMBERS_UPDATE"> => ({
  type: "MEMBERS_UPDATE",
  clusterTimeMs: 0,
  ...toWire(view, settled)
})

/** A member of the cluster that `master` leads, linked to it by connection 1. */
const memberOf = (id: string, master: Transcript, seeds: ReadonlyArray<string> = ["n1"]): Transcript => {
  const node = new Transcript(id, { seeds }).tick().dialled(1, "n1").receive(1, welcome("n1", master.joined.view))
  node.text()
  return node
}

/** The view with which `id` wins a claim in `term`. */
const wonBy = (id: string, term: number, view: ClusterView): ClusterView => ({
  lineage: `${id}.${Number(id.slice(1)) * 1000}.${term}`,
  version: term * 2 ** 32 + (view.version % 2 ** 32) + 1,
  parent: { lineage: view.lineage, version: view.version },
  cause: "its own",
  ancestors: [{ lineage: view.lineage, version: view.version }, ...view.ancestors],
  members: view.members.map((member) =>
    member.nodeId < id ? { ...member, joinVersion: term * 2 ** 32 + 100 } : member
  ),
  base: { voters: view.members.map(({ nodeId, incarnation }) => ({ nodeId, incarnation: incarnation ?? 0 })) }
})

describe("found by the hunt", () => {
  it("a dial that was begun without a view and succeeds with one is the link of the member there, with extensions", () => {
    const n3 = memberOf("n3", masterOf("n1", ["n2", "n3"]), ["n1", "n2"]).dialled(2, "n2")
    expect(n3.text()).toContain("#2 -> HEARTBEAT of n3@3000 in view")
    expect(n3.state.mesh.links.get("n2")).toEqual([2])
  })

  it("a queued join whose process asks no more is forgotten: with it no view might ever settle", () => {
    const n1 = masterOf("n1", ["n2", "n3", "n4"])
    n1.state = { ...n1.state, policy: staticQuorum(3) }
    for (const id of ["n2", "n3"]) n1.receive(Number(id.slice(1)), heartbeat(id, n1))
    // With n4 silent and n3 another process only two of the four could settle a view.
    n1.until(1000, ["n4"]).accepted(5)
    const ask = () => n1.receive(5, joinRequest("n3", { incarnation: 9000 }))
    const queued = () => [...n1.joined.joins.keys()]
    ask().until(4000, ["n4"])
    expect(queued()).toEqual(["n3"])
    ask().until(8000, ["n4"])
    expect(queued()).toEqual(["n3"])
    n1.until(10_000, ["n4"])
    expect(queued()).toEqual([])
  })

  it("strangers that speak of foreign lineages are remembered up to a bound", () => {
    const n1 = masterOf("n1", ["n2"])
    for (let i = 0; i < 300; i++) {
      n1.accepted(1000 + i)
      n1.receive(1000 + i, heartbeat(`s${i}`, n1, { lineage: "other", incarnation: i }))
    }
    expect(n1.state.peers.size).toBeLessThanOrEqual(4 + maxStrangers)
    n1.until(1000).text()
    expect(n1.receive(1299, heartbeat("s299", n1, { lineage: "other", incarnation: 299 })).text()).toContain("#1299 ->")
  })

  it("a connection that was dialled and leads to nobody of the view is closed", () => {
    const n3 = memberOf("n3", masterOf("n1", ["n3"]), ["n1", "n9"]).dialled(9, "n9")
    expect(n3.until(4000).text()).not.toContain("close #9")
    expect(n3.until(6000).text()).toContain("close #9: nobody of the view is there")
  })

  it("a process whose id another one has taken is answered where it speaks, and learns that it is out", () => {
    const n1 = masterOf("n1", ["n2", "n3"])
    const old = n1.joined.view
    n1.until(4000)
      .accepted(22)
      .receive(22, joinRequest("n2", { incarnation: 2001, clusterPort: 9999 }))
    n1.accepted(23)
    n1.text()
    const stale = { membersViewVersion: old.version, settled: old.version, incarnation: 2000 }
    expect(n1.receive(23, heartbeat("n2", n1, stale)).text()).toContain("#23 -> MEMBERS_UPDATE")
    expect(n1.state.mesh.links.get("n2")).toEqual([22])
  })

  it("right after a claim an id is still taken by whoever was heard before it", () => {
    const n3 = memberOf("n3", masterOf("n1", ["n2", "n3"])).accepted(2)
    n3.receive(2, heartbeat("n2", n3)).receive(2, membersUpdate(wonBy("n2", 1, n3.joined.view)))
    n3.accepted(22).receive(22, joinRequest("n2", { incarnation: 2001, clusterPort: 9999 }))
    expect(n3.text()).toContain(`node id "n2" is in use`)
  })

  it("a joiner whose master goes before making it active asks again as a new process", () => {
    const n1 = founder("n1").accepted(3).receive(3, joinRequest("n3"))
    const n3 = memberOf("n3", n1).until(9000)
    expect(n3.state.phase._tag).toBe("Joined")
    n3.until(11_000)
    expect(n3.state.phase._tag).toBe("Fresh")
    expect(n3.state.self.incarnation).toBe(3001)
  })

  it("a joiner that a master cannot admit yet hears that a cluster lives", () => {
    const n1 = founder("n1").sleep(10_000).accepted(2).receive(2, joinRequest("n2"))
    expect(n1.text()).toContain("#2 -> HEARTBEAT of n1@1000")
    expect(n1.joined.view.members).toHaveLength(1)
  })

  it("a master whose tick is late hears what arrived meanwhile before it changes anything", () => {
    const n1 = masterOf("n1", ["n2", "n3"])
    const before = n1.joined.view
    n1.sleep(1400).accepted(9).receive(9, joinRequest("n9"))
    expect(n1.joined.view).toBe(before)
    n1.receive(2, membersUpdate(wonBy("n2", 1, before)))
    expect(n1.joined.view.lineage).toBe("n2.2000.1")
  })

  it("who has moved to another lineage accuses nobody any more", () => {
    const n1 = masterOf("n1", ["n2", "n3", "n4"])
    for (const id of ["n3", "n4"]) n1.receive(Number(id.slice(1)), heartbeat(id, n1, { suspectedNodes: ["n2"] }))
    for (const id of ["n3", "n4"]) {
      n1.receive(Number(id.slice(1)), heartbeat(id, n1, { lineage: "n3.3000.1", membersViewVersion: 2 ** 32 + 20 }))
    }
    const reports = [...n1.state.peers].map(([nodeId, peer]) => `${nodeId} ${peer.report?.suspected.join()}`)
    expect(reports.toSorted()).toEqual(["n2 ", "n3 undefined", "n4 undefined"])
  })

  it("of several connections the newer member keeps the latest, whoever dialled it", () => {
    const n3 = memberOf("n3", masterOf("n1", ["n2", "n3"]))
      .dialled(2, "n2")
      .accepted(5)
    n3.receive(5, heartbeat("n2", n3)).receive(5, heartbeat("n2", n3)).until(1000)
    expect(n3.state.mesh.links.get("n2")).toEqual([5])
  })

  it("a founding whose founder vanishes is given up when those left are too few to settle it", () => {
    const seeds = ["n1", "n2"]
    const n2 = new Transcript("n2", { seeds }).tick().dialled(1, "n1")
    n2.receive(1, joinRequest("n1", { promise: 1, promisedTo: "n1" }))
    const view: ClusterView = {
      lineage: "n1.1000",
      version: 1,
      parent: { lineage: "", version: 0 },
      ancestors: [],
      cause: "a rumour",
      members: seeds.map((nodeId) => ({
        nodeId,
        host: "127.0.0.1",
        clientPort: 0,
        clusterPort: 9000 + Number(nodeId.slice(1)),
        state: "active",
        joinVersion: 0,
        incarnation: Number(nodeId.slice(1)) * 1000
      })),
      base: {
        voters: seeds.map((nodeId) => ({ nodeId, incarnation: Number(nodeId.slice(1)) * 1000 })),
        founding: [
          { present: ["n2"], configured: 1 },
          { present: ["n1"], configured: 1 }
        ]
      }
    }
    n2.receive(1, welcome("n1", view, false, 1))
    expect(n2.joined.settled).toBe(false)
    n2.until(15_000, ["n1"])
    expect(n2.state.phase._tag).toBe("Joined")
    n2.until(17_000, ["n1"])
    expect(n2.state.phase._tag).toBe("Fresh")
  })

  it("whoever has voted waits for its turn before it claims", () => {
    const n3 = memberOf("n3", masterOf("n1", ["n2", "n3", "n4"]))
      .accepted(2)
      .accepted(4)
    const suspicion = { suspectedNodes: ["n1"] }
    const hear = (): void => {
      n3.receive(2, heartbeat("n2", n3, suspicion)).receive(4, heartbeat("n4", n3, { ...suspicion, promise: 0 }))
    }
    n3.receive(1, heartbeat("n1", n3))
    hear()
    n3.until(2000, ["n1"])
    hear()
    n3.receive(2, heartbeat("n2", n3, { ...suspicion, promise: 1, promisedTo: "n2" }))
    expect(n3.joined.promise.to).toBe("n2")
    n3.until(3750, ["n1"])
    expect(n3.text()).not.toContain("claims mastership")
  })

  it("a new master issues its table again in its term, so that a rival's does not stay with anyone", () => {
    const master = masterOf("n1", ["n2"])
    const n2 = memberOf("n2", master)
    n2.receive(1, { type: "PARTITION_TABLE_UPDATE", ...tableOf(master) })
    n2.receive(1, heartbeat("n1", n2))
    const { rows } = n2.joined.table
    n2.until(2500, ["n1"])
    expect(n2.joined.view.version).toBeGreaterThan(2 ** 32)
    expect(n2.joined.table.version).toBeGreaterThan(2 ** 32)
    expect(n2.joined.table.rows).toEqual(rows)
  })

  it("a heartbeat without extensions costs a connection neither its owner nor its extensions", () => {
    const n1 = masterOf("n1", ["n2"])
    const { incarnation: _, ...bare } = heartbeat("n2", n1)
    n1.receive(2, { type: bare.type, senderId: "n2", timestampMs: 0, membersViewVersion: 1, suspectedNodes: [] })
    expect(n1.state.mesh.links.get("n2")).toEqual([2])
    n1.text()
    expect(n1.until(1000).text()).toContain("#2 -> HEARTBEAT of n1@1000")
  })

  it("nobody can fill a report with more suspects than there are members", () => {
    const n1 = masterOf("n1", ["n2"])
    n1.receive(2, heartbeat("n2", n1, { suspectedNodes: Array.from({ length: 10_000 }, (_, i) => `s${i}`) }))
    const report = [...n1.state.peers][0]?.[1].report
    expect(report?.suspected.length).toBeLessThanOrEqual(2)
  })
})

const tableOf = (master: Transcript) => ({
  assignments: master.joined.table.rows.flatMap((row) =>
    row === undefined ? [] : [{ partitionId: row.partitionId, owner: row.owner, backups: row.backups }]
  ),
  version: master.joined.table.version,
  completedMigrations: [],
  lineage: master.joined.view.lineage,
  viewVersion: master.joined.view.version
})
