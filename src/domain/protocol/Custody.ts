/**
 * What comes with the partition table where partitions carry data: which processes its rows mean, which copies
 * it commits, and which partitions wait for their old holders; and the acting master's desk of open migrations.
 */
import type { PartitionAssignment } from "../model/Partition.ts"
import type { Incarnation, NodeId } from "../model/Scalars.ts"
import type { RecoveringPartition, Voter } from "../wire/Extensions.ts"

export interface Custody {
  /** The processes that the rows mean. A row that names another process of such an id names nobody. */
  readonly holders: ReadonlyArray<Voter>
  /** Ids of migrations that this version or one before it commits, oldest first; at most `maxCompletedMigrations`. */
  readonly completed: ReadonlyArray<string>
  /** Partitions that none of their listed replicas has survived, by id; at most as many as there are partitions. */
  readonly recovering: ReadonlyArray<RecoveringPartition>
}

export const noCustody: Custody = { holders: [], completed: [], recovering: [] }

/** A copy under way, as the acting master knows it. */
export interface OpenMigration {
  /** Begins with the version of the table at which it was planned. */
  readonly id: string
  readonly partitionId: number
  readonly source: NodeId
  readonly sourceIncarnation: Incarnation
  readonly destination: NodeId
  readonly destinationIncarnation: Incarnation
  readonly startedAtMs: number
  /** When its start was last sent. */
  readonly sentAtMs: number
}

/** A migration that failed is tried again later. */
interface Retry {
  readonly failures: number
  readonly notBeforeMs: number
}

export interface MigrationDesk {
  /** The rows as they should be in the end; empty before the first plan. */
  readonly target: ReadonlyArray<PartitionAssignment>
  /** Members that the target leaves out, because they leave. */
  readonly leavers: ReadonlyArray<NodeId>
  /** Plans made for this view: several joins at once need a second one. */
  readonly rounds: number
  /** By partition; at most `maxParallelMigrations`. */
  readonly open: ReadonlyMap<number, OpenMigration>
  /** By partition. */
  readonly retries: ReadonlyMap<number, Retry>
  /** Migrations that this desk has started. */
  readonly started: number
}

export const emptyDesk: MigrationDesk = {
  target: [],
  leavers: [],
  rounds: 0,
  open: new Map(),
  retries: new Map(),
  started: 0
}

/** The table version at which a migration was planned, or `undefined` if its id says none. */
export const planVersionOf = (migrationId: string): number | undefined => {
  const version = Number(migrationId.slice(0, migrationId.indexOf("-")))
  return migrationId.includes("-") && Number.isSafeInteger(version) && version > 0 ? version : undefined
}

/** Is this process one that the rows mean? */
export const isHolder = (custody: Custody, voter: Voter): boolean =>
  custody.holders.some((holder) => holder.nodeId === voter.nodeId && holder.incarnation === voter.incarnation)
