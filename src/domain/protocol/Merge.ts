/**
 * Two parts of a split have met. Exactly one of them rejoins: the winner's master asks, the loser's master judges
 * again, passes the request on, and every member of the losing part rejoins alone, as a new incarnation with its
 * data. A member that is not master reports to its own; one whose part has halted goes over by itself.
 */
import type {
  MergeRequestPayload,
  SplitBrainProbePayload,
  SplitBrainProbeResponsePayload
} from "../wire/SplitBrainMessages.ts"
import { dissolve } from "./Adoption.ts"
import * as Bootstrap from "./Bootstrap.ts"
import { isActing, type Joined } from "./ClusterState.ts"
import { isLedLineage, masterByAge, memberAs, relate } from "./ClusterView.ts"
import { equalInConstantTime } from "./ConstantTime.ts"
import { decideMergeByReach } from "./DecideMergeByReach.ts"
import * as Following from "./Following.ts"
import * as Heartbeat from "./Heartbeat.ts"
import * as Mesh from "./Mesh.ts"
import type { ConnectionId } from "./MeshState.ts"
import { mayRepair } from "./Peers.ts"
import * as Probing from "./Probing.ts"
import { membersUpdate } from "./Settlement.ts"
import {
  fromMergeRequest,
  fromProbe,
  fromProbeResponse,
  mergeRequest,
  partOf,
  probe,
  probeResponse,
  type SplitPart
} from "./SplitPart.ts"
import * as Suspicion from "./Suspicion.ts"
import type { Step } from "./Transition.ts"

export type MergeOutcome =
  | "handled"
  | "otherCluster"
  | "wrongToken"
  | "withoutLineage"
  | "notJoined"
  | "sameCluster"
  | "undecided"
  | "hasJustWon"

interface Offered {
  readonly authToken?: string
}

const bar = (step: Step, clusterId: string, offered: Offered): MergeOutcome | undefined => {
  if (clusterId !== step.state.config.clusterId) return "otherCluster"
  const { authToken } = step.state.node
  if (authToken !== undefined && !equalInConstantTime(offered.authToken ?? "", authToken)) return "wrongToken"
  return undefined
}

// ---- speaking ---------------------------------------------------------------------------------

const sendToMaster = (
  step: Step,
  part: SplitPart,
  message: ReturnType<typeof probe> | ReturnType<typeof mergeRequest>,
  connection: ConnectionId
): void => {
  if (Mesh.connectionOf(step, connection)?.nodeId === part.masterId) Mesh.reply(step, connection, message)
  else if (Mesh.isLinked(step, part.masterId)) Mesh.sendTo(step, part.masterId, message)
  // The probe that opens the connection is answered, and the decision is made again then.
  else Probing.probeAddress(step, part.masterAddress)
}

/** The losing side shows itself to the winner's master, who then asks. */
const ask = (step: Step, mine: SplitPart, part: SplitPart, connection: ConnectionId): void => {
  if (Probing.mayAsk(step, part.lineage)) sendToMaster(step, part, probe(step, mine), connection)
}

// ---- deciding ---------------------------------------------------------------------------------

const mergeInto = (step: Step, part: SplitPart, why: string): MergeOutcome => {
  dissolve(step, why, part.masterAddress, part.voters)
  Probing.probeSoon(step)
  return "handled"
}

const hasHaltedLong = (step: Step): boolean => {
  const { haltedSinceMs } = step.state.split
  return haltedSinceMs !== undefined && step.nowMs - haltedSinceMs > step.timing.haltedDissolveMs
}

// Only with its voters: who knows of a live cluster founds nothing until a quorum of it is gone.
const goesOverAlone = (step: Step, mine: SplitPart, part: SplitPart): boolean =>
  mine.reach === 0 && part.reach > 0 && part.voters.length > 0 && hasHaltedLong(step)

const heardOf = (step: Step, joined: Joined, part: SplitPart, connection: ConnectionId): MergeOutcome => {
  const mine = partOf(step, joined)
  if (goesOverAlone(step, mine, part)) return mergeInto(step, part, `this part has halted, ${part.lineage} lives`)
  if (!isActing(step.state, joined)) {
    const master = masterByAge(joined.view)
    if (master === undefined || master.nodeId === step.self.nodeId) return "undecided"
    Mesh.sendTo(step, master.nodeId, probeResponse(step, part))
    return "handled"
  }
  const decision = decideMergeByReach(mine, part)
  if (decision === "localWins") {
    Probing.setSplit(step, { wonAtMs: step.nowMs })
    Probing.probeSoon(step)
    step.note(`asks ${part.lineage}, which ${part.masterId} leads, to merge into this part`)
    sendToMaster(step, part, mergeRequest(step, mine, joined.view.members), connection)
  } else if (decision === "remoteWins") ask(step, mine, part, connection)
  return decision === "undecided" ? decision : "handled"
}

/** The histories of the two need no merge: one is a prefix of the other, and the longer one shows itself. */
const showIfNewer = (step: Step, joined: Joined, part: SplitPart, from: string, connection: ConnectionId): boolean => {
  // Whoever follows a node of the reference goes over, also where that one led before this part: it may have started anew.
  if (isLedLineage(part.lineage)) return false
  const relation = relate(joined.view, part)
  if (relation === "foreign") return false
  if (relation === "same" || !mayRepair(step, from)) return true
  const isOlder = relation === "older" && joined.settled
  Mesh.reply(step, connection, isOlder ? membersUpdate(joined) : Heartbeat.heartbeat(step, joined))
  return true
}

// ---- messages ---------------------------------------------------------------------------------

const aim = (step: Step, part: SplitPart): MergeOutcome => {
  if (part.reach === 0 || part.masterAddress === "") return "notJoined"
  Bootstrap.aim(step, part.masterAddress)
  return "handled"
}

const follower = (
  step: Step,
  joined: Joined,
  part: SplitPart | undefined,
  from: string,
  connection: ConnectionId
): MergeOutcome => {
  if (part === undefined) return "withoutLineage"
  Following.met(step, joined, from, part, connection)
  return "handled"
}

// What a probe tells of the process that sends it. Followers of a node of the reference beat to nobody in another part,
// and recognise others by what answers at their addresses.
const learnSpeaker = (step: Step, { speaker }: SplitBrainProbePayload, part: SplitPart | undefined): void => {
  const joined = step.joined
  if (speaker === undefined || joined === undefined || Following.isLed(joined)) return
  Suspicion.replacedBy(step, speaker)
  const member = memberAs(joined.view, speaker)
  const isElsewhere = part !== undefined && relate(joined.view, part) === "foreign"
  // Without forks a process is never in two lineages: it will not come back to ours.
  if (isElsewhere && member !== undefined && !step.state.policy.forks)
    Suspicion.prove(step, member, "it is in another cluster")
}

export const probed = (
  step: Step,
  from: string,
  connection: ConnectionId,
  payload: SplitBrainProbePayload
): MergeOutcome => {
  const barred = bar(step, payload.senderClusterId, payload)
  if (barred !== undefined) return barred
  const part = fromProbe(payload)
  learnSpeaker(step, payload, part)
  const joined = step.joined
  if (joined === undefined) return part === undefined ? "withoutLineage" : aim(step, part)
  if (Following.isLed(joined)) return follower(step, joined, part, from, connection)
  if (part !== undefined && showIfNewer(step, joined, part, from, connection)) return "sameCluster"
  Mesh.reply(step, connection, probeResponse(step, partOf(step, joined)))
  return part === undefined ? "withoutLineage" : heardOf(step, joined, part, connection)
}

export const answered = (
  step: Step,
  from: string,
  connection: ConnectionId,
  payload: SplitBrainProbeResponsePayload
): MergeOutcome => {
  const barred = bar(step, payload.responderClusterId, payload)
  if (barred !== undefined) return barred
  const part = fromProbeResponse(payload)
  if (part === undefined) return "withoutLineage"
  const joined = step.joined
  if (joined === undefined) return aim(step, part)
  if (Following.isLed(joined)) return follower(step, joined, part, from, connection)
  if (showIfNewer(step, joined, part, from, connection)) return "sameCluster"
  return heardOf(step, joined, part, connection)
}

export const asked = (
  step: Step,
  from: string,
  connection: ConnectionId,
  payload: MergeRequestPayload
): MergeOutcome => {
  const barred = bar(step, payload.sourceClusterId, payload)
  if (barred !== undefined) return barred
  const part = fromMergeRequest(payload)
  if (part === undefined) return "withoutLineage"
  const joined = step.joined
  if (joined === undefined) return aim(step, part)
  if (Following.isLed(joined)) return follower(step, joined, part, from, connection)
  if (showIfNewer(step, joined, part, from, connection)) return "sameCluster"
  const mine = partOf(step, joined)
  if (!isActing(step.state, joined)) {
    if (from === masterByAge(joined.view)?.nodeId)
      return mergeInto(step, part, `its master merges into ${part.lineage}`)
    return heardOf(step, joined, part, connection)
  }
  if (step.nowMs - step.state.split.wonAtMs < step.timing.mergeHoldMs) return "hasJustWon"
  const decision = decideMergeByReach(mine, part)
  if (decision === "remoteWins") {
    const relayed = mergeRequest(step, part, payload.sourceMembers)
    for (const nodeId of Heartbeat.contacts(step, joined)) Mesh.sendTo(step, nodeId, relayed)
    return mergeInto(step, part, `merges into ${part.lineage}, which ${part.masterId} leads`)
  }
  if (decision === "localWins") ask(step, mine, part, connection)
  return decision === "undecided" ? decision : "handled"
}
