/**
 * Who founds a cluster, with whom, and what its first view is.
 *
 * The lowest id among the fresh nodes heard lately is the candidate; the others promise it a founding
 * round. It founds with a group in which each member finds a strict majority of its own configured seeds
 * plus itself, so that two halves of a cut seed list cannot both found. No seeds: it founds alone.
 */
import { compareCodePoints } from "../model/CodePointOrder.ts"
import type { MemberInfo } from "../model/MemberInfo.ts"
import type { FoundingSeeds, Seed, ViewBase } from "../wire/Extensions.ts"
import { maxCauseLength } from "./Bounds.ts"
import { adopt } from "./Adoption.ts"
import type { Fresh, FreshNode } from "./ClusterState.ts"
import type { ClusterView } from "./ClusterView.ts"
import { foundingLineage } from "./Joining.ts"
import * as Mesh from "./Mesh.ts"
import { foundingQuorum } from "./Quorum.ts"
import { announceSettled, trySettle, welcome } from "./Settlement.ts"
import type { Step } from "./Transition.ts"
import { nextVersion, termOf } from "./Version.ts"

const mayFound = (step: Step, { heardAtMs, noFound }: FreshNode): boolean =>
  !noFound && step.nowMs - heardAtMs < step.timing.freshPresentMs

/** Fresh nodes that are present and may found, this one included, lowest id first. */
const candidates = (step: Step, fresh: Fresh): ReadonlyArray<string> => {
  const present = [...fresh.heard].filter(([, node]) => mayFound(step, node))
  return [step.self.nodeId, ...present.map(([nodeId]) => nodeId)].toSorted(compareCodePoints)
}

/** The lowest of them: every fresh node waits for it. */
export const candidate = (step: Step, fresh: Fresh): string => {
  let lowest = step.self.nodeId
  for (const [nodeId, node] of fresh.heard) {
    if (mayFound(step, node) && compareCodePoints(nodeId, lowest) < 0) lowest = nodeId
  }
  return lowest
}

const foundingBase = (step: Step, fresh: Fresh, group: ReadonlyArray<string>): ViewBase => {
  const addressOf = new Map([...fresh.heard].map(([nodeId, node]) => [node.address, nodeId]))
  addressOf.set(Mesh.ownAddress(step), step.self.nodeId)
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
const foundingGroup = (step: Step, fresh: Fresh, group: ReadonlyArray<string>): ReadonlyArray<string> => {
  const voters = foundingQuorum(foundingBase(step, fresh, group), () => true)
  // A view that its own founders cannot settle is not worth founding.
  return step.state.policy.quorum(voters, () => true) ? voters.map((voter) => voter.nodeId) : []
}

const founded = (step: Step, fresh: Fresh, group: ReadonlyArray<string>): ClusterView => {
  let last = step.state.lastVersion
  for (const nodeId of group) last = Math.max(last, fresh.heard.get(nodeId)?.lastVersion ?? 0)
  // Nobody has held a view: version 1 of term 0, exactly as the reference founds.
  const version = last === 0 ? 1 : nextVersion(last, termOf(last) + 1)
  const joinVersion = last === 0 ? 0 : version
  const members = group.map((nodeId): MemberInfo => {
    const heard = fresh.heard.get(nodeId)
    const zone = heard === undefined ? step.state.node.zone : heard.zone
    const carriesData = heard === undefined ? step.state.carriesData : heard.carriesData
    return {
      nodeId,
      host: heard?.host ?? step.state.node.advertiseHost,
      clientPort: heard?.clientPort ?? step.state.node.clientPort,
      clusterPort: heard?.clusterPort ?? step.state.node.clusterPort,
      state: "active",
      joinVersion,
      incarnation: heard?.incarnation ?? step.self.incarnation,
      ...(zone === undefined ? {} : { zone }),
      ...(carriesData ? { carriesData } : {})
    }
  })
  return {
    lineage: foundingLineage(step.self.nodeId, step.self.incarnation),
    version,
    parent: { lineage: "", version: 0 },
    ancestors: [],
    members,
    base: foundingBase(step, fresh, group),
    cause: `founded by ${group.join(", ")}`.slice(0, maxCauseLength).toWellFormed()
  }
}

/** Founds if this node is the candidate and has what it takes. True when the others must be asked for promises. */
export const tryFound = (step: Step, fresh: Fresh): boolean => {
  if (step.nowMs - fresh.liveClusterAtMs < step.timing.liveClusterMs || fresh.formerVoters.length > 0) return false
  if (candidate(step, fresh) !== step.self.nodeId) return false
  if (fresh.seeds.length > 0 && step.nowMs - fresh.sinceMs < step.timing.candidacyMs) return false
  const present = candidates(step, fresh)
  if (!foundingGroup(step, fresh, present).includes(step.self.nodeId)) return false

  const inRound = fresh.promise.to === step.self.nodeId && step.nowMs - fresh.claimedAtMs < step.timing.foundingRoundMs
  if (!inRound) {
    let term = fresh.promise.term
    for (const node of fresh.heard.values()) term = Math.max(term, node.promise.term)
    step.setFresh({
      promise: { term: term + 1, to: step.self.nodeId },
      claimedAtMs: step.nowMs,
      nextJoinAtMs: step.nowMs
    })
    if (present.length > 1) return true
  }
  found(step, present)
  return false
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
  adopt(step, view, false)
  const term = termOf(view.version)
  step.setJoined({ promise: { term, to: step.self.nodeId }, ownTerm: term, founder: true, foundingRound: round })
  const joined = step.joined
  if (joined === undefined) return
  step.note(`founds a cluster with ${group.join(", ")}`)
  for (const nodeId of group) {
    if (nodeId !== step.self.nodeId) Mesh.sendTo(step, nodeId, welcome(step, joined, round))
  }
  if (trySettle(step)) announceSettled(step)
}
