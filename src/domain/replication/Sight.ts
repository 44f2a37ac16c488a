/** What the data plane of a node sees of its cluster: the view, the table, and who can be reached. */
import type { Incarnation, NodeId } from "../model/Scalars.ts"
import type { ClusterState } from "../protocol/ClusterState.ts"
import { type ClusterView, incarnationOf, memberAs, memberOf, relate } from "../protocol/ClusterView.ts"
import { type Custody, isHolder, noCustody } from "../protocol/Custody.ts"
import type { ConnectionId } from "../protocol/MeshState.ts"
import { ClusterPartitionTable } from "../placement/ClusterPartitionTable.ts"
import type { Voter } from "../wire/Extensions.ts"
import type { Stamp } from "./DataMessage.ts"

export interface Sight {
  readonly self: Voter
  /** `undefined`: the process has not joined. */
  readonly view: ClusterView | undefined
  readonly table: ClusterPartitionTable
  readonly custody: Custody
  /** Connections by node, the last one is used for sending. */
  readonly links: Pick<ReadonlyMap<NodeId, ReadonlyArray<ConnectionId>>, "get">
}

export const sightOf = (state: ClusterState): Sight => {
  const { links } = state.mesh
  if (state.phase._tag === "Fresh") {
    return { self: state.self, view: undefined, table: ClusterPartitionTable.make(0), custody: noCustody, links }
  }
  const { custody, table, view } = state.phase
  return { self: state.self, view, table, custody, links }
}

/** Is there nothing new to see? */
export const isSameSight = (a: ClusterState, b: ClusterState): boolean => {
  if (a.mesh.links !== b.mesh.links || a.self !== b.self) return false
  if (a.phase === b.phase) return true
  if (a.phase._tag === "Fresh" || b.phase._tag === "Fresh") return a.phase._tag === b.phase._tag
  return a.phase.view === b.phase.view && a.phase.table === b.phase.table && a.phase.custody === b.phase.custody
}

/** May this process act at all: its view and its table mean this very process. */
export const isListed = ({ custody, self, table, view }: Sight): boolean =>
  view !== undefined && table.version > 0 && memberAs(view, self) !== undefined && isHolder(custody, self)

/** The incarnation under which a node is a member. */
export const memberIncarnation = ({ view }: Sight, nodeId: NodeId): Incarnation | undefined => {
  const member = view === undefined ? undefined : memberOf(view, nodeId)
  return member === undefined || member.state === "dead" ? undefined : incarnationOf(member)
}

/** Is this process a member of its own view? */
export const isOwnMember = (sight: Sight): boolean =>
  memberIncarnation(sight, sight.self.nodeId) === sight.self.incarnation

export const stampOf = ({ table, view }: Sight): Stamp => ({
  lineage: view?.lineage ?? "",
  viewVersion: view?.version ?? 0,
  tableVersion: table.version
})

/** Does the sender's history have anything to do with ours? Otherwise versions say nothing. */
export const isRelated = ({ view }: Sight, { lineage, viewVersion }: Stamp): boolean =>
  view !== undefined && relate(view, { lineage, version: viewVersion }) !== "foreign"

/** Where to send to a node. */
export const linkTo = ({ links }: Sight, nodeId: NodeId): ConnectionId | undefined => links.get(nodeId)?.at(-1)
