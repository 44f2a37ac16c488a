/**
 * The data plane of one node, as one function: an event and the time in, commands out. It decides who holds what and
 * who may be told what; records stay in the store, which answers with events.
 */
import type { NodeId } from "../model/Scalars.ts"
import type { ClusterMessage, ClusterMessageOf } from "../wire/ClusterMessage.ts"
import { isOwner, isRecovering, isReplica } from "./Authority.ts"
import * as CopyIn from "./CopyIn.ts"
import * as CopyOut from "./CopyOut.ts"
import type { DataCommand, DataEvent, StoredPartition, StoreResult } from "./DataCommand.ts"
import type { DataMessage } from "./DataMessage.ts"
import type { DataState, PartitionData } from "./DataState.ts"
import { DataStep } from "./DataStep.ts"
import * as Origin from "./Origin.ts"
import * as Owner from "./Owner.ts"
import * as Recovering from "./Recovering.ts"
import * as Repair from "./Repair.ts"
import * as Replica from "./Replica.ts"
import * as Scans from "./Scans.ts"
import { isListed, isRelated, memberIncarnation, type Sight, stampOf } from "./Sight.ts"
import * as Strays from "./Strays.ts"
import * as Tombstones from "./Tombstones.ts"
import * as Touch from "./Touch.ts"

/**
 * Handles one event. `nowMs` is the process's monotonic clock, `wallMs` the wall clock in milliseconds since 1970.
 * Changes `state` in place.
 */
export const handle = (state: DataState, event: DataEvent, nowMs: number, wallMs: number): ReadonlyArray<DataCommand> =>
  handleAll(state, [event], nowMs, wallMs)

/** Handles events that wait, one after the other; the commands are those of all of them, in their order. */
export const handleAll = (
  state: DataState,
  events: ReadonlyArray<DataEvent>,
  nowMs: number,
  wallMs: number
): ReadonlyArray<DataCommand> => {
  const step = new DataStep(state, nowMs, wallMs)
  for (const event of events) take(step, event)
  return step.commands
}

const take = (step: DataStep, event: DataEvent): void => {
  switch (event._tag) {
    case "Opened":
      opened(step, event.partitions)
      break
    case "Seen":
      seen(step, event.sight)
      break
    case "Told":
      told(step, event.from, event.message)
      break
    case "Received":
      received(step, event.from, event.message)
      break
    case "Stored":
      stored(step, event.token, event.result)
      break
    case "Asked":
      Origin.ask(step, event)
      break
    case "Tick":
      tick(step)
      break
    case "Woken":
      step.woken()
      flow(step)
  }
}

const opened = (step: DataStep, stored: ReadonlyArray<StoredPartition>): void => {
  step.state.isOpened = true
  for (const { hasRecords, note, partitionId } of stored) {
    const partition = step.partition(partitionId)
    if (note !== undefined) Tombstones.restore(step, partition, note)
    if (!hasRecords) continue
    partition.hasData = true
    if (partition.recovery !== undefined) partition.recovery.hasOwn = true
  }
  for (const partition of step.state.partitions.values()) {
    if (partition.recovery !== undefined) Tombstones.takeOver(step, partition)
  }
  Recovering.declare(step)
}

// ---- the cluster ----------------------------------------------------------------------------------

const seen = (step: DataStep, sight: Sight): void => {
  const before = step.state.sight
  Touch.seen(step.state, before, sight, step.nowMs)
  step.state.sight = sight
  step.state.stamp = stampOf(sight)
  step.state.isListed = isListed(sight)
  const isOther = before.self.incarnation !== sight.self.incarnation
  if (isOther) becomeOther(step, before)
  const hasTable = before.table !== sight.table || before.custody !== sight.custody
  if (hasTable || isOther) {
    step.state.holders = new Map(sight.custody.holders.map(({ incarnation, nodeId }) => [nodeId, incarnation]))
    step.state.recovering = new Map(
      sight.custody.recovering.map(({ partitionId, replicas }) => [partitionId, replicas])
    )
    for (const row of sight.table.rows) {
      if (row !== undefined && (row.owner === step.selfId || row.backups.includes(step.selfId))) {
        step.partition(row.partitionId)
      }
    }
  }
  for (const partition of step.state.partitions.values()) partitionSeen(step, partition)
  if (before.links !== sight.links || before.view !== sight.view) Origin.reachChanged(step)
  if (hasTable) {
    Origin.tableChanged(step)
    Recovering.declare(step)
    Recovering.judge(step)
    Origin.tick(step)
  }
}

// Whatever was promised to or by the process of before means nothing to the new one. The data stays.
const becomeOther = (step: DataStep, before: Sight): void => {
  Origin.expelled(step)
  for (const partition of step.state.partitions.values()) {
    if (before.view !== undefined) Touch.isNowOfPast(partition, before.view)
    CopyOut.drop(step, partition)
    Strays.stop(step, partition)
    partition.copyIn = undefined
    partition.readied = undefined
    partition.recovery = undefined
    partition.handedTo = undefined
    partition.suspendedTo = 0
    // Where nobody from before is awaited, as at a founding, there was nothing that it could lack.
    const isComplete = (step.state.recovering.get(partition.id) ?? []).length === 0
    if (partition.wasReplica && isComplete) partition.wasHeld = true
    partition.wasOwner = false
    partition.wasReplica = false
    partition.isReleased = false
  }
}

const partitionSeen = (step: DataStep, partition: PartitionData): void => {
  CopyOut.seen(step, partition)
  const epoch = CopyIn.seen(step, partition)
  if (epoch !== undefined) Tombstones.adopt(step, partition, epoch)
  const owns = isOwner(step, partition.id)
  const holds = isReplica(step, partition.id)
  if (!isRecovering(step, partition.id) || !owns) Tombstones.breakOff(step, partition)
  if (!isRecovering(step, partition.id)) {
    // The owner's copy counts, as of now: what it is promoted with, or what has come together.
    if (owns && (!partition.wasOwner || partition.recovery !== undefined)) Touch.touch(step, partition)
    partition.recovery = undefined
    partition.handedTo = undefined
    // Others hold it now, and go on.
    if (step.state.isListed) partition.wasHeld = false
  }
  if (owns && !partition.wasOwner) {
    Tombstones.unsettle(step, partition)
    if (isRecovering(step, partition.id)) {
      Recovering.recoveryOf(step, partition)
      // What the store knows of it comes first.
      if (!partition.wasReplica && step.state.isOpened) Tombstones.takeOver(step, partition)
    }
  }
  // It has been copied, or begins. What is listed without that, and later on, is as new as its touch with the others.
  const isNew = !partition.wasReplica || partition.syncedIn === undefined
  if (holds && isNew && !isRecovering(step, partition.id)) {
    Touch.touch(step, partition)
    partition.isSetAside = false
  }
  if (holds) partition.isReleased = false
  else if (partition.wasReplica && step.state.isListed) partition.isReleased = true
  partition.wasOwner = owns
  partition.wasReplica = holds
  Owner.renew(step, partition)
  Strays.consider(step, partition)
}

// ---- messages -------------------------------------------------------------------------------------

const told = (step: DataStep, from: NodeId, message: DataMessage): void => {
  const { body, from: incarnation, stamp, to } = message
  const isForUs = to === step.sight.self.incarnation
  const isFromMember = memberIncarnation(step.sight, from) === incarnation
  if (body.type === "request") {
    const replyTo = { nodeId: from, incarnation, id: body.id }
    if (isForUs && isFromMember) Owner.request(step, replyTo, body)
    else step.tell(from, 0, { type: "reply", id: body.id, reply: { type: "refused", reason: "notOwner" } }, incarnation)
    return
  }
  if (!isForUs || !isFromMember || !isRelated(step.sight, stamp)) return
  switch (body.type) {
    case "reply":
      return Origin.replied(step, from, body.id, body.reply)
    case "replicate":
      return Replica.replicate(step, from, incarnation, body, stamp)
    case "replicated":
      return Owner.replicated(step, from, incarnation, body, stamp)
    case "copied":
      return CopyOut.copied(step, from, body)
    case "offer":
      return Owner.offer(step, from, incarnation, body)
    case "offered":
      return Strays.offered(step, from, body)
    case "declare":
      return Recovering.declared(step, from, incarnation, body)
    case "recovered":
      return step.run({ _tag: "Recovered", from, partitionIds: body.partitionIds, empty: body.empty })
    case "digests":
      return Repair.compare(step, from, body, stamp)
    case "equal":
      return Repair.equal(step, from, body)
    case "nodes":
      return Repair.nodes(step, from, body)
    case "descend":
      return Repair.descend(step, from, body, stamp)
    case "keys":
      return Repair.keys(step, from, body, stamp)
    case "differences":
      return Repair.differences(step, from, body)
    case "fill":
      return Repair.fill(step, from, body, stamp)
  }
}

const received = (step: DataStep, from: NodeId, message: ClusterMessage): void => {
  switch (message.type) {
    case "MIGRATE_START": {
      const outcome = CopyOut.start(step, message)
      if (outcome !== "started" && outcome !== "running") step.note(`${message.migrationId} does not start: ${outcome}`)
      return
    }
    case "MIGRATE_DATA": {
      const outcome = CopyIn.part(step, from, message)
      if (outcome !== "taken") step.note(`part ${message.sourceVersion} of ${message.migrationId} ignored: ${outcome}`)
      return
    }
    case "MIGRATE_READY": {
      const outcome = CopyIn.ended(step, from, message)
      if (outcome !== "taken") step.note(`the end of ${message.migrationId} ignored: ${outcome}`)
      return
    }
    case "MIGRATE_CANCEL":
      return cancelled(step, message)
    // The table says it.
    case "MIGRATE_FINALIZE":
    default:
      return
  }
}

// It counts only with the table on which it was decided; whoever waits asks again.
const cancelled = (step: DataStep, message: ClusterMessageOf<"MIGRATE_CANCEL">): void => {
  if (step.tableVersion < (message.tableVersion ?? 0)) return
  const partition = step.partition(message.partitionId)
  CopyOut.cancelled(step, partition, message.migrationId)
  CopyIn.cancelled(partition, message.migrationId)
  Strays.consider(step, partition)
}

/** Copies, and what is handed over, have the first chunk by turns. */
const flow = (step: DataStep): void => {
  const { state } = step
  state.isTurnOfStrays = !state.isTurnOfStrays
  if (state.isTurnOfStrays) Strays.flow(step)
  CopyOut.pumpAll(step)
  Strays.flow(step)
}

// ---- the store and the time -----------------------------------------------------------------------

const stored = (step: DataStep, token: number, result: StoreResult): void => {
  const awaited = step.state.awaited.get(token)
  if (awaited === undefined) throw new Error(`the store answers ${token}, which nobody asked`)
  step.state.awaited.delete(token)
  switch (awaited._tag) {
    case "Write":
      return Owner.written(step, awaited, result)
    case "Get":
      return Owner.got(step, awaited, result)
    case "Scan":
      return Owner.scanned(step, awaited, result)
    case "Replicate":
      return Replica.stored(step, awaited, result)
    case "Part":
      return CopyIn.merged(step, awaited, result)
    case "CopyRead":
      return CopyOut.read(step, awaited, result)
    case "Offer":
      return Owner.offerMerged(step, awaited, result)
    case "Stray":
      return Strays.stored(step, awaited, result)
    case "Repair":
      return Repair.stored(step, awaited, result)
    case "Nothing":
      return
  }
}

const tick = (step: DataStep): void => {
  const { settings } = step.state
  Origin.tick(step)
  for (const partition of step.state.partitions.values()) {
    if (partition.pending.size > 0) Owner.tick(step, partition)
    if (partition.copyOut !== undefined) CopyOut.tick(step, partition)
    if (partition.copyIn !== undefined || partition.readied !== undefined) CopyIn.tick(step, partition)
    if (partition.hasData) Strays.consider(step, partition)
  }
  if (step.nowMs >= step.state.nextResendAtMs) {
    step.state.nextResendAtMs = step.nowMs + settings.resendMs
    Scans.tick(step)
    if (step.state.recovering.size > 0) {
      Recovering.declare(step)
      Recovering.judge(step)
    }
  }
  const hasStrays = [...step.state.partitions.values()].some((one) => !one.isReleased && Strays.isStray(step, one))
  if (hasStrays !== step.state.hasStrays) {
    step.state.hasStrays = hasStrays
    step.run({ _tag: "Holds", strays: hasStrays })
  }
  Repair.flush(step)
  if (step.nowMs >= step.state.nextRepairAtMs) {
    step.state.nextRepairAtMs = step.nowMs + settings.repairIntervalMs
    Repair.begin(step)
  }
}
