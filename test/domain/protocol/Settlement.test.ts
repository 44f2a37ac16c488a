/** What settles a view and what does not, rule by rule: the small print of joint quorums. */
import { Option } from "effect"
import { describe, expect, it } from "vitest"
import { majority } from "../../../src/domain/protocol/Quorum.ts"
import { type ClusterView, toWire } from "../../../src/domain/protocol/ClusterView.ts"
import { nextVersion } from "../../../src/domain/protocol/Version.ts"
import { heartbeat, joinRequest, masterOf, Transcript, welcome } from "./Transcript.ts"

/** The settled master n1 of n1, n2, n3 under `majority`. */
const settledMaster = (): Transcript => {
  const n1 = masterOf("n1", ["n2", "n3"], { policy: majority })
  for (let i = 0; i < 2; i++) n1.receive(2, heartbeat("n2", n1)).receive(3, heartbeat("n3", n1))
  expect(n1.joined.settled).toBe(true)
  n1.text()
  return n1
}

const votersOfBase = (node: Transcript): ReadonlyArray<string> =>
  node.joined.view.base.voters.map(({ nodeId }) => nodeId)

describe("settling", () => {
  it("the base of a view that supersedes an unsettled one is the base of that one", () => {
    const n1 = settledMaster()
    n1.receive(3, { type: "LEAVE_REQUEST", nodeId: "n3", reason: Option.some("shutdown"), incarnation: 3000 })
    const proposed = n1.joined.view
    expect(proposed.members.map(({ nodeId }) => nodeId)).toEqual(["n1", "n2"])
    // n2 does not acknowledge; another joins meanwhile, and the next view is made from the one that nobody settled.
    n1.accepted(4).receive(4, joinRequest("n4"))
    for (let atMs = 500; n1.joined.view.version === proposed.version && atMs < 10_000; atMs += 500) n1.until(atMs)
    expect(n1.joined.view.version).toBeGreaterThan(proposed.version)
    expect(votersOfBase(n1)).toEqual(["n1", "n2", "n3"])
  })

  it("an acknowledgement of a later view does not settle the one before", () => {
    const n1 = settledMaster()
    n1.accepted(4).receive(4, joinRequest("n4"))
    n1.receive(2, heartbeat("n2", n1, { membersViewVersion: n1.joined.view.version + 1 }))
    expect(n1.joined.settled).toBe(false)
    n1.receive(3, heartbeat("n3", n1))
    expect(n1.joined.settled).toBe(true)
  })

  it("whoever is put out does not settle its own removal by acknowledging it", () => {
    // Of {n1, n2} the oldest alone is a quorum, and with n3 there are two of the three voters of the base.
    const n1 = settledMaster()
    const stateOfN3 = () => n1.joined.view.members.find(({ nodeId }) => nodeId === "n3")?.state
    for (let atMs = 1000; stateOfN3() !== "dead" && atMs < 20_000; atMs += 250) {
      n1.until(atMs, ["n3"])
      if (stateOfN3() !== "dead") n1.receive(2, heartbeat("n2", n1, { suspectedNodes: ["n3"] }))
    }
    expect([stateOfN3(), n1.joined.settled]).toEqual(["dead", false])
    n1.receive(3, heartbeat("n3", n1))
    expect(n1.joined.settled).toBe(false)
  })

  it("who has promised a later term does not acknowledge by holding the view", () => {
    const n1 = settledMaster()
    n1.accepted(4).receive(4, joinRequest("n4"))
    expect(n1.joined.settled).toBe(false)
    n1.receive(2, heartbeat("n2", n1, { promise: n1.joined.promise.term + 1, promisedTo: "n2" }))
    expect(n1.joined.settled).toBe(false)
  })

  it("a follower that sees all acknowledgements does not declare: only the master of the term does", () => {
    const n1 = settledMaster()
    const n2 = new Transcript("n2", { policy: majority, seeds: ["n1"] }).tick().dialled(1, "n1")
    n2.receive(1, welcome("n1", n1.joined.view)).accepted(3)
    n1.accepted(4).receive(4, joinRequest("n4"))
    n2.receive(1, { type: "MEMBERS_UPDATE", clusterTimeMs: 0, ...toWire(n1.joined.view, false) })
    for (let i = 0; i < 2; i++) {
      n2.receive(1, heartbeat("n1", n2, { promisedTo: "n1" }))
        .receive(3, heartbeat("n3", n2))
        .until(1000 * (i + 1))
    }
    expect(n2.joined.view.version).toBe(n1.joined.view.version)
    expect(n2.joined.settled).toBe(false)
    expect(n2.text()).not.toMatch(/note: view \d+ settled/)
  })
})

/** A view of another lineage that lists the same members. */
const foreign = (view: ClusterView): ClusterView => ({
  ...view,
  lineage: "n9.9000",
  version: nextVersion(view.version, 7),
  parent: { lineage: "n9.9000", version: view.version },
  ancestors: []
})

describe("views of others", () => {
  it("one of a foreign lineage is not taken, however high its version", () => {
    const n1 = settledMaster()
    const { view } = n1.joined
    n1.receive(2, { type: "MEMBERS_UPDATE", clusterTimeMs: 0, ...toWire(foreign(view), true) })
    expect(n1.joined.view).toBe(view)
  })

  it("who sends an older one is sent ours", () => {
    const n1 = settledMaster()
    const older = { ...n1.joined.view, version: n1.joined.view.version - 1 }
    n1.receive(2, { type: "MEMBERS_UPDATE", clusterTimeMs: 0, ...toWire(older, true) })
    expect(n1.text()).toMatch(new RegExp(`#2 -> MEMBERS_UPDATE view ${n1.joined.view.version} `))
  })
})
