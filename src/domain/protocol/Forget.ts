/**
 * An operator's word that members are gone for good. Where settling takes a quorum, the silent loss of one halts the
 * rest for ever, because nothing tells dead machines from a cut cable; only somebody who knows may say so.
 *
 * The survivors go on in a lineage of their own, made from the view that they hold, without the forgotten and
 * without asking them. If the word was wrong, and the forgotten live as a cluster of their own, there are two
 * clusters until they meet; then they merge as the parts of a split do.
 */
import type { MemberInfo } from "../model/MemberInfo.ts"
import type { NodeId } from "../model/Scalars.ts"
import { isVoter, memberOf, toVoter, votersOf } from "./ClusterView.ts"
import { selfMember } from "./ClusterState.ts"
import * as Mastership from "./Mastership.ts"
import { propose } from "./Settlement.ts"
import { isHeard } from "./Suspicion.ts"
import { mayMiss } from "./Topology.ts"
import type { Step } from "./Transition.ts"
import { nextVersion } from "./Version.ts"

export type ForgetOutcome =
  | { readonly _tag: "Forgotten" }
  | { readonly _tag: "NotAMember" }
  | { readonly _tag: "Unknown"; readonly nodeId: NodeId }
  | { readonly _tag: "StillHeard"; readonly nodeId: NodeId }
  /** The remaining members that are heard are no quorum of the remaining ones either. */
  | { readonly _tag: "TooFewLeft" }

/** Goes on without these members, which this node does not hear. */
export const forget = (step: Step, nodeIds: ReadonlyArray<NodeId>): ForgetOutcome => {
  const joined = step.joined
  const self = joined === undefined ? undefined : selfMember(step.state, joined)
  if (joined === undefined || self === undefined || !isVoter(self)) return { _tag: "NotAMember" }
  const gone = new Set(nodeIds)
  for (const nodeId of gone) {
    const member = memberOf(joined.view, nodeId)
    if (member === undefined) return { _tag: "Unknown", nodeId }
    // On rings only a steward can tell that another node's member is silent.
    if (isHeard(step, joined, toVoter(member)) || !mayMiss(step.state, joined, nodeId))
      return { _tag: "StillHeard", nodeId }
  }
  const left = joined.view.members.filter((member) => !gone.has(member.nodeId))
  const voters = votersOf(left)
  if (!step.state.policy.quorum(voters, (voter) => isHeard(step, joined, voter))) return { _tag: "TooFewLeft" }
  const term = Mastership.highestPromise(step.state, joined) + 1
  const version = nextVersion(joined.view.version, term)
  const members: ReadonlyArray<MemberInfo> = Mastership.membersWon(
    { ...joined, view: { ...joined.view, members: left } },
    self,
    version
  )
  propose(step, members, version, `an operator says that ${[...gone].join(", ")} will not come back`, {
    lineage: Mastership.claimedLineage(step, term),
    base: { voters }
  })
  return { _tag: "Forgotten" }
}
