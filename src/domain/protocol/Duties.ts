/**
 * What the acting master does: settle its view, send it again, and plan the next one from joins,
 * leaves and suspicions. It proposes only what the voters that it hears can settle.
 */
import type { MemberInfo } from "../model/MemberInfo.ts"
import { isActing, type Joined, type QueuedJoin, selfMember } from "./ClusterState.ts"
import {
  incarnationOf,
  isBaseVoter,
  isReference,
  isVoter,
  maySuspect,
  memberOf,
  toVoter,
  votersOf
} from "./ClusterView.ts"
import { maxEagerMembers, recountStep } from "./Bounds.ts"
import * as Draining from "./Draining.ts"
import { claim } from "./Mastership.ts"
import { isLinked } from "./Mesh.ts"
import * as Migrating from "./Migrating.ts"
import { freshReportOf, isProvenDead, reportOf } from "./Peers.ts"
import { baseQuorum, type Has } from "./Quorum.ts"
import { announceSettled, propose, resend, trySettle } from "./Settlement.ts"
import { doubted, isGone, isHeard, isSuspect } from "./Suspicion.ts"
import { planForView } from "./TableSharing.ts"
import type { Step } from "./Transition.ts"
import { nextVersion, termOf } from "./Version.ts"

const joiningMember = (nodeId: string, join: QueuedJoin, joinVersion: number): MemberInfo => ({
  nodeId,
  host: join.host,
  clientPort: join.clientPort,
  clusterPort: join.clusterPort,
  // A node of the reference has no state between: its first heartbeat says nothing that could be waited for.
  state: join.voter.incarnation === 0 ? "active" : "joining",
  joinVersion,
  ...(join.voter.incarnation === 0 ? {} : { incarnation: join.voter.incarnation }),
  ...(join.zone === undefined ? {} : { zone: join.zone }),
  ...(join.carriesData ? { carriesData: true } : {})
})

const recounted = "nodes of the reference have counted on by themselves"

interface Plan {
  readonly members: ReadonlyArray<MemberInfo>
  /** Why each change is made; empty when nothing changes. */
  readonly causes: ReadonlyArray<string>
  readonly suspectSince: ReadonlyMap<string, number>
  readonly deadSince: ReadonlyMap<string, number>
}

// Above what nodes of the reference count by themselves, or they would not take it; and by a step that none of them
// makes up by its own count, or a view of theirs could pass for ours.
const nextOf = (joined: Joined): number => {
  const last = Math.max(joined.view.version, joined.recountAbove)
  return nextVersion(joined.view.members.some(isReference) ? last + recountStep - 1 : last)
}

/** The next view as the acting master sees it. `withLeaves` false: as if nobody had asked to leave. */
const plan = (step: Step, joined: Joined, withLeaves: boolean): Plan => {
  const { nowMs, self, timing } = step
  const { config } = step.state
  const joinVersion = nextOf(joined)
  const doubtedIds = doubted(step, joined)
  const suspectSince = new Map(joined.suspectSince)
  const deadSince = new Map(joined.deadSince)
  const causes: Array<string> = []
  const members: Array<MemberInfo> = []
  const since = (times: Map<string, number>, nodeId: string): number => {
    const known = times.get(nodeId) ?? nowMs
    times.set(nodeId, known)
    return known
  }

  const keepJoining = (member: MemberInfo): void => {
    const report = reportOf(step.state, joined, toVoter(member))
    const silent = joined.suspected.includes(member.nodeId)
    if (report?.version === joined.view.version && joined.settled && !silent) {
      causes.push(`${member.nodeId} is active`)
      members.push({ ...member, state: "active" })
    } else if (silent && nowMs - since(suspectSince, member.nodeId) > timing.joinerDropMs) {
      causes.push(`${member.nodeId} joined and fell silent`)
    } else {
      if (!silent) suspectSince.delete(member.nodeId)
      members.push(member)
    }
  }

  // A death that another master declared may have settled without this one knowing it: only its own is taken back.
  const mayComeBack = (member: MemberInfo): boolean =>
    !joined.settled && !joined.inheritedDead.has(member.nodeId) && isBaseVoter(joined.view, toVoter(member))

  const keepDead = (member: MemberInfo): void => {
    if (mayComeBack(member) && !isGone(step, joined, toVoter(member))) {
      suspectSince.delete(member.nodeId)
      causes.push(`${member.nodeId} came back`)
      members.push({ ...member, state: "suspect" })
    } else if (isReference(member) && isHeard(step, joined, toVoter(member))) {
      suspectSince.delete(member.nodeId)
      deadSince.delete(member.nodeId)
      causes.push(`${member.nodeId} came back`)
      // A claim made since has not made it younger than the master: the oldest would take itself for master.
      members.push({ ...member, state: "active", joinVersion })
    } else if (joined.settled && nowMs - since(deadSince, member.nodeId) > timing.deadForgetMs) {
      causes.push(`${member.nodeId} is removed`)
    } else members.push(member)
  }

  const keepVoter = (member: MemberInfo): void => {
    deadSince.delete(member.nodeId)
    if (!doubtedIds.has(member.nodeId) || !isSuspect(step, joined, member)) {
      suspectSince.delete(member.nodeId)
      if (member.state === "suspect") causes.push(`${member.nodeId} is heard again`)
      members.push(member.state === "suspect" ? { ...member, state: "active" } : member)
      return
    }
    // Only the master is connected to a node of the reference.
    const gone = isReference(member) ? joined.suspected.includes(member.nodeId) : isGone(step, joined, toVoter(member))
    if (!gone) suspectSince.delete(member.nodeId)
    const silentMs = gone ? nowMs - since(suspectSince, member.nodeId) : 0
    if (gone && (isProvenDead(step.state, member) || silentMs > config.suspicionTimeoutMs)) {
      suspectSince.delete(member.nodeId)
      causes.push(`${member.nodeId} is dead (${isProvenDead(step.state, member) ? "proven" : "suspected too long"})`)
      members.push({ ...member, state: "dead" })
    } else if (member.state === "active" && maySuspect(member)) {
      causes.push(`${member.nodeId} is suspect`)
      members.push({ ...member, state: "suspect" })
    } else members.push(member)
  }

  const goes = (member: MemberInfo): boolean =>
    withLeaves &&
    joined.leaves.get(member.nodeId)?.incarnation === incarnationOf(member) &&
    !Draining.isKept(step, joined, member)

  for (const member of joined.view.members) {
    // Whoever asks under this node's own id did so while its leave was proposed: that may not settle.
    const rejoin = member.nodeId === self.nodeId ? undefined : joined.joins.get(member.nodeId)
    if (rejoin !== undefined && (rejoin.voter.incarnation !== incarnationOf(member) || isReference(member))) {
      causes.push(`${member.nodeId} rejoins`)
      members.push(joiningMember(member.nodeId, rejoin, joinVersion))
      suspectSince.delete(member.nodeId)
      deadSince.delete(member.nodeId)
    } else if (member.nodeId === self.nodeId) {
      // Of those who go at the same time the master goes last: a view needs somebody to settle it.
      const isLast = !joined.view.members.some((one) => isVoter(one) && one.nodeId !== self.nodeId && !goes(one))
      const asks = withLeaves && step.state.leavingSinceMs !== undefined && !isLast
      if (asks && !Draining.isKept(step, joined, member)) causes.push(`${member.nodeId} leaves`)
      else members.push(member)
    } else if (goes(member)) {
      causes.push(`${member.nodeId} leaves`)
    } else if (member.state === "joining") keepJoining(member)
    else if (member.state === "dead") keepDead(member)
    else keepVoter(member)
  }
  for (const [nodeId, join] of joined.joins) {
    if (memberOf(joined.view, nodeId) === undefined) {
      causes.push(`${nodeId} joins`)
      members.push(joiningMember(nodeId, join, joinVersion))
    }
  }
  const isRecountDue =
    joined.recountAbove >= joined.view.version && nowMs - joined.recountedAtMs > config.splitBrainCheckIntervalMs
  if (isRecountDue) causes.push(recounted)
  return { members, causes, suspectSince, deadSince }
}

// A leave that cannot settle is superseded with the leavers back in: itself active, others as leaving.
const withLeaversBack = (step: Step, joined: Joined, planned: Plan): Plan => {
  if (joined.settled) return planned
  const joinVersion = nextOf(joined)
  const members = [...planned.members]
  const causes = [...planned.causes]
  for (const voter of joined.view.base.voters) {
    if (memberOf(joined.view, voter.nodeId) !== undefined || voter.nodeId === step.self.nodeId) continue
    const left = step.state.published.members.find((member) => member.nodeId === voter.nodeId)
    if (left === undefined || freshReportOf(step, joined, voter) === undefined) continue
    members.push({ ...left, state: "leaving", joinVersion })
    causes.push(`the leave of ${voter.nodeId} cannot settle`)
  }
  return { ...planned, members, causes }
}

const selfBack = (step: Step, joined: Joined): Plan | undefined => {
  const before = step.state.published.members.find(
    (member) => member.nodeId === step.self.nodeId && incarnationOf(member) === step.self.incarnation
  )
  return joined.selfBeforeLeave === undefined || before === undefined
    ? undefined
    : {
        members: [...joined.view.members, { ...before, state: "active" }],
        causes: ["the master's own leave did not settle"],
        suspectSince: joined.suspectSince,
        deadSince: joined.deadSince
      }
}

const proposeNext = (step: Step, joined: Joined): void => {
  const heard: Has = (voter) => voter.nodeId === step.self.nodeId || !joined.suspected.includes(voter.nodeId)
  const { policy } = step.state
  const base = joined.settled ? { voters: votersOf(joined.view.members) } : joined.view.base
  const gone = selfMember(step.state, joined) === undefined
  const plans = gone
    ? [() => selfBack(step, joined)]
    : [() => plan(step, joined, true), () => withLeaversBack(step, joined, plan(step, joined, false))]
  for (const make of plans) {
    const next = make()
    if (next === undefined) return
    step.setJoined({ suspectSince: next.suspectSince, deadSince: next.deadSince })
    if (next.causes.length === 0) return
    const voters = votersOf(next.members)
    if (voters.length === 0 || !policy.quorum(voters, heard) || !baseQuorum(policy, base, heard)) continue
    if (next.causes.includes(recounted)) step.setJoined({ recountedAtMs: step.nowMs })
    propose(step, next.members, nextOf(joined), next.causes.join(", "))
    return
  }
}

/** Settles, resends and plans; does nothing on a node that does not act as master. */
export const run = (step: Step): void => {
  let joined = step.joined
  if (joined === undefined || !isActing(step.state, joined) || joined.claimedAtMs !== undefined) return
  if (trySettle(step)) announceSettled(step)
  joined = step.joined
  if (joined === undefined) return
  const resendAfterMs = joined.settled ? 2 * step.timing.resendMs : step.timing.resendMs
  if (step.nowMs - joined.sentAtMs > resendAfterMs) resend(step)
  joined = step.joined
  if (joined === undefined || step.nowMs < step.state.holdUntilMs) return
  const unsettledFounding = !joined.settled && joined.view.base.founding !== undefined
  if (unsettledFounding || (!joined.settled && step.nowMs - joined.viewAtMs < step.timing.supersedeMs)) return
  // What N members each adopt and acknowledge should bring many changes at once.
  const members = joined.view.members.length + joined.joins.size
  if (joined.settled && members > maxEagerMembers && step.nowMs - joined.viewAtMs < step.timing.resendMs) return
  // A settled view without this node is the end of its own leave.
  if (joined.settled && selfMember(step.state, joined) === undefined) return
  forgetSilentJoins(step, joined)
  joined = step.joined
  if (joined === undefined) return
  const needed = neededTerm(joined)
  if (needed > joined.promise.term) {
    step.setJoined({ neededTerm: needed })
    claim(step, needed, "a joiner holds a newer version")
    return
  }
  proposeNext(step, joined)
  planForView(step)
  Migrating.run(step)
}

// Whoever does not ask any more is gone, or belongs to another cluster by now; a plan with it may never settle. A
// node of the reference asks once, and waits on its connection.
const forgetSilentJoins = (step: Step, joined: Joined): void => {
  const asks = ({ askedAtMs, voter }: QueuedJoin): boolean =>
    voter.incarnation === 0 ? isLinked(step, voter.nodeId) : step.nowMs - askedAtMs < step.timing.joinerDropMs
  const joins = [...joined.joins].filter(([, join]) => asks(join))
  if (joins.length < joined.joins.size) step.setJoined({ joins: new Map(joins) })
}

// A joiner that has held a newer version must not see versions fall: the term rises above it first.
const neededTerm = (joined: Joined): number => {
  let needed = joined.neededTerm
  for (const { lastVersion } of joined.joins.values()) {
    if (lastVersion >= joined.view.version) needed = Math.max(needed, termOf(lastVersion) + 1)
  }
  return needed
}

/** Does a heartbeat of this member give the master something to do before the next tick? */
export const isDue = (joined: Joined, from: MemberInfo | undefined): boolean =>
  !joined.settled || from?.state === "joining"
