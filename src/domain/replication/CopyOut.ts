/**
 * The source's side of a copy.
 *
 * Every change of the partition enters the stream from before the first chunk is read, so that each record is in what
 * is read, or behind it. Parts are numbered and go over one connection; the destination confirms each when it is
 * merged, so that what is under way is bounded. Chunks flow evenly, at the rate of the settings; what clients change is
 * not held back. When all has been sent the source says `MIGRATE_READY`. That is its
 * point of no return: from then on the destination must hold every write before it is acknowledged, and only the
 * master ends the migration.
 */
import { planVersionOf } from "../protocol/Custody.ts"
import { memberAs } from "../protocol/ClusterView.ts"
import type { ClusterMessageOf } from "../wire/ClusterMessage.ts"
import { acts, holderOf, isOwner, rowOf } from "./Authority.ts"
import { bytesOf, type Content, type DataBodyOf, noContent } from "./DataMessage.ts"
import type { Awaited, CopyOut, PartitionData } from "./DataState.ts"
import type { DataStep } from "./DataStep.ts"
import type { StoreResult } from "./DataCommand.ts"
import * as Owner from "./Owner.ts"
import { Pace } from "./Pace.ts"
import { linkTo, memberIncarnation } from "./Sight.ts"
import * as Tombstones from "./Tombstones.ts"

export type StartOutcome = "started" | "oldTable" | "notOwner" | "running" | "unreachable" | "unresolved" | "noVersion"

/** The master asks for a copy. It repeats that, so what is not possible now is not answered. */
export const start = (step: DataStep, message: ClusterMessageOf<"MIGRATE_START">): StartOutcome => {
  const { destinationNodeId: destination, migrationId, partitionId } = message
  const plannedAt = planVersionOf(migrationId)
  if (plannedAt === undefined) return "noVersion"
  // Void until this node's table is as new as the one that it was planned at.
  if (step.tableVersion < plannedAt) return "oldTable"
  const partition = step.partition(partitionId)
  if (!acts(step, partition)) return "notOwner"
  const running = partition.copyOut
  if (running?.migrationId === migrationId) return "running"
  // Only the master ends what is ready; it asks again when it has.
  if (running?.phase === "ready") return "unresolved"
  const connection = linkTo(step.sight, destination)
  const incarnation = memberIncarnation(step.sight, destination)
  if (connection === undefined || incarnation === undefined) return "unreachable"
  if (running !== undefined) close(step, partition, running)
  const copy: CopyOut = {
    migrationId,
    destination,
    incarnation,
    connection,
    phase: "copy",
    reader: step.nextId(),
    isReading: false,
    isRead: false,
    sent: 0,
    inFlight: [],
    inFlightBytes: 0,
    chunks: [],
    deltas: [],
    deltaBytes: 0,
    startedAtMs: step.nowMs,
    isRefused: false,
    progressAtMs: step.nowMs,
    askedAtMs: step.nowMs,
    bytes: 0
  }
  partition.copyOut = copy
  step.state.copies.add(partition)
  progress(step, partition, copy, "started")
  pump(step, partition)
  return "started"
}

const progress = (
  step: DataStep,
  { id: partitionId }: PartitionData,
  copy: CopyOut,
  phase: "started" | "ready" | "finished" | "abandoned"
): void => {
  const { bytes, destination, sent: chunks } = copy
  const elapsedMs = step.nowMs - copy.startedAtMs
  step.changed({ _tag: "CopyProgress", partitionId, destination, phase, chunks, bytes, elapsedMs })
}

/** The partition has changed: a copy under way is to have it. */
export const changed = (step: DataStep, partition: PartitionData, content: Content): void => {
  const copy = partition.copyOut
  if (copy?.phase !== "copy") return
  copy.deltas.push(content)
  copy.deltaBytes += bytesOf(content)
  // Those that come soon after share a part.
  step.wake(gatheringMs)
}

// ---- sending --------------------------------------------------------------------------------------

/** Changes wait so long for others to go with. */
const gatheringMs = 2

/** All copies in turn: who has sent a chunk stands behind the others. */
export const pumpAll = (step: DataStep): void => {
  for (const partition of Array.from(step.state.copies)) pump(step, partition)
}

/** Sends as much as may be under way, reads ahead by one chunk, and ends the stream when all is sent. */
export const pump = (step: DataStep, partition: PartitionData): void => {
  const copy = partition.copyOut
  if (copy?.phase !== "copy") return
  const { chunkBytes, copyWindowBytes, maxCopyBytes } = step.state.settings
  while (copy.inFlightBytes < copyWindowBytes && step.state.copyBytes < maxCopyBytes) {
    const withChunk = copy.chunks.length > 0 && Pace.mayFlow(step)
    // An empty partition is one part of nothing.
    if (!withChunk && copy.deltas.length === 0 && !(copy.isRead && copy.sent === 0)) break
    sendPart(step, partition, copy, takePart(copy, withChunk, chunkBytes))
    if (withChunk && step.state.copies.delete(partition)) step.state.copies.add(partition)
  }
  if (!copy.isRead && !copy.isReading && copy.chunks.length === 0) {
    copy.isReading = true
    const request = { _tag: "Read" as const, reader: copy.reader, maxBytes: chunkBytes }
    step.store(partition.id, request, { _tag: "CopyRead", partitionId: partition.id, copy })
  }
  if (copy.isRead && copy.chunks.length === 0 && copy.deltas.length === 0 && copy.sent > 0) end(step, partition, copy)
}

// The chunk that was read, and as many of the changes as make another.
const takePart = (copy: CopyOut, withChunk: boolean, chunkBytes: number): Content => {
  const chunks = withChunk ? copy.chunks.splice(0, 1) : []
  const deltas: Array<Content["deltas"][number]> = []
  let bytes = 0
  while (copy.deltas.length > 0 && bytes < chunkBytes) {
    const next = copy.deltas.shift() ?? noContent
    const size = bytesOf(next)
    chunks.push(...next.chunks)
    deltas.push(...next.deltas)
    copy.deltaBytes -= size
    bytes += size
  }
  return { chunks, deltas }
}

const sendPart = (step: DataStep, partition: PartitionData, copy: CopyOut, content: Content): void => {
  const bytes = bytesOf(content)
  const sequence = copy.sent++
  copy.inFlight.push({ sequence, bytes })
  copy.inFlightBytes += bytes
  copy.bytes += bytes
  step.state.copyBytes += bytes
  for (const { data } of content.chunks) Pace.spend(step, data.length)
  step.run({
    _tag: "Send",
    to: copy.destination,
    connection: copy.connection,
    message: {
      type: "MIGRATE_DATA",
      partitionId: partition.id,
      mapStates: content.chunks,
      deltaOps: content.deltas,
      sourceVersion: sequence,
      migrationId: copy.migrationId,
      epoch: Tombstones.knownOf(step, partition)
    }
  })
}

const end = (step: DataStep, partition: PartitionData, copy: CopyOut): void => {
  copy.phase = "ready"
  copy.progressAtMs = step.nowMs
  copy.askedAtMs = step.nowMs
  step.run({
    _tag: "Send",
    to: copy.destination,
    connection: copy.connection,
    message: {
      type: "MIGRATE_READY",
      migrationId: copy.migrationId,
      partitionId: partition.id,
      sourceNodeId: step.selfId,
      chunks: copy.sent
    }
  })
  progress(step, partition, copy, "ready")
  Owner.renew(step, partition)
}

/** The store has read a chunk, or has reached the end. */
export const read = (
  step: DataStep,
  { copy, partitionId }: Extract<Awaited, { readonly _tag: "CopyRead" }>,
  result: StoreResult
): void => {
  const partition = step.partition(partitionId)
  if (partition.copyOut !== copy) return
  copy.isReading = false
  if (result._tag === "Chunk") copy.chunks.push(result.chunk)
  else if (result._tag === "End") copy.isRead = true
  else return giveUp(step, partition, copy, "the store cannot be read")
  pump(step, partition)
}

/** The destination has merged a part. */
export const copied = (step: DataStep, from: string, body: DataBodyOf<"copied">): void => {
  const partition = step.partition(body.partitionId)
  const copy = partition.copyOut
  if (copy?.migrationId !== body.migrationId || copy.destination !== from) return
  if (!body.accepted && copy.phase === "copy") return giveUp(step, partition, copy, "the destination broke it off")
  if (!body.accepted) copy.isRefused = true
  while (copy.inFlight.length > 0 && (copy.inFlight[0]?.sequence ?? 0) <= body.sequence) {
    release(step, copy, copy.inFlight.shift()?.bytes ?? 0)
  }
  copy.progressAtMs = step.nowMs
  pump(step, partition)
}

// ---- ending ---------------------------------------------------------------------------------------

const release = (step: DataStep, copy: CopyOut, bytes: number): void => {
  copy.inFlightBytes -= bytes
  step.state.copyBytes -= bytes
}

/** Ends a copy on this side, whatever came of it. */
const close = (step: DataStep, partition: PartitionData, copy: CopyOut): void => {
  partition.copyOut = undefined
  step.state.copies.delete(partition)
  release(step, copy, copy.inFlightBytes)
  if (!copy.isRead) step.store(partition.id, { _tag: "CloseRead", reader: copy.reader }, { _tag: "Nothing" })
}

/** Asks the master to cancel, or what became of the migration. */
const askMaster = (
  step: DataStep,
  partition: PartitionData,
  copy: CopyOut,
  reason: string,
  isQuestion = false
): void => {
  const message = {
    type: "MIGRATE_CANCEL" as const,
    migrationId: copy.migrationId,
    partitionId: partition.id,
    reason,
    ...(isQuestion ? { isQuestion } : {})
  }
  if (step.masterId === step.selfId) step.run({ _tag: "ToMaster", message })
  else if (step.masterId !== undefined) step.send(step.masterId, message)
}

/** Before `MIGRATE_READY` the source may give up by itself. */
const giveUp = (step: DataStep, partition: PartitionData, copy: CopyOut, why: string): void => {
  close(step, partition, copy)
  step.note(`the copy of partition ${partition.id} to ${copy.destination} is given up: ${why}`, "info")
  progress(step, partition, copy, "abandoned")
  askMaster(step, partition, copy, why)
}

/** The master has cancelled a migration. */
export const cancelled = (step: DataStep, partition: PartitionData, migrationId: string): void => {
  const copy = partition.copyOut
  if (copy?.migrationId !== migrationId) return
  close(step, partition, copy)
  progress(step, partition, copy, "abandoned")
  Owner.renew(step, partition)
}

/** The table or the links have changed. */
export const seen = (step: DataStep, partition: PartitionData): void => {
  const copy = partition.copyOut
  if (copy === undefined) return
  const row = rowOf(step, partition.id)
  const isReplica = row !== undefined && (row.owner === copy.destination || row.backups.includes(copy.destination))
  if (isReplica && holderOf(step, copy.destination) === copy.incarnation) {
    close(step, partition, copy)
    return progress(step, partition, copy, "finished")
  }
  if (!isOwner(step, partition.id)) {
    close(step, partition, copy)
    return progress(step, partition, copy, "abandoned")
  }
  if (copy.phase === "ready") return
  const { links, view } = step.sight
  if (links.get(copy.destination)?.includes(copy.connection) !== true) {
    giveUp(step, partition, copy, "the connection to the destination ended")
  } else if (
    view === undefined ||
    memberAs(view, { nodeId: copy.destination, incarnation: copy.incarnation }) === undefined
  ) {
    giveUp(step, partition, copy, "the destination is gone")
  }
}

/** This process has become another: nothing that it has begun goes on. */
export const drop = (step: DataStep, partition: PartitionData): void => {
  if (partition.copyOut !== undefined) close(step, partition, partition.copyOut)
}

/** Why the destination will not tell the master that it has everything, or `undefined` as long as it may. */
const ended = (step: DataStep, copy: CopyOut): string | undefined => {
  if (copy.isRefused) return "the destination broke it off"
  const isLinked = step.sight.links.get(copy.destination)?.includes(copy.connection) === true
  if (!isLinked) return "the connection to the destination ended"
  const isSilent = step.nowMs - copy.progressAtMs > 3 * step.state.settings.copyStallMs
  return isSilent ? "no word of it after it was ready" : undefined
}

export const tick = (step: DataStep, partition: PartitionData): void => {
  const copy = partition.copyOut
  if (copy === undefined) return
  const { copyStallMs, resendMs } = step.state.settings
  if (copy.phase === "ready") {
    if (step.nowMs - copy.askedAtMs < 3 * resendMs) return
    copy.askedAtMs = step.nowMs
    // A destination that is slow, or a master, is waited for: another copy would take them no less time.
    const why = ended(step, copy)
    askMaster(step, partition, copy, why ?? "what has become of it?", why === undefined)
  } else if (step.nowMs - copy.progressAtMs > copyStallMs) {
    giveUp(step, partition, copy, `no progress for ${copyStallMs} ms`)
  } else pump(step, partition)
}
