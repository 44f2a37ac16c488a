/**
 * How a row gets from what it is to what it should be: one copy at a time, and never with a replica in it whose
 * copy is not complete. Changing roles and dropping a replica need no copy.
 */
import type { PartitionAssignment } from "../model/Partition.ts"
import type { NodeId } from "../model/Scalars.ts"

export type MigrationStep =
  /** The row is as it should be. */
  | { readonly _tag: "Done" }
  /** The row may change at once. */
  | { readonly _tag: "Change"; readonly row: PartitionAssignment }
  /** This node needs a copy first. */
  | { readonly _tag: "Copy"; readonly destination: NodeId }

export const replicasOf = (row: PartitionAssignment): ReadonlyArray<NodeId> => [row.owner, ...row.backups]

const isSame = (a: PartitionAssignment, b: PartitionAssignment): boolean =>
  a.owner === b.owner &&
  a.backups.length === b.backups.length &&
  a.backups.every((backup, index) => backup === b.backups[index])

const done: MigrationStep = { _tag: "Done" }

/** What comes next for a row. Backups are copied before the owner-to-be: redundancy comes first. */
export const nextStep = (row: PartitionAssignment, target: PartitionAssignment): MigrationStep => {
  if (isSame(row, target)) return done
  const held = new Set(replicasOf(row))
  const destination = [...target.backups, target.owner].find((nodeId) => !held.has(nodeId))
  return destination === undefined ? { _tag: "Change", row: target } : { _tag: "Copy", destination }
}

/**
 * The row once `destination` holds a complete copy: the target if nothing else is missing, else the row with the
 * destination as a backup, in place of a backup that the target does not want when the row is full.
 */
export const rowWithCopy = (
  row: PartitionAssignment,
  target: PartitionAssignment,
  destination: NodeId
): PartitionAssignment => {
  const held = new Set([...replicasOf(row), destination])
  if (replicasOf(target).every((nodeId) => held.has(nodeId))) return target
  const wanted = new Set(replicasOf(target))
  const backups = [...row.backups.filter((nodeId) => nodeId !== destination), destination]
  const surplus = backups.findIndex((nodeId) => !wanted.has(nodeId) && nodeId !== destination)
  const isFull = backups.length > target.backups.length
  return { ...row, backups: isFull && surplus >= 0 ? backups.toSpliced(surplus, 1) : backups }
}

/** The order of the next copies: partitions with the fewest replicas first, they are the nearest to loss. */
export const byUrgency = (a: PartitionAssignment, b: PartitionAssignment): number =>
  a.backups.length - b.backups.length || a.partitionId - b.partitionId
