/**
 * Who is suspected, by whom, and when that is enough to act.
 *
 * A node reports only what its own detector says. A link is bad if either end's fresh report lists the
 * other, which covers cuts in one direction. One bad link accuses nobody: a member is suspect by the
 * master's own detector or by two bad links, and gone only by a quorum of them.
 */
import type { MemberInfo } from "../model/MemberInfo.ts"
import type { NodeId } from "../model/Scalars.ts"
import type { Voter } from "../wire/Extensions.ts"
import { isActing, type Joined, type Peer } from "./ClusterState.ts"
import { incarnationOf, isReference, memberOf, toVoter, votersOf } from "./ClusterView.ts"
import { tellSuspicions } from "./Heartbeat.ts"
import { freshReportOf, isHeardLately, isProvenDead, peerOf, setPeer } from "./Peers.ts"
import { mostOf } from "./Quorum.ts"
import { electorsOf, hears, ringsIn } from "./Topology.ts"
import type { Step } from "./Transition.ts"

/** The detector's verdict on a node: does it suspect it now? An argument, so that detectors stay swappable. */
export type Judge = (nodeId: NodeId) => boolean

/** Does this node itself not hear the member any more, which it should hear as `often`? */
const isSilent = (
  step: Step,
  peer: Peer | undefined,
  member: MemberInfo,
  judge: Judge,
  often: "beats" | "reports"
): boolean => {
  if (peer === undefined) return false
  if (peer.provenDead === incarnationOf(member)) return true
  const silentMs = step.nowMs - Math.max(peer.heardAtMs, peer.expectedSinceMs)
  const { maxNoHeartbeatMs } = step.state.config
  // Reports are too few to learn from: the one that is due is waited for, and then as long as for a first heartbeat.
  if (often === "reports") return silentMs > step.timing.reportIntervalMs + maxNoHeartbeatMs
  // A process that has never been heard, or not since it should be, has no history to judge by.
  if (peer.incarnation !== incarnationOf(member) || peer.heardAtMs < peer.expectedSinceMs) {
    return silentMs > maxNoHeartbeatMs
  }
  // The detector may not have been told yet of a heartbeat that has just arrived.
  return silentMs > leastSilence * step.state.config.heartbeatIntervalMs && judge(member.nodeId)
}

/** Nobody is silent for less than this share of an interval. */
const leastSilence = 0.7
/** What rounding may do to a time, and more. */
const marginMs = 0.001

// Until when the peer is surely not silent, if it is not heard again.
const trustedUntilMs = (step: Step, peer: Peer, member: MemberInfo, patienceMs: number): number =>
  peer.incarnation !== incarnationOf(member) || peer.heardAtMs < peer.expectedSinceMs
    ? Math.max(peer.heardAtMs, peer.expectedSinceMs) + step.state.config.maxNoHeartbeatMs
    : peer.heardAtMs + patienceMs

/**
 * Would judging all members suspect nobody? Nobody was suspected when it was last done, and everyone's time until it
 * could be silent has not passed.
 */
export const isCalm = (step: Step): boolean =>
  step.joined !== undefined && step.joined.suspected.length === 0 && step.nowMs < step.state.calmUntilMs

const replaceSuspected = (step: Step, joined: Joined, suspected: ReadonlyArray<NodeId>): void => {
  const same =
    suspected.length === joined.suspected.length && suspected.every((id, index) => id === joined.suspected[index])
  if (same) return
  step.setJoined({ suspected })
  tellSuspicions(step, [
    ...suspected.filter((id) => !joined.suspected.includes(id)),
    ...joined.suspected.filter((id) => !suspected.includes(id))
  ])
}

/**
 * Judges by the detector all members that this node should hear; tells others at once when the outcome has changed.
 * `proven` has just been proven dead. `patienceMs`: whoever was heard is not suspected by the detector for so long.
 */
export const judgeAll = (step: Step, judge: Judge, proven?: NodeId, patienceMs = 0): void => {
  const joined = step.joined
  if (joined === undefined) return
  const stalled = step.nowMs < step.state.holdUntilMs
  const rings = ringsIn(step.state, joined.view)
  // Nodes of the reference speak to the master alone.
  const acting = isActing(step.state, joined)
  const isJudged = (member: MemberInfo): boolean =>
    acting || !isReference(member) || member.nodeId === joined.view.ledBy
  const suspected: Array<NodeId> = []
  const leastMs = leastSilence * step.state.config.heartbeatIntervalMs
  const restMs = Math.max(leastMs, patienceMs)
  // Who is heard from now on begins its silence then.
  let calmUntilMs = rings === undefined && !stalled ? step.nowMs + leastMs : Number.NEGATIVE_INFINITY
  for (const member of joined.view.members) {
    if (member.nodeId === step.self.nodeId) continue
    if (!isJudged(member)) {
      calmUntilMs = Number.NEGATIVE_INFINITY
      continue
    }
    const peer = peerOf(step.state, member.nodeId)
    if (rings === undefined && !stalled) {
      // The usual case, which every node comes by for every other at every second tick.
      if (isSilent(step, peer, member, judge, "beats")) suspected.push(member.nodeId)
      else if (peer !== undefined) calmUntilMs = Math.min(calmUntilMs, trustedUntilMs(step, peer, member, restMs))
      continue
    }
    const before = joined.suspected.includes(member.nodeId)
    const often = hears(rings, joined.view, step.self.nodeId, member.nodeId)
    if (often === undefined) {
      if ((before || member.nodeId === proven) && isProvenDead(step.state, member)) suspected.push(member.nodeId)
      continue
    }
    // After a stall of its own a node accuses nobody anew: it was the one that did not listen.
    if (stalled ? before || isProvenDead(step.state, member) : isSilent(step, peer, member, judge, often)) {
      suspected.push(member.nodeId)
    }
  }
  step.set({ calmUntilMs: suspected.length > 0 ? Number.NEGATIVE_INFINITY : calmUntilMs - marginMs })
  replaceSuspected(step, joined, suspected)
}

/** A heartbeat clears suspicion. */
export const clear = (step: Step, nodeId: NodeId): void => {
  const joined = step.joined
  if (joined !== undefined && joined.suspected.includes(nodeId)) {
    replaceSuspected(
      step,
      joined,
      joined.suspected.filter((id) => id !== nodeId)
    )
  }
}

/** This process of the member is proven dead: its connections ended and its address refuses, or another took its id. */
export const prove = (step: Step, member: MemberInfo, how: string): void => {
  const joined = step.joined
  if (joined === undefined || isProvenDead(step.state, member) || member.nodeId === step.self.nodeId) return
  setPeer(step, member.nodeId, { provenDead: incarnationOf(member) })
  step.note(`${member.nodeId} is proven dead: ${how}`)
  judgeAll(step, (nodeId) => joined.suspected.includes(nodeId), member.nodeId)
}

/**
 * Another process speaks under this id, of another part: if it is a later one than the voter of that id, and the voter
 * is not heard, the voter has been replaced. It may follow a node of the reference, and never ask here.
 */
export const replacedBy = (step: Step, speaker: Voter): void => {
  const joined = step.joined
  if (joined === undefined || speaker.nodeId === step.self.nodeId) return
  const member = memberOf(joined.view, speaker.nodeId)
  const ofThatId = ({ nodeId }: Voter) => nodeId === speaker.nodeId
  const voter = member === undefined ? joined.view.base.voters.find(ofThatId) : toVoter(member)
  if (voter === undefined || speaker.incarnation <= voter.incarnation || isHeardLately(step, joined, voter)) return
  if (member === undefined) setPeer(step, voter.nodeId, { provenDead: voter.incarnation })
  else prove(step, member, "its id is another process's now")
}

/** Have `voter` and `member` a bad link, by the word of either? */
export const isBadLink = (step: Step, joined: Joined, voter: Voter, member: Voter): boolean => {
  if (voter.nodeId === member.nodeId) return false
  const suspectedBy = (node: Voter) =>
    node.nodeId === step.self.nodeId ? joined.suspected : freshReportOf(step, joined, node)?.suspected
  const byVoter = suspectedBy(voter)
  if (byVoter === undefined) return false
  return byVoter.includes(member.nodeId) || suspectedBy(member)?.includes(voter.nodeId) === true
}

/** Does this node hear the voter? */
export const isHeard = (step: Step, joined: Joined, voter: Voter): boolean =>
  voter.nodeId === step.self.nodeId
    ? voter.incarnation === step.self.incarnation
    : !joined.suspected.includes(voter.nodeId) && isHeardLately(step, joined, voter)

/**
 * Do enough voters not hear the member for it to be removed or deposed? While unsettled the base is asked. On rings it
 * takes most of the member's watchers and of the stewards that this node hears: the others cannot know.
 */
export const isGone = (step: Step, joined: Joined, member: Voter): boolean => {
  const all = joined.settled ? votersOf(joined.view.members) : joined.view.base.voters
  const electors = electorsOf(step.state, joined.view, member.nodeId)
  if (electors !== undefined) {
    const heard = all.filter((voter) => electors.has(voter.nodeId) && isHeard(step, joined, voter))
    return mostOf(heard, (voter) => isBadLink(step, joined, voter, member))
  }
  return step.state.policy.accuse(
    all,
    all.filter((voter) => voter.nodeId !== member.nodeId && isHeard(step, joined, voter)),
    (voter) => isBadLink(step, joined, voter, member)
  )
}

/** Everyone at an end of a bad link, as far as this node knows: nobody else can be suspect. */
export const doubted = (step: Step, joined: Joined): ReadonlySet<NodeId> => {
  const ids = new Set(joined.suspected)
  if (ids.size > 0) ids.add(step.self.nodeId)
  for (const [nodeId, { report }] of step.state.peers) {
    if (report === undefined || report.suspected.length === 0) continue
    ids.add(nodeId)
    for (const suspectedId of report.suspected) ids.add(suspectedId)
  }
  return ids
}

/** Is the member suspect: by this node's own detector, or by two bad links? */
export const isSuspect = (step: Step, joined: Joined, member: MemberInfo): boolean => {
  if (joined.suspected.includes(member.nodeId)) return true
  let bad = 0
  const electors = electorsOf(step.state, joined.view, member.nodeId)
  for (const voter of votersOf(joined.view.members)) {
    if (electors?.has(voter.nodeId) === false) continue
    if (voter.nodeId !== step.self.nodeId && isBadLink(step, joined, voter, toVoter(member)) && ++bad >= 2) return true
  }
  return false
}

/** Proof of death by a refused redial: of a member whose last connection has just ended, or that is suspected. */
export const refused = (step: Step, nodeId: NodeId): void => {
  const joined = step.joined
  const member = joined === undefined ? undefined : memberOf(joined.view, nodeId)
  if (joined === undefined || member === undefined || member.state === "dead") return
  const lost = step.state.mesh.lost.get(nodeId)
  const peer = peerOf(step.state, nodeId)
  const lostAndSilent =
    lost !== undefined && step.nowMs - lost.atMs < step.timing.proofMs && (peer?.heardAtMs ?? 0) <= lost.atMs
  if (lostAndSilent) prove(step, member, "its connection ended and its address refuses a new one")
  else if (joined.suspected.includes(nodeId)) prove(step, member, "it is suspected and its address refuses connections")
}
