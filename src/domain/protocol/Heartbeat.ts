/**
 * The heartbeat a node sends: a sign of life that also acknowledges its view, carries its promise and
 * names what its own detector suspects. An acknowledgement or a vote is simply a heartbeat out of turn.
 */
import type { MemberInfo } from "../model/MemberInfo.ts"
import type { NodeId } from "../model/Scalars.ts"
import type { ClusterMessageOf } from "../wire/ClusterMessage.ts"
import { maxOpeningListBytes, withinBytes } from "./Bounds.ts"
import { isActing, type Joined } from "./ClusterState.ts"
import { hashToPartition } from "../placement/HashToPartition.ts"
import { isReference, memberOf } from "./ClusterView.ts"
import * as Mesh from "./Mesh.ts"
import type { Rings } from "./Rings.ts"
import { actsAsSteward, electorsOf, ringsIn, stewards } from "./Topology.ts"
import { onceFor } from "./OnceFor.ts"
import type { Step } from "./Transition.ts"

export const heartbeat = (step: Step, joined: Joined): ClusterMessageOf<"HEARTBEAT"> => ({
  type: "HEARTBEAT",
  senderId: step.self.nodeId,
  timestampMs: 0,
  membersViewVersion: joined.view.version,
  suspectedNodes: joined.suspected,
  incarnation: step.self.incarnation,
  lineage: joined.view.lineage,
  settled: joined.settled ? joined.view.version : 0,
  promise: joined.promise.term,
  promisedTo: joined.promise.to,
  tableVersion: joined.table.version
})

/**
 * The heartbeat that opens a connection. Its list of suspects may be cut short, because an opening
 * frame is small; the next regular one brings the rest.
 */
export const opening = (step: Step, joined: Joined): ClusterMessageOf<"HEARTBEAT"> => ({
  ...heartbeat(step, joined),
  suspectedNodes: withinBytes(joined.suspected, maxOpeningListBytes)
})

const livingIdsOf = onceFor((members: ReadonlyArray<MemberInfo>): ReadonlyArray<NodeId> => [
  ...new Set(members.flatMap((member) => (member.state === "dead" ? [] : [member.nodeId])))
])

// Followers of a node of the reference speak to it, and among themselves also with whomever it calls dead.
const fellowsOf = (members: ReadonlyArray<MemberInfo>, ledBy: NodeId): ReadonlyArray<NodeId> =>
  members.filter((member) => !isReference(member) || member.nodeId === ledBy).map(({ nodeId }) => nodeId)

/** Whom a joined node talks to: all members that are not dead, and while its view is unsettled the base voters. */
export const contacts = (step: Step, joined: Joined): ReadonlyArray<NodeId> => {
  const { ledBy, members } = joined.view
  const livingIds = ledBy === undefined ? livingIdsOf(members) : fellowsOf(members, ledBy)
  const ids = joined.settled
    ? livingIds
    : [...new Set([...livingIds, ...joined.view.base.voters.map((voter) => voter.nodeId)])]
  return ids.filter((nodeId) => nodeId !== step.self.nodeId)
}

/** Sends a heartbeat to one node, at once. */
export const beatTo = (step: Step, nodeId: NodeId): void => {
  if (step.joined !== undefined) Mesh.sendTo(step, nodeId, heartbeat(step, step.joined))
}

/** Sends a heartbeat to all contacts, at once. */
export const broadcast = (step: Step): void => {
  const joined = step.joined
  if (joined === undefined) return
  const message = heartbeat(step, joined)
  const { ledBy, members } = joined.view
  if (joined.settled && ledBy === undefined) return Mesh.sendToAll(step, livingIdsOf(members), message)
  for (const nodeId of contacts(step, joined)) Mesh.sendTo(step, nodeId, message)
}

// When this node reports it also answers the reports of others, if they report to it.
const reports = (step: Step, joined: Joined): boolean => {
  const { reportIntervalMs } = step.timing
  if (step.nowMs < joined.nextReportAtMs) return false
  const isFirst = joined.nextReportAtMs === Number.NEGATIVE_INFINITY
  // The reports of nodes that begin together come spread over the interval.
  const spreadMs = isFirst ? hashToPartition(step.self.nodeId, Math.max(1, reportIntervalMs)) : reportIntervalMs
  step.setJoined({ nextReportAtMs: step.nowMs + spreadMs })
  return true
}

const beatOnRings = (step: Step, joined: Joined, rings: Rings): void => {
  const told = new Set(rings.watchersOf.get(step.self.nodeId) ?? stewards(step.state, joined))
  if (reports(step, joined)) {
    const isAsked =
      actsAsSteward(step.state, joined) || isActing(step.state, joined) || joined.claimedAtMs !== undefined
    for (const nodeId of isAsked ? contacts(step, joined) : stewards(step.state, joined)) told.add(nodeId)
  }
  const message = heartbeat(step, joined)
  for (const nodeId of told) {
    if (memberOf(joined.view, nodeId)?.state !== "dead") Mesh.sendTo(step, nodeId, message)
  }
}

/** The heartbeat of each interval: to everyone, or on rings to this node's watchers. */
export const beat = (step: Step): void => {
  const joined = step.joined
  const rings = joined === undefined ? undefined : ringsIn(step.state, joined.view)
  if (joined === undefined || rings === undefined) return broadcast(step)
  beatOnRings(step, joined, rings)
}

/** Tells at once of whom this node has begun or ceased to suspect: everyone, or on rings those who decide. */
export const tellSuspicions = (step: Step, changed: ReadonlyArray<NodeId>): void => {
  const joined = step.joined
  if (joined === undefined) return
  let isAsked = false
  for (const nodeId of changed) {
    const electors = electorsOf(step.state, joined.view, nodeId)
    if (electors === undefined) return broadcast(step)
    isAsked ||= electors.has(step.self.nodeId)
  }
  // The end of a connection tells everyone of a death: the word of those who watched is enough.
  if (isAsked) for (const nodeId of stewards(step.state, joined)) beatTo(step, nodeId)
}
