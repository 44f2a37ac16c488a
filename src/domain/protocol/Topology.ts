/**
 * Who watches whom, as a pure function of the view: all nodes of a cluster work it out alike, and nobody has to say.
 *
 * All-to-all, every node beats to every other: N messages per node in each interval. On rings a node beats to its
 * `k` watchers only. Whoever decides must still hear of everyone, so that every node also exchanges a report with
 * the *stewards*, the few oldest voters, once in several intervals: the master is one of them, and who succeeds it.
 * Per node this is `k` messages in an interval and a fraction of one for each steward, however large the cluster is.
 *
 * A topology decides who is heard how often and so who may accuse whom. What settles a view or wins a claim is counted
 * over all voters and does not depend on it.
 */
import type { MemberInfo } from "../model/MemberInfo.ts"
import type { NodeId } from "../model/Scalars.ts"
import type { ClusterState, Joined } from "./ClusterState.ts"
import { type ClusterView, votersOf } from "./ClusterView.ts"
import { type Rings, ringsOf } from "./Rings.ts"

export interface Topology {
  readonly name: string
  /** The rings of these members; `undefined`: everyone watches everyone. */
  readonly ringsOf: (members: ReadonlyArray<MemberInfo>) => Rings | undefined
}

/** Everyone beats to everyone, as in the original. */
export const allToAll: Topology = { name: "all", ringsOf: () => undefined }

/** The most members that beat to each other all-to-all by default. */
export const defaultAllToAllUpTo = 100
/** Watchers of a node by default: with 8 the rings of 1,000 nodes are an expander, and 4 may fail together. */
export const defaultWatchers = 8
/** Oldest voters that hear of everyone. All may die at once: then their watchers accuse them, and the next are asked. */
export const stewardCount = 3

export interface RingsOptions {
  /** Watchers of each node, a whole number of 3…64. Default 8. */
  readonly k?: number
  /** Up to so many members everyone watches everyone, a whole number from 0. Default 100. */
  readonly above?: number
}

/**
 * Each node has `k` watchers in clusters of more than `above` members. Where a member does not say its incarnation, a
 * node of the reference, everyone watches everyone: it knows of no rings.
 *
 * Throws a RangeError for options out of range.
 */
export const rings = ({ above = defaultAllToAllUpTo, k = defaultWatchers }: RingsOptions = {}): Topology => {
  if (!Number.isSafeInteger(k) || k < 3 || k > 64) throw new RangeError(`rings: k is ${k}, not 3…64`)
  if (!Number.isSafeInteger(above) || above < 0)
    throw new RangeError(`rings: above is ${above}, no whole number from 0`)
  const known = new WeakMap<ReadonlyArray<MemberInfo>, { readonly rings: Rings | undefined }>()
  const atLeast = Math.max(above, k + 1)
  // The dead stand on the rings until they are removed: so changes of state move nobody, and who comes back is heard.
  const make = (members: ReadonlyArray<MemberInfo>): Rings | undefined => {
    const placed = members.filter(({ state }) => state !== "joining")
    const isPossible = placed.length > atLeast && members.every(({ incarnation }) => incarnation !== undefined)
    return isPossible
      ? ringsOf(
          placed.map(({ nodeId }) => nodeId),
          k
        )
      : undefined
  }
  return {
    name: above === 0 ? `rings:${k}` : `rings:${k} above ${above}`,
    ringsOf: (members) => {
      if (members.length <= atLeast) return undefined
      const before = known.get(members)
      if (before !== undefined) return before.rings
      const made = { rings: make(members) }
      known.set(members, made)
      return made.rings
    }
  }
}

/** All-to-all up to 100 members, rings above. */
export const defaultTopology: Topology = rings()

// ---- what a node makes of it --------------------------------------------------------------------

export const ringsIn = (state: ClusterState, view: ClusterView): Rings | undefined =>
  state.topology.ringsOf(view.members)

const isOneOf = (voters: ReturnType<typeof votersOf>, nodeId: NodeId): boolean => {
  for (let i = 0; i < stewardCount; i++) if (voters[i]?.nodeId === nodeId) return true
  return false
}

/** Is the node one of the oldest voters of the view, of whom everyone hears? */
export const isSteward = (view: ClusterView, nodeId: NodeId): boolean => isOneOf(votersOf(view.members), nodeId)

/**
 * How often `self` hears `other` while all is well: in each interval, in each report interval, or by chance only. Both
 * are members of the view.
 */
export const hears = (
  rings: Rings | undefined,
  view: ClusterView,
  self: NodeId,
  other: NodeId
): "beats" | "reports" | undefined => {
  if (rings === undefined || rings.watchedBy.get(self)?.has(other) === true) return "beats"
  const isSelfSteward = isSteward(view, self)
  // Whoever stands on no ring yet beats to the stewards.
  if (isSelfSteward && !rings.watchersOf.has(other)) return "beats"
  return isSelfSteward || isSteward(view, other) ? "reports" : undefined
}

/**
 * To whom this node reports: the oldest voters that it does not suspect, and those of the view. When all of them are
 * gone the next oldest get everyone's reports, and one of those claims.
 */
export const stewards = (state: ClusterState, joined: Joined): ReadonlySet<NodeId> => {
  const ids = new Set<NodeId>()
  let living = 0
  for (const [rank, { nodeId }] of votersOf(joined.view.members).entries()) {
    const isLiving = !joined.suspected.includes(nodeId)
    if (isLiving) living++
    if (isLiving || rank < stewardCount) ids.add(nodeId)
    if (living >= stewardCount && rank >= stewardCount - 1) break
  }
  ids.delete(state.self.nodeId)
  return ids
}

/** May this node say of the member that it is silent? Of others it hears by chance only. */
export const mayMiss = (state: ClusterState, joined: Joined, nodeId: NodeId): boolean => {
  const found = ringsIn(state, joined.view)
  if (found === undefined || hears(found, joined.view, state.self.nodeId, nodeId) !== undefined) return true
  return actsAsSteward(state, joined)
}

/** Is this node one of the oldest voters that it does not suspect: does everyone who agrees report to it? */
export const actsAsSteward = (state: ClusterState, joined: Joined): boolean => {
  let living = 0
  for (const { nodeId } of votersOf(joined.view.members)) {
    if (nodeId === state.self.nodeId) return true
    if (!joined.suspected.includes(nodeId) && ++living >= stewardCount) return false
  }
  return false
}

/** Who may accuse a node on rings: its watchers and the stewards. `undefined`: everyone. */
export const electorsOf = (state: ClusterState, view: ClusterView, nodeId: NodeId): ReadonlySet<NodeId> | undefined => {
  const found = ringsIn(state, view)
  if (found === undefined) return undefined
  const ids = new Set(found.watchersOf.get(nodeId))
  for (const voter of votersOf(view.members).slice(0, stewardCount)) ids.add(voter.nodeId)
  ids.delete(nodeId)
  return ids
}
