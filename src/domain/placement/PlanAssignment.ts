/**
 * The placement of a live cluster: from the members and the table as it is, the table as it should be,
 * with as little data copied as possible. It plans owners and backups together.
 *
 * What it promises, for P partitions, N members and R = min(backupCount + 1, N) replicas:
 *
 * - owners differ by at most one between nodes, and so do replicas (after a join of several nodes at once,
 *   replicas after at most two plans); where zones forbid that, replicas are as even as zones allow;
 * - a join to a balanced cluster moves ⌊P/(N+1)⌋ owners and copies ⌊P·R/(N+1)⌋ replicas, and no more;
 * - with `backupCount` ≥ 1 no partition loses all its living replicas; with 0 the source keeps its data
 *   until the migration is final;
 * - a dead owner's partition goes to a living replica at once, without copying;
 * - replicas are on distinct nodes, and on distinct zones where there are enough zones with enough members;
 * - the result depends on the inputs alone, not on their order; a plan for a planned table changes nothing.
 */
import { compareCodePoints } from "../model/CodePointOrder.ts"
import type { PartitionAssignment } from "../model/Partition.ts"
import type { NodeId } from "../model/Scalars.ts"
import { maxPartitionCount } from "./ClusterPartitionTable.ts"
import type { PlacementMember } from "./ComputeAssignment.ts"
import { InvalidPlacement } from "./InvalidPlacement.ts"
import { at, filled, none } from "./planner/Integers.ts"
import { planTable } from "./planner/PlanTable.ts"
import type { CurrentRows } from "./planner/ReplicaSets.ts"
import { seedOf } from "./planner/Scramble.ts"
import { type ZoneRule, zoneRule } from "./planner/ZoneRule.ts"

export interface PlacementRequest {
  /**
   * The nodes to place on: node ids, or members as the view lists them. Of members the active ones receive
   * partitions; joining, suspect and leaving ones receive none, but keep what they hold until it has
   * migrated; dead and removed ones hold nothing. Listing a node twice changes nothing.
   */
  readonly members: ReadonlyArray<NodeId | PlacementMember>
  /** The rows of the table; partitions without a row are unassigned. */
  readonly current: ReadonlyArray<PartitionAssignment>
  /** 0…2^24. */
  readonly partitionCount: number
  /** Copies wanted beside the owner's, 0 or more; at most members − 1 can be had. */
  readonly backupCount: number
  /**
   * Where a node stands: replicas of a partition go to distinct zones. A node of unknown zone (`undefined`)
   * counts as a zone of its own.
   */
  readonly zoneOf?: ((nodeId: NodeId) => string | undefined) | undefined
}

export interface PlacementPlan {
  /**
   * Rows that take effect at once because nothing has to be copied for them, by partition id: dead nodes
   * left out, a survivor as owner where the owner died; and the target's row where nobody holds any data.
   * Partitions whose row stays for now are not listed.
   */
  readonly promotions: ReadonlyArray<PartitionAssignment>
  /** All rows 0…`partitionCount` − 1, by partition id, as they should be in the end. Empty without members. */
  readonly target: ReadonlyArray<PartitionAssignment>
}

const receivesPartitions = (member: NodeId | PlacementMember): boolean =>
  typeof member === "string" || member.state === "active"

const isGone = (member: NodeId | PlacementMember): boolean =>
  typeof member !== "string" && (member.state === "dead" || member.state === "removed")

const idOf = (member: NodeId | PlacementMember): NodeId => (typeof member === "string" ? member : member.nodeId)

/**
 * In place of a node index: a node that lives and holds data, but receives no partition. The planner takes
 * it, like every negative number, for no member.
 */
const outgoing = -2

/** Node ids by index, and the index of each node id that lives. */
interface Directory {
  readonly ids: ReadonlyArray<NodeId>
  readonly indexOf: ReadonlyMap<NodeId, number>
}

const directoryOf = (members: PlacementRequest["members"]): Directory => {
  const ids = [...new Set(members.filter(receivesPartitions).map(idOf))].toSorted(compareCodePoints)
  const indexOf = new Map<NodeId, number>()
  for (const member of members) if (!isGone(member)) indexOf.set(idOf(member), outgoing)
  for (const [index, id] of ids.entries()) indexOf.set(id, index)
  return { ids, indexOf }
}

const requireCount = (
  fault: "partitionCountOutOfRange" | "backupCountOutOfRange",
  value: number,
  most: number
): void => {
  if (!Number.isInteger(value) || value < 0 || value > most) throw new InvalidPlacement({ fault, value })
}

/** The rows at the index of their partition. */
const rowsById = (
  current: ReadonlyArray<PartitionAssignment>,
  partitionCount: number
): ReadonlyArray<PartitionAssignment | undefined> => {
  const rows = new Array<PartitionAssignment | undefined>(partitionCount).fill(undefined)
  for (let row = 0; row < current.length; row++) {
    const assignment = current[row]
    if (assignment === undefined) continue
    const { partitionId } = assignment
    if (!Number.isInteger(partitionId) || partitionId < 0 || partitionId >= partitionCount) {
      throw new InvalidPlacement({ fault: "partitionIdOutOfRange", value: partitionId, row })
    }
    if (rows[partitionId] !== undefined) {
      throw new InvalidPlacement({ fault: "duplicatePartitionId", value: partitionId, row })
    }
    rows[partitionId] = assignment
  }
  return rows
}

/** The rows as node indexes, and which of them cannot stay for a moment. */
interface IndexedRows extends CurrentRows {
  /** Partitions without a row, or with a node in it that is gone or listed twice; ascending. */
  readonly broken: ReadonlyArray<number>
}

const toIndexes = (rows: ReadonlyArray<PartitionAssignment | undefined>, { indexOf }: Directory): IndexedRows => {
  let width = 1
  for (let partition = 0; partition < rows.length; partition++) {
    width = Math.max(width, 1 + (rows[partition]?.backups.length ?? 0))
  }
  const nodes = filled(rows.length * width, none)
  const broken: Array<number> = []
  for (let partition = 0; partition < rows.length; partition++) {
    const row = rows[partition]
    if (row === undefined) {
      broken.push(partition)
      continue
    }
    let index = partition * width
    const owner = indexOf.get(row.owner)
    nodes[index++] = owner ?? none
    let isSound = owner !== undefined
    for (let backup = 0; backup < row.backups.length; backup++) {
      const id = row.backups[backup] ?? ""
      const node = indexOf.get(id)
      nodes[index++] = node ?? none
      isSound &&= node !== undefined && id !== row.owner && row.backups.indexOf(id) === backup
    }
    if (!isSound) broken.push(partition)
  }
  return { width, nodes, broken }
}

const zonesOf = (
  ids: ReadonlyArray<NodeId>,
  zoneOf: PlacementRequest["zoneOf"],
  replicas: number
): ZoneRule | undefined => {
  if (zoneOf === undefined) return undefined
  const numbers = new Map<string, number>()
  let zones = 0
  const zoneNumbers = ids.map((id) => {
    const name = zoneOf(id)
    if (name === undefined) return zones++
    const known = numbers.get(name)
    if (known !== undefined) return known
    numbers.set(name, zones)
    return zones++
  })
  return zoneRule(Int32Array.from(zoneNumbers), replicas)
}

const idAt = (ids: ReadonlyArray<NodeId>, rows: Int32Array, index: number): NodeId => {
  const id = ids[at(rows, index)]
  if (id === undefined) throw new RangeError("a planned row has an empty slot")
  return id
}

/** The target's rows, with the very row of before where nothing changes. */
const toRows = (
  target: Int32Array,
  replicas: number,
  before: ReadonlyArray<PartitionAssignment | undefined>,
  current: CurrentRows,
  ids: ReadonlyArray<NodeId>
): ReadonlyArray<PartitionAssignment> => {
  // Arrays of their final size: grown ones would take twice the memory, at a million rows a second of collection.
  const rows = new Array<PartitionAssignment>(before.length)
  for (let partitionId = 0; partitionId < before.length; partitionId++) {
    const start = partitionId * replicas
    const old = partitionId * current.width
    const row = before[partitionId]
    let equal = 0
    if (row?.backups.length === replicas - 1) {
      while (equal < replicas && at(target, start + equal) === at(current.nodes, old + equal)) equal++
    }
    if (row !== undefined && equal === replicas) {
      rows[partitionId] = row
      continue
    }
    const backups = new Array<NodeId>(replicas - 1)
    for (let index = 1; index < replicas; index++) backups[index - 1] = idAt(ids, target, start + index)
    rows[partitionId] = { partitionId, owner: idAt(ids, target, start), backups }
  }
  return rows
}

/** The row that takes effect at once, for a partition whose row cannot stay. */
const immediateRow = (
  before: PartitionAssignment | undefined,
  target: PartitionAssignment,
  promoted: NodeId | undefined,
  { indexOf }: Directory
): PartitionAssignment => {
  if (before === undefined) return target
  const living = [...new Set([before.owner, ...before.backups])].filter((id) => indexOf.has(id))
  // A survivor that will own the partition in the end spares it a second change.
  const candidates = indexOf.has(before.owner) ? [before.owner] : [target.owner, promoted, ...living]
  const owner = candidates.find((id) => id !== undefined && living.includes(id))
  if (owner === undefined) return target
  return { partitionId: before.partitionId, owner, backups: living.filter((id) => id !== owner) }
}

/**
 * Plans owners and backups of all partitions. A count out of range, a partition id out of range and a
 * partition listed twice in `current` are defects: {@link InvalidPlacement} is thrown. Without active members both
 * lists are empty.
 */
export const planAssignment = (request: PlacementRequest): PlacementPlan => {
  const { members, partitionCount, backupCount, zoneOf } = request
  requireCount("partitionCountOutOfRange", partitionCount, maxPartitionCount)
  requireCount("backupCountOutOfRange", backupCount, Number.MAX_SAFE_INTEGER)
  const before = rowsById(request.current, partitionCount)
  const directory = directoryOf(members)
  const { ids } = directory
  if (ids.length === 0) return { promotions: [], target: [] }
  const replicas = Math.min(backupCount + 1, ids.length)
  const current = toIndexes(before, directory)
  const planned = planTable({
    nodes: ids.length,
    partitions: partitionCount,
    replicas,
    zones: zonesOf(ids, zoneOf, replicas),
    current,
    seed: seedOf(ids)
  })
  const target = toRows(planned.target, replicas, before, current, ids)
  const promotions: Array<PartitionAssignment> = []
  for (let index = 0; index < current.broken.length; index++) {
    const partition = current.broken[index]
    const row = partition === undefined ? undefined : target[partition]
    if (partition === undefined || row === undefined) continue
    const promoted = ids[at(planned.promoted, partition)]
    promotions.push(immediateRow(before[partition], row, promoted, directory))
  }
  return { promotions, target }
}
