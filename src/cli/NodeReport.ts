/**
 * What `squadron node --report` prints: one JSON object per line, a line whenever the node's
 * view, master or partition table has changed; many changes in a row share lines. The demo and the scenarios judge a cluster by nothing else.
 */
import { Option, Schema } from "effect"
import type { MembersView } from "../domain/model/MembersView.ts"
import { NodeState } from "../domain/model/NodeState.ts"
import { NodeId, Text, U64 } from "../domain/model/Scalars.ts"
import type { ClusterPartitionTable } from "../domain/placement/ClusterPartitionTable.ts"
import { onceFor } from "../domain/protocol/OnceFor.ts"

/** Index into `nodes`. */
const NodeIndex = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

/** Index into `nodes`, or −1 where a partition has no owner. */
const OwnerIndex = Schema.Int.check(Schema.isGreaterThanOrEqualTo(-1))

const schema = Schema.Struct({
  /** Wall clock, milliseconds since 1970. */
  at: U64,
  nodeId: NodeId,
  /** Absent while this node knows no master. */
  masterId: Schema.OptionFromOptionalKey(NodeId),
  /** Does this node act as master? */
  isMaster: Schema.Boolean,
  /** The lineage in which the view's version counts; "" while this node holds no view. */
  lineage: Text,
  /** Is the view known to be settled? */
  settled: Schema.Boolean,
  /** Version 0 and no members while this node holds no view. */
  view: Schema.Struct({
    version: U64,
    members: Schema.Array(Schema.Struct({ nodeId: NodeId, state: NodeState }))
  }),
  tableVersion: U64,
  /** The nodes that `owners` and `backups` name by index. */
  nodes: Schema.Array(NodeId),
  /** At index p the owner of partition p. */
  owners: Schema.Array(OwnerIndex),
  /** At index p the backups of partition p, in promotion order. */
  backups: Schema.Array(Schema.Array(NodeIndex))
})

export type NodeReport = typeof schema.Type

/** Who holds a partition: owner first, then the backups in promotion order. */
export interface Replicas {
  readonly owner: NodeId
  readonly backups: ReadonlyArray<NodeId>
}

/** At index p the replicas of partition p, `undefined` while it has no owner. */
export type Placement = ReadonlyArray<Replicas | undefined>

export interface Observed {
  readonly atMs: number
  readonly nodeId: NodeId
  readonly masterId: Option.Option<NodeId>
  readonly isMaster: boolean
  readonly lineage: string
  readonly settled: boolean
  readonly view: MembersView
  readonly table: ClusterPartitionTable
}

/** What a node sees, as a report. */
const of = ({ atMs, nodeId, masterId, isMaster, lineage, settled, view, table }: Observed): NodeReport => {
  const nodes: Array<NodeId> = []
  const indexes = new Map<NodeId, number>()
  const indexOf = (id: NodeId): number => {
    const known = indexes.get(id)
    if (known !== undefined) return known
    indexes.set(id, nodes.length)
    return nodes.push(id) - 1
  }
  const owners = table.rows.map((row) => (row === undefined ? -1 : indexOf(row.owner)))
  const backups = table.rows.map((row) => (row === undefined ? [] : row.backups.map(indexOf)))
  return {
    at: Math.floor(atMs),
    nodeId,
    masterId,
    isMaster,
    lineage,
    settled,
    view: { version: view.version, members: view.members.map(({ nodeId, state }) => ({ nodeId, state })) },
    tableVersion: table.version,
    nodes,
    owners,
    backups
  }
}

/** The report's partition table with names in place of indexes; an index without a name counts as nobody. */
const placement: (report: NodeReport) => Placement = onceFor((report: NodeReport) =>
  report.owners.map((ownerIndex, partitionId) => {
    const owner = report.nodes[ownerIndex]
    if (owner === undefined) return undefined
    const backups = (report.backups[partitionId] ?? []).flatMap((index) => report.nodes[index] ?? [])
    return { owner, backups }
  })
)

/** Do the two reports say the same, but for their time? Most that do not differ in a version. */
const isSame = (a: NodeReport, b: NodeReport): boolean =>
  a.tableVersion === b.tableVersion &&
  a.view.version === b.view.version &&
  toLine({ ...a, at: 0 }) === toLine({ ...b, at: 0 })

const lineSchema = Schema.fromJsonString(schema)

/** One line of JSON, without the line break. */
const toLine: (report: NodeReport) => string = Schema.encodeSync(lineSchema)

/** The report in a line, or none if the line is something else. */
const fromLine: (line: unknown) => Option.Option<NodeReport> = Schema.decodeUnknownOption(lineSchema)

export const NodeReport = Object.assign(schema, { of, placement, isSame, toLine, fromLine })
