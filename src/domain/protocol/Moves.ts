/** Moves of partitions that somebody asks for: with data they are copied first, otherwise the table changes at once. */
import { Result } from "effect"
import type { MigrationTask } from "../model/Migration.ts"
import type { NodeId } from "../model/Scalars.ts"
import { type Joined, isActing } from "./ClusterState.ts"
import { memberOf } from "./ClusterView.ts"
import { leaversOf } from "./Draining.ts"
import { hasData, retarget } from "./Migrating.ts"
import { publish } from "./TableSharing.ts"
import type { Step } from "./Transition.ts"

export type MoveRefusal =
  | { readonly _tag: "NotMaster" }
  | { readonly _tag: "InvalidTask"; readonly partitionId: number; readonly reason: string }

const fault = (joined: Joined, leavers: ReadonlyArray<NodeId>, task: MigrationTask): string | undefined => {
  const row = joined.table.rows[task.partitionId]
  if (row === undefined) return "it is not assigned"
  if (row.owner !== task.source) return `its owner is "${row.owner}", not "${task.source}"`
  for (const nodeId of [task.destination, ...task.newBackups]) {
    if (memberOf(joined.view, nodeId)?.state !== "active") return `"${nodeId}" is no active member`
    if (leavers.includes(nodeId)) return `"${nodeId}" leaves`
  }
  if (new Set([task.destination, ...task.newBackups]).size !== 1 + task.newBackups.length) {
    return "its new replicas are not distinct"
  }
  return undefined
}

/** Begins the moves, all or none. Only the acting master of a settled view may. */
export const move = (step: Step, tasks: ReadonlyArray<MigrationTask>): Result.Result<void, MoveRefusal> => {
  const joined = step.joined
  if (joined === undefined || !joined.settled || !isActing(step.state, joined))
    return Result.fail({ _tag: "NotMaster" })
  const leavers = leaversOf(step, joined)
  for (const task of tasks) {
    const reason = fault(joined, leavers, task)
    if (reason !== undefined) return Result.fail({ _tag: "InvalidTask", partitionId: task.partitionId, reason })
  }
  const rows = tasks.map((task) => ({
    partitionId: task.partitionId,
    owner: task.destination,
    backups: task.newBackups
  }))
  if (hasData(joined)) retarget(step, rows)
  else publish(step, rows)
  return Result.succeed(undefined)
}
