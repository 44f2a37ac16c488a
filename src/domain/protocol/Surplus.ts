/**
 * Two nodes that dial each other have several connections. Both go on with the one that the newer member sends on, and
 * the newer closes the others when nothing can be on its way on them any more: whoever closes a connection reads no
 * more from it, and what it would lose may be the answer to a write.
 *
 * So the older member sends where it last heard the newer one, and says so there. What it has sent elsewhere before
 * has arrived, where nothing is wrong, by the time that `surplusMs` have passed since.
 */
import { compareAge } from "../model/MembersView.ts"
import type { HeartbeatPayload } from "../wire/HeartbeatMessages.ts"
import type { Joined } from "./ClusterState.ts"
import { isReference, memberAs, memberOf } from "./ClusterView.ts"
import * as Heartbeat from "./Heartbeat.ts"
import * as Mesh from "./Mesh.ts"
import type { ConnectionId } from "./MeshState.ts"
import type { Step } from "./Transition.ts"

/** A heartbeat has come on one of several connections to a node. */
export const heard = (step: Step, joined: Joined, heartbeat: HeartbeatPayload, id: ConnectionId): void => {
  const { senderId } = heartbeat
  const ids = step.state.mesh.links.get(senderId)
  if (ids === undefined || ids.length < 2 || !ids.includes(id)) return
  const self = memberAs(joined.view, step.self)
  const member = memberOf(joined.view, senderId)
  if (self === undefined || member === undefined || member.incarnation !== heartbeat.incarnation) return
  // Whoever loses a connection to a node of the reference is dead for it, and it knows nothing of this.
  if (isReference(member)) return
  if (compareAge(self, member) < 0) {
    Mesh.prefer(step, senderId, id)
    Heartbeat.beatTo(step, senderId)
  } else Mesh.agree(step, senderId, id)
}

/** At each tick: closes the connections that both ends have left, and asks where the other end has not. */
export const close = (step: Step): void => {
  const joined = step.joined
  const self = joined === undefined ? undefined : memberAs(joined.view, step.self)
  if (joined === undefined || self === undefined || !joined.settled || self.state === "joining") return
  for (const [nodeId, ids] of Mesh.doublyLinkedOf(step.state.mesh.links)) {
    const member = memberOf(joined.view, nodeId)
    if (member === undefined || isReference(member) || member.state === "joining") continue
    if (compareAge(self, member) < 0) continue
    const kept = ids.at(-1)
    const agreedAtMs = kept === undefined ? undefined : Mesh.connectionOf(step, kept)?.agreedAtMs
    if (agreedAtMs === undefined) Heartbeat.beatTo(step, nodeId)
    else if (step.nowMs - agreedAtMs >= step.timing.surplusMs) {
      Mesh.closeOthers(step, nodeId, kept, "one connection is enough")
    }
  }
}
