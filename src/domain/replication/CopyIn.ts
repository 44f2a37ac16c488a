/**
 * The destination's side of a copy. It takes parts 0, 1, 2, … of one migration in unbroken order, and tells the
 * master when the last of them is merged, again and again until it hears what became of it. The source's word would
 * not be enough. What was received stays, whatever the outcome: it is merged data, and a stray if it is not needed.
 */
import type { Epoch } from "../data/Epoch.ts"
import { memberAs } from "../protocol/ClusterView.ts"
import type { ClusterMessageOf } from "../wire/ClusterMessage.ts"
import { isRecovering, isReplica, rowOf } from "./Authority.ts"
import { planVersionOf } from "../protocol/Custody.ts"
import type { Awaited, CopyIn, PartitionData, Readied } from "./DataState.ts"
import type { DataStep } from "./DataStep.ts"
import type { StoreResult } from "./DataCommand.ts"
import { memberIncarnation } from "./Sight.ts"
import { isStray } from "./Strays.ts"
import * as Tombstones from "./Tombstones.ts"

export type PartOutcome =
  | "taken"
  | "noMigration"
  | "notJoined"
  | "notOwner"
  | "outOfOrder"
  | "oldMigration"
  | "holdsNews"

/** A part of a copy arrives. */
export const part = (step: DataStep, from: string, message: ClusterMessageOf<"MIGRATE_DATA">): PartOutcome => {
  const { deltaOps, epoch, mapStates, migrationId, partitionId, sourceVersion: sequence } = message
  const plannedAt = migrationId === undefined ? undefined : planVersionOf(migrationId)
  if (migrationId === undefined || plannedAt === undefined) return "noMigration"
  const incarnation = memberIncarnation(step.sight, from)
  if (step.sight.view === undefined || incarnation === undefined) return "notJoined"
  const partition = step.partition(partitionId)
  // Only the owner is the source of copies, by a table as new as the plan.
  if (step.tableVersion >= plannedAt && rowOf(step, partitionId)?.owner !== from) return "notOwner"
  if (sequence === 0 && partition.copyIn?.migrationId !== migrationId) {
    if (isNews(step, partition, epoch)) {
      // It is handed over first; the master tries again.
      step.tell(
        from,
        partitionId,
        { type: "copied", partitionId, migrationId, sequence: 0, accepted: false },
        incarnation
      )
      return "holdsNews"
    }
    if ((planVersionOf(partition.copyIn?.migrationId ?? "") ?? 0) > plannedAt) return "oldMigration"
    begin(step, partition, { from, incarnation, migrationId, epoch })
  }
  const copy = partition.copyIn
  if (copy?.migrationId !== migrationId || copy.next !== sequence || copy.isEnded) {
    if (copy?.migrationId === migrationId && copy.next < sequence) breakOff(step, partition, copy)
    return "outOfOrder"
  }
  copy.next++
  copy.merging++
  copy.heardAtMs = step.nowMs
  step.takes(partition)
  // Taken as it is: what the owner holds is not gone, however old it is.
  step.store(
    partitionId,
    { _tag: "Merge", content: { chunks: mapStates, deltas: deltaOps }, epoch: undefined },
    { _tag: "Part", partitionId, copy, sequence }
  )
  return "taken"
}

// Does this node hold what the owner has to judge first? The marks in a copy do not tell of another history, nor of what
// was out of touch for too long; and an owner that recovers waits for what this node holds and knows to be gone.
const isNews = (step: DataStep, partition: PartitionData, epoch: Epoch | undefined): boolean =>
  epoch !== undefined && (epoch.markMs > 0 || isRecovering(step, partition.id)) && isStray(step, partition)

interface Beginning {
  readonly from: string
  readonly incarnation: number
  readonly migrationId: string
  readonly epoch: Epoch | undefined
}

const begin = (
  step: DataStep,
  partition: PartitionData,
  { epoch, from, incarnation, migrationId }: Beginning
): void => {
  // What was left here from before must not bring back what the owner has collected since.
  const mayHold = partition.hasData || !step.state.isOpened
  if (epoch !== undefined && mayHold && !isReplica(step, partition.id) && partition.readied === undefined) {
    // Nor what the owner has refused as too old, of before its own time as well.
    const gone = partition.isSetAside ? { baseMs: 0, markMs: epoch.markMs } : epoch
    step.store(partition.id, { _tag: "Collect", epoch: gone, keys: "all" }, { _tag: "Nothing" })
    // What the source has is among it, until it comes.
    Tombstones.forget(step, partition)
  }
  // One migration at a time for each partition: the master has closed the one before.
  partition.readied = undefined
  partition.stray = undefined
  partition.copyIn = {
    migrationId,
    source: from,
    incarnation,
    next: 0,
    merging: 0,
    isEnded: false,
    heardAtMs: step.nowMs,
    epoch
  }
}

const breakOff = (step: DataStep, partition: PartitionData, copy: CopyIn): void => {
  partition.copyIn = undefined
  const { migrationId } = copy
  const body = { type: "copied" as const, partitionId: partition.id, migrationId, sequence: 0, accepted: false }
  step.tell(copy.source, partition.id, body, copy.incarnation)
}

/** The store has merged a part. */
export const merged = (
  step: DataStep,
  { copy, partitionId, sequence }: Extract<Awaited, { readonly _tag: "Part" }>,
  result: StoreResult
): void => {
  const partition = step.partition(partitionId)
  partition.storing--
  partition.changes++
  copy.merging--
  if (result._tag === "Merged") step.observe(result.latest)
  if (partition.copyIn !== copy) return
  if (result._tag !== "Merged") return breakOff(step, partition, copy)
  const { migrationId } = copy
  const body = { type: "copied" as const, partitionId, migrationId, sequence, accepted: true }
  step.tell(copy.source, partitionId, body, copy.incarnation)
  complete(step, partition, copy)
}

/** The source has sent everything. */
export const ended = (step: DataStep, from: string, message: ClusterMessageOf<"MIGRATE_READY">): PartOutcome => {
  const partition = step.partition(message.partitionId)
  const copy = partition.copyIn
  if (copy?.migrationId !== message.migrationId || copy.source !== from) return "noMigration"
  if (message.chunks !== copy.next) {
    breakOff(step, partition, copy)
    return "outOfOrder"
  }
  copy.isEnded = true
  complete(step, partition, copy)
  return "taken"
}

const complete = (step: DataStep, partition: PartitionData, copy: CopyIn): void => {
  if (!copy.isEnded || copy.merging > 0) return
  partition.copyIn = undefined
  const { epoch, migrationId, source } = copy
  partition.readied = { migrationId, source, epoch, toldAtMs: step.nowMs }
  tellMaster(step, partition, partition.readied)
}

const tellMaster = (step: DataStep, { id: partitionId }: PartitionData, readied: Readied): void => {
  const { migrationId, source: sourceNodeId } = readied
  const message = { type: "MIGRATE_READY" as const, migrationId, partitionId, sourceNodeId }
  readied.toldAtMs = step.nowMs
  if (step.masterId === step.selfId) step.run({ _tag: "ToMaster", message })
  else if (step.masterId !== undefined) step.send(step.masterId, message)
}

/** The master has cancelled a migration, by a table that this node has. What has been received stays. */
export const cancelled = (partition: PartitionData, migrationId: string): void => {
  if (partition.copyIn?.migrationId === migrationId) partition.copyIn = undefined
  if (partition.readied?.migrationId === migrationId) partition.readied = undefined
}

/** The table or the view has changed. Gives the epoch that comes with a committed copy. */
export const seen = (step: DataStep, partition: PartitionData): Epoch | undefined => {
  const { copyIn, readied } = partition
  const { view } = step.sight
  if (copyIn !== undefined) {
    const { incarnation, source: nodeId } = copyIn
    const owner = rowOf(step, partition.id)?.owner
    const isNewer = step.tableVersion >= (planVersionOf(copyIn.migrationId) ?? 0)
    const isGone = view === undefined || memberAs(view, { nodeId, incarnation }) === undefined
    if (isGone || (isNewer && owner !== nodeId)) partition.copyIn = undefined
  }
  if (readied === undefined || !isReplica(step, partition.id)) return undefined
  partition.readied = undefined
  return step.sight.custody.completed.includes(readied.migrationId) ? readied.epoch : undefined
}

export const tick = (step: DataStep, partition: PartitionData): void => {
  const { copyIn, readied } = partition
  const { copyStallMs, resendMs } = step.state.settings
  if (readied !== undefined && step.nowMs - readied.toldAtMs >= resendMs) tellMaster(step, partition, readied)
  if (copyIn !== undefined && copyIn.merging === 0 && step.nowMs - copyIn.heardAtMs > 2 * copyStallMs) {
    breakOff(step, partition, copyIn)
  }
}
