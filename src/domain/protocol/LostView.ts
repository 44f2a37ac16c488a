/**
 * A view whose quorum can never form again, because too many of its voters are proven dead or replaced: its
 * members drop it and look for a cluster, or found one. That is always safe, since nothing more can be settled
 * in it, and the only way on for a cluster most of whose processes were restarted at once.
 *
 * Under `available` a single voter is a quorum, so that only a view is lost all of whose base voters are gone: one
 * that this node was about to become a voter by.
 */
import type { Voter } from "../wire/Extensions.ts"
import { dissolve } from "./Adoption.ts"
import type { Joined } from "./ClusterState.ts"
import { incarnationOf, memberOf } from "./ClusterView.ts"
import * as Mesh from "./Mesh.ts"
import { peerOf } from "./Peers.ts"
import { isJoint } from "./Settlement.ts"
import type { Step } from "./Transition.ts"

/** May this voter still acknowledge or vote for anything, as far as this node knows? */
const mayVote = (step: Step, joined: Joined, voter: Voter): boolean => {
  if (voter.nodeId === step.self.nodeId) return voter.incarnation === step.self.incarnation
  const member = memberOf(joined.view, voter.nodeId)
  if (member !== undefined && incarnationOf(member) !== voter.incarnation) return false
  // Two processes do not listen at one address: a silent member whose address another one has taken is gone.
  const isHeard = member === undefined || member.state === "dead" || !joined.suspected.includes(member.nodeId)
  if (!isHeard && Mesh.residentAt(joined.view, Mesh.addressOf(member)) !== member) return false
  const peer = peerOf(step.state, voter.nodeId)
  if (peer?.provenDead === voter.incarnation) return false
  // Who promised a newer founding lives, but will never adopt this one.
  const founding = !joined.settled && joined.view.base.founding !== undefined
  return !founding || peer?.leftFounding !== voter.incarnation
}

/** Drops a view that is lost. */
export const dissolveIfLost = (step: Step): boolean => {
  const joined = step.joined
  if (joined === undefined) return false
  if (isJoint(step, joined, (voter) => mayVote(step, joined, voter))) return false
  dissolve(step, "too few voters of this view are left", undefined, [])
  return true
}
