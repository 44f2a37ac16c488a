/**
 * The acting master's side of migrations, where partitions carry data.
 *
 * A plan's promotions take effect at once. Everything else is copied first, one copy at a time for each partition,
 * at most `maxParallelMigrations` in all: the master tells the owner to copy (`MIGRATE_START`), and changes the
 * row when the *destination* says that it has everything (`MIGRATE_READY`). It commits only a migration that is open
 * and whose source still owns the partition. The table is the authority; `MIGRATE_FINALIZE` and `MIGRATE_CANCEL` are
 * hints. An id that is not open is closed: whoever asks about one is given the table and a cancel. So a new master
 * need not know what the one before had begun.
 */
import type { MemberInfo } from "../model/MemberInfo.ts"
import type { PartitionAssignment } from "../model/Partition.ts"
import type { NodeId } from "../model/Scalars.ts"
import { ClusterPartitionTable } from "../placement/ClusterPartitionTable.ts"
import type { ClusterMessage, ClusterMessageOf } from "../wire/ClusterMessage.ts"
import { maxCompletedMigrations } from "./Bounds.ts"
import { isActing, type Joined } from "./ClusterState.ts"
import { incarnationOf, memberAs, memberOf, toVoter } from "./ClusterView.ts"
import type { MigrationDesk, OpenMigration } from "./Custody.ts"
import { leaversOf } from "./Draining.ts"
import * as Mesh from "./Mesh.ts"
import { awaitsNewerTable, recoveringNow, targetFor, withoutReplaced } from "./MigrationBasis.ts"
import { byUrgency, nextStep, replicasOf, rowWithCopy } from "./MigrationSteps.ts"
import { holdersOf, planFor, reissue, sameRow, tableUpdate } from "./TableSharing.ts"
import type { Step } from "./Transition.ts"

export type MigrationOutcome = "handled" | "notMaster" | "notNow" | "closedMigration" | "wrongSender"

/** Plans made for one view: several joins at once may need a second one until all is even. */
const maxRounds = 2
/** A failed migration waits this long, twice as long after each further failure, up to the longest. */
const retryMinMs = 250
const retryMaxMs = 30_000
/** A migration that takes longer than this is given up: its ends watch its progress themselves. */
export const migrationTimeoutMs = 15 * 60_000

const member = (joined: Joined, nodeId: NodeId): MemberInfo | undefined => memberOf(joined.view, nodeId)

/** Do members of this view keep data? */
export const hasData = (joined: Joined): boolean => joined.view.members.some(({ carriesData }) => carriesData === true)

/** Sends to a member, or hands over what is meant for this node itself. */
const tell = (step: Step, nodeId: NodeId, message: ClusterMessage): void => {
  if (nodeId === step.self.nodeId) step.run({ _tag: "Deliver", from: nodeId, message, isMember: true })
  else Mesh.sendTo(step, nodeId, message)
}

const setDesk = (step: Step, change: Partial<MigrationDesk>): void => {
  const joined = step.joined
  if (joined !== undefined) step.setJoined({ migrations: { ...joined.migrations, ...change } })
}

const mayAct = (step: Step, joined: Joined): boolean =>
  joined.settled && isActing(step.state, joined) && step.nowMs >= step.state.holdUntilMs

// ---- planning -------------------------------------------------------------------------------------

const plan = (step: Step, joined: Joined, rounds: number): void => {
  const holders = holdersOf(joined.view.members)
  const rows = withoutReplaced(joined)
  const leavers = leaversOf(step, joined)
  const planned = planFor(step.state, joined.view.members, rows)
  const { promotions } = planned
  // Whoever leaves still owns what it does until others hold it.
  const promoted = new Map([...rows, ...promotions].map((row) => [row.partitionId, row]))
  const target = leavers.length === 0 ? planned.target : targetFor(step, joined, [...promoted.values()], leavers)
  const ids = new Set(holders.map(({ nodeId }) => nodeId))
  const custody = {
    ...joined.custody,
    holders: holders.map(toVoter),
    recovering: recoveringNow(joined, rows, ids, step.state.node.partitionCount)
  }
  step.setJoined({ tableViewVersion: joined.view.version })
  setDesk(step, { target, leavers, rounds })
  const changed = promotions.filter((row) => !sameRow(joined.table, row))
  reissue(step, joined, changed, custody)
  changeAtOnce(step)
}

// Roles, surplus replicas, and replicas on nodes that keep no data: nothing has to be copied.
const changeAtOnce = (step: Step): void => {
  const joined = step.joined
  if (joined === undefined) return
  const rows: Array<PartitionAssignment> = []
  for (const target of joined.migrations.target) {
    if (joined.migrations.open.has(target.partitionId)) continue
    let row: PartitionAssignment | undefined = joined.table.rows[target.partitionId]
    if (row === undefined) continue
    for (let turn = 0; turn <= replicasOf(target).length; turn++) {
      const next = nextStep(row, target)
      if (next._tag === "Done") break
      if (next._tag === "Copy" && isCopied(joined, row.owner, next.destination)) break
      row = next._tag === "Change" ? next.row : rowWithCopy(row, target, next.destination)
    }
    if (!sameRow(joined.table, row)) rows.push(row)
  }
  if (rows.length > 0) reissue(step, joined, rows)
}

const isCopied = (joined: Joined, source: NodeId, destination: NodeId): boolean =>
  member(joined, source)?.carriesData === true && member(joined, destination)?.carriesData === true

// ---- starting and cancelling ----------------------------------------------------------------------

const start = (migration: OpenMigration): ClusterMessageOf<"MIGRATE_START"> => ({
  type: "MIGRATE_START",
  migrationId: migration.id,
  partitionId: migration.partitionId,
  destinationNodeId: migration.destination
})

/** Why an open migration has lost its point, or `undefined`. */
const endedBy = (step: Step, joined: Joined, migration: OpenMigration): string | undefined => {
  const { destination, partitionId, source } = migration
  for (const [nodeId, incarnation] of [
    [source, migration.sourceIncarnation],
    [destination, migration.destinationIncarnation]
  ] as const) {
    const end = memberAs(joined.view, { nodeId, incarnation })
    if (end === undefined || (end.state !== "active" && end.state !== "suspect")) return `${nodeId} is gone`
  }
  const row = joined.table.rows[partitionId]
  if (row?.owner !== source) return `${source} does not own the partition any more`
  if (row.backups.includes(destination)) return `${destination} is a replica already`
  const target = joined.migrations.target[partitionId]
  if (target === undefined || !replicasOf(target).includes(destination)) return "the plan has changed"
  return step.nowMs - migration.startedAtMs > migrationTimeoutMs ? "it takes too long" : undefined
}

/** Cancels a migration; the table that it was decided on has gone to both ends before. */
const cancel = (step: Step, migration: OpenMigration, why: string, failed: boolean): void => {
  const joined = step.joined
  if (joined === undefined) return
  const open = new Map(joined.migrations.open)
  open.delete(migration.partitionId)
  const retries = new Map(joined.migrations.retries)
  if (failed) {
    const failures = (retries.get(migration.partitionId)?.failures ?? 0) + 1
    const waitMs = Math.min(retryMaxMs, retryMinMs * 2 ** (failures - 1)) * jitterOf(migration)
    retries.set(migration.partitionId, { failures, notBeforeMs: step.nowMs + waitMs })
  } else retries.delete(migration.partitionId)
  setDesk(step, { open, retries })
  step.note(`migration ${migration.id} of partition ${migration.partitionId} is cancelled: ${why}`)
  for (const nodeId of [migration.source, migration.destination]) tell(step, nodeId, cancelOf(joined, migration, why))
}

const cancelOf = (
  joined: Joined,
  { id, partitionId }: { readonly id: string; readonly partitionId: number },
  reason: string
): ClusterMessageOf<"MIGRATE_CANCEL"> => ({
  type: "MIGRATE_CANCEL",
  migrationId: id,
  partitionId,
  reason,
  tableVersion: joined.table.version
})

// Between a half and the whole of the time, spread over migrations.
const jitterOf = ({ id }: OpenMigration): number => {
  let hash = 0
  for (let i = 0; i < id.length; i++) hash = (Math.imul(hash, 31) + id.charCodeAt(i)) >>> 0
  return 0.5 + (hash % 1024) / 2048
}

const cancelEnded = (step: Step): void => {
  for (const migration of step.joined?.migrations.open.values() ?? []) {
    const joined = step.joined
    const why = joined === undefined ? undefined : endedBy(step, joined, migration)
    if (why !== undefined) cancel(step, migration, why, why === "it takes too long")
  }
}

/** Opens as many migrations as may run, the most urgent first. */
const pump = (step: Step): void => {
  const joined = step.joined
  if (joined === undefined) return
  const { open, retries, target } = joined.migrations
  const free = step.state.config.maxParallelMigrations - open.size
  if (free <= 0) return
  const waiting = target.flatMap((wanted) => {
    const row = joined.table.rows[wanted.partitionId]
    if (row === undefined || open.has(wanted.partitionId)) return []
    if (step.nowMs < (retries.get(wanted.partitionId)?.notBeforeMs ?? 0)) return []
    const next = nextStep(row, wanted)
    return next._tag === "Copy" ? [{ row, destination: next.destination }] : []
  })
  waiting.sort((a, b) => byUrgency(a.row, b.row))
  for (const { destination, row } of waiting.slice(0, free)) begin(step, row, destination)
}

const begin = (step: Step, row: PartitionAssignment, destination: NodeId): void => {
  const joined = step.joined
  const source = joined === undefined ? undefined : member(joined, row.owner)
  const taker = joined === undefined ? undefined : member(joined, destination)
  if (joined === undefined || source === undefined || taker === undefined) return
  const started = joined.migrations.started + 1
  const migration: OpenMigration = {
    id: `${joined.table.version}-${started}`,
    partitionId: row.partitionId,
    source: row.owner,
    sourceIncarnation: incarnationOf(source),
    destination,
    destinationIncarnation: incarnationOf(taker),
    startedAtMs: step.nowMs,
    sentAtMs: step.nowMs
  }
  setDesk(step, { started, open: new Map(joined.migrations.open).set(row.partitionId, migration) })
  tell(step, row.owner, start(migration))
}

const resend = (step: Step): void => {
  const joined = step.joined
  if (joined === undefined) return
  for (const migration of joined.migrations.open.values()) {
    if (step.nowMs - migration.sentAtMs < 2 * step.timing.resendMs) continue
    const open = new Map(step.joined?.migrations.open)
    setDesk(step, { open: open.set(migration.partitionId, { ...migration, sentAtMs: step.nowMs }) })
    tell(step, migration.source, start(migration))
  }
}

const isAtTarget = (joined: Joined): boolean =>
  joined.migrations.open.size === 0 && joined.migrations.target.every((row) => sameRow(joined.table, row))

/** What the acting master does about migrations after every change and at every tick. */
export const run = (step: Step): void => {
  const joined = step.joined
  if (joined === undefined || !mayAct(step, joined) || !hasData(joined)) return
  if (holdersOf(joined.view.members).length === 0) return
  const { leavers, target } = joined.migrations
  const isOld = joined.tableViewVersion !== joined.view.version || target.length === 0
  if (isOld || leavers.join() !== leaversOf(step, joined).join()) {
    if (awaitsNewerTable(step, joined)) return
    plan(step, joined, 1)
  } else if (joined.migrations.rounds < maxRounds && isAtTarget(joined)) replan(step, joined)
  cancelEnded(step)
  resend(step)
  pump(step)
}

/** These rows are wanted instead of the planned ones, until the next plan. */
export const retarget = (step: Step, rows: ReadonlyArray<PartitionAssignment>): void => {
  const joined = step.joined
  if (joined === undefined) return
  const wanted = new Map(rows.map((row) => [row.partitionId, row]))
  setDesk(step, { target: joined.migrations.target.map((row) => wanted.get(row.partitionId) ?? row) })
  cancelEnded(step)
  changeAtOnce(step)
  pump(step)
}

/** Makes a new plan now, whatever was asked for. Only the acting master of a settled view does. */
export const rebalance = (step: Step): void => {
  const joined = step.joined
  if (joined === undefined || !mayAct(step, joined) || !hasData(joined)) return
  replan(step, joined)
  setDesk(step, { rounds: 1 })
  run(step)
}

/** Gives up the migration of a partition: its row stays as it is until the next plan. Whether there was one. */
export const cancelMove = (step: Step, partitionId: number): boolean => {
  const joined = step.joined
  const migration = joined?.migrations.open.get(partitionId)
  const row = joined?.table.rows[partitionId]
  if (joined === undefined || migration === undefined || row === undefined) return false
  const { backups, owner } = row
  cancel(step, migration, "as it was asked", false)
  retarget(step, [{ partitionId, owner, backups }])
  return true
}

// A second look once all has arrived; a plan that changes nothing publishes nothing.
const replan = (step: Step, joined: Joined): void => {
  const leavers = leaversOf(step, joined)
  const target = targetFor(step, joined, ClusterPartitionTable.assignments(joined.table), leavers)
  setDesk(step, { target, leavers, rounds: joined.migrations.rounds + 1 })
  changeAtOnce(step)
}

// ---- messages -------------------------------------------------------------------------------------

/** What a closed id is answered with: the table first, because a cancel counts only with it. */
const answerClosed = (
  step: Step,
  joined: Joined,
  to: NodeId,
  message: { migrationId: string; partitionId: number }
) => {
  if (to !== step.self.nodeId) Mesh.sendTo(step, to, tableUpdate(joined))
  const { migrationId: id, partitionId } = message
  tell(step, to, cancelOf(joined, { id, partitionId }, "it is not open"))
}

/** The destination has everything: the row changes. */
export const ready = (step: Step, from: NodeId, message: ClusterMessageOf<"MIGRATE_READY">): MigrationOutcome => {
  const joined = step.joined
  if (joined === undefined || !isActing(step.state, joined)) return "notMaster"
  if (!mayAct(step, joined)) return "notNow"
  cancelEnded(step)
  const now = step.joined
  const migration = now?.migrations.open.get(message.partitionId)
  if (now === undefined || migration?.id !== message.migrationId) {
    answerClosed(step, now ?? joined, from, message)
    return "closedMigration"
  }
  if (from !== migration.destination) return "wrongSender"
  commit(step, now, migration)
  return "handled"
}

const commit = (step: Step, joined: Joined, migration: OpenMigration): void => {
  const { destination, id, partitionId, source } = migration
  const row = joined.table.rows[partitionId]
  const target = joined.migrations.target[partitionId]
  if (row === undefined || target === undefined) return
  const open = new Map(joined.migrations.open)
  const retries = new Map(joined.migrations.retries)
  open.delete(partitionId)
  retries.delete(partitionId)
  setDesk(step, { open, retries })
  const changed = step.joined
  if (changed === undefined) return
  const completed = [...joined.custody.completed, id].slice(-maxCompletedMigrations)
  const next = rowWithCopy(row, target, destination)
  reissue(step, changed, [next], { ...joined.custody, completed })
  for (const nodeId of [source, destination]) {
    tell(step, nodeId, { type: "MIGRATE_FINALIZE", migrationId: id, partitionId, newOwner: next.owner })
  }
  run(step)
}

/** An end gives up, or asks what became of a migration. */
export const asked = (step: Step, from: NodeId, message: ClusterMessageOf<"MIGRATE_CANCEL">): MigrationOutcome => {
  const joined = step.joined
  if (joined === undefined || !isActing(step.state, joined)) return "notMaster"
  const migration = joined.migrations.open.get(message.partitionId)
  if (migration?.id !== message.migrationId) {
    answerClosed(step, joined, from, message)
    return "closedMigration"
  }
  if (from !== migration.source && from !== migration.destination) return "wrongSender"
  if (message.isQuestion === true) return "handled"
  cancel(step, migration, `${from}: ${message.reason}`, true)
  return "handled"
}

/**
 * Owners report that everyone has said what they hold of partitions without a surviving replica. `empty` are those
 * of which nobody held anything: they are lost, unless they have never had an owner.
 */
export const recovered = (
  step: Step,
  from: NodeId,
  partitionIds: ReadonlyArray<number>,
  empty: ReadonlyArray<number>
): MigrationOutcome => {
  const joined = step.joined
  if (joined === undefined || !isActing(step.state, joined)) return "notMaster"
  if (!mayAct(step, joined)) return "notNow"
  const over = new Set(partitionIds.filter((id) => joined.table.rows[id]?.owner === from))
  const ended = joined.custody.recovering.filter(({ partitionId }) => over.has(partitionId))
  if (ended.length === 0) {
    if (from !== step.self.nodeId) Mesh.sendTo(step, from, tableUpdate(joined))
    return "handled"
  }
  const recovering = joined.custody.recovering.filter(({ partitionId }) => !over.has(partitionId))
  reissue(step, joined, [], { ...joined.custody, recovering })
  const lost = ended.filter(({ partitionId, replicas }) => empty.includes(partitionId) && replicas.length > 0)
  step.publish(
    lost.map(({ partitionId, replicas }) => ({ _tag: "PartitionLost", partitionId, lastOwner: replicas[0] ?? "" }))
  )
  return "handled"
}
