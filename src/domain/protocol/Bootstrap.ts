/**
 * A fresh node looks for a cluster, and founds one with others when there is none.
 *
 * Fresh nodes exchange `JOIN_REQUEST`s with their seeds and with every address they hear of. The
 * lowest id among those heard lately is the candidate; the others promise it a founding round. It
 * founds with a group in which each member finds a strict majority of its own configured seeds plus
 * itself, so that two halves of a cut seed list cannot both found. No seeds: it founds alone.
 */
import { Option } from "effect"
import { formatAddress } from "../model/Address.ts"
import { compareCodePoints } from "../model/CodePointOrder.ts"
import type { MemberInfo } from "../model/MemberInfo.ts"
import type { FoundingSeeds, Seed, ViewBase } from "../wire/Extensions.ts"
import type { ClusterMessageOf } from "../wire/ClusterMessage.ts"
import { type JoinRequestPayload, protocolVersion } from "../wire/MembershipMessages.ts"
import { adopt } from "./Adoption.ts"
import { maxFreshNodes, maxKnownAddresses, maxOpeningListBytes, withinBytes } from "./Bounds.ts"
import type { Fresh, FreshNode } from "./ClusterState.ts"
import type { ClusterView } from "./ClusterView.ts"
import { foundingLineage } from "./Joining.ts"
import * as Mesh from "./Mesh.ts"
import type { ConnectionId } from "./MeshState.ts"
import { foundingQuorum } from "./Quorum.ts"
import { announceSettled, trySettle, welcome } from "./Settlement.ts"
import type { Step } from "./Transition.ts"
import { nextVersion, termOf } from "./Version.ts"

export const ownAddress = (step: Step): string =>
  formatAddress(step.state.node.advertiseHost, step.state.node.clusterPort)

const bootstrapFields = (step: Step, fresh: Fresh) => ({
  incarnation: step.self.incarnation,
  lastVersion: step.state.lastVersion,
  seeds: fresh.seeds,
  // A join request opens connections, and an opening frame is small.
  known: withinBytes(fresh.known, maxOpeningListBytes),
  promise: fresh.promise.term,
  promisedTo: fresh.promise.to,
  noFound: fresh.formerVoters.length > 0
})

export const joinRequest = (step: Step, fresh: Fresh): ClusterMessageOf<"JOIN_REQUEST"> => ({
  type: "JOIN_REQUEST",
  nodeId: step.self.nodeId,
  host: step.state.node.advertiseHost,
  clientPort: step.state.node.clientPort,
  clusterPort: step.state.node.clusterPort,
  clusterId: step.state.config.clusterId,
  protocolVersion,
  authToken: Option.fromUndefinedOr(step.state.node.authToken),
  ...bootstrapFields(step, fresh),
  ...(step.state.node.zone === undefined ? {} : { zone: step.state.node.zone }),
  features: []
})

/** The answer of a fresh node: "no cluster here either", with what it knows. */
export const notMasterYet = (step: Step, fresh: Fresh): ClusterMessageOf<"JOIN_RESPONSE"> => ({
  type: "JOIN_RESPONSE",
  accepted: false,
  rejectReason: Option.some("this node looks for a cluster itself"),
  rejectCode: Option.some("NOT_MASTER_YET"),
  responderNodeId: Option.some(step.self.nodeId),
  membersView: Option.none(),
  partitionAssignments: Option.none(),
  ...bootstrapFields(step, fresh)
})

// ---- learning ---------------------------------------------------------------------------------

/** Adds addresses to those worth asking; new ones are asked soon. */
export const learnAddresses = (step: Step, addresses: ReadonlyArray<string>): void => {
  const fresh = step.fresh
  if (fresh === undefined) return
  const own = ownAddress(step)
  const news = [...new Set(addresses)].filter((address) => address !== own && !fresh.known.includes(address))
  if (news.length === 0) return
  step.setFresh({ known: [...fresh.known, ...news].slice(0, maxKnownAddresses), nextJoinAtMs: step.nowMs })
}

/** A node was found to answer at an address: if that is one of our seeds, we now know its id. */
export const resolveSeed = (step: Step, address: string | undefined, nodeId: string): void => {
  const fresh = step.fresh
  if (fresh === undefined || address === undefined) return
  if (!fresh.seeds.some((seed) => seed.address === address && seed.nodeId !== nodeId)) return
  // Another process under this node's id is no seed that could be counted; it refuses this one.
  if (nodeId === step.self.nodeId) return
  step.setFresh({
    seeds: fresh.seeds.map((seed) => (seed.address === address ? { address, nodeId } : seed)),
    nextJoinAtMs: step.nowMs
  })
}

/** A seed turned out to be this very process, under another name: it is none. */
export const dropSelfSeed = (step: Step, address: string | undefined): void => {
  const fresh = step.fresh
  if (fresh === undefined || address === undefined) return
  step.setFresh({
    seeds: fresh.seeds.filter((seed) => seed.address !== address),
    known: fresh.known.filter((known) => known !== address)
  })
}

/** Another fresh node speaks. It may get this node's promise for a founding round. */
export const learnFresh = (step: Step, request: JoinRequestPayload, connection: ConnectionId): void => {
  const address = formatAddress(request.host, request.clusterPort)
  resolveSeed(step, address, request.nodeId)
  resolveSeed(step, Mesh.connectionOf(step, connection)?.dialled, request.nodeId)
  learnAddresses(step, [address, ...(request.known ?? [])])
  const fresh = step.fresh
  if (fresh === undefined || (!fresh.heard.has(request.nodeId) && fresh.heard.size >= maxFreshNodes)) return
  const node: FreshNode = {
    incarnation: request.incarnation ?? 0,
    host: request.host,
    clusterPort: request.clusterPort,
    address,
    clientPort: request.clientPort,
    zone: request.zone,
    lastVersion: request.lastVersion ?? 0,
    seeds: request.seeds ?? [],
    promise: { term: request.promise ?? 0, to: request.promisedTo ?? "" },
    noFound: request.noFound === true,
    heardAtMs: step.nowMs
  }
  step.setFresh({ heard: new Map(fresh.heard).set(request.nodeId, node) })
  dropReplacedFormerVoters(step, request.nodeId, node.incarnation)
  considerPromise(step, request.nodeId, node)
}

const considerPromise = (step: Step, nodeId: string, node: FreshNode): void => {
  const fresh = step.fresh
  if (fresh === undefined || fresh.formerVoters.length > 0 || node.noFound) return
  if (node.promise.to !== nodeId || node.promise.term <= fresh.promise.term) return
  if (candidates(step, fresh)[0] !== nodeId) return
  step.setFresh({ promise: node.promise, nextJoinAtMs: step.nowMs })
}

// A voter of the former cluster that comes back fresh is no longer a voter there.
const dropReplacedFormerVoters = (step: Step, nodeId: string, incarnation: number): void => {
  const fresh = step.fresh
  if (fresh === undefined || fresh.formerVoters.length === 0) return
  const alive = fresh.formerVoters.filter((voter) => voter.nodeId !== nodeId || voter.incarnation === incarnation)
  const possible = alive.some((voter) => voter.nodeId !== step.self.nodeId)
  step.setFresh({ formerVoters: possible ? alive : [] })
}

/** Fresh nodes that are present and may found, this one included, lowest id first. */
const candidates = (step: Step, fresh: Fresh): ReadonlyArray<string> => {
  const present = [...fresh.heard].filter(
    ([, node]) => !node.noFound && step.nowMs - node.heardAtMs < step.timing.freshPresentMs
  )
  return [step.self.nodeId, ...present.map(([nodeId]) => nodeId)].toSorted(compareCodePoints)
}

// ---- founding ---------------------------------------------------------------------------------

const foundingBase = (step: Step, fresh: Fresh, group: ReadonlyArray<string>): ViewBase => {
  const addressOf = new Map([...fresh.heard].map(([nodeId, node]) => [node.address, nodeId]))
  addressOf.set(ownAddress(step), step.self.nodeId)
  const seedsOf = (nodeId: string): FoundingSeeds => {
    const seeds: ReadonlyArray<Seed> =
      nodeId === step.self.nodeId ? fresh.seeds : (fresh.heard.get(nodeId)?.seeds ?? [])
    // Several addresses may lead to one node: it counts once.
    const ids = new Set(seeds.map((seed) => seed.nodeId ?? addressOf.get(seed.address) ?? seed.address))
    ids.delete(nodeId)
    return { present: [...ids].filter((id) => group.includes(id)), configured: ids.size }
  }
  return {
    voters: group.map((nodeId) => ({
      nodeId,
      incarnation: nodeId === step.self.nodeId ? step.self.incarnation : (fresh.heard.get(nodeId)?.incarnation ?? 0)
    })),
    founding: group.map(seedsOf)
  }
}

/** The part of these nodes that may found together. */
const foundingGroup = (step: Step, fresh: Fresh, group: ReadonlyArray<string>): ReadonlyArray<string> =>
  foundingQuorum(foundingBase(step, fresh, group), () => true).map((voter) => voter.nodeId)

const founded = (step: Step, fresh: Fresh, group: ReadonlyArray<string>): ClusterView => {
  let last = step.state.lastVersion
  for (const nodeId of group) last = Math.max(last, fresh.heard.get(nodeId)?.lastVersion ?? 0)
  // Nobody has held a view: version 1 of term 0, exactly as the reference founds.
  const version = last === 0 ? 1 : nextVersion(last, termOf(last) + 1)
  const joinVersion = last === 0 ? 0 : version
  const members = group.map((nodeId): MemberInfo => {
    const heard = fresh.heard.get(nodeId)
    const zone = heard === undefined ? step.state.node.zone : heard.zone
    return {
      nodeId,
      host: heard?.host ?? step.state.node.advertiseHost,
      clientPort: heard?.clientPort ?? step.state.node.clientPort,
      clusterPort: heard?.clusterPort ?? step.state.node.clusterPort,
      state: "active",
      joinVersion,
      incarnation: heard?.incarnation ?? step.self.incarnation,
      ...(zone === undefined ? {} : { zone })
    }
  })
  return {
    lineage: foundingLineage(step.self.nodeId, step.self.incarnation),
    version,
    parent: { lineage: "", version: 0 },
    ancestors: [],
    members,
    base: foundingBase(step, fresh, group)
  }
}

const tryFound = (step: Step, fresh: Fresh): void => {
  if (step.nowMs - fresh.liveClusterAtMs < step.timing.liveClusterMs || fresh.formerVoters.length > 0) return
  const present = candidates(step, fresh)
  if (present[0] !== step.self.nodeId) return
  if (fresh.seeds.length > 0 && step.nowMs - fresh.sinceMs < step.timing.candidacyMs) return
  if (!foundingGroup(step, fresh, present).includes(step.self.nodeId)) return

  const inRound = fresh.promise.to === step.self.nodeId && step.nowMs - fresh.claimedAtMs < step.timing.foundingRoundMs
  if (!inRound) {
    let term = fresh.promise.term
    for (const node of fresh.heard.values()) term = Math.max(term, node.promise.term)
    step.setFresh({
      promise: { term: term + 1, to: step.self.nodeId },
      claimedAtMs: step.nowMs,
      nextJoinAtMs: step.nowMs
    })
    if (present.length > 1) return askAll(step)
  }
  found(step, present)
}

const found = (step: Step, present: ReadonlyArray<string>): void => {
  const fresh = step.fresh
  if (fresh === undefined) return
  const promised = present.filter((nodeId) => {
    const promise = nodeId === step.self.nodeId ? fresh.promise : fresh.heard.get(nodeId)?.promise
    return promise?.to === step.self.nodeId && promise.term === fresh.promise.term
  })
  if (promised.length < present.length && step.nowMs - fresh.claimedAtMs < step.timing.promiseWaitMs) return
  const group = foundingGroup(step, fresh, promised)
  if (!group.includes(step.self.nodeId)) return
  const round = fresh.promise.term
  const view = founded(step, fresh, group)
  adopt(step, view, false, `founded by ${group.join(", ")}`)
  const term = termOf(view.version)
  step.setJoined({ promise: { term, to: step.self.nodeId }, ownTerm: term, founder: true, foundingRound: round })
  const joined = step.joined
  if (joined === undefined) return
  step.note(`founds a cluster with ${group.join(", ")}`)
  for (const nodeId of group) {
    if (nodeId !== step.self.nodeId) Mesh.sendTo(step, nodeId, welcome(step, joined, round))
  }
  if (trySettle(step, `founded by ${group.join(", ")}`)) announceSettled(step)
}

// ---- asking -----------------------------------------------------------------------------------

const ask = (step: Step, fresh: Fresh, address: string): void => {
  const message = joinRequest(step, fresh)
  for (const connection of step.state.mesh.connections.values()) {
    if (connection.dialled === address) return Mesh.reply(step, connection.id, message)
  }
  const heard = [...fresh.heard].find(([, node]) => node.address === address)
  if (heard !== undefined && Mesh.isLinked(step, heard[0])) return Mesh.sendTo(step, heard[0], message)
  Mesh.dial(step, address, undefined)
}

/** Asks the node that answers for a live cluster, or everyone. */
const askAll = (step: Step): void => {
  const fresh = step.fresh
  if (fresh === undefined) return
  step.setFresh({ nextJoinAtMs: step.nowMs + step.timing.joinIntervalMs })
  const target = fresh.target
  if (target !== undefined && step.nowMs - target.sinceMs < 3 * step.timing.joinIntervalMs) {
    return ask(step, fresh, target.address)
  }
  if (target !== undefined) step.setFresh({ target: undefined })
  for (const address of fresh.known) ask(step, fresh, address)
}

/** A node answers for a live cluster: ask there, at once and then first. */
export const aim = (step: Step, address: string): void => {
  const fresh = step.fresh
  if (fresh === undefined || address === ownAddress(step)) return
  step.setFresh({ liveClusterAtMs: step.nowMs })
  if (fresh.target?.address === address && step.nowMs - fresh.target.sinceMs < 2 * step.timing.joinIntervalMs) return
  step.setFresh({ target: { address, sinceMs: step.nowMs } })
  const aimed = step.fresh
  if (aimed !== undefined) ask(step, aimed, address)
}

const describeSilence = (fresh: Fresh): string => {
  const seeds = fresh.seeds.map(({ address, nodeId }) => {
    const failure = fresh.dialFailures.get(address)
    if (nodeId !== undefined) return `${address} is ${nodeId}, which has no cluster either`
    return `${address} ${failure ?? "gave no answer"}`
  })
  return seeds.join("; ")
}

const giveUp = (step: Step, fresh: Fresh): boolean => {
  const { refusal } = fresh
  if (refusal !== undefined && step.nowMs - refusal.lastMs > step.timing.freshPresentMs) {
    step.setFresh({ refusal: undefined })
  } else if (refusal !== undefined && step.nowMs - refusal.sinceMs >= step.state.config.maxNoHeartbeatMs) {
    step.run({
      _tag: "Stop",
      reason: { _tag: "JoinRefused", code: "REFUSED", reason: refusal.reason, by: refusal.by }
    })
    return true
  }
  // A node that has been in a cluster keeps looking for it; one that never was tells its operator.
  if (step.state.lastVersion > 0 || step.nowMs - fresh.sinceMs < step.state.node.joinTimeoutMs) return false
  step.run({ _tag: "Stop", reason: { _tag: "NoClusterFound", reason: describeSilence(fresh) } })
  return true
}

/** What a fresh node does at every tick. */
export const tick = (step: Step): void => {
  const fresh = step.fresh
  if (fresh === undefined || giveUp(step, fresh)) return
  if (step.nowMs >= fresh.nextJoinAtMs) askAll(step)
  const forgotten = [...fresh.heard].filter(([, node]) => step.nowMs - node.heardAtMs > step.timing.freshForgetMs)
  if (forgotten.length > 0) {
    const heard = new Map(fresh.heard)
    for (const [nodeId] of forgotten) heard.delete(nodeId)
    step.setFresh({ heard })
  }
  const silentMs = step.nowMs - Math.max(fresh.sinceMs, fresh.liveClusterAtMs)
  // Nobody of the former cluster speaks: under `available` this node does not wait for proof.
  if (fresh.formerVoters.length > 0 && step.state.policy.forks && silentMs > 15 * step.timing.joinIntervalMs) {
    step.setFresh({ formerVoters: [] })
  }
  const now = step.fresh
  if (now !== undefined) tryFound(step, now)
}
