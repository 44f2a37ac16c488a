/** What this node knows of the others in its view: their reports, and whether those still count. */
import { HashMap, Option } from "effect"
import type { MemberInfo } from "../model/MemberInfo.ts"
import type { NodeId } from "../model/Scalars.ts"
import type { Voter } from "../wire/Extensions.ts"
import type { Joined, Peer, Report } from "./ClusterState.ts"
import { incarnationOf } from "./ClusterView.ts"
import type { Step } from "./Transition.ts"

export const newPeer = (nowMs: number): Peer => ({
  incarnation: undefined,
  heardAtMs: nowMs,
  report: undefined,
  provenDead: undefined,
  leftFounding: undefined,
  repairedAtMs: Number.NEGATIVE_INFINITY,
  tableSentAtMs: Number.NEGATIVE_INFINITY
})

export const peerOf = (joined: Joined, nodeId: NodeId): Peer | undefined =>
  Option.getOrUndefined(HashMap.get(joined.peers, nodeId))

/** Changes what is known of a peer, from nothing if need be. */
export const setPeer = (step: Step, nodeId: NodeId, change: Partial<Peer>): void => {
  const joined = step.joined
  if (joined === undefined) return
  const peer = { ...(peerOf(joined, nodeId) ?? newPeer(step.nowMs)), ...change }
  step.setJoined({ peers: HashMap.set(joined.peers, nodeId, peer) })
}

/** The latest report of this very process, in our lineage. */
export const reportOf = (joined: Joined, voter: Voter): Report | undefined => {
  const peer = peerOf(joined, voter.nodeId)
  return peer?.report !== undefined &&
    peer.report.incarnation === voter.incarnation &&
    peer.report.lineage === joined.view.lineage &&
    peer.provenDead !== voter.incarnation
    ? peer.report
    : undefined
}

/** The same, if it is young enough to say how the peer hears others now. */
export const freshReportOf = (step: Step, joined: Joined, voter: Voter): Report | undefined => {
  const report = reportOf(joined, voter)
  return report !== undefined && step.nowMs - report.atMs < step.timing.reportFreshMs ? report : undefined
}

export const isProvenDead = (joined: Joined, member: MemberInfo): boolean =>
  peerOf(joined, member.nodeId)?.provenDead === incarnationOf(member)

/** May this node send a repair to the peer now? At most one in `repairMs`; the answer yes counts as sent. */
export const mayRepair = (step: Step, nodeId: NodeId): boolean => {
  const joined = step.joined
  if (joined === undefined) return false
  const peer = peerOf(joined, nodeId)
  if (peer !== undefined && step.nowMs - peer.repairedAtMs < step.timing.repairMs) return false
  setPeer(step, nodeId, { repairedAtMs: step.nowMs })
  return true
}
