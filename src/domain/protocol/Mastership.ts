/**
 * Claims: how a new master takes over, with promises and terms.
 *
 * A claimant promises itself a term above all it has seen and asks by heartbeat; a voter promises once
 * per term. The acting master is whoever owns the view's term, not whoever is oldest: a recovered
 * predecessor must not act again inside its successor's term. (Compare Raft's pre-vote, Ongaro 2014,
 * section 9.6, and single-vote terms, section 3.4.)
 */
import { compareAge } from "../model/MembersView.ts"
import type { MemberInfo } from "../model/MemberInfo.ts"
import type { Voter } from "../wire/Extensions.ts"
import { type ClusterState, isActing, type Joined, type Promise, selfMember } from "./ClusterState.ts"
import { isReference, isVoter, masterByAge, maySuspect, toVoter, votersOf } from "./ClusterView.ts"
import * as Heartbeat from "./Heartbeat.ts"
import * as Mesh from "./Mesh.ts"
import { freshReportOf, isProvenDead, newPeer, reportOf, setPeer } from "./Peers.ts"
import type { Has } from "./Quorum.ts"
import { isJoint, propose } from "./Settlement.ts"
import { isBadLink, isGone, isHeard } from "./Suspicion.ts"
import { electorsOf, ringsIn } from "./Topology.ts"
import type { Step } from "./Transition.ts"
import { nextVersion, termOf } from "./Version.ts"

/** The highest term that any voter is known to have promised. */
export const highestPromise = (state: ClusterState, joined: Joined): number => {
  let term = joined.promise.term
  for (const voter of [...votersOf(joined.view.members), ...joined.view.base.voters]) {
    term = Math.max(term, reportOf(state, joined, voter)?.promise.term ?? 0)
  }
  return term
}

/** Promises itself a term and asks for votes. */
export const claim = (step: Step, term: number, why: string): void => {
  step.setJoined({ promise: { term, to: step.self.nodeId }, claimedAtMs: step.nowMs })
  step.note(`claims mastership in term ${term}: ${why}`)
  Heartbeat.broadcast(step)
  tryWin(step)
}

const isOnRings = (step: Step, joined: Joined): boolean => ringsIn(step.state, joined.view) !== undefined

// On rings only those who watch the master, and the stewards, notice its silence soon: their word counts for the others.
const missesMaster = (step: Step, joined: Joined, master: Voter): boolean =>
  isBadLink(step, joined, step.self, master) || (isOnRings(step, joined) && isGone(step, joined, master))

// While the acting master is oldest by age nobody outranks it; the others rank by age.
const olderCandidates = (step: Step, joined: Joined, than: MemberInfo, master: MemberInfo | undefined): number =>
  joined.view.members.filter(
    (member) =>
      isVoter(member) &&
      member.nodeId !== master?.nodeId &&
      compareAge(member, than) < 0 &&
      !joined.suspected.includes(member.nodeId) &&
      !(isOnRings(step, joined) && isGone(step, joined, toVoter(member)))
  ).length

/** The members of a view that this node wins: it is active, and everybody older is now younger. */
export const membersWon = (joined: Joined, self: MemberInfo, version: number): ReadonlyArray<MemberInfo> =>
  joined.view.members.map((member): MemberInfo => {
    if (member.nodeId === self.nodeId) return { ...member, state: "active" }
    const older = compareAge(member, self) < 0 && member.state !== "joining" && member.state !== "dead"
    if (!older) return member
    const silent = member.state === "active" && maySuspect(member) && joined.suspected.includes(member.nodeId)
    return { ...member, joinVersion: version, state: silent ? "suspect" : member.state }
  })

// Any vote is a quorum where each side goes on: a claimant then wants those of all that it hears, or after a wait of
// most of them.
const hasAllItHears = (step: Step, joined: Joined, claimedAtMs: number, voted: Has): boolean => {
  const voters = votersOf(joined.view.members)
  const heard = voters.filter((voter) => isHeard(step, joined, voter))
  const waiting = step.nowMs - claimedAtMs < step.timing.claimWaitMs
  return waiting ? heard.every(voted) : step.state.policy.accuse(voters, heard, voted)
}

/** The lineage that a claim of this process in a term starts, where each side of a split may go on. */
export const claimedLineage = (step: Step, term: number): string =>
  `${step.self.nodeId}.${step.self.incarnation}.${term}`

/** Takes over when the votes suffice. */
export const tryWin = (step: Step): void => {
  const joined = step.joined
  const self = joined === undefined ? undefined : selfMember(step.state, joined)
  if (joined === undefined || self === undefined || joined.claimedAtMs === undefined) return
  const { term, to } = joined.promise
  if (to !== step.self.nodeId || term <= termOf(joined.view.version)) return
  const voted: Has = (voter) => {
    if (voter.nodeId === step.self.nodeId) return voter.incarnation === step.self.incarnation
    const report = reportOf(step.state, joined, voter)
    // A voter that holds a newer view must not help an older one to win.
    return (
      report !== undefined &&
      report.votes &&
      report.promise.term === term &&
      report.promise.to === step.self.nodeId &&
      report.version <= joined.view.version
    )
  }
  if (!isJoint(step, joined, voted)) return
  if (step.state.policy.forks && !hasAllItHears(step, joined, joined.claimedAtMs, voted)) return

  const version = nextVersion(joined.view.version, term)
  // Who follows a node of the reference starts anew: whose word settled nothing, and others may claim as well.
  const isLed = joined.view.ledBy !== undefined
  const fork = step.state.policy.forks || isLed ? { lineage: claimedLineage(step, term) } : {}
  const dead = joined.view.members.filter((member) => member.state === "dead")
  if (!joined.settled) step.setJoined({ inheritedDead: new Set(dead.map((member) => member.nodeId)) })
  inheritSuspicion(step, joined, joined.claimedAtMs)
  propose(step, membersWon(joined, self, version), version, `${step.self.nodeId} is master of term ${term}`, fork)
  if (isLed) meetReferences(step)
  const won = step.joined
  if (won === undefined) return
  for (const nodeId of Heartbeat.contacts(step, won)) {
    Mesh.sendTo(step, nodeId, {
      type: "MASTER_ELECTED",
      masterAddress: Mesh.addressOf(self),
      masterNodeId: step.self.nodeId,
      term,
      electionId: `${step.self.nodeId}#${step.self.incarnation}@${term}`
    })
  }
}

// Most missed the old master when this node claimed, and do now: its time as a suspect began then, not with the first view
// of the new one.
const inheritSuspicion = (step: Step, joined: Joined, claimedAtMs: number): void => {
  const master = masterByAge(joined.view)
  if (master === undefined || master.nodeId === step.self.nodeId || joined.masterBadSinceMs === undefined) return
  if (!isGone(step, joined, toVoter(master))) return
  const sinceMs = Math.max(claimedAtMs, joined.masterBadSinceMs)
  step.setJoined({ suspectSince: new Map(joined.suspectSince).set(master.nodeId, sinceMs) })
}

// Followers of the node that led were none of this node's business until now: they get their time to be heard.
const meetReferences = (step: Step): void => {
  const joined = step.joined
  for (const member of joined?.view.members ?? []) {
    if (joined === undefined || !isReference(member)) continue
    if (!isProvenDead(step.state, member) || Mesh.isLinked(step, member.nodeId)) {
      setPeer(step, member.nodeId, newPeer(step.nowMs))
      step.forgetDetector(member.nodeId)
    }
  }
}

/** Answers a claim: one promise per term, to a claimant that is up to date and entitled. */
export const considerVote = (
  step: Step,
  claimant: MemberInfo,
  claimed: { readonly promise: Promise; readonly version: number }
): void => {
  const joined = step.joined
  if (joined === undefined || !isVoter(claimant)) return
  if (claimed.promise.to !== claimant.nodeId || claimed.promise.term <= joined.promise.term) return
  if (claimed.version < joined.view.version) return
  const self = selfMember(step.state, joined)
  // An acting leaver waits for its own absence to settle; its vote would let two act in turn.
  if (isActing(step.state, joined) && !joined.settled && self === undefined) return
  if (!isEntitled(step, joined, claimant)) return
  // Whoever has voted waits for its turn anew, or claims of many nodes would outbid each other for ever.
  const masterBadSinceMs = joined.masterBadSinceMs === undefined ? undefined : step.nowMs
  step.setJoined({ promise: claimed.promise, claimedAtMs: undefined, masterBadSinceMs })
  Heartbeat.beatTo(step, claimant.nodeId)
}

// Either it is master by age, or this node does not hear that master and the claimant ranks first by now.
const isEntitled = (step: Step, joined: Joined, claimant: MemberInfo): boolean => {
  const master = masterByAge(joined.view)
  if (master === undefined || master.nodeId === claimant.nodeId) return true
  if (master.nodeId === step.self.nodeId) return false
  // Who does not watch the master relies on the claimant, which has asked those who do.
  const watches = electorsOf(step.state, joined.view, master.nodeId)?.has(step.self.nodeId) ?? true
  if (watches && !missesMaster(step, joined, toVoter(master))) return false
  const older = olderCandidates(step, joined, claimant, master)
  const sinceMs = joined.masterBadSinceMs
  return older === 0 || (sinceMs !== undefined && step.nowMs - sinceMs > older * 0.75 * step.timing.rankWaitMs)
}

// An unsettled view whose proposer still holds its term is superseded by that proposer alone.
const proposerStillActs = (step: Step, joined: Joined): boolean =>
  !joined.settled &&
  joined.view.base.voters.some((voter) => {
    if (voter.nodeId === step.self.nodeId || isBadLink(step, joined, step.self, voter)) return false
    const report = freshReportOf(step, joined, voter)
    return report?.promise.term === termOf(joined.view.version) && report.promise.to === voter.nodeId
  })

const claimAsMasterByAge = (step: Step, joined: Joined): void => {
  const acting = isActing(step.state, joined)
  if (!acting && proposerStillActs(step, joined)) return
  const seen = highestPromise(step.state, joined)
  const viewIsOld = step.nowMs - joined.viewAtMs > step.timing.supersedeMs
  if (!acting) {
    if (joined.promise.term <= termOf(joined.view.version) || viewIsOld) claim(step, seen + 1, "oldest member")
  } else if (seen > joined.promise.term && viewIsOld) {
    claim(step, seen + 1, `a voter promised term ${seen}`)
  } else if (joined.neededTerm > joined.promise.term) {
    claim(step, Math.max(seen + 1, joined.neededTerm), "someone holds a newer version")
  }
}

// Pre-vote: do enough voters not hear the master either, for a claim to be won? On rings those who watch it are asked,
// and those who can vote are counted.
const isDeposed = (step: Step, joined: Joined, master: Voter): boolean => {
  if (step.state.policy.forks) return isGone(step, joined, master)
  if (!isOnRings(step, joined)) return isJoint(step, joined, (voter) => isBadLink(step, joined, voter, master))
  return isGone(step, joined, master) && isJoint(step, joined, (voter) => isHeard(step, joined, voter))
}

/** A node of the reference that leads is given the time that a suspect has, unless it is known to be gone. */
export const isLeaderGone = (step: Step, joined: Joined): boolean => {
  const leader = joined.view.ledBy === undefined ? undefined : masterByAge(joined.view)
  if (leader === undefined) return false
  const sinceMs = joined.masterBadSinceMs ?? step.nowMs
  return isProvenDead(step.state, leader) || step.nowMs - sinceMs > step.state.config.suspicionTimeoutMs
}

/** What a member does about mastership at every tick. */
export const tick = (step: Step): void => {
  let joined = step.joined
  if (joined === undefined) return
  const self = selfMember(step.state, joined)
  if (self === undefined || (self.state !== "active" && self.state !== "suspect")) return
  if (joined.claimedAtMs !== undefined) {
    tryWin(step)
    joined = step.joined
    if (joined === undefined || isActing(step.state, joined)) return
    // Whoever was asked before it had noticed the master's silence itself is asked again, or the claim
    // would wait out its time.
    if (joined.claimedAtMs !== undefined) Heartbeat.broadcast(step)
  }
  const claiming = joined.claimedAtMs !== undefined && step.nowMs - joined.claimedAtMs < step.timing.claimRetryMs
  const master = masterByAge(joined.view)
  if (master === undefined || master.nodeId === step.self.nodeId) {
    if (!claiming) claimAsMasterByAge(step, joined)
    return
  }
  if (!missesMaster(step, joined, toVoter(master))) {
    if (joined.masterBadSinceMs !== undefined) step.setJoined({ masterBadSinceMs: undefined })
    return
  }
  const sinceMs = joined.masterBadSinceMs ?? step.nowMs
  if (joined.masterBadSinceMs === undefined) step.setJoined({ masterBadSinceMs: sinceMs })
  if (claiming || step.nowMs < step.state.holdUntilMs) return
  const rank = olderCandidates(step, joined, self, master)
  if (step.nowMs - sinceMs < rank * step.timing.rankWaitMs) return
  const isSpared = joined.view.ledBy !== undefined && !isLeaderGone(step, joined)
  if (!isSpared && isDeposed(step, joined, toVoter(master)))
    claim(step, highestPromise(step.state, joined) + 1, `${master.nodeId} is not heard`)
}
