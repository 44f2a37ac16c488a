/**
 * Nodes of the reference in a cluster that Squadron leads. Each is connected to the master alone and dials nobody;
 * it has no vote, no incarnation and no patience: on every lost connection it calls its peer dead, in a view that it
 * counts by itself and that is not ours. It takes whatever view has a higher version.
 */
import type { MemberInfo } from "../model/MemberInfo.ts"
import type { NodeId } from "../model/Scalars.ts"
import type { HeartbeatPayload } from "../wire/HeartbeatMessages.ts"
import { maxRecount, maxTermsAhead } from "./Bounds.ts"
import { isActing, type Joined, type Report } from "./ClusterState.ts"
import { isReference, memberOf } from "./ClusterView.ts"
import * as Heartbeat from "./Heartbeat.ts"
import * as Mesh from "./Mesh.ts"
import type { ConnectionId } from "./MeshState.ts"
import { peerOf, setPeer } from "./Peers.ts"
import { membersUpdate } from "./Settlement.ts"
import { tableUpdate } from "./TableSharing.ts"
import type { Step } from "./Transition.ts"
import { termOf } from "./Version.ts"

// It holds a view of another part, which has had more masters than this one and may be gone by now.
const isOfHigherTerm = (step: Step, joined: Joined, version: number): boolean => {
  const aheadBy = termOf(version) - termOf(joined.view.version)
  const isDue = step.nowMs - joined.recountedAtMs > step.state.config.splitBrainCheckIntervalMs
  return aheadBy > 0 && aheadBy <= maxTermsAhead && isDue
}

/**
 * It has spoken. If what it holds may not be ours, because it has counted on, the next view goes above that: one
 * with the same version would not be taken.
 */
export const heard = (step: Step, from: NodeId, { version }: Report): void => {
  const joined = step.joined
  if (joined === undefined || !isActing(step.state, joined)) return
  const isRedialled = peerOf(step.state, from)?.isRedialled === true
  if (isRedialled) setPeer(step, from, { isRedialled: false })
  if (isOfHigherTerm(step, joined, version)) {
    return step.setJoined({ neededTerm: Math.max(joined.neededTerm, termOf(version) + 1), recountedAtMs: step.nowMs })
  }
  const aheadBy = version - joined.view.version
  // Nobody counts that far by itself: such a version is made to freeze the view.
  if (aheadBy > maxRecount || aheadBy < 0 || (aheadBy === 0 && !isRedialled)) return
  // It does so for ever where its clock differs or old peers fall silent: that gets a view now and then, a lost
  // connection one at once.
  const recountedAtMs = isRedialled ? Number.NEGATIVE_INFINITY : joined.recountedAtMs
  step.setJoined({ recountAbove: Math.max(joined.recountAbove, version), recountedAtMs })
}

const outsiderAt = (step: Step, address: string): NodeId | undefined => {
  for (const [nodeId, outsider] of step.state.split.outside) {
    if (outsider.reference !== undefined && outsider.address === address) return nodeId
  }
  return undefined
}

/**
 * The master has dialled an address: if a node of the reference lives there, or did before it was removed, it gets
 * a heartbeat, and what it may have missed. True when it was one.
 */
export const dialled = (
  step: Step,
  joined: Joined,
  id: ConnectionId,
  address: string,
  resident: MemberInfo | undefined
): boolean => {
  if (!isActing(step.state, joined)) return false
  const nodeId = resident === undefined ? outsiderAt(step, address) : resident.nodeId
  if (nodeId === undefined || (resident !== undefined && !isReference(resident))) return false
  Mesh.reply(step, id, Heartbeat.opening(step, joined))
  if (resident === undefined) return true
  setPeer(step, nodeId, { isRedialled: true })
  if (joined.settled) {
    Mesh.reply(step, id, membersUpdate(joined))
    Mesh.reply(step, id, tableUpdate(joined))
  }
  return true
}

/**
 * A node of the reference that was removed is heard again. It never asks twice, so the master admits it unasked: over
 * a connection that it had as a member, or that was dialled to where it lived. Others may merely use its name.
 */
export const takeBack = (step: Step, joined: Joined, heartbeat: HeartbeatPayload, id: ConnectionId): boolean => {
  const { incarnation, senderId } = heartbeat
  const outsider = step.state.split.outside.get(senderId)
  const connection = Mesh.connectionOf(step, id)
  if (outsider?.reference === undefined || incarnation !== undefined || connection === undefined) return false
  if (!isActing(step.state, joined) || memberOf(joined.view, senderId) !== undefined) return false
  const isItsOwn = connection.dialled === outsider.address || connection.openedAtMs < outsider.sinceMs
  if (!isItsOwn || joined.joins.has(senderId)) return false
  if (joined.view.members.length + joined.joins.size >= step.state.node.maxMembers) return false
  const { clientPort, clusterPort, host } = outsider.reference
  step.setJoined({
    joins: new Map(joined.joins).set(senderId, {
      voter: { nodeId: senderId, incarnation: 0 },
      host,
      clusterPort,
      clientPort,
      zone: undefined,
      lastVersion: 0,
      carriesData: false,
      askedAtMs: step.nowMs
    })
  })
  return true
}
