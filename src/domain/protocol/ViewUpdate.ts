/** A view arrives: take it, offer a newer one, or learn that this process is out of it. */
import type { NodeId } from "../model/Scalars.ts"
import type { MembersUpdatePayload } from "../wire/MembershipMessages.ts"
import { adopt, dissolve, markSettled } from "./Adoption.ts"
import { isActing, type Joined } from "./ClusterState.ts"
import {
  type ClusterView,
  fromWire,
  isBaseVoter,
  isVoter,
  masterByAge,
  memberAs,
  relate,
  votersOf
} from "./ClusterView.ts"
import * as Duties from "./Duties.ts"
import * as Heartbeat from "./Heartbeat.ts"
import * as Mesh from "./Mesh.ts"
import { membersUpdate } from "./Settlement.ts"
import type { Step } from "./Transition.ts"

export type ViewOutcome = "adopted" | "settled" | "known" | "older" | "foreignLineage" | "expelled" | "notJoined"

// What a node of the reference has counted by itself since is no history: who goes on without it is followed.
const continues = (joined: Joined, view: ClusterView): boolean =>
  relate(view, { lineage: joined.view.lineage, version: joined.view.version }) === "older" ||
  (joined.view.ledBy !== undefined && view.ancestors.some(({ lineage }) => lineage === joined.view.lineage))

/** What a node does with a view that `from` sends it. */
export const receive = (
  step: Step,
  from: NodeId,
  payload: Omit<MembersUpdatePayload, "clusterTimeMs">
): ViewOutcome => {
  const joined = step.joined
  if (joined === undefined) return "notJoined"
  const { view, settled } = fromWire(payload)
  const mine = { lineage: joined.view.lineage, version: joined.view.version }
  // A view that continues ours, in our lineage or in one that forked from it after our version.
  const isNewer = view.version > mine.version && continues(joined, view)
  if (!isNewer) {
    switch (relate(joined.view, { lineage: view.lineage, version: view.version })) {
      case "same":
        if (settled && !joined.settled) {
          markSettled(step)
          if (expelIfOut(step)) return "expelled"
          Duties.run(step)
          return "settled"
        }
        Heartbeat.beatTo(step, from)
        return "known"
      case "older":
        Mesh.sendTo(step, from, membersUpdate(joined))
        return "older"
      case "newer":
      case "foreign":
        return "foreignLineage"
    }
  }
  const self = memberAs(view, step.self)
  // Its base is not asked, so who is not in it has no part in it.
  const isLeftOut = joined.view.ledBy !== undefined && self === undefined
  if (isLeftOut) {
    const master = masterByAge(view)
    dissolve(
      step,
      "the view that goes on does not list this process",
      master && Mesh.addressOf(master),
      votersOf(view.members)
    )
    return "expelled"
  }
  if (settled && (self === undefined || self.state === "dead")) {
    step.set({ lastVersion: Math.max(step.state.lastVersion, view.version) })
    const master = masterByAge(view)
    dissolve(
      step,
      self === undefined ? "a settled view does not list this process" : "a settled view lists this process as dead",
      master === undefined ? undefined : Mesh.addressOf(master),
      votersOf(view.members)
    )
    return "expelled"
  }
  adopt(step, view, settled)
  Heartbeat.beatTo(step, from)
  const master = masterByAge(view)
  if (master !== undefined && master.nodeId !== from && master.nodeId !== step.self.nodeId) {
    Heartbeat.beatTo(step, master.nodeId)
  }
  return "adopted"
}

/** Out of a settled view, whose settling this node learns only now: rejoin. A leaving master waits for its successors. */
export const expelIfOut = (step: Step): boolean => {
  const joined = step.joined
  if (joined === undefined || !joined.settled) return false
  const self = memberAs(joined.view, step.self)
  if (self !== undefined && self.state !== "dead") return false
  if (step.state.leavingSinceMs !== undefined && isActing(step.state, joined)) return false
  const master = masterByAge(joined.view)
  dissolve(
    step,
    "out of the settled view",
    master === undefined ? undefined : Mesh.addressOf(master),
    votersOf(joined.view.members)
  )
  return true
}

/**
 * A process whose vote its view does not count (joining, or dead in a view that is not settled) waits for a
 * master to go on. When that master is gone, nobody else will: it drops the view and asks again.
 */
export const dissolveIfStranded = (step: Step): boolean => {
  const joined = step.joined
  if (joined === undefined || step.state.leavingSinceMs !== undefined) return false
  const self = memberAs(joined.view, step.self)
  if (self !== undefined && isVoter(self)) return false
  // Its vote is still needed where settling takes a quorum.
  if (!step.state.policy.forks && !joined.settled && isBaseVoter(joined.view, step.self)) return false
  if (step.nowMs - joined.viewAtMs <= step.timing.strandedMs) return false
  dissolve(step, "its master went before it was made active", undefined, [])
  return true
}
