/** The answer to this node's request to join: a view, a better address, or a refusal. */
import { Option } from "effect"
import { compareAge } from "../model/MembersView.ts"
import type { Voter } from "../wire/Extensions.ts"
import type { JoinResponsePayload } from "../wire/MembershipMessages.ts"
import { adopt, dissolve } from "./Adoption.ts"
import * as Bootstrap from "./Bootstrap.ts"
import { type Fresh, isActing } from "./ClusterState.ts"
import { type ClusterView, fromWire, isReference, masterByAge, masterIn, memberAs } from "./ClusterView.ts"
import * as Following from "./Following.ts"
import * as Heartbeat from "./Heartbeat.ts"
import { foundingLineage } from "./Joining.ts"
import * as Mesh from "./Mesh.ts"
import type { ConnectionId } from "./MeshState.ts"
import * as TableSharing from "./TableSharing.ts"
import { baseQuorum } from "./Quorum.ts"
import * as Suspicion from "./Suspicion.ts"
import type { Step } from "./Transition.ts"

export type JoinAnswerOutcome =
  | "joined"
  | "redirected"
  | "learned"
  | "refused"
  | "unasked"
  | "notForThisProcess"
  | "otherFounding"
  | "outdated"
  | Following.FollowOutcome

export const receive = (
  step: Step,
  from: string,
  response: JoinResponsePayload,
  connection: ConnectionId
): JoinAnswerOutcome => {
  const fresh = step.fresh
  if (from === step.self.nodeId && response.incarnation === step.self.incarnation) {
    // One of our seeds is this node itself.
    Bootstrap.dropSelfSeed(step, Mesh.connectionOf(step, connection)?.dialled)
    Mesh.close(step, connection, "this node has dialled itself")
    return "learned"
  }
  // A view that nobody asked for must not replace the one this node holds.
  if (fresh === undefined) return Following.rejoined(step, from, response, connection)
  const members = Option.getOrUndefined(response.membersView)
  if (response.accepted && members !== undefined && response.lineage === undefined) {
    return Following.follow(step, fresh, from, members, response.partitionAssignments, connection)
  }
  if (response.accepted && members !== undefined) {
    const { view, settled } = fromWire({ ...response, view: members })
    return join(step, fresh, from, response, view, settled)
  }
  if (members !== undefined) {
    // A member that is not master answers with its view: go straight to the master.
    const master = masterIn(members)
    if (master === undefined || master.nodeId === from) return "learned"
    step.setFresh({ refusal: undefined })
    const asked = Mesh.connectionOf(step, connection)?.dialled
    const isReferred = asked !== undefined && step.state.config.seedAddresses.includes(asked)
    Bootstrap.aim(step, Mesh.addressOf(master), isReferred)
    return "redirected"
  }
  Bootstrap.resolveSeed(step, Mesh.connectionOf(step, connection)?.dialled, from)
  Bootstrap.learnAddresses(step, response.known ?? [])
  const code = Option.getOrUndefined(response.rejectCode)
  if (code === "NOT_MASTER_YET") return "learned"
  return refuse(step, from, response)
}

const join = (
  step: Step,
  fresh: Fresh,
  from: string,
  response: JoinResponsePayload,
  view: ClusterView,
  settled: boolean
): JoinAnswerOutcome => {
  if (memberAs(view, step.self) === undefined) return "notForThisProcess"
  if (view.version < step.state.lastVersion) return "outdated"
  const founder = view.members.find(
    (member) => foundingLineage(member.nodeId, member.incarnation ?? 0) === view.lineage
  )
  // An unsettled founding is adopted only if it is this node's current promise.
  const isPromised = fresh.promise.to === from && founder?.nodeId === from && response.promise === fresh.promise.term
  if (!settled && view.base.founding !== undefined && !isPromised) return "otherFounding"
  adopt(step, view, settled)
  step.setJoined({ foundingRound: view.base.founding === undefined ? 0 : (response.promise ?? 0) })
  TableSharing.acceptWelcome(step, response.partitionAssignments)
  step.note(`joined ${from}'s cluster of ${view.members.length}`)
  dialOlder(step)
  Heartbeat.broadcast(step)
  return "joined"
}

/** The newer member dials the older, and everyone whom it misses: called when members become known, and at every tick. */
export const dialOlder = (step: Step): void => {
  const joined = step.joined
  const self = joined === undefined ? undefined : memberAs(joined.view, step.self)
  if (joined === undefined || self === undefined) return
  // As a rule everyone is linked, and there is nothing to do.
  const { mesh } = step.state
  if (mesh.dials.size === 0 && !Mesh.missesSomeone(mesh, joined.view.members, step.self.nodeId)) return
  const master = masterByAge(joined.view)
  const acting = isActing(step.state, joined)
  const wanted = new Set<string>()
  const mayForget = Mesh.hasIdleDials(mesh)
  for (const member of joined.view.members) {
    if (member.nodeId === step.self.nodeId || member.state === "dead") continue
    if (!mayForget && Mesh.isLinked(step, member.nodeId)) continue
    const lost = step.state.mesh.lost.get(member.nodeId)
    const justLost = lost !== undefined && step.nowMs - lost.atMs < step.timing.proofMs
    // Views may differ on who is older, so whoever misses a member dials it as well.
    // Nodes of the reference are connected to the master alone, and dial nobody.
    if (isReference(member) && !acting) continue
    const isMissed =
      justLost || isReference(member) || member.nodeId === master?.nodeId || joined.suspected.includes(member.nodeId)
    if (compareAge(member, self) > 0 && !isMissed) continue
    const address = Mesh.addressOf(member)
    wanted.add(address)
    if (Mesh.isLinked(step, member.nodeId) || Mesh.isDialled(step, address)) continue
    if (Mesh.residentAt(joined.view, address) === member) Mesh.dial(step, address, member.nodeId)
  }
  if (mayForget) Mesh.keepDials(step, wanted)
}

const refuse = (step: Step, from: string, response: JoinResponsePayload): JoinAnswerOutcome => {
  const fresh = step.fresh
  if (fresh === undefined) return "unasked"
  const reason = Option.getOrElse(response.rejectReason, () => "no reason given")
  const code = Option.getOrUndefined(response.rejectCode)
  if (code === undefined) {
    // It may pass: an old process of this id may not have been noticed dead yet.
    if (fresh.refusal === undefined) step.note(`${from} refuses this node: ${reason}`, "warn")
    step.setFresh({
      refusal: { reason, by: from, sinceMs: fresh.refusal?.sinceMs ?? step.nowMs, lastMs: step.nowMs },
      liveClusterAtMs: step.nowMs
    })
    return "refused"
  }
  step.run({ _tag: "Stop", reason: { _tag: "JoinRefused", code, reason, by: from } })
  return "refused"
}

/**
 * The founder of a view that does not settle takes it back. Those who adopted it never do while it may have
 * settled: only when those that they hear, after a suspicion has had its time, are too few to settle it.
 */
export const dissolveFailedFounding = (step: Step): boolean => {
  const joined = step.joined
  if (joined === undefined || joined.settled || joined.view.base.founding === undefined) return false
  const ageMs = step.nowMs - joined.viewAtMs
  const patienceMs = step.timing.foundingDissolveMs + (joined.founder ? 0 : step.state.config.suspicionTimeoutMs)
  if (ageMs <= patienceMs) return false
  // With a quorum it may have settled where this node does not see it: only proof ends it, see `dissolveIfLost`.
  if (!joined.founder && !step.state.policy.forks) return false
  const isHeard = (voter: Voter) => Suspicion.isHeard(step, joined, voter)
  if (!joined.founder && baseQuorum(step.state.policy, joined.view.base, isHeard)) return false
  dissolve(step, "too few founders took this view", undefined, [])
  return true
}
