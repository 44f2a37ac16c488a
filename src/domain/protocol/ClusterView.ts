/**
 * A view as the protocol sees it: a member list with the line it belongs to, the view it was made
 * from, and the base voters that must agree to it beside its own.
 *
 * Views are adopted, settled and superseded: joint consensus over the member list, without a log
 * (compare Ongaro 2014, section 4.3).
 */
import type { MemberInfo } from "../model/MemberInfo.ts"
import { compareAge, MembersView } from "../model/MembersView.ts"
import type { Incarnation, Lineage, NodeId } from "../model/Scalars.ts"
import type { ViewBase, ViewParent, Voter } from "../wire/Extensions.ts"
import type { MembersUpdatePayload } from "../wire/MembershipMessages.ts"
import { onceFor } from "./OnceFor.ts"

export interface ClusterView {
  readonly lineage: Lineage
  readonly version: number
  readonly parent: ViewParent
  /** Where each earlier lineage that this one continues was left, newest first; at most {@link maxAncestors}. */
  readonly ancestors: ReadonlyArray<ViewParent>
  readonly members: ReadonlyArray<MemberInfo>
  readonly base: ViewBase
  /** Why it was made, in words: it travels with the view, so that every node can say why. */
  readonly cause: string
  /** The node of the reference that leads: the view is its word, and nobody here settles or changes it. */
  readonly ledBy?: NodeId
}

/** The incarnation of a member; a peer that sends none is 0. */
export const incarnationOf = (member: MemberInfo): Incarnation => member.incarnation ?? 0

/** A node of the reference, which has no incarnation. It cannot promise, so it has no vote and leads no view of ours. */
export const isReference = (member: MemberInfo): boolean => member.incarnation === undefined

/**
 * May a view list the member as suspect? A node of the reference that takes itself for suspect never takes itself for
 * active again, and then neither leads nor admits anybody: it is active until it is dead.
 */
export const maySuspect = (member: MemberInfo): boolean => !isReference(member)

/** Active, suspect and leaving members vote; joining and dead ones do not, nor do nodes of the reference. */
export const isVoter = (member: MemberInfo): boolean =>
  (member.state === "active" || member.state === "suspect" || member.state === "leaving") && !isReference(member)

export const toVoter = (member: MemberInfo): Voter => ({
  nodeId: member.nodeId,
  incarnation: incarnationOf(member)
})

/** Voters of a member list, oldest first. */
export const votersOf = onceFor((members: ReadonlyArray<MemberInfo>): ReadonlyArray<Voter> =>
  members.filter(isVoter).toSorted(compareAge).map(toVoter)
)

// Of members with one id, which no view of ours has, the first counts.
const byNodeId = onceFor(
  (members: ReadonlyArray<MemberInfo>): ReadonlyMap<NodeId, MemberInfo> =>
    new Map(members.toReversed().map((member) => [member.nodeId, member]))
)

export const memberOf = (view: ClusterView, nodeId: NodeId): MemberInfo | undefined =>
  byNodeId(view.members).get(nodeId)

/** The member that is this very process. */
export const memberAs = (view: ClusterView, voter: Voter): MemberInfo | undefined => {
  const member = memberOf(view, voter.nodeId)
  return member !== undefined && incarnationOf(member) === voter.incarnation ? member : undefined
}

export const isBaseVoter = (view: ClusterView, voter: Voter): boolean =>
  view.base.voters.some((base) => base.nodeId === voter.nodeId && base.incarnation === voter.incarnation)

/**
 * Does this process have a say in the view? Its members do; while it is not settled the base voters do as
 * well, unless another process has their id.
 */
export const hasSay = (view: ClusterView, settled: boolean, voter: Voter): boolean => {
  const member = memberOf(view, voter.nodeId)
  return member === undefined ? !settled && isBaseVoter(view, voter) : incarnationOf(member) === voter.incarnation
}

const own = onceFor((members: ReadonlyArray<MemberInfo>) =>
  members.some(isReference) ? members.filter((one) => !isReference(one)) : members
)
const oldestOf = onceFor((members: ReadonlyArray<MemberInfo>) => ({
  master: MembersView.master({ version: 0, members: own(members) })
}))

/**
 * The oldest active member that is no node of the reference, or the one that leads the view. Being oldest is not
 * enough to act: see `isActing`.
 */
export const masterByAge = (view: ClusterView): MemberInfo | undefined =>
  view.ledBy === undefined ? oldestOf(view.members).master : memberOf(view, view.ledBy)

/**
 * Whom a member list names as master: as {@link masterByAge}, and where nobody has an incarnation, which is the list
 * of a node of the reference, the oldest active one.
 */
export const masterIn = (list: MembersView): MemberInfo | undefined =>
  MembersView.master({ version: list.version, members: own(list.members) }) ?? MembersView.master(list)

/**
 * The lineage of what a node of the reference says. It has the same one after a restart, so it tells nothing of which
 * view was made from which.
 */
export const ledLineage = (leader: NodeId): Lineage => `${leader}.0`

/** Is this a lineage that a node of the reference leads? No process of ours has 0 for its incarnation. */
export const isLedLineage = (lineage: Lineage): boolean => lineage.endsWith(".0")

/** The view as it travels in `MEMBERS_UPDATE` and `JOIN_RESPONSE`. */
export const toWire = (view: ClusterView, settled: boolean): Omit<MembersUpdatePayload, "clusterTimeMs"> => ({
  view: { version: view.version, members: view.members },
  lineage: view.lineage,
  parent: view.parent,
  ancestors: view.ancestors,
  base: view.base,
  cause: view.cause,
  settled
})

/** A view read off the wire; the bare list of a peer without lineages counts as settled. */
export const fromWire = (
  payload: Omit<MembersUpdatePayload, "clusterTimeMs">
): { readonly view: ClusterView; readonly settled: boolean } => ({
  view: {
    lineage: payload.lineage ?? "",
    version: payload.view.version,
    parent: payload.parent ?? { lineage: "", version: 0 },
    ancestors: payload.ancestors ?? [],
    members: payload.view.members,
    base: payload.base ?? { voters: [] },
    cause: payload.cause ?? "as its master says"
  },
  settled: payload.lineage === undefined || payload.settled === true
})

/** Earlier lineages that a view remembers; whoever is further behind is treated as foreign and rejoins. */
export const maxAncestors = 16

/**
 * How a view named by `(lineage, version)` relates to `view`: `older` is a prefix of its history,
 * `newer` a later view of its own lineage, `foreign` anything else (another side of a split, or a
 * lineage that continues this one and says so itself).
 */
export const relate = (
  view: Pick<ClusterView, "lineage" | "version" | "ancestors">,
  other: ViewParent
): "same" | "older" | "newer" | "foreign" => {
  if (other.lineage === view.lineage) {
    return other.version === view.version ? "same" : other.version < view.version ? "older" : "newer"
  }
  const left = view.ancestors.find((ancestor) => ancestor.lineage === other.lineage)
  return left !== undefined && other.version <= left.version ? "older" : "foreign"
}

/** The ancestors of a view in `lineage` that is made from `from`. */
export const ancestorsFor = (from: ClusterView, lineage: Lineage): ReadonlyArray<ViewParent> =>
  lineage === from.lineage
    ? from.ancestors
    : [{ lineage: from.lineage, version: from.version }, ...from.ancestors].slice(0, maxAncestors)
