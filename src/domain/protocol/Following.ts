/**
 * A Squadron node in a cluster that a node of the reference leads. The leader's word is the view and the table; it
 * is taken on the connection that this node has dialled, and from nobody else. There is nothing to settle, to claim
 * or to probe while the leader lives, and a leave is the end of the connection.
 *
 * Its other followers never dial each other, so when the leader dies a cluster of them is over. Squadron nodes keep
 * connections among themselves: the leader's list does not say who is one, so each member is asked by a probe, which
 * nodes of the reference do not notice, and taken for what answers at its address. When the leader is gone the oldest
 * of them claims, in a lineage and a term of its own, as in any cluster, and everyone who can be reached is told.
 */
import { Option } from "effect"
import type { MemberInfo } from "../model/MemberInfo.ts"
import type { MembersView } from "../model/MembersView.ts"
import type { PartitionAssignment } from "../model/Partition.ts"
import type { Incarnation, NodeId } from "../model/Scalars.ts"
import type { JoinResponsePayload, MembersUpdatePayload } from "../wire/MembershipMessages.ts"
import { bareMembers } from "../wire/StripExtensions.ts"
import { adopt, dissolve } from "./Adoption.ts"
import * as Bootstrap from "./Bootstrap.ts"
import { type Fresh, freshPhase, type Joined, type Report } from "./ClusterState.ts"
import { type ClusterView, isReference, ledLineage, memberOf } from "./ClusterView.ts"
import * as Heartbeat from "./Heartbeat.ts"
import { dissolveIfLost } from "./LostView.ts"
import * as Mastership from "./Mastership.ts"
import * as Mesh from "./Mesh.ts"
import type { ConnectionId } from "./MeshState.ts"
import { mayRepair, newPeer, peerOf, setPeer } from "./Peers.ts"
import * as Probing from "./Probing.ts"
import { partOf, probe, probeResponse, type SplitPart } from "./SplitPart.ts"
import * as Suspicion from "./Suspicion.ts"
import * as TableSharing from "./TableSharing.ts"
import type { Step } from "./Transition.ts"
import { termOf } from "./Version.ts"

export const isLed = (joined: Joined): boolean => joined.view.ledBy !== undefined

const leaderOf = (joined: Joined): MemberInfo | undefined =>
  joined.view.ledBy === undefined ? undefined : memberOf(joined.view, joined.view.ledBy)

/** Does this come from the leader, over the connection that this node has dialled to it? */
export const isFromLeader = (step: Step, joined: Joined, from: NodeId, id: ConnectionId): boolean => {
  const leader = leaderOf(joined)
  return leader?.nodeId === from && Mesh.connectionOf(step, id)?.dialled === Mesh.addressOf(leader)
}

// ---- the leader's word ----------------------------------------------------------------------------------

const withIncarnation = (member: MemberInfo, incarnation: Incarnation): MemberInfo => ({ ...member, incarnation })

const ledView = (step: Step, leader: NodeId, list: MembersView, version: number): ClusterView => {
  const before = step.joined
  const incarnationIn = (nodeId: NodeId): Incarnation | undefined =>
    nodeId === step.self.nodeId
      ? step.self.incarnation
      : before === undefined
        ? undefined
        : memberOf(before.view, nodeId)?.incarnation
  return {
    lineage: ledLineage(leader),
    version,
    parent: { lineage: "", version: 0 },
    ancestors: [],
    members: bareMembers(list.members).map((member) => {
      const known = incarnationIn(member.nodeId)
      return known === undefined ? member : withIncarnation(member, known)
    }),
    base: { voters: [] },
    cause: `as ${leader} says, which is of the reference`,
    ledBy: leader
  }
}

const isActiveIn = (step: Step, list: MembersView): boolean =>
  list.members.some(({ nodeId, state }) => nodeId === step.self.nodeId && state === "active")

/** May the bare view that arrived here be followed? Only where a configured seed, or whom one named, was dialled. */
const isTrusted = (step: Step, fresh: Fresh, id: ConnectionId): boolean => {
  const address = Mesh.connectionOf(step, id)?.dialled
  if (address === undefined) return false
  return (
    step.state.config.seedAddresses.includes(address) || (fresh.target?.address === address && fresh.target.isReferred)
  )
}

export type FollowOutcome = "joined" | "unasked" | "notForThisProcess" | "handled" | "older" | "notMaster"

/**
 * The leader counts from anew: only in a new term is there a version above what this node has held. It takes over
 * where it can alone, so that the others of a leader that has forgotten them are found again. Where it takes more of
 * them it follows, for these hear the leader and would not vote; what it claims or votes for later is of such a term.
 */
const outbid = (step: Step, leader: NodeId): void => {
  const term = termOf(step.state.lastVersion)
  const { quorum } = step.state.policy
  if (quorum([step.self], () => true))
    Mastership.claim(step, term + 1, `${leader} counts lower than this node has held`)
  else step.setJoined({ promise: { term, to: "" } })
}

/** A node of the reference has accepted this fresh node. */
export const follow = (
  step: Step,
  fresh: Fresh,
  from: NodeId,
  list: MembersView,
  rows: Option.Option<ReadonlyArray<PartitionAssignment>>,
  id: ConnectionId
): FollowOutcome => {
  if (!isTrusted(step, fresh, id) || from === step.self.nodeId) return "unasked"
  const isListed = list.members.some(({ nodeId }) => nodeId === from)
  if (!isListed || !isActiveIn(step, list)) return "notForThisProcess"
  adopt(step, ledView(step, from, list, list.version), true)
  TableSharing.acceptWelcome(step, rows)
  step.note(`joined the cluster of ${list.members.length} that ${from}, a node of the reference, leads`)
  Heartbeat.broadcast(step)
  if (list.version < step.state.lastVersion) outbid(step, from)
  return "joined"
}

const ask = (step: Step, joined: Joined): void => {
  if (joined.view.ledBy === undefined) return
  step.setJoined({ askedAtMs: step.nowMs })
  Mesh.sendTo(step, joined.view.ledBy, Bootstrap.joinRequest(step, freshPhase(step.nowMs, [])))
}

/**
 * The leader's next view. Where it calls this node dead, because a connection ended, or suspect, which nobody ever is
 * freed of, it is asked again.
 */
export const update = (
  step: Step,
  joined: Joined,
  from: NodeId,
  id: ConnectionId,
  { lineage, view }: MembersUpdatePayload
): FollowOutcome => {
  if (lineage !== undefined || !isFromLeader(step, joined, from, id)) return "notMaster"
  if (view.version <= joined.view.version) return "older"
  if (isActiveIn(step, view)) adopt(step, ledView(step, from, view, view.version), true)
  else if (joined.askedAtMs === undefined) ask(step, joined)
  return "handled"
}

/** The leader answers this node, which has lost its connection to it and asked again, or had asked twice at first. */
export const rejoined = (step: Step, from: NodeId, answer: JoinResponsePayload, id: ConnectionId): FollowOutcome => {
  const joined = step.joined
  if (joined === undefined || !isFromLeader(step, joined, from, id)) return "unasked"
  const list = answer.membersView
  const leader = leaderOf(joined)
  if (leader !== undefined && !answer.accepted && Option.contains(answer.rejectCode, "NOT_MASTER_YET")) {
    Suspicion.prove(step, leader, "it says that it does not lead")
    return "notMaster"
  }
  if (answer.lineage !== undefined || !answer.accepted || list._tag === "None") return "notMaster"
  if (!isActiveIn(step, list.value)) return "notForThisProcess"
  if (list.value.version < joined.view.version && leader !== undefined) {
    if (joined.askedAtMs !== undefined) Suspicion.prove(step, leader, "it has started anew and counts lower")
    return "older"
  }
  adopt(step, ledView(step, from, list.value, list.value.version), true)
  // Of two answers the earlier may come later, over another connection; what this node lacks comes with a version.
  if (joined.table.version === 0) TableSharing.acceptWelcome(step, answer.partitionAssignments)
  return "joined"
}

/**
 * A process has asked this follower to be admitted, and was sent to the leader. Where that goes on, the leader may not
 * take itself for one any more, as when others of the reference call it dead: it is asked, and says so.
 */
export const referred = (step: Step): void => {
  const joined = step.joined
  if (joined === undefined || !isLed(joined)) return
  const { joinIntervalMs, strandedMs } = step.timing
  const known = joined.referred
  const goesOn = known !== undefined && step.nowMs - known.lastMs <= 2 * joinIntervalMs
  const sinceMs = goesOn ? known.sinceMs : step.nowMs
  const isLong = step.nowMs - sinceMs >= strandedMs
  step.setJoined({ referred: isLong ? undefined : { sinceMs, lastMs: step.nowMs } })
  if (isLong && joined.askedAtMs === undefined) ask(step, joined)
}

// ---- the other followers --------------------------------------------------------------------------------

/** Asks who lives at a member's address; over an open connection only who has shown that it understands. */
const verify = (step: Step, joined: Joined, nodeId: NodeId): void => {
  const member = memberOf(joined.view, nodeId)
  if (member === undefined || nodeId === step.self.nodeId || nodeId === joined.view.ledBy) return
  const address = Mesh.addressOf(member)
  if (address === Mesh.ownAddress(step)) return
  const open = Mesh.dialledTo(step, address)
  if (open === undefined) Mesh.dial(step, address, nodeId)
  else if (open.extended && mayRepair(step, nodeId)) Mesh.reply(step, open.id, probe(step, partOf(step, joined)))
}

// What answers at the address where the leader's list has the member.
const recognise = (step: Step, joined: Joined, member: MemberInfo, incarnation: Incarnation): void => {
  const members = joined.view.members.map((one) => (one === member ? withIncarnation(member, incarnation) : one))
  step.setJoined({ view: { ...joined.view, members } })
  setPeer(step, member.nodeId, newPeer(step.nowMs))
  step.forgetDetector(member.nodeId)
}

export type HeardOutcome = "heard" | "foreignLineage" | "notInView" | "unverified"

/** A heartbeat while a node of the reference leads. */
export const heard = (step: Step, joined: Joined, from: NodeId, said: Report, id: ConnectionId): HeardOutcome => {
  const member = memberOf(joined.view, from)
  if (said.lineage === "") {
    if (!isFromLeader(step, joined, from, id)) return "notInView"
    // One that has started anew is not whom this node follows.
    if (peerOf(step.state, from)?.provenDead === 0) return "notInView"
    const report = { ...said, incarnation: 0, lineage: joined.view.lineage, suspected: [], votes: false }
    return note(step, from, report)
  }
  const isDialled = Mesh.connectionOf(step, id)?.dialled !== undefined
  if (said.lineage !== joined.view.lineage) {
    if (isDialled) Probing.probeBack(step, id, said.lineage)
    else verify(step, joined, from)
    return "foreignLineage"
  }
  if (member === undefined || from === joined.view.ledBy) return "notInView"
  if (member.incarnation !== said.incarnation) {
    if (Mesh.connectionOf(step, id)?.dialled !== Mesh.addressOf(member)) {
      if (mayRepair(step, from)) Mesh.reply(step, id, Heartbeat.heartbeat(step, joined))
      verify(step, joined, from)
      return "unverified"
    }
    recognise(step, joined, member, said.incarnation)
    Heartbeat.beatTo(step, from)
  }
  const outcome = note(step, from, said)
  const now = step.joined
  const claimant = now === undefined ? undefined : memberOf(now.view, from)
  if (claimant !== undefined) Mastership.considerVote(step, claimant, said)
  if (step.joined?.claimedAtMs !== undefined) Mastership.tryWin(step)
  return outcome
}

const note = (step: Step, from: NodeId, report: Report): HeardOutcome => {
  setPeer(step, from, { incarnation: report.incarnation, heardAtMs: step.nowMs, report, provenDead: undefined })
  step.run({ _tag: "DetectorHeartbeat", nodeId: from, atMs: step.nowMs })
  Suspicion.clear(step, from)
  return "heard"
}

/** Another part has been met. A part that Squadron leads is the way on; whoever merely says so is asked at its address. */
export const met = (step: Step, joined: Joined, from: NodeId, part: SplitPart, id: ConnectionId): void => {
  if (part.lineage === joined.view.lineage) {
    Mesh.reply(step, id, Heartbeat.heartbeat(step, joined))
    if (memberOf(joined.view, from)?.incarnation === undefined) verify(step, joined, from)
    return
  }
  if (Mesh.connectionOf(step, id)?.dialled === undefined) return verify(step, joined, from)
  if (part.reach === 0 || part.voters.length === 0) {
    return Mesh.reply(step, id, probeResponse(step, partOf(step, joined)))
  }
  dissolve(step, `${part.lineage} goes on without a node of the reference as leader`, part.masterAddress, part.voters)
  Probing.probeSoon(step)
}

/** A connection that this node has dialled is open: to the leader it asks again, all others are asked who they are. */
export const dialled = (step: Step, joined: Joined, id: ConnectionId, address: string): void => {
  const leader = leaderOf(joined)
  if (leader !== undefined && Mesh.addressOf(leader) === address) ask(step, joined)
  else Mesh.reply(step, id, probe(step, partOf(step, joined)))
}

// ---- time -----------------------------------------------------------------------------------------------

// Nodes of the reference do not answer; whoever else does not may have stood still, and is asked again later.
const closeUnanswered = (step: Step): void => {
  const joined = step.joined
  if (joined === undefined) return
  const unanswered = new Map([...joined.unanswered].filter(([, untilMs]) => step.nowMs < untilMs))
  for (const { dialled: address, id, isNamed, nodeId, openedAtMs } of step.state.mesh.connections.values()) {
    if (address === undefined || isNamed || nodeId === undefined || nodeId === joined.view.ledBy) continue
    if (step.nowMs - openedAtMs <= step.state.config.maxNoHeartbeatMs) continue
    if (memberOf(joined.view, nodeId) !== undefined) {
      unanswered.set(nodeId, step.nowMs + step.state.config.splitBrainCheckIntervalMs)
    }
    Mesh.close(step, id, "it does not say who it is")
  }
  step.setJoined({ unanswered })
}

/** The leader is gone, and of the Squadron nodes too few are left for one of them to take over: nobody will. */
export const dissolveIfLeaderless = (step: Step): boolean =>
  step.joined !== undefined && Mastership.isLeaderGone(step, step.joined) && dissolveIfLost(step)

/** What a follower does at every tick, besides judging and beating. */
export const tick = (step: Step): void => {
  closeUnanswered(step)
  const joined = step.joined
  const leader = joined === undefined ? undefined : leaderOf(joined)
  if (joined === undefined || leader === undefined) return
  const { askedAtMs } = joined
  if (!Mesh.isLinked(step, leader.nodeId)) Mesh.dial(step, Mesh.addressOf(leader), leader.nodeId)
  else if (askedAtMs !== undefined && step.nowMs - askedAtMs > 2 * step.timing.joinIntervalMs) ask(step, joined)
  const wanted = new Set([Mesh.addressOf(leader)])
  for (const member of joined.view.members) {
    if (member === leader || member.nodeId === step.self.nodeId || joined.unanswered.has(member.nodeId)) continue
    wanted.add(Mesh.addressOf(member))
    if (!Mesh.isLinked(step, member.nodeId) || isReference(member)) verify(step, joined, member.nodeId)
  }
  Mesh.keepDials(step, wanted)
}
