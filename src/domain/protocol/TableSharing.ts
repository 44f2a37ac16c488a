/**
 * The partition table: planned and published by the acting master of a settled view, applied by
 * everyone of its lineage. Among nodes that keep no data a change takes effect at once; see `Migrating` for the others.
 */
import { Option, Result } from "effect"
import type { ClusterChange } from "../model/ClusterChange.ts"
import type { MemberInfo } from "../model/MemberInfo.ts"
import type { PartitionAssignment } from "../model/Partition.ts"
import { ClusterPartitionTable } from "../placement/ClusterPartitionTable.ts"
import type { ClusterMessageOf } from "../wire/ClusterMessage.ts"
import type { PartitionTableUpdatePayload } from "../wire/PartitionMessages.ts"
import { maxCompletedMigrations } from "./Bounds.ts"
import { type ClusterState, isActing, type Joined, type Planner, type Report } from "./ClusterState.ts"
import { isReference, memberOf, relate } from "./ClusterView.ts"
import { type Custody, noCustody } from "./Custody.ts"
import * as Mesh from "./Mesh.ts"
import { peerOf, setPeer } from "./Peers.ts"
import type { Step } from "./Transition.ts"
import { nextVersion, termOf } from "./Version.ts"

export type TableOutcome = "applied" | "notJoined" | "notMember" | "foreignLineage" | "older" | "invalid"

export const tableUpdate = (joined: Joined): ClusterMessageOf<"PARTITION_TABLE_UPDATE"> => ({
  type: "PARTITION_TABLE_UPDATE",
  assignments: ClusterPartitionTable.assignments(joined.table),
  version: joined.table.version,
  completedMigrations: joined.custody.completed,
  lineage: joined.view.lineage,
  viewVersion: joined.view.version,
  ...(joined.custody.holders.length === 0
    ? {}
    : { holders: joined.custody.holders, recovering: joined.custody.recovering })
})

/** What subscribers are told between two tables. */
export const changesBetween = (
  before: ClusterPartitionTable,
  after: ClusterPartitionTable
): ReadonlyArray<ClusterChange> => {
  const changes: Array<ClusterChange> = []
  for (const row of after.rows) {
    if (row === undefined) continue
    const old = before.rows[row.partitionId]
    if (old !== undefined && old.owner !== row.owner) {
      changes.push({
        _tag: "PartitionMoved",
        partitionId: row.partitionId,
        oldOwner: old.owner,
        newOwner: row.owner
      })
    }
  }
  return [...changes, { _tag: "PartitionTableUpdated", version: after.version }]
}

const replaceTable = (
  step: Step,
  joined: Joined,
  table: ClusterPartitionTable,
  viewVersion: number,
  custody: Custody
): void => {
  step.setJoined({ table, tableViewVersion: viewVersion, custody })
  step.publish(changesBetween(joined.table, table))
}

/** Gives rows a new version and sends the whole table to everyone. */
export const publish = (step: Step, rows: ReadonlyArray<PartitionAssignment>): void => {
  const joined = step.joined
  if (joined === undefined || rows.length === 0) return
  reissue(step, joined, rows)
}

/** Sends the table under a new version, with these rows in it, to everyone. */
export const reissue = (
  step: Step,
  joined: Joined,
  rows: ReadonlyArray<PartitionAssignment>,
  custody: Custody = joined.custody
): void => {
  const version = nextVersion(joined.table.version, Math.max(termOf(joined.view.version), termOf(joined.table.version)))
  const table = ClusterPartitionTable.withVersion(ClusterPartitionTable.applyAssignments(joined.table, rows), version)
  replaceTable(step, joined, table, joined.view.version, custody)
  const changed = step.joined
  if (changed === undefined) return
  const message = tableUpdate(changed)
  for (const member of changed.view.members) {
    if (member.nodeId === step.self.nodeId || member.state === "dead" || changed.unwelcomed.has(member.nodeId)) continue
    setPeer(step, member.nodeId, { tableSentAtMs: step.nowMs })
    Mesh.sendTo(step, member.nodeId, message)
  }
}

/** Does the table hold this very row? */
export const sameRow = (table: ClusterPartitionTable, row: PartitionAssignment): boolean => {
  const known = table.rows[row.partitionId]
  return (
    known !== undefined &&
    known.owner === row.owner &&
    known.backups.length === row.backups.length &&
    known.backups.every((backup, index) => backup === row.backups[index])
  )
}

/**
 * Members that hold partitions: a suspect keeps its own, until it is dead. Where partitions carry data a node of the
 * reference holds none: it answers no message of a migration.
 */
export const holdersOf = (members: ReadonlyArray<MemberInfo>): ReadonlyArray<MemberInfo> => {
  const needsData = members.some((member) => member.carriesData === true)
  return members.filter(
    (member) => (member.state === "active" || member.state === "suspect") && !(needsData && isReference(member))
  )
}

/** What the planner makes of these members and this table: promotions, and the target. */
export const planFor = (
  state: ClusterState,
  members: ReadonlyArray<MemberInfo>,
  current: ReadonlyArray<PartitionAssignment>
): ReturnType<Planner> => {
  const holders = holdersOf(members)
  const zones = new Map(holders.map((member) => [member.nodeId, member.zone]))
  return state.planner({
    members: holders.map((member) => member.nodeId),
    current,
    partitionCount: state.node.partitionCount,
    backupCount: state.config.backupCount,
    ...(holders.some((member) => member.zone !== undefined) ? { zoneOf: (id: string) => zones.get(id) } : {})
  })
}

/** The acting master plans for the members of its settled view: promotions at once, then the target. */
export const planForView = (step: Step): void => {
  const joined = step.joined
  if (joined === undefined || !joined.settled || !isActing(step.state, joined)) return
  if (joined.tableViewVersion === joined.view.version || step.nowMs < step.state.holdUntilMs) return
  const holders = holdersOf(joined.view.members)
  if (holders.length === 0 || holders.some((member) => member.carriesData === true)) return
  step.setJoined({ tableViewVersion: joined.view.version })
  reportLost(step, joined, new Set(holders.map((member) => member.nodeId)))
  // Several joins at once may need a second plan until all is even; a third changes nothing.
  for (let round = 0; round < 2; round++) carryOutPlan(step)
  // A new master's table must win over what others may hold of a rival's, also when it changes nothing.
  const planned = step.joined
  if (planned !== undefined && termOf(planned.table.version) < termOf(planned.view.version)) reissue(step, planned, [])
}

/** Promotions at once, then the target; a plan that changes nothing publishes nothing. */
const carryOutPlan = (step: Step): void => {
  const joined = step.joined
  if (joined === undefined) return
  const { promotions, target } = planFor(
    step.state,
    joined.view.members,
    ClusterPartitionTable.assignments(joined.table)
  )
  publish(
    step,
    promotions.filter((row) => !sameRow(joined.table, row))
  )
  const promoted = step.joined
  if (promoted === undefined) return
  publish(
    step,
    target.filter((row) => !sameRow(promoted.table, row))
  )
}

// A partition none of whose replicas survives is reported before it is given to someone else.
const reportLost = (step: Step, joined: Joined, holders: ReadonlySet<string>): void => {
  const lost = joined.table.rows.flatMap((row) =>
    row === undefined || [row.owner, ...row.backups].some((nodeId) => holders.has(nodeId)) ? [] : [row]
  )
  step.publish(
    lost.map((row): ClusterChange => ({
      _tag: "PartitionLost",
      partitionId: row.partitionId,
      lastOwner: row.owner
    }))
  )
}

const custodyOf = (payload: PartitionTableUpdatePayload, state: ClusterState): Custody => ({
  holders: (payload.holders ?? []).slice(0, state.node.maxMembers),
  completed: payload.completedMigrations.slice(-maxCompletedMigrations),
  recovering: (payload.recovering ?? []).slice(0, state.node.partitionCount)
})

/** A table arrives. Only one of this node's lineage and of a higher version is applied. */
export const receive = (step: Step, from: string, payload: PartitionTableUpdatePayload): TableOutcome => {
  const joined = step.joined
  if (joined === undefined) return "notJoined"
  if (memberOf(joined.view, from) === undefined) return "notMember"
  const lineage = payload.lineage ?? (joined.view.ledBy === from ? joined.view.lineage : "")
  if (relate(joined.view, { lineage, version: payload.viewVersion ?? 0 }) === "foreign") return "foreignLineage"
  if (payload.version <= joined.table.version) return "older"
  const rows = ClusterPartitionTable.validateAssignments(payload.assignments, step.state.node.partitionCount)
  if (Result.isFailure(rows)) {
    step.note(`${from} sent a partition table that cannot be used: ${rows.failure.message}`, "warn")
    return "invalid"
  }
  const table = ClusterPartitionTable.withVersion(
    ClusterPartitionTable.applyAssignments(joined.table, payload.assignments),
    payload.version
  )
  replaceTable(step, joined, table, payload.viewVersion ?? joined.view.version, custodyOf(payload, step.state))
  return "applied"
}

/** The admitting master's table, which comes with the view. Its version follows in an update of its own. */
export const acceptWelcome = (step: Step, rows: Option.Option<ReadonlyArray<PartitionAssignment>>): void => {
  const joined = step.joined
  if (joined === undefined || Option.isNone(rows)) return
  if (Result.isFailure(ClusterPartitionTable.validateAssignments(rows.value, step.state.node.partitionCount))) return
  const table = ClusterPartitionTable.applyAssignments(joined.table, rows.value)
  step.setJoined({ table: ClusterPartitionTable.withVersion(table, 0), custody: noCustody })
}

/** Gives the table to a peer that reports an older one, at most once in a repair interval. */
export const repair = (step: Step, from: string, report: Report): void => {
  const joined = step.joined
  if (joined === undefined || report.tableVersion >= joined.table.version) return
  if (!isActing(step.state, joined)) return
  const peer = peerOf(step.state, from)
  if (peer === undefined || step.nowMs - peer.tableSentAtMs < step.timing.repairMs) return
  setPeer(step, from, { tableSentAtMs: step.nowMs })
  Mesh.sendTo(step, from, tableUpdate(joined))
}
