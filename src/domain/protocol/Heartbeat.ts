/**
 * The heartbeat a node sends: a sign of life that also acknowledges its view, carries its promise and
 * names what its own detector suspects. An acknowledgement or a vote is simply a heartbeat out of turn.
 */
import type { NodeId } from "../model/Scalars.ts"
import type { ClusterMessageOf } from "../wire/ClusterMessage.ts"
import { maxOpeningListBytes, withinBytes } from "./Bounds.ts"
import type { Joined } from "./ClusterState.ts"
import * as Mesh from "./Mesh.ts"
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

/** Whom a joined node talks to: all members that are not dead, and while its view is unsettled the base voters. */
export const contacts = (step: Step, joined: Joined): ReadonlySet<NodeId> => {
  const ids = new Set<NodeId>()
  for (const member of joined.view.members) if (member.state !== "dead") ids.add(member.nodeId)
  if (!joined.settled) for (const voter of joined.view.base.voters) ids.add(voter.nodeId)
  ids.delete(step.self.nodeId)
  return ids
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
  for (const nodeId of contacts(step, joined)) Mesh.sendTo(step, nodeId, message)
}
