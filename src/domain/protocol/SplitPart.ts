/**
 * What one part of a split cluster tells the others of itself, and how that travels. Probes always carry their
 * extension fields: as the first frame of a connection they are how two Squadron nodes of different parts find out
 * that they understand each other.
 */
import type { Voter } from "../wire/Extensions.ts"
import type { ClusterMessageOf } from "../wire/ClusterMessage.ts"
import type {
  MergeRequestPayload,
  SplitBrainProbePayload,
  SplitBrainProbeResponsePayload
} from "../wire/SplitBrainMessages.ts"
import { isActing, type Joined, selfMember } from "./ClusterState.ts"
import { masterByAge, memberOf, toVoter, votersOf } from "./ClusterView.ts"
import type { Reach } from "./DecideMergeByReach.ts"
import * as Mesh from "./Mesh.ts"
import { freshReportOf } from "./Peers.ts"
import { isJoint } from "./Settlement.ts"
import { isHeard } from "./Suspicion.ts"
import { actsAsSteward, ringsIn } from "./Topology.ts"
import type { Step } from "./Transition.ts"

export interface SplitPart extends Reach {
  readonly version: number
  readonly masterAddress: string
  /** Empty when unknown: a probe leaves them out, to stay small. */
  readonly voters: ReadonlyArray<Voter>
}

const hears = (step: Step, joined: Joined, voter: Voter): boolean =>
  isHeard(step, joined, voter) &&
  (step.state.policy.forks || voter.nodeId === step.self.nodeId || freshReportOf(step, joined, voter) !== undefined)

// On rings only stewards hear everyone; the others rely on the master, if they hear it.
const relies = (step: Step, joined: Joined): boolean => {
  if (ringsIn(step.state, joined.view) === undefined || actsAsSteward(step.state, joined)) return false
  const master = masterByAge(joined.view)
  return master !== undefined && isHeard(step, joined, toVoter(master))
}

/** Can this node settle anything with the voters that it hears? */
export const canReach = (step: Step, joined: Joined): boolean => {
  const unsettledFounding = !joined.settled && joined.view.base.founding !== undefined
  if (unsettledFounding || selfMember(step.state, joined) === undefined) return false
  return relies(step, joined) || isJoint(step, joined, (voter) => hears(step, joined, voter))
}

/** Voters that this node hears, 0 unless they can settle something; all of them if it relies on its master. */
const reachOf = (step: Step, joined: Joined): number => {
  if (!canReach(step, joined)) return 0
  const voters = votersOf(joined.view.members)
  return relies(step, joined) ? voters.length : voters.filter((voter) => hears(step, joined, voter)).length
}

// A node of the reference merges with nobody: each of its followers is a part of its own, and none that wins.
const followerOf = (step: Step, joined: Joined): SplitPart => ({
  lineage: joined.view.lineage,
  version: joined.view.version,
  reach: 0,
  masterId: step.self.nodeId,
  masterAddress: Mesh.ownAddress(step),
  masterJoinVersion: 0,
  voters: [step.self]
})

/** This node's part, as it sees it. It names who acts as master, which may not be the oldest. */
export const partOf = (step: Step, joined: Joined): SplitPart => {
  if (joined.view.ledBy !== undefined) return followerOf(step, joined)
  const acting = isActing(step.state, joined) ? memberOf(joined.view, step.self.nodeId) : undefined
  const master = acting ?? masterByAge(joined.view)
  return {
    lineage: joined.view.lineage,
    version: joined.view.version,
    reach: reachOf(step, joined),
    masterId: master?.nodeId ?? "",
    masterAddress: master === undefined ? "" : Mesh.addressOf(master),
    masterJoinVersion: master?.joinVersion ?? 0,
    voters: votersOf(joined.view.members)
  }
}

// ---- to the wire ------------------------------------------------------------------------------

const extensions = (step: Step, part: SplitPart) => ({
  lineage: part.lineage,
  speaker: step.self,
  masterAddress: part.masterAddress,
  masterJoinVersion: part.masterJoinVersion,
  reach: part.reach,
  ...(step.state.node.authToken === undefined ? {} : { authToken: step.state.node.authToken })
})

export const probe = (step: Step, part: SplitPart): ClusterMessageOf<"SPLIT_BRAIN_PROBE"> => ({
  type: "SPLIT_BRAIN_PROBE",
  senderClusterId: step.state.config.clusterId,
  senderMasterId: part.masterId,
  senderMemberCount: part.voters.length,
  senderViewVersion: part.version,
  ...extensions(step, part)
})

/** Of this node's part, or of another one that its master should hear of. */
export const probeResponse = (step: Step, part: SplitPart): ClusterMessageOf<"SPLIT_BRAIN_PROBE_RESPONSE"> => ({
  type: "SPLIT_BRAIN_PROBE_RESPONSE",
  responderClusterId: step.state.config.clusterId,
  responderMasterId: part.masterId,
  responderMemberCount: part.voters.length,
  responderViewVersion: part.version,
  responderMasterJoinVersion: part.masterJoinVersion,
  ...extensions(step, part),
  voters: part.voters
})

/** Asks for a merge into `part`. `members` are those of its view, as the reference wants them. */
export const mergeRequest = (
  step: Step,
  part: SplitPart,
  members: MergeRequestPayload["sourceMembers"]
): ClusterMessageOf<"MERGE_REQUEST"> => ({
  type: "MERGE_REQUEST",
  sourceClusterId: step.state.config.clusterId,
  sourceMembers: members,
  sourceViewVersion: part.version,
  ...extensions(step, part),
  masterId: part.masterId,
  voters: part.voters
})

// ---- from the wire ----------------------------------------------------------------------------

type Extended = Pick<
  MergeRequestPayload,
  "lineage" | "speaker" | "masterAddress" | "masterJoinVersion" | "reach" | "voters"
>

// A peer of the reference names no lineage: it is no part that could be merged with.
const partFrom = (payload: Extended, masterId: string, version: number): SplitPart | undefined =>
  payload.lineage === undefined
    ? undefined
    : {
        lineage: payload.lineage,
        version,
        reach: payload.reach ?? 0,
        masterId,
        masterAddress: payload.masterAddress ?? "",
        masterJoinVersion: payload.masterJoinVersion ?? 0,
        voters: payload.voters ?? []
      }

export const fromProbe = (payload: SplitBrainProbePayload): SplitPart | undefined =>
  partFrom(payload, payload.senderMasterId, payload.senderViewVersion)

export const fromProbeResponse = (payload: SplitBrainProbeResponsePayload): SplitPart | undefined =>
  partFrom(payload, payload.responderMasterId, payload.responderViewVersion)

export const fromMergeRequest = (payload: MergeRequestPayload): SplitPart | undefined =>
  partFrom(payload, payload.masterId ?? "", payload.sourceViewVersion)
