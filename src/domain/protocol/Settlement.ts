/**
 * How the acting master's view becomes everyone's: it adopts first, sends to members and base voters,
 * counts acknowledgements, and declares.
 *
 * Settled means: a quorum of the view and of its base, each voter by (id, incarnation) reporting
 * exactly this version with a promise no higher than its term. Counting "this version or higher"
 * would let acknowledgements of a superseding view settle the superseded one.
 */
import { Option } from "effect"
import type { MemberInfo } from "../model/MemberInfo.ts"
import type { Lineage } from "../model/Scalars.ts"
import { ClusterPartitionTable } from "../placement/ClusterPartitionTable.ts"
import type { ViewBase, Voter } from "../wire/Extensions.ts"
import type { ClusterMessage, ClusterMessageOf } from "../wire/ClusterMessage.ts"
import { maxCauseLength } from "./Bounds.ts"
import { adopt, markSettled } from "./Adoption.ts"
import { type ClusterState, isActing, type Joined, type QueuedJoin, selfMember } from "./ClusterState.ts"
import {
  ancestorsFor,
  type ClusterView,
  incarnationOf,
  isBaseVoter,
  isReference,
  memberAs,
  memberOf,
  toVoter,
  toWire,
  votersOf
} from "./ClusterView.ts"
import * as Heartbeat from "./Heartbeat.ts"
import * as Mesh from "./Mesh.ts"
import { reportOf } from "./Peers.ts"
import { baseQuorum, type Has } from "./Quorum.ts"
import { isGone } from "./Suspicion.ts"
import { planForView, tableUpdate } from "./TableSharing.ts"
import type { Step } from "./Transition.ts"
import { termOf } from "./Version.ts"

export const membersUpdate = (joined: Joined): ClusterMessageOf<"MEMBERS_UPDATE"> => ({
  type: "MEMBERS_UPDATE",
  clusterTimeMs: 0,
  ...toWire(joined.view, joined.settled)
})

/** The answer to an admitted node: the view and the table; `promise` names the founding that it belongs to. */
export const welcome = (step: Step, joined: Joined, promise?: number): ClusterMessageOf<"JOIN_RESPONSE"> => {
  const { view, ...extensions } = toWire(joined.view, joined.settled)
  return {
    type: "JOIN_RESPONSE",
    accepted: true,
    rejectReason: Option.none(),
    rejectCode: Option.none(),
    responderNodeId: Option.some(step.self.nodeId),
    membersView: Option.some(view),
    partitionAssignments: Option.some(ClusterPartitionTable.assignments(joined.table)),
    ...extensions,
    incarnation: step.self.incarnation,
    ...(promise === undefined ? {} : { promise })
  }
}

/** A member that has been admitted and has not spoken since, or that has yet to be told. */
export const isAwaited = (state: ClusterState, joined: Joined, member: MemberInfo): boolean =>
  (member.state === "joining" && reportOf(state, joined, toVoter(member)) === undefined) ||
  joined.unwelcomed.has(member.nodeId)

const welcomeAwaited = (step: Step, joined: Joined): void => {
  for (const member of joined.view.members) {
    if (!isReference(member) && isAwaited(step.state, joined, member))
      Mesh.sendTo(step, member.nodeId, welcome(step, joined))
  }
  welcomeReferences(step)
}

// They keep the table of their welcome for ever, so it must be the one that counts them in.
const welcomeReferences = (step: Step): void => {
  if ((step.joined?.unwelcomed.size ?? 0) === 0) return
  if (step.nowMs < step.state.holdUntilMs) return
  planForView(step)
  const joined = step.joined
  if (joined === undefined) return
  for (const nodeId of joined.unwelcomed) {
    Mesh.sendTo(step, nodeId, welcome(step, joined))
    Mesh.sendTo(step, nodeId, tableUpdate(joined))
  }
  step.setJoined({ unwelcomed: new Set() })
}

/** Do these voters form a quorum of the view, and of its base unless the view is settled? */
export const isJoint = (step: Step, joined: Joined, has: Has): boolean =>
  step.state.policy.quorum(votersOf(joined.view.members), has) &&
  (joined.settled || baseQuorum(step.state.policy, joined.view.base, has))

const acknowledges = (step: Step, joined: Joined, voter: Voter): boolean => {
  if (voter.nodeId === step.self.nodeId) return voter.incarnation === step.self.incarnation
  const report = reportOf(step.state, joined, voter)
  return (
    report !== undefined &&
    report.votes &&
    report.version === joined.view.version &&
    report.promise.term <= termOf(joined.view.version)
  )
}

// Whoever is declared dead must still be gone now: old acknowledgements may settle a view long after a thaw.
const deadAreStillGone = (step: Step, joined: Joined): boolean =>
  joined.view.members.every(
    (member) =>
      member.state !== "dead" ||
      member.nodeId === step.self.nodeId ||
      joined.inheritedDead.has(member.nodeId) ||
      !isBaseVoter(joined.view, toVoter(member)) ||
      isGone(step, joined, toVoter(member))
  )

/** Declares the view when it is agreed. Only the master of its term may. Returns whether it did. */
export const trySettle = (step: Step): boolean => {
  const joined = step.joined
  if (joined === undefined || joined.settled || !isActing(step.state, joined)) return false
  if (step.nowMs < step.state.holdUntilMs) return false
  if (!deadAreStillGone(step, joined) || !isJoint(step, joined, (voter) => acknowledges(step, joined, voter)))
    return false
  markSettled(step)
  return true
}

const tell = (step: Step, joined: Joined, message: ClusterMessage): void => {
  for (const nodeId of Heartbeat.contacts(step, joined)) {
    const member = memberOf(joined.view, nodeId)
    // Nodes of the reference take every view for settled.
    const waits =
      member !== undefined && (isAwaited(step.state, joined, member) || (isReference(member) && !joined.settled))
    if (!waits) Mesh.sendTo(step, nodeId, message)
  }
}

const tellReferences = (step: Step, joined: Joined): void => {
  for (const member of joined.view.members) {
    if (isReference(member) && member.state !== "dead" && !isAwaited(step.state, joined, member)) {
      Mesh.sendTo(step, member.nodeId, membersUpdate(joined))
    }
  }
}

// Base voters that the settled view leaves out learn it from the view itself.
const tellDeparted = (step: Step, joined: Joined): void => {
  for (const voter of joined.view.base.voters) {
    const member = memberAs(joined.view, voter)
    if ((member === undefined || member.state === "dead") && voter.nodeId !== step.self.nodeId) {
      Mesh.sendTo(step, voter.nodeId, membersUpdate(joined))
    }
  }
}

/** Tells of a view that has just been declared: those who hold it by a heartbeat, those who left it by the view. */
export const announceSettled = (step: Step): void => {
  const joined = step.joined
  if (joined === undefined || !joined.settled) return
  Heartbeat.broadcast(step)
  tellReferences(step, joined)
  welcomeAwaited(step, joined)
  tellDeparted(step, joined)
}

/** Sends the view again to those who have not acknowledged it, and the welcome to those who have not spoken. */
export const resend = (step: Step): void => {
  const joined = step.joined
  if (joined === undefined) return
  step.setJoined({ sentAtMs: step.nowMs })
  if (joined.settled) return welcomeAwaited(step, joined)
  const founding = joined.view.base.founding !== undefined
  for (const nodeId of Heartbeat.contacts(step, joined)) {
    const member = memberOf(joined.view, nodeId)
    if (member !== undefined && isReference(member)) continue
    const voter =
      member === undefined ? joined.view.base.voters.find((base) => base.nodeId === nodeId) : toVoter(member)
    const report = voter === undefined ? undefined : reportOf(step.state, joined, voter)
    if (report !== undefined && report.version < joined.view.version) {
      Mesh.sendTo(step, nodeId, membersUpdate(joined))
    } else if (report === undefined && founding) {
      Mesh.sendTo(step, nodeId, welcome(step, joined, joined.foundingRound))
    }
  }
}

/** What a proposal changes besides the members. */
interface Fork {
  /** It starts a lineage of its own. */
  readonly lineage?: Lineage
  /** Who is asked instead of the voters before. */
  readonly base?: ViewBase
}

/**
 * Proposes a view with these members: adopts it, settles it when nobody else is needed, and sends it.
 * A proposal made from an unsettled view keeps that view's base.
 */
export const propose = (
  step: Step,
  members: ReadonlyArray<MemberInfo>,
  version: number,
  cause: string,
  { base, lineage }: Fork = {}
): void => {
  const joined = step.joined
  if (joined === undefined) return
  const from = joined.view
  const view: ClusterView = {
    lineage: lineage ?? from.lineage,
    version,
    parent: { lineage: from.lineage, version: from.version },
    ancestors: ancestorsFor(from, lineage ?? from.lineage),
    members,
    base: base ?? (joined.settled ? { voters: votersOf(from.members) } : from.base),
    cause: cause.slice(0, maxCauseLength).toWellFormed()
  }
  const self = selfMember(step.state, joined)
  adopt(step, view, false, true)
  const term = termOf(version)
  step.setJoined({ promise: { term, to: step.self.nodeId }, ownTerm: term })
  const adopted = step.joined
  if (adopted === undefined) return
  const admitted = new Map(members.map((member) => [member.nodeId, incarnationOf(member)]))
  const isAdmitted = (id: string, join: QueuedJoin): boolean =>
    admitted.get(id) === join.voter.incarnation &&
    (join.voter.incarnation !== 0 || memberOf(view, id)?.joinVersion === version)
  const isGuest = ([id, join]: readonly [string, QueuedJoin]) => join.voter.incarnation === 0 && isAdmitted(id, join)
  step.setJoined({
    joins: new Map([...adopted.joins].filter(([id, join]) => !isAdmitted(id, join))),
    unwelcomed: new Set([...adopted.unwelcomed, ...[...adopted.joins].filter(isGuest).map(([id]) => id)]),
    leaves: new Map([...adopted.leaves].filter(([id]) => admitted.has(id))),
    selfBeforeLeave: self !== undefined && !admitted.has(self.nodeId) ? toVoter(self) : adopted.selfBeforeLeave
  })
  const settled = trySettle(step)
  const proposed = step.joined
  if (proposed === undefined) return
  step.note(`view ${version} ${settled ? "settled" : "proposed"}: ${cause}`)
  tell(step, proposed, membersUpdate(proposed))
  if (settled) {
    welcomeAwaited(step, proposed)
    tellDeparted(step, proposed)
  }
}
