/**
 * A message arrives on a connection. The first one that names its sender fixes whom the connection
 * belongs to; from then on a payload that names another sender is rejected. What is not acted upon is
 * counted under a name.
 */
import { Option } from "effect"
import type { NodeId } from "../model/Scalars.ts"
import type { ClusterMessage, ClusterMessageOf } from "../wire/ClusterMessage.ts"
import type { Voter } from "../wire/Extensions.ts"
import { hasExtensions } from "../wire/StripExtensions.ts"
import * as Bootstrap from "./Bootstrap.ts"
import { hasSay, masterIn, memberOf } from "./ClusterView.ts"
import * as Following from "./Following.ts"
import * as Heartbeat from "./Heartbeat.ts"
import * as HeartbeatReceived from "./HeartbeatReceived.ts"
import * as JoinAnswered from "./JoinAnswered.ts"
import * as Joining from "./Joining.ts"
import * as Leaving from "./Leaving.ts"
import * as Merge from "./Merge.ts"
import * as Mesh from "./Mesh.ts"
import * as Migrating from "./Migrating.ts"
import { type ClusterState, isActing } from "./ClusterState.ts"
import type { ConnectionId } from "./MeshState.ts"
import { peerOf, setPeer } from "./Peers.ts"
import * as Suspicion from "./Suspicion.ts"
import * as TableSharing from "./TableSharing.ts"
import type { Step } from "./Transition.ts"
import * as ViewUpdate from "./ViewUpdate.ts"

/** What became of a message: acted upon, or the name of why not. */
export type InboundOutcome = "handled" | "unknownConnection" | "unidentified" | "wrongSender" | (string & {})

/** The sender that a message names, if it names one. */
const namedSender = (message: ClusterMessage): NodeId | undefined => {
  switch (message.type) {
    case "JOIN_REQUEST":
    case "LEAVE_REQUEST":
      return message.nodeId
    case "HEARTBEAT":
      return message.senderId
    case "HEARTBEAT_COMPLAINT":
      return message.complainerId
    case "OP_FORWARD":
      return message.sourceNodeId
    case "SPLIT_BRAIN_PROBE":
    case "SPLIT_BRAIN_PROBE_RESPONSE":
    case "MERGE_REQUEST":
      return message.speaker?.nodeId
    case "JOIN_RESPONSE":
      return Option.getOrUndefined(message.responderNodeId)
    default:
      return undefined
  }
}

/** Messages with which a process may open a connection. */
const opens = (message: ClusterMessage): boolean =>
  message.type === "JOIN_REQUEST" || message.type === "HEARTBEAT" || message.type === "SPLIT_BRAIN_PROBE"

/** Messages of migrations. */
export type MigrationMessage = Extract<ClusterMessage, { readonly type: `MIGRATE_${string}` }>

const ignore = (step: Step, message: ClusterMessage, from: string, reason: string): InboundOutcome => {
  step.run({ _tag: "Ignored", message: message.type, from, reason })
  return reason
}

/** Handles one message of a connection. */
export const receive = (step: Step, id: ConnectionId, message: ClusterMessage): InboundOutcome => {
  const opened = Mesh.connectionOf(step, id)
  if (opened === undefined) return ignore(step, message, "closed connection", "unknownConnection")
  const named = namedSender(message)
  // The usual case: who has said who it is says so again.
  if (named !== undefined && named === opened.nodeId && opened.isNamed && opened.extended) {
    return handle(step, named, id, message)
  }
  // Who answers at a dialled address may not be who was expected there; a named sender does not change.
  if (named !== undefined && opened.nodeId !== undefined && !opened.isNamed && named !== opened.nodeId) {
    step.note(`${named} answers at ${opened.dialled}, where ${opened.nodeId} was expected`)
    Mesh.disown(step, id, hasExtensions(message))
    // Two processes do not listen at one address: as good as a refusal, for a member that is not heard.
    Suspicion.refused(step, opened.nodeId)
  }
  if (hasExtensions(message)) Mesh.learnExtended(step, id)
  const connection = Mesh.connectionOf(step, id) ?? opened
  const from = connection.nodeId ?? speakerOf(message)
  if (from === undefined || (connection.nodeId === undefined && connection.dialled === undefined && !opens(message))) {
    Mesh.close(step, id, "its first message does not say who it is")
    return ignore(step, message, "unidentified connection", "unidentified")
  }
  if (named !== undefined && named !== from) return ignore(step, message, from, "wrongSender")
  if (connection.nodeId === undefined && mayIdentify(step, from, message)) Mesh.identify(step, id, from)
  if (named !== undefined && !connection.isNamed) Mesh.confirm(step, id)
  return handle(step, from, id, message)
}

const handle = (step: Step, from: NodeId, id: ConnectionId, message: ClusterMessage): InboundOutcome => {
  const outcome = dispatch(step, from, id, message)
  if (outcome !== "handled") ignore(step, message, from, outcome)
  return outcome
}

/**
 * The sender of a first message. A seed that accepts us without giving its name is the master of its view, and
 * so is whoever probes without.
 */
const speakerOf = (message: ClusterMessage): NodeId | undefined => {
  const named = namedSender(message)
  if (message.type === "SPLIT_BRAIN_PROBE") return named ?? message.senderMasterId
  if (named !== undefined || message.type !== "JOIN_RESPONSE") return named
  return Option.getOrUndefined(Option.map(message.membersView, (view) => masterIn(view)?.nodeId))
}

/**
 * May this message make the connection the link of `from`? Whoever merely uses a member's name must
 * not receive what is meant for it: a join request waits until it is admitted, and a heartbeat or a probe
 * must be of the process that the view lists, or of a node that has no link here.
 */
const mayIdentify = (step: Step, from: NodeId, message: ClusterMessage): boolean => {
  if (from === step.self.nodeId || message.type === "JOIN_REQUEST") return false
  if (step.joined === undefined) return true
  const voter = speakerAs(message)
  if (voter === undefined) return true
  return hasSay(step.joined.view, step.joined.settled, voter) || !Mesh.isLinked(step, from)
}

/** The process that a heartbeat or a probe says it is of. */
const speakerAs = (message: ClusterMessage): Voter | undefined => {
  switch (message.type) {
    case "HEARTBEAT":
      return { nodeId: message.senderId, incarnation: message.incarnation ?? 0 }
    case "SPLIT_BRAIN_PROBE":
    case "SPLIT_BRAIN_PROBE_RESPONSE":
    case "MERGE_REQUEST":
      return message.speaker
    default:
      return undefined
  }
}

const dispatch = (step: Step, from: NodeId, id: ConnectionId, message: ClusterMessage): InboundOutcome => {
  switch (message.type) {
    case "JOIN_REQUEST":
      return onJoinRequest(step, id, message)
    case "JOIN_RESPONSE": {
      const outcome = JoinAnswered.receive(step, from, message, id)
      return outcome === "joined" || outcome === "redirected" || outcome === "learned" ? "handled" : outcome
    }
    case "HEARTBEAT":
      return onHeartbeat(step, from, id, message)
    case "MEMBERS_UPDATE":
      return onMembersUpdate(step, from, id, message)
    case "LEAVE_REQUEST": {
      const outcome = Leaving.receive(step, message)
      return outcome === "queued" ? "handled" : outcome
    }
    case "MASTER_ELECTED":
      if (step.fresh === undefined) return "informational"
      Bootstrap.aim(step, message.masterAddress)
      return "handled"
    case "HEARTBEAT_COMPLAINT":
      return onComplaint(step, from, message)
    case "EXPLICIT_SUSPICION":
      return "informational"
    case "PARTITION_TABLE_UPDATE": {
      const led = step.joined
      if (led !== undefined && Following.isLed(led) && !Following.isFromLeader(step, led, from, id)) return "notMaster"
      const outcome = TableSharing.receive(step, from, message)
      return outcome === "applied" ? "handled" : outcome
    }
    case "FETCH_PARTITION_TABLE": {
      const joined = step.joined
      if (joined === undefined) return "notJoined"
      Mesh.reply(step, id, TableSharing.tableUpdate(joined))
      return "handled"
    }
    case "SPLIT_BRAIN_PROBE":
      if (from === step.self.nodeId) return "dialledSelf"
      return quiet(Merge.probed(step, from, id, message))
    case "SPLIT_BRAIN_PROBE_RESPONSE":
      return quiet(Merge.answered(step, from, id, message))
    case "MERGE_REQUEST":
      return quiet(Merge.asked(step, from, id, message))
    case "MIGRATE_START":
    case "MIGRATE_DATA":
    case "MIGRATE_READY":
    case "MIGRATE_FINALIZE":
    case "MIGRATE_CANCEL":
      return onMigration(step, from, message)
    case "OP_FORWARD":
    case "DAG_EXECUTE":
    case "DAG_DATA":
    case "DAG_COMPLETE":
      return onForward(step, from, message)
  }
}

// A joiner may know the view that admits it before this node does. What it asks is not dropped, but refused where it
// arrives: unanswered, its fate would be unknown.
const onForward = (step: Step, from: NodeId, message: ClusterMessage): InboundOutcome => {
  const isMember = step.joined !== undefined && memberOf(step.joined.view, from) !== undefined
  const isAnswered = message.type === "OP_FORWARD" && (step.state.carriesData || Option.isSome(message.clientId))
  if (!isMember && !isAnswered) return "notMember"
  step.run({ _tag: "Deliver", from, message, isMember })
  return "handled"
}

/**
 * The member that forwards an operation, if `receive` would do nothing but deliver it: thousands of them come between
 * two messages that change something.
 */
export const forwarder = (
  state: ClusterState,
  id: ConnectionId,
  message: ClusterMessageOf<"OP_FORWARD">
): NodeId | undefined => {
  const connection = state.mesh.connections.get(id)
  const isKnown = connection?.isNamed === true && connection.nodeId === message.sourceNodeId
  if (!isKnown || state.phase._tag !== "Joined") return undefined
  return memberOf(state.phase.view, message.sourceNodeId) === undefined ? undefined : message.sourceNodeId
}

/**
 * What the ends of a migration say to the master is handled here, what they say to each other and what the master says
 * to them by the data plane. The end of a stream names its sender as the source; the destination's word to the
 * master names another.
 */
export const onMigration = (step: Step, from: NodeId, message: MigrationMessage): InboundOutcome => {
  const joined = step.joined
  if (joined === undefined || memberOf(joined.view, from) === undefined) return "notMember"
  if (message.type === "MIGRATE_READY" && message.sourceNodeId !== from) return Migrating.ready(step, from, message)
  if (message.type === "MIGRATE_CANCEL" && isActing(step.state, joined)) return Migrating.asked(step, from, message)
  if (!step.state.carriesData) return "noPartitionData"
  step.run({ _tag: "Deliver", from, message, isMember: true })
  return "handled"
}

// That two nodes are of one cluster after all is the usual answer to a probe, and no news.
const quiet = (outcome: Merge.MergeOutcome): InboundOutcome => (outcome === "sameCluster" ? "handled" : outcome)

const onJoinRequest = (step: Step, id: ConnectionId, message: ClusterMessageOf<"JOIN_REQUEST">): InboundOutcome => {
  const fresh = step.fresh
  if (message.nodeId === step.self.nodeId && message.incarnation === step.self.incarnation) {
    // This node has dialled itself; the answer tells its other end so.
    if (fresh !== undefined) Mesh.reply(step, id, Bootstrap.notMasterYet(step, fresh))
    return "dialledSelf"
  }
  if (fresh !== undefined) {
    const bar = Joining.barred(step, message) ?? Joining.sameIdWhileFresh(step, message)
    if (bar !== undefined) return answer(step, id, bar)
    Mesh.identify(step, id, message.nodeId)
    Bootstrap.learnFresh(step, message, id)
    const learned = step.fresh
    if (learned !== undefined) Mesh.reply(step, id, Bootstrap.notMasterYet(step, learned))
    return "handled"
  }
  const outcome = Joining.receive(step, message, () => {
    Mesh.identify(step, id, message.nodeId)
    // The connection of the new process is the node's only one from now on.
    Mesh.closeOthers(step, message.nodeId, id, "replaced by a new process")
  })
  return answer(step, id, outcome)
}

const answer = (step: Step, id: ConnectionId, outcome: Joining.JoinOutcome): InboundOutcome => {
  switch (outcome._tag) {
    case "Answered": {
      const { response } = outcome
      Mesh.reply(step, id, response)
      if (response.accepted && step.joined !== undefined) Mesh.reply(step, id, TableSharing.tableUpdate(step.joined))
      const isReferred = Option.contains(response.rejectCode, "NOT_MASTER_YET")
      if (isReferred) Following.referred(step)
      if (response.accepted || isReferred) return "handled"
      // Whoever is refused has not said who it is: the transport reads nothing more from it.
      if (Mesh.connectionOf(step, id)?.nodeId === undefined) Mesh.close(step, id, "its join was refused")
      return "refused"
    }
    case "Queued": {
      // Until its view settles a heartbeat tells it that a cluster lives, so that it does not found another.
      const joined = step.joined
      const waits = joined !== undefined && (!joined.settled || joined.joins.size > 0)
      if (waits && Mesh.connectionOf(step, id)?.extended === true)
        Mesh.reply(step, id, Heartbeat.heartbeat(step, joined))
      return "handled"
    }
    case "LeftFounding":
      return "leftFounding"
  }
}

const onHeartbeat = (
  step: Step,
  from: NodeId,
  id: ConnectionId,
  message: ClusterMessageOf<"HEARTBEAT">
): InboundOutcome => {
  const fresh = step.fresh
  if (fresh === undefined) {
    const outcome = HeartbeatReceived.receive(step, message, id)
    return outcome === "heard" ? "handled" : outcome
  }
  // A node of the reference knows no other process under this node's id, and is asked by its address if at all.
  if (message.incarnation === undefined) return "notJoined"
  // A member speaks to a process that has no view: ask it to be admitted.
  if (step.nowMs - fresh.liveClusterAtMs > step.timing.joinIntervalMs / 2) {
    step.setFresh({ liveClusterAtMs: step.nowMs })
    Mesh.sendTo(step, from, Bootstrap.joinRequest(step, fresh))
  }
  return "handled"
}

const onMembersUpdate = (
  step: Step,
  from: NodeId,
  id: ConnectionId,
  message: ClusterMessageOf<"MEMBERS_UPDATE">
): InboundOutcome => {
  const joined = step.joined
  if (joined === undefined) return "notJoined"
  if (Following.isLed(joined)) {
    if (message.lineage === undefined) return Following.update(step, joined, from, id, message)
    // A follower of whom this node knows that it is one.
    if (memberOf(joined.view, from)?.incarnation === undefined) return "notMember"
  }
  // Only who has a part in our view: any stranger can name our lineage, and itself, in a view of its own.
  const isKnown =
    memberOf(joined.view, from) !== undefined || joined.view.base.voters.some((voter) => voter.nodeId === from)
  if (!isKnown) return "notMember"
  const outcome = ViewUpdate.receive(step, from, message)
  if (outcome === "adopted") JoinAnswered.dialOlder(step)
  return outcome === "foreignLineage" ? outcome : "handled"
}

// A complaint of a member that votes counts like the suspicion of a heartbeat.
const onComplaint = (step: Step, from: NodeId, message: ClusterMessageOf<"HEARTBEAT_COMPLAINT">): InboundOutcome => {
  const joined = step.joined
  const report = joined === undefined ? undefined : peerOf(step.state, from)?.report
  if (joined === undefined || report === undefined) return "notMember"
  if (memberOf(joined.view, message.suspectId) === undefined) return "unknownSuspect"
  // One silence of a second and a half is enough for its detector, by the other's clock.
  if (!report.votes) return "informational"
  if (!report.suspected.includes(message.suspectId)) {
    setPeer(step, from, { report: { ...report, suspected: [...report.suspected, message.suspectId] } })
  }
  return "handled"
}
