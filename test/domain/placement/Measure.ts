/** What a plan did to a table, counted from the rows alone. */
import type { PartitionAssignment } from "../../../src/domain/model/Partition.ts"

export type Rows = ReadonlyArray<PartitionAssignment>
export type ZoneOf = (nodeId: string) => string | undefined

export const replicasOf = (row: PartitionAssignment): ReadonlyArray<string> => [row.owner, ...row.backups]

const byPartition = (rows: Rows): ReadonlyMap<number, PartitionAssignment> =>
  new Map(rows.map((row) => [row.partitionId, row]))

const countBy = (nodes: ReadonlyArray<string>, members: ReadonlyArray<string>): ReadonlyArray<number> => {
  const counts = new Map(members.map((member) => [member, 0]))
  for (const node of nodes) counts.set(node, (counts.get(node) ?? 0) + 1)
  return [...counts.values()]
}

const spread = (counts: ReadonlyArray<number>): number => Math.max(...counts) - Math.min(...counts)

export const ownerSpread = (rows: Rows, members: ReadonlyArray<string>): number =>
  spread(
    countBy(
      rows.map((row) => row.owner),
      members
    )
  )

export const replicaLoads = (rows: Rows, members: ReadonlyArray<string>): ReadonlyArray<number> =>
  countBy(rows.flatMap(replicasOf), members)

export const replicaSpread = (rows: Rows, members: ReadonlyArray<string>): number => spread(replicaLoads(rows, members))

export interface Movement {
  /** Partitions whose owner changed, new partitions included. */
  readonly owners: number
  /** Replicas on nodes that did not hold the partition. */
  readonly copies: number
  /** Partitions whose living owner changed places with a replica: nothing is copied for that. */
  readonly swaps: number
  /** Partitions that had a living replica and keep none of them. */
  readonly orphaned: number
}

export const movement = (before: Rows, after: Rows, members: ReadonlyArray<string>): Movement => {
  const old = byPartition(before)
  const living = new Set(members)
  let owners = 0
  let copies = 0
  let orphaned = 0
  let swaps = 0
  for (const row of after) {
    const was = old.get(row.partitionId)
    const holders = was === undefined ? [] : replicasOf(was)
    const survivors = holders.filter((node) => living.has(node))
    const now = replicasOf(row)
    if (was?.owner !== row.owner) owners++
    if (was !== undefined && was.owner !== row.owner && living.has(was.owner) && holders.includes(row.owner)) swaps++
    copies += now.filter((node) => !holders.includes(node)).length
    if (survivors.length > 0 && !now.some((node) => survivors.includes(node))) orphaned++
  }
  return { owners, copies, orphaned, swaps }
}

/** The fewest copies with which loads that may only be floor or ceiling of the average can be reached. */
export const fewestCopies = (
  before: Rows,
  members: ReadonlyArray<string>,
  partitionCount: number,
  replicas: number
): number => {
  const living = new Set(members)
  const kept = before.flatMap((row) =>
    replicasOf(row)
      .filter((node) => living.has(node))
      .slice(0, replicas)
  )
  const loads = countBy(kept, members).toSorted((a, b) => b - a)
  const total = partitionCount * replicas
  const floor = Math.floor(total / members.length)
  const ceilings = total - floor * members.length
  return loads.reduce((sum, load, index) => sum + Math.max(0, floor + (index < ceilings ? 1 : 0) - load), 0)
}

/** What is wrong with the rows as a complete placement on `members`; empty when nothing is. */
export const defects = (
  rows: Rows,
  members: ReadonlyArray<string>,
  partitionCount: number,
  backupCount: number
): ReadonlyArray<string> => {
  const living = new Set(members)
  const replicas = Math.min(backupCount + 1, members.length)
  const ids = rows.map((row) => row.partitionId)
  const wrongIds = ids.length !== partitionCount || ids.some((id, index) => id !== index)
  return [
    ...(wrongIds ? [`partition ids are ${ids.join(",")}`] : []),
    ...rows.flatMap((row) => {
      const nodes = replicasOf(row)
      const isSound =
        nodes.length === replicas && new Set(nodes).size === replicas && nodes.every((node) => living.has(node))
      return isSound ? [] : [`partition ${row.partitionId} is on ${nodes.join(",")}`]
    })
  ]
}
