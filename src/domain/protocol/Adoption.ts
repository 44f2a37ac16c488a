/** Taking a view, learning that it is settled, and dropping out of it. */
import { type Equivalence, Option, Schema } from "effect"
import type { ClusterChange } from "../model/ClusterChange.ts"
import { MemberInfo } from "../model/MemberInfo.ts"
import type { Incarnation, NodeId } from "../model/Scalars.ts"
import type { Voter } from "../wire/Extensions.ts"
import { maxKnownAddresses, maxOutside } from "./Bounds.ts"
import { emptyDesk, noCustody } from "./Custody.ts"
import { emptyTable, freshPhase, type Joined, noPeers, type Peer } from "./ClusterState.ts"
import { type ClusterView, incarnationOf, isReference, masterByAge, memberOf } from "./ClusterView.ts"
import * as Mesh from "./Mesh.ts"
import { onceFor, onceForBoth } from "./OnceFor.ts"
import { newPeer } from "./Peers.ts"
import { hears, ringsIn } from "./Topology.ts"
import type { Step } from "./Transition.ts"
import { termOf } from "./Version.ts"

const sameMember: Equivalence.Equivalence<MemberInfo> = Schema.toEquivalence(MemberInfo)

/** What subscribers are told between two settled member lists. */
export const changesBetween = (
  before: ReadonlyArray<MemberInfo>,
  after: ReadonlyArray<MemberInfo>,
  cause: string
): ReadonlyArray<ClusterChange> => {
  const changes: Array<ClusterChange> = []
  // As a rule nearly all members are the very same.
  const old = new Map<NodeId, MemberInfo>()
  for (const [index, member] of before.entries()) if (member !== after[index]) old.set(member.nodeId, member)
  for (const [index, member] of after.entries()) {
    if (member === before[index]) continue
    const known = old.get(member.nodeId)
    old.delete(member.nodeId)
    if (known === undefined) changes.push({ _tag: "MemberAdded", member, cause })
    else if (incarnationOf(known) !== incarnationOf(member)) {
      changes.push({ _tag: "MemberRemoved", member: known, cause }, { _tag: "MemberAdded", member, cause })
    } else if (!sameMember(known, member)) changes.push({ _tag: "MemberUpdated", member, cause })
  }
  for (const member of old.values()) changes.push({ _tag: "MemberRemoved", member, cause })
  return changes
}

/** Whoever waited for it may act on the view from now on; subscribers hear of it. */
export const markSettled = (step: Step): void => {
  const joined = step.joined
  if (joined === undefined || joined.settled) return
  step.setJoined({ settled: true, founder: false })
  const { cause, members, version } = joined.view
  const masterId = masterByAge(joined.view)?.nodeId
  const changes = [...changesBetween(step.state.published.members, members, cause)]
  if (masterId !== step.state.published.masterId) {
    changes.push({ _tag: "MasterChanged", masterId: Option.fromNullishOr(masterId), term: termOf(version) })
  }
  step.set({ published: { members, masterId } })
  step.publish(changes)
}

// On rings a view may change how often this node hears a peer: what it has learned of its rhythm is void then, and the
// peer has time to begin.
const expectations = (step: Step, view: ClusterView, old: Joined | undefined): ((id: NodeId, peer: Peer) => Peer) => {
  const now = ringsIn(step.state, view)
  const before = old === undefined ? undefined : ringsIn(step.state, old.view)
  if (now === undefined && before === undefined) return (_, peer) => peer
  const self = step.self.nodeId
  return (nodeId, peer) => {
    const isOften = hears(now, view, self, nodeId)
    const wasOften = old === undefined ? undefined : hears(before, old.view, self, nodeId)
    if (isOften === wasOften) return peer
    if (isOften === "beats" || wasOften === "beats") step.forgetDetector(nodeId)
    return { ...peer, expectedSinceMs: step.nowMs }
  }
}

// Derived once for all nodes that take a view, where they hold the same one.
const incarnationsOf = onceFor(
  (members: ReadonlyArray<MemberInfo>): ReadonlyMap<NodeId, Incarnation> =>
    new Map(members.map((member) => [member.nodeId, incarnationOf(member)]))
)
const wantedOf = onceForBoth(
  (members: ReadonlyArray<MemberInfo>, voters: ReadonlyArray<Voter>): ReadonlyMap<NodeId, Incarnation> =>
    new Map([...voters.map(({ incarnation, nodeId }) => [nodeId, incarnation] as const), ...incarnationsOf(members)])
)
const lostBetween = onceForBoth((members: ReadonlyArray<MemberInfo>, before: ReadonlyArray<MemberInfo>) =>
  before.filter(({ nodeId }) => !incarnationsOf(members).has(nodeId))
)

// Peers of the new view: whoever was replaced by another process starts without history.
const peersFor = (step: Step, view: ClusterView, old: Joined | undefined) => {
  const before = step.state.peers
  const expects = expectations(step, view, old)
  const wanted = wantedOf(view.members, view.base.voters, undefined)
  const changed: Array<readonly [NodeId, Peer]> = []
  let kept = 0
  for (const [nodeId, incarnation] of wanted) {
    if (nodeId === step.self.nodeId) continue
    const known = before.get(nodeId)
    const replaced = known?.incarnation !== undefined && known.incarnation !== incarnation
    if (known === undefined || replaced) step.forgetDetector(nodeId)
    const peer = known === undefined || replaced ? newPeer(step.nowMs) : expects(nodeId, known)
    if (known !== undefined) kept++
    if (peer !== known) changed.push([nodeId, peer])
  }
  const gone = before.size === kept ? [] : before.keys().filter((nodeId) => !wanted.has(nodeId))
  for (const nodeId of gone) step.forgetDetector(nodeId)
  // Few peers change: the others stay where they are.
  const peers = gone.reduce((rest, nodeId) => rest.delete(nodeId), before)
  return changed.reduce((rest, [nodeId, peer]) => rest.set(nodeId, peer), peers)
}

/** Members that the view has lost are probed: they may live in another part of a split. */
const rememberOutside = (step: Step, lost: ReadonlyArray<MemberInfo>): void => {
  if (lost.length === 0) return
  const { split } = step.state
  const outside = new Map(split.outside)
  for (const member of lost) {
    outside.delete(member.nodeId)
    const reference = isReference(member) ? { reference: member } : {}
    outside.set(member.nodeId, { address: Mesh.addressOf(member), sinceMs: step.nowMs, ...reference })
  }
  step.set({ split: { ...split, outside: new Map([...outside].slice(-maxOutside)) } })
}

/**
 * Makes `view` this node's view. The promise is kept within a lineage when it is for a higher term;
 * the acting master keeps its desk (`keepDesk`) when the view is its own proposal.
 */
export const adopt = (step: Step, view: ClusterView, settled: boolean, keepDesk = false): void => {
  const before = step.joined
  const term = termOf(view.version)
  const sameLineage = before !== undefined && before.view.lineage === view.lineage
  const promise =
    sameLineage && (before.promise.term > term || (before.ownTerm === term && before.promise.term === term))
      ? before.promise
      : { term, to: "" }
  const members = incarnationsOf(view.members)
  const keepKnown = <A>(map: ReadonlyMap<NodeId, A>): ReadonlyMap<NodeId, A> =>
    map.size === 0 ? map : new Map([...map].filter(([nodeId]) => members.has(nodeId)))
  const joined: Joined = {
    _tag: "Joined",
    view,
    settled: false,
    viewAtMs: step.nowMs,
    promise,
    ownTerm: sameLineage ? before.ownTerm : -1,
    claimedAtMs: undefined,
    masterBadSinceMs: undefined,
    suspected: (before?.suspected ?? []).filter((nodeId) => {
      const known = before === undefined ? undefined : memberOf(before.view, nodeId)
      return known !== undefined && members.get(nodeId) === incarnationOf(known)
    }),
    nextHeartbeatAtMs: before?.nextHeartbeatAtMs ?? step.nowMs,
    nextReportAtMs: before?.nextReportAtMs ?? Number.NEGATIVE_INFINITY,
    founder: false,
    askedAtMs: undefined,
    referred: undefined,
    unanswered: view.ledBy === undefined || before === undefined ? new Map() : keepKnown(before.unanswered),
    foundingRound: sameLineage ? before.foundingRound : 0,
    sentAtMs: step.nowMs,
    joins: keepDesk && before !== undefined ? before.joins : new Map(),
    leaves: keepDesk && before !== undefined ? before.leaves : new Map(),
    unwelcomed: new Set(
      keepDesk && before !== undefined ? [...before.unwelcomed].filter((nodeId) => members.has(nodeId)) : []
    ),
    recountAbove: keepDesk && before !== undefined ? before.recountAbove : 0,
    recountedAtMs: keepDesk && before !== undefined ? before.recountedAtMs : Number.NEGATIVE_INFINITY,
    suspectSince: before === undefined ? new Map() : keepKnown(before.suspectSince),
    deadSince: before === undefined ? new Map() : keepKnown(before.deadSince),
    inheritedDead: keepDesk && before !== undefined ? before.inheritedDead : new Set(),
    neededTerm: 0,
    selfBeforeLeave: before?.selfBeforeLeave,
    table: before?.table ?? emptyTable(step.state),
    tableViewVersion: before?.tableViewVersion ?? -1,
    custody: before?.custody ?? noCustody,
    migrations: keepDesk && before !== undefined ? before.migrations : emptyDesk
  }
  const lost = before === undefined ? [] : lostBetween(view.members, before.view.members, undefined)
  rememberOutside(step, lost)
  step.set({
    phase: joined,
    peers: peersFor(step, view, before),
    calmUntilMs: Number.NEGATIVE_INFINITY,
    lastVersion: Math.max(step.state.lastVersion, view.version)
  })
  step.note(`view ${view.version} of ${view.lineage}: ${view.cause}`, "debug")
  if (settled) markSettled(step)
}

/**
 * Drops the identity and keeps the data: a new incarnation looks for the cluster again. Always safe.
 * `target` is asked first; `former` are the voters of a live cluster that this node dropped out of.
 */
export const dissolve = (step: Step, why: string, target: string | undefined, former: ReadonlyArray<Voter>): void => {
  const joined = step.joined
  if (joined === undefined) return
  // What it has not handed over yet it hands over to those whom it joins.
  if (step.state.leavingSinceMs !== undefined && step.state.drainUntilMs === undefined) {
    step.run({ _tag: "Stop", reason: { _tag: "Left" } })
    return
  }
  step.note(`rejoining: ${why}`, "warn")
  for (const nodeId of step.state.peers.keys()) step.forgetDetector(nodeId)
  rememberOutside(
    step,
    joined.view.members.filter((member) => member.nodeId !== step.self.nodeId)
  )
  const own = Mesh.ownAddress(step)
  const seeds = step.state.config.seedAddresses.filter((address) => address !== own).map((address) => ({ address }))
  const fresh = freshPhase(step.nowMs, seeds)
  const others = joined.view.members.map(Mesh.addressOf).filter((address) => address !== own)
  step.set({
    self: { nodeId: step.self.nodeId, incarnation: step.self.incarnation + 1 },
    published: { members: [], masterId: undefined },
    peers: noPeers(),
    split: { ...step.state.split, haltedSinceMs: undefined },
    phase: {
      ...fresh,
      known: [...new Set([...fresh.known, ...others])].slice(0, maxKnownAddresses),
      target: target === undefined ? undefined : { address: target, sinceMs: step.nowMs, isReferred: false },
      liveClusterAtMs: target === undefined ? fresh.liveClusterAtMs : step.nowMs,
      formerVoters: former
    }
  })
  step.publish([{ _tag: "LocalNodeExpelled", cause: why }])
}
