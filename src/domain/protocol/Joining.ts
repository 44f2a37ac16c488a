/**
 * A process asks to be admitted. `JOIN_REQUEST` always means a fresh process: one that has lost its
 * view comes back under a new incarnation, which replaces the old one and proves its death.
 */
import { Option } from "effect"
import { formatAddress } from "../model/Address.ts"
import type { MemberInfo } from "../model/MemberInfo.ts"
import type { ClusterMessageOf } from "../wire/ClusterMessage.ts"
import { type JoinRejectReason, type JoinRequestPayload, protocolVersion } from "../wire/MembershipMessages.ts"
import { bareMembers } from "../wire/StripExtensions.ts"
import { dissolve } from "./Adoption.ts"
import { dataFeature } from "./Bootstrap.ts"
import { maxQueuedJoins } from "./Bounds.ts"
import { isActing, type Joined } from "./ClusterState.ts"
import { incarnationOf, isReference, masterByAge, memberOf, toVoter, toWire } from "./ClusterView.ts"
import { equalInConstantTime } from "./ConstantTime.ts"
import * as Duties from "./Duties.ts"
import * as Mesh from "./Mesh.ts"
import { isHeardLately, newPeer, setPeer } from "./Peers.ts"
import { welcome } from "./Settlement.ts"
import * as Suspicion from "./Suspicion.ts"
import { mayMiss } from "./Topology.ts"
import type { Step } from "./Transition.ts"

export type JoinResponse = ClusterMessageOf<"JOIN_RESPONSE">

/** What becomes of a request: an answer now, or one when the view that admits it is settled. */
export type JoinOutcome =
  | { readonly _tag: "Answered"; readonly response: JoinResponse }
  | { readonly _tag: "Queued" }
  | { readonly _tag: "LeftFounding" }

const refusal = (step: Step, reason: string, code?: JoinRejectReason): JoinOutcome => ({
  _tag: "Answered",
  response: {
    type: "JOIN_RESPONSE",
    accepted: false,
    rejectReason: Option.some(reason),
    rejectCode: Option.fromUndefinedOr(code),
    responderNodeId: Option.some(step.self.nodeId),
    membersView: Option.none(),
    partitionAssignments: Option.none(),
    incarnation: step.self.incarnation
  }
})

/** Why a process may not be in this cluster at all; checked by every node, fresh ones included. */
export const barred = (step: Step, request: JoinRequestPayload): JoinOutcome | undefined => {
  const { config, node } = step.state
  if (request.clusterId !== config.clusterId) {
    return refusal(
      step,
      `this is cluster "${config.clusterId}", not "${request.clusterId}"; set the same cluster id on all nodes`,
      "WRONG_CLUSTER_ID"
    )
  }
  if (request.protocolVersion !== protocolVersion) {
    return refusal(
      step,
      `this node speaks protocol version ${protocolVersion}, not ${request.protocolVersion}`,
      "PROTOCOL_VERSION_MISMATCH"
    )
  }
  if (request.partitionCount !== undefined && request.partitionCount !== node.partitionCount) {
    return refusal(
      step,
      `this cluster has ${node.partitionCount} partitions, not ${request.partitionCount}; set the same partition count on all nodes`
    )
  }
  const offered = Option.getOrElse(request.authToken, () => "")
  if (node.authToken !== undefined && !equalInConstantTime(offered, node.authToken)) {
    return refusal(step, "the join token is missing or wrong", "AUTH_FAILED")
  }
  return undefined
}

/** Two fresh processes under one id: both are told, and both give up unless the other goes. */
export const sameIdWhileFresh = (step: Step, request: JoinRequestPayload): JoinOutcome | undefined =>
  request.nodeId === step.self.nodeId
    ? refusal(
        step,
        `node id "${request.nodeId}" is in use by ${formatAddress(step.state.node.advertiseHost, step.state.node.clusterPort)}; give this node another id or stop that one`
      )
    : undefined

const notMaster = (step: Step, joined: Joined): JoinOutcome => {
  const master = masterByAge(joined.view)
  const address = master === undefined ? "unknown" : Mesh.addressOf(master)
  const { view, ...extensions } = toWire(joined.view, joined.settled)
  // The leader's list as the leader would give it, so that the oldest in it is the leader.
  const isLed = joined.view.ledBy !== undefined
  const list = isLed ? { ...view, members: bareMembers(view.members) } : view
  return {
    _tag: "Answered",
    response: {
      type: "JOIN_RESPONSE",
      accepted: false,
      rejectReason: Option.some(`not master; master address: ${address}`),
      rejectCode: Option.some("NOT_MASTER_YET"),
      responderNodeId: Option.some(step.self.nodeId),
      membersView: Option.some(list),
      partitionAssignments: Option.none(),
      ...(isLed ? {} : extensions),
      incarnation: step.self.incarnation
    }
  }
}

// Two live processes under one id: the newcomer is at another address while the member is still heard.
const isIdTaken = (step: Step, joined: Joined, member: MemberInfo, request: JoinRequestPayload): boolean => {
  if (Mesh.addressOf(member) === formatAddress(request.host, request.clusterPort)) return false
  return (
    member.nodeId === step.self.nodeId ||
    (Mesh.isLinked(step, member.nodeId) &&
      (isHeardLately(step, joined, toVoter(member)) || !mayMiss(step.state, joined, member.nodeId)))
  )
}

/** Admission by a joined node. `trust` is called once the request may speak for its node id. */
export const receive = (step: Step, request: JoinRequestPayload, trust: () => void): JoinOutcome => {
  const joined = step.joined
  if (joined === undefined) return refusal(step, "this node has not joined yet", "NOT_MASTER_YET")
  const bar = barred(step, request)
  if (bar !== undefined) return bar
  const voter = { nodeId: request.nodeId, incarnation: request.incarnation ?? 0 }
  const member = memberOf(joined.view, request.nodeId)
  const founding = !joined.settled && joined.view.base.founding !== undefined

  const isAnew = member !== undefined && isReference(member) && request.incarnation === undefined
  if (member !== undefined && incarnationOf(member) === voter.incarnation && !isAnew) {
    trust()
    if (founding && (request.promise ?? 0) > joined.foundingRound) {
      setPeer(step, request.nodeId, { leftFounding: voter.incarnation })
      return { _tag: "LeftFounding" }
    }
    if (!isActing(step.state, joined)) return notMaster(step, joined)
    if (joined.settled) return { _tag: "Answered", response: welcome(step, joined) }
    if (founding) return { _tag: "Answered", response: welcome(step, joined, joined.foundingRound) }
    return { _tag: "Queued" }
  }
  if (member !== undefined && isIdTaken(step, joined, member, request)) {
    return refusal(
      step,
      `node id "${request.nodeId}" is in use by ${Mesh.addressOf(member)}; give this node another id or stop that one`
    )
  }
  trust()
  if (isAnew) {
    // Two processes of the reference under one id cannot be told apart: the latest counts.
    setPeer(step, request.nodeId, newPeer(step.nowMs))
    step.forgetDetector(request.nodeId)
  } else if (member !== undefined) {
    Suspicion.prove(step, member, "its id came back as another process")
    abandonFounding(step, member)
  }
  proveBaseVoterReplaced(step, joined, request.nodeId, voter.incarnation)
  const now = step.joined
  if (now === undefined) return refusal(step, "this node has not joined yet", "NOT_MASTER_YET")
  if (!isActing(step.state, now)) return notMaster(step, now)
  return queue(step, now, request, voter.incarnation)
}

// A voter of the base whom the view does not list any more has lost its vote as well when it comes back.
const proveBaseVoterReplaced = (step: Step, joined: Joined, nodeId: string, incarnation: number): void => {
  const replaced = joined.view.base.voters.find((base) => base.nodeId === nodeId && base.incarnation !== incarnation)
  if (replaced !== undefined && memberOf(joined.view, nodeId) === undefined) {
    setPeer(step, nodeId, { provenDead: replaced.incarnation })
  }
}

// The founder of an unsettled founding has come back fresh: nobody can declare that view any more.
const abandonFounding = (step: Step, dead: MemberInfo): void => {
  const joined = step.joined
  if (joined === undefined || joined.settled || joined.view.base.founding === undefined) return
  // With a quorum others may know that it settled, and somebody may claim: only a lost view is dropped.
  if (!step.state.policy.forks) return
  if (joined.view.lineage !== foundingLineage(dead.nodeId, incarnationOf(dead))) return
  dissolve(step, "the founder of this view is gone", undefined, [])
}

/** The lineage that a founder's first view starts. */
export const foundingLineage = (nodeId: string, incarnation: number): string => `${nodeId}.${incarnation}`

const queue = (step: Step, joined: Joined, request: JoinRequestPayload, incarnation: number): JoinOutcome => {
  const known = memberOf(joined.view, request.nodeId) !== undefined || joined.joins.has(request.nodeId)
  const members = joined.view.members.length + joined.joins.size
  if (!known && members >= step.state.node.maxMembers) {
    return refusal(step, `the cluster has its limit of ${step.state.node.maxMembers} members`, "CLUSTER_FULL")
  }
  if (!known && joined.joins.size >= maxQueuedJoins) {
    return refusal(step, `${maxQueuedJoins} nodes are joining already; try again`, "NOT_MASTER_YET")
  }
  step.setJoined({
    joins: new Map(joined.joins).set(request.nodeId, {
      voter: { nodeId: request.nodeId, incarnation },
      host: request.host,
      clusterPort: request.clusterPort,
      clientPort: request.clientPort,
      zone: request.zone,
      carriesData: request.features?.includes(dataFeature) === true,
      lastVersion: request.lastVersion ?? 0,
      askedAtMs: step.nowMs
    })
  })
  Duties.run(step)
  return { _tag: "Queued" }
}
