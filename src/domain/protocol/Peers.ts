/** What this node knows of the others in its view: their reports, and whether those still count. */
import type { MemberInfo } from "../model/MemberInfo.ts"
import type { NodeId } from "../model/Scalars.ts"
import type { Voter } from "../wire/Extensions.ts"
import { maxStrangers } from "./Bounds.ts"
import type { ClusterState, Joined, Peer, Report } from "./ClusterState.ts"
import { incarnationOf } from "./ClusterView.ts"
import { hears, ringsIn } from "./Topology.ts"
import type { Step } from "./Transition.ts"

export const newPeer = (nowMs: number): Peer => ({
  incarnation: undefined,
  heardAtMs: nowMs,
  expectedSinceMs: Number.NEGATIVE_INFINITY,
  report: undefined,
  provenDead: undefined,
  leftFounding: undefined,
  repairedAtMs: Number.NEGATIVE_INFINITY,
  tableSentAtMs: Number.NEGATIVE_INFINITY,
  isRedialled: false
})

export const peerOf = ({ peers }: ClusterState, nodeId: NodeId): Peer | undefined => peers.get(nodeId)

/** Changes what is known of a peer, from nothing if need be. */
export const setPeer = (step: Step, nodeId: NodeId, change: Partial<Peer>): void => {
  if (step.joined === undefined) return
  const peer = { ...(peerOf(step.state, nodeId) ?? newPeer(step.nowMs)), ...change }
  step.setPeers(step.state.peers.set(nodeId, peer))
}

/** The peer has reported: it lives, and as one that has left no founding. */
export const heard = (step: Step, nodeId: NodeId, report: Report): void => {
  if (step.joined === undefined) return
  const known = peerOf(step.state, nodeId)
  // Made with every heartbeat: field by field is several times as fast as from two parts.
  const peer: Peer = {
    incarnation: report.incarnation,
    heardAtMs: step.nowMs,
    expectedSinceMs: known?.expectedSinceMs ?? Number.NEGATIVE_INFINITY,
    report,
    provenDead: undefined,
    leftFounding: undefined,
    repairedAtMs: known?.repairedAtMs ?? Number.NEGATIVE_INFINITY,
    tableSentAtMs: known?.tableSentAtMs ?? Number.NEGATIVE_INFINITY,
    isRedialled: known?.isRedialled ?? false
  }
  step.setPeers(step.state.peers.set(nodeId, peer))
}

/** The latest report of this very process, in our lineage. */
export const reportOf = (state: ClusterState, joined: Joined, voter: Voter): Report | undefined => {
  const peer = peerOf(state, voter.nodeId)
  return peer?.report !== undefined &&
    peer.report.incarnation === voter.incarnation &&
    peer.report.lineage === joined.view.lineage &&
    peer.provenDead !== voter.incarnation
    ? peer.report
    : undefined
}

/** For how long what this node says counts: those that are heard only now and then are given more time. */
const freshMs = (step: Step, joined: Joined, nodeId: NodeId): number => {
  const rings = ringsIn(step.state, joined.view)
  const isRare = rings !== undefined && hears(rings, joined.view, step.self.nodeId, nodeId) !== "beats"
  return isRare ? step.timing.rareReportFreshMs : step.timing.reportFreshMs
}

/** The same, if it is young enough to say how the peer hears others now. */
export const freshReportOf = (step: Step, joined: Joined, voter: Voter): Report | undefined => {
  const report = reportOf(step.state, joined, voter)
  const heardAtMs = peerOf(step.state, voter.nodeId)?.heardAtMs
  if (report === undefined || heardAtMs === undefined) return undefined
  return step.nowMs - heardAtMs < freshMs(step, joined, voter.nodeId) ? report : undefined
}

/**
 * Has this very process been heard lately? Unlike a report this outlives a change of lineage: right after
 * a claim everybody still speaks of the lineage before.
 */
export const isHeardLately = (step: Step, joined: Joined, voter: Voter): boolean => {
  const peer = peerOf(step.state, voter.nodeId)
  return (
    peer?.incarnation === voter.incarnation &&
    peer.provenDead !== voter.incarnation &&
    step.nowMs - peer.heardAtMs < freshMs(step, joined, voter.nodeId)
  )
}

export const isProvenDead = (state: ClusterState, member: MemberInfo): boolean =>
  peerOf(state, member.nodeId)?.provenDead === incarnationOf(member)

/**
 * May this node send a repair to the peer now? At most one in `repairMs`; the answer yes counts as sent.
 * Of nodes outside the view only the latest {@link maxStrangers} are remembered.
 */
export const mayRepair = (step: Step, nodeId: NodeId): boolean => {
  const joined = step.joined
  if (joined === undefined) return false
  const peer = peerOf(step.state, nodeId)
  if (peer !== undefined && step.nowMs - peer.repairedAtMs < step.timing.repairMs) return false
  if (peer === undefined && !forgetStrangers(step, joined)) return false
  setPeer(step, nodeId, { repairedAtMs: step.nowMs })
  return true
}

// Makes room for one more stranger, by forgetting those that may be repaired again anyway.
const forgetStrangers = (step: Step, joined: Joined): boolean => {
  const bound = joined.view.members.length + joined.view.base.voters.length + maxStrangers
  if (step.state.peers.size < bound) return true
  const known = new Set([...joined.view.members, ...joined.view.base.voters].map(({ nodeId }) => nodeId))
  const peers = step.state.peers.filter(
    (peer, nodeId) => known.has(nodeId) || step.nowMs - peer.repairedAtMs < step.timing.repairMs
  )
  step.setPeers(peers)
  return peers.size < bound
}
