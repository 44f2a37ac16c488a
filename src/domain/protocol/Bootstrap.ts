/**
 * A fresh node looks for a cluster: it exchanges `JOIN_REQUEST`s with its seeds and with every address
 * that it hears of, follows whoever answers for a live cluster, and founds one (see `Founding`) when
 * there is none.
 */
import { Option } from "effect"
import { formatAddress } from "../model/Address.ts"
import { compareCodePoints } from "../model/CodePointOrder.ts"
import type { ClusterMessageOf } from "../wire/ClusterMessage.ts"
import { type JoinRequestPayload, protocolVersion } from "../wire/MembershipMessages.ts"
import { maxFreshNodes, maxKnownAddresses, maxOpeningListBytes, withinBytes } from "./Bounds.ts"
import type { Fresh, FreshNode } from "./ClusterState.ts"
import { candidate, tryFound } from "./Founding.ts"
import * as Mesh from "./Mesh.ts"
import type { ConnectionId } from "./MeshState.ts"
import { onceFor } from "./OnceFor.ts"
import type { Step } from "./Transition.ts"

/** In `features` of a join request: the node keeps partition data, so that partitions are copied to and from it. */
export const dataFeature = "data"

/**
 * What a fresh node tells of the addresses it knows. A join request opens connections, and an opening frame is small:
 * of more addresses than fit the candidate's comes first. Its seeds need not be those of the others, and nobody founds
 * before those who wait for it have spoken to it.
 */
const toldAddresses = (step: Step, fresh: Fresh): ReadonlyArray<string> => {
  const told = withinBytes(fresh.known, maxOpeningListBytes)
  if (told.length === fresh.known.length && told.length < maxKnownAddresses) return told
  const first = fresh.heard.get(candidate(step, fresh))?.address
  return first === undefined ? told : withinBytes([...new Set([first, ...told])], maxOpeningListBytes)
}

const bootstrapFields = (step: Step, fresh: Fresh) => ({
  incarnation: step.self.incarnation,
  lastVersion: step.state.lastVersion,
  seeds: fresh.seeds,
  known: toldAddresses(step, fresh),
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
  partitionCount: step.state.node.partitionCount,
  features: step.state.carriesData ? [dataFeature] : []
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

// Fresh nodes tell each other all they know with every request, and as a rule it is known.
const addressSetOf = onceFor((addresses: ReadonlyArray<string>): ReadonlySet<string> => new Set(addresses))

/**
 * Adds the address of who speaks and those that it told to those worth asking; new ones are asked soon. Of those told
 * that find no room the first is asked once.
 */
export const learnAddresses = (step: Step, told: ReadonlyArray<string>, speaker?: string): void => {
  const fresh = step.fresh
  if (fresh === undefined) return
  const own = Mesh.ownAddress(step)
  const isNew = (address: string): boolean => address !== own && !addressSetOf(fresh.known).has(address)
  if (fresh.known.length >= maxKnownAddresses) {
    const beyondKnown = told.find(isNew)
    return beyondKnown === undefined ? undefined : step.setFresh({ beyondKnown })
  }
  const addresses = speaker === undefined ? told : [speaker, ...told]
  if (!addresses.some(isNew)) return
  const known = new Set(fresh.known)
  for (const address of addresses) if (address !== own && known.size < maxKnownAddresses) known.add(address)
  if (known.size > fresh.known.length) step.setFresh({ known: [...known], nextJoinAtMs: step.nowMs })
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

/**
 * Those heard, with room for one more; `undefined` if there is none. Of too many the seeds stay, without whom nobody
 * founds, and then the lowest ids: all seeds must agree on who is the candidate.
 */
const withRoomFor = (fresh: Fresh, nodeId: string, address: string): Fresh["heard"] | undefined => {
  const { heard, seeds } = fresh
  if (heard.has(nodeId) || heard.size < maxFreshNodes) return heard
  const isSeed = (id: string, at: string): boolean => seeds.some((seed) => seed.nodeId === id || seed.address === at)
  let last: string | undefined
  for (const [id, node] of heard) {
    if ((last === undefined || compareCodePoints(id, last) > 0) && !isSeed(id, node.address)) last = id
  }
  if (last === undefined || (!isSeed(nodeId, address) && compareCodePoints(nodeId, last) > 0)) return undefined
  return heard.delete(last)
}

/** Another fresh node speaks. It may get this node's promise for a founding round. */
export const learnFresh = (step: Step, request: JoinRequestPayload, connection: ConnectionId): void => {
  const address = formatAddress(request.host, request.clusterPort)
  resolveSeed(step, address, request.nodeId)
  resolveSeed(step, Mesh.connectionOf(step, connection)?.dialled, request.nodeId)
  learnAddresses(step, request.known ?? [], address)
  const fresh = step.fresh
  // A node of the reference founds with nobody: it is no candidate, and promises nothing.
  if (fresh === undefined || request.incarnation === undefined) return
  const node: FreshNode = {
    incarnation: request.incarnation,
    host: request.host,
    clusterPort: request.clusterPort,
    address,
    clientPort: request.clientPort,
    zone: request.zone,
    carriesData: request.features?.includes(dataFeature) === true,
    lastVersion: request.lastVersion ?? 0,
    seeds: request.seeds ?? [],
    promise: { term: request.promise ?? 0, to: request.promisedTo ?? "" },
    noFound: request.noFound === true,
    heardAtMs: step.nowMs
  }
  const heard = withRoomFor(fresh, request.nodeId, address)
  if (heard === undefined) return
  step.setFresh({ heard: heard.set(request.nodeId, node) })
  dropReplacedFormerVoters(step, request.nodeId, node.incarnation)
  considerPromise(step, request.nodeId, node)
}

const considerPromise = (step: Step, nodeId: string, node: FreshNode): void => {
  const fresh = step.fresh
  if (fresh === undefined || fresh.formerVoters.length > 0 || node.noFound) return
  if (node.promise.to !== nodeId || node.promise.term <= fresh.promise.term) return
  if (candidate(step, fresh) !== nodeId) return
  step.setFresh({ promise: node.promise, nextJoinAtMs: step.nowMs })
}

// A voter of the former cluster that comes back fresh is no longer a voter there.
const dropReplacedFormerVoters = (step: Step, nodeId: string, incarnation: number): void => {
  const fresh = step.fresh
  if (fresh === undefined || fresh.formerVoters.length === 0) return
  const replaced = fresh.formerVoters.some((voter) => voter.nodeId === nodeId && voter.incarnation !== incarnation)
  if (!replaced) return
  const formerGone = new Set(fresh.formerGone).add(nodeId)
  const mayLive = step.state.policy.quorum(
    fresh.formerVoters,
    (voter) => voter.nodeId !== step.self.nodeId && !formerGone.has(voter.nodeId)
  )
  step.setFresh(mayLive ? { formerGone } : { formerVoters: [], formerGone: new Set() })
}

// ---- asking -----------------------------------------------------------------------------------

/** Asks over the connection that was dialled to an address, or over the link of the node that lives there, or dials. */
const ask = (step: Step, fresh: Fresh, addresses: ReadonlyArray<string>): void => {
  const message = joinRequest(step, fresh)
  const dialled = new Map<string, ConnectionId>()
  for (const connection of step.state.mesh.connections.values()) {
    const address = connection.dialled
    if (address !== undefined && !dialled.has(address)) dialled.set(address, connection.id)
  }
  const heard = new Map<string, string>()
  for (const [nodeId, node] of fresh.heard) if (!heard.has(node.address)) heard.set(node.address, nodeId)
  for (const address of addresses) {
    const connection = dialled.get(address)
    const nodeId = heard.get(address)
    if (connection !== undefined) Mesh.reply(step, connection, message)
    else if (nodeId !== undefined && Mesh.isLinked(step, nodeId)) Mesh.sendTo(step, nodeId, message)
    else Mesh.dial(step, address, undefined)
  }
}

/** Asks the node that answers for a live cluster, or everyone. */
const askAll = (step: Step): void => {
  const fresh = step.fresh
  if (fresh === undefined) return
  step.setFresh({ nextJoinAtMs: step.nowMs + step.timing.joinIntervalMs })
  const target = fresh.target
  if (target !== undefined && step.nowMs - target.sinceMs < 3 * step.timing.joinIntervalMs) {
    return ask(step, fresh, [target.address])
  }
  if (target !== undefined) step.setFresh({ target: undefined })
  step.setFresh({ beyondKnown: undefined })
  ask(step, fresh, worthAsking(step, fresh))
}

// Of many fresh nodes not all addresses are remembered. Whom all wait for has to hear from them, and they from it.
const worthAsking = (step: Step, fresh: Fresh): ReadonlyArray<string> => {
  const { beyondKnown, heard, known } = fresh
  if (known.length < maxKnownAddresses) return known
  const awaited = candidate(step, fresh)
  const further =
    awaited === step.self.nodeId
      ? Array.from(heard, ([, { address }]) => address)
      : [heard.get(awaited)?.address, beyondKnown].filter((address) => address !== undefined)
  return [...new Set([...further, ...known])]
}

/** A node answers for a live cluster: ask there, at once and then first. */
export const aim = (step: Step, address: string, isReferred = false): void => {
  const fresh = step.fresh
  if (fresh === undefined || address === Mesh.ownAddress(step)) return
  step.setFresh({ liveClusterAtMs: step.nowMs })
  if (fresh.target?.address === address && step.nowMs - fresh.target.sinceMs < 2 * step.timing.joinIntervalMs) return
  step.setFresh({ target: { address, sinceMs: step.nowMs, isReferred } })
  const aimed = step.fresh
  if (aimed !== undefined) ask(step, aimed, [address])
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
  const patienceMs = Math.min(
    step.state.config.maxNoHeartbeatMs,
    step.state.node.joinTimeoutMs - step.timing.joinIntervalMs
  )
  if (refusal !== undefined && step.nowMs - refusal.lastMs > step.timing.freshPresentMs) {
    step.setFresh({ refusal: undefined })
  } else if (refusal !== undefined && step.nowMs - refusal.sinceMs >= patienceMs) {
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
    step.setFresh({ heard: forgotten.reduce((heard, [nodeId]) => heard.delete(nodeId), fresh.heard) })
  }
  const silentMs = step.nowMs - Math.max(fresh.sinceMs, fresh.liveClusterAtMs)
  // Nobody of the former cluster speaks: under `available` this node does not wait for proof.
  if (fresh.formerVoters.length > 0 && step.state.policy.forks && silentMs > 15 * step.timing.joinIntervalMs) {
    step.setFresh({ formerVoters: [] })
  }
  const now = step.fresh
  if (now !== undefined && tryFound(step, now)) askAll(step)
}
