/**
 * What waits to be written on one connection, already encoded: frames one behind the other in slabs,
 * so that many small messages leave in one write, without an allocation or a copy for each. A slab's
 * bytes are written once and never changed after, because the socket may hold on to them. Large frames leave from
 * pieces of memory that are used again: see `FrameMemory.ts`.
 *
 * Two lanes: urgent frames leave before all normal ones that wait. Bytes that were handed to the
 * socket cannot be overtaken, hence the bound of one write.
 */
import { Buffer } from "node:buffer"
import { Latch, MutableList } from "effect"
import {
  type ByteFields,
  encodeClusterMessage,
  encodeClusterMessageInto
} from "../../domain/codec/ClusterMessageCodec.ts"
import * as Frame from "../../domain/codec/Frame.ts"
import type { ClusterMessage } from "../../domain/wire/ClusterMessage.ts"
import type { Priority } from "../../services/Transport.ts"
import type { TransportLimits } from "../../services/TransportLimits.ts"
import * as FrameMemory from "./FrameMemory.ts"

/** Whole frames. */
interface Segment {
  readonly chunks: ReadonlyArray<Uint8Array>
  readonly bytes: number
  readonly frames: number
  /** Memory that is to be used again. */
  readonly piece?: Uint8Array
}

/** Frames in the order in which they leave: the segments, then the slab from `start` to `end`. */
interface Lane {
  readonly segments: MutableList.MutableList<Segment>
  slab: Uint8Array
  start: number
  end: number
  frames: number
}

export interface Outbox {
  readonly limits: TransportLimits
  readonly lanes: Readonly<Record<Priority, Lane>>
  /** Open while something waits to be written. */
  readonly filled: Latch.Latch
  /** Closes above half of the bounds, opens again at a quarter. */
  readonly room: Latch.Latch
  readonly free: FrameMemory.FreePieces
  readonly handedOver: FrameMemory.HandedOver
  /** Frames and bytes that wait, and those of the write in progress. */
  frames: number
  bytes: number
}

/** What leaves in one write. */
export interface Batch {
  readonly chunks: Array<Uint8Array>
  readonly pieces: Array<Uint8Array>
  readonly bytes: number
  readonly frames: number
}

/** A lane's first slab; each following is twice as large, up to the last, so that idle connections cost little. */
const firstSlabBytes = 1024
const largestSlabBytes = 64 * 1024
/** Payloads up to this size are copied into slabs. */
const largestCopiedBytes = 8 * 1024

const makeLane = (): Lane => ({
  segments: MutableList.make(),
  slab: Buffer.allocUnsafeSlow(firstSlabBytes),
  start: 0,
  end: 0,
  frames: 0
})

/** `free` is shared by the connections of a transport. */
export const make = (limits: TransportLimits, free: FrameMemory.FreePieces): Outbox => ({
  limits,
  free,
  handedOver: FrameMemory.nothingHandedOver(),
  lanes: { urgent: makeLane(), normal: makeLane() },
  filled: Latch.makeUnsafe(false),
  room: Latch.makeUnsafe(true),
  frames: 0,
  bytes: 0
})

/** Adds a message; the outcome says why it was not. */
export const add = (
  outbox: Outbox,
  message: ClusterMessage,
  priority: Priority,
  byteFields: ByteFields
): "added" | "full" | Frame.FrameTooLarge => {
  const { limits } = outbox
  if (outbox.frames >= limits.maxOutboxMessages) return "full"
  const maxBytes = limits.maxOutboxBytes - outbox.bytes
  const lane = outbox.lanes[priority]
  const appended = isLarge(message)
    ? appendPiece(lane, message, byteFields, outbox, maxBytes)
    : appendToSlab(lane, message, byteFields, limits, maxBytes)
  const added = appended ?? appendEncoded(lane, encodeClusterMessage(message, byteFields), limits, maxBytes)
  if (typeof added !== "number") return added
  outbox.frames += 1
  outbox.bytes += added
  outbox.filled.openUnsafe()
  updateRoom(outbox)
  return "added"
}

/** Whether trying a slab first would only encode the message twice. */
const isLarge = (message: ClusterMessage): boolean =>
  message.type === "MIGRATE_DATA" || (message.type === "OP_FORWARD" && message.payload.length > largestCopiedBytes)

/** Encodes into a piece of memory. Bytes added; undefined when the message is larger. */
const appendPiece = (
  lane: Lane,
  message: ClusterMessage,
  byteFields: ByteFields,
  { free, limits }: Outbox,
  maxBytes: number
): number | "full" | Frame.FrameTooLarge | undefined => {
  const most = FrameMemory.pieceBytes / (byteFields === "bin" ? 1 : 2)
  if (largeBytes(message) > most) return undefined
  const piece = FrameMemory.take(free)
  const end = encodeClusterMessageInto(message, piece, Frame.headerBytes, byteFields)
  const payloadBytes = end - Frame.headerBytes
  const refusal = end === -1 ? undefined : refuse(payloadBytes, limits, maxBytes)
  if (end === -1 || refusal !== undefined) {
    free.push(piece)
    return refusal
  }
  Frame.writeHeader(payloadBytes, piece, 0)
  seal(lane)
  MutableList.append(lane.segments, { chunks: [piece.subarray(0, end)], bytes: end, frames: 1, piece })
  return end
}

/** Bytes in the long fields of a large message. */
const largeBytes = (message: ClusterMessage): number => {
  if (message.type === "OP_FORWARD") return message.payload.length
  if (message.type !== "MIGRATE_DATA") return 0
  let bytes = 0
  for (const { data } of message.mapStates) bytes += data.length
  for (const { entry, key } of message.deltaOps) bytes += entry.length + 3 * key.length
  return bytes
}

/** Encodes into the slab. Bytes added; undefined when there is no room. */
const appendToSlab = (
  lane: Lane,
  message: ClusterMessage,
  byteFields: ByteFields,
  limits: TransportLimits,
  maxBytes: number
): number | "full" | Frame.FrameTooLarge | undefined => {
  const start = lane.end + Frame.headerBytes
  const end = start < lane.slab.length ? encodeClusterMessageInto(message, lane.slab, start, byteFields) : -1
  if (end === -1) return undefined
  const refusal = refuse(end - start, limits, maxBytes)
  if (refusal !== undefined) return refusal
  Frame.writeHeader(end - start, lane.slab, lane.end)
  return extend(lane, end)
}

/** Adds an encoded message: a small one in a new slab, a large one as it is. */
const appendEncoded = (
  lane: Lane,
  payload: Uint8Array,
  limits: TransportLimits,
  maxBytes: number
): number | "full" | Frame.FrameTooLarge => {
  const refusal = refuse(payload.length, limits, maxBytes)
  if (refusal !== undefined) return refusal
  seal(lane)
  if (payload.length <= largestCopiedBytes) {
    lane.slab = Buffer.allocUnsafeSlow(Math.max(2 * payload.length, Math.min(largestSlabBytes, lane.slab.length * 2)))
    lane.start = 0
    lane.end = 0
    return extend(lane, Frame.encodeInto(payload, lane.slab, 0))
  }
  const header = new Uint8Array(Frame.headerBytes)
  Frame.writeHeader(payload.length, header, 0)
  const bytes = Frame.headerBytes + payload.length
  MutableList.append(lane.segments, { chunks: [header, payload], bytes, frames: 1 })
  return bytes
}

/** One more frame is in the slab, up to `end`; its size. */
const extend = (lane: Lane, end: number): number => {
  const bytes = end - lane.end
  lane.end = end
  lane.frames += 1
  return bytes
}

const refuse = (
  payloadBytes: number,
  limits: TransportLimits,
  maxBytes: number
): "full" | Frame.FrameTooLarge | undefined => {
  if (payloadBytes > limits.maxFrameBytes) return tooLarge(payloadBytes, limits)
  return payloadBytes + Frame.headerBytes > maxBytes ? "full" : undefined
}

const tooLarge = (size: number, limits: TransportLimits): Frame.FrameTooLarge =>
  new Frame.FrameTooLarge({ size, limit: limits.maxFrameBytes })

/** Makes a segment of what the slab holds; the rest of the slab goes on being filled. */
const seal = (lane: Lane): void => {
  if (lane.end === lane.start) return
  const chunk = lane.slab.subarray(lane.start, lane.end)
  MutableList.append(lane.segments, { chunks: [chunk], bytes: chunk.length, frames: lane.frames })
  lane.start = lane.end
  lane.frames = 0
}

export const isEmpty = (outbox: Outbox): boolean => outbox.frames === 0

/** Takes what leaves next: all urgent frames, then normal ones until the batch has `maxWriteBytes`. */
export const take = (outbox: Outbox): Batch => {
  const { normal, urgent } = outbox.lanes
  const batch = { chunks: [], pieces: [], bytes: 0, frames: 0 }
  seal(urgent)
  moveSegments(urgent, batch, Number.POSITIVE_INFINITY)
  seal(normal)
  moveSegments(normal, batch, outbox.limits.maxWriteBytes)
  if (urgent.segments.length + normal.segments.length === 0) outbox.filled.closeUnsafe()
  return batch
}

const moveSegments = (
  lane: Lane,
  batch: { readonly chunks: Array<Uint8Array>; readonly pieces: Array<Uint8Array>; bytes: number; frames: number },
  maxBytes: number
): void => {
  while (batch.bytes < maxBytes) {
    const segment = MutableList.take(lane.segments)
    if (segment === MutableList.Empty) return
    batch.chunks.push(...segment.chunks)
    if (segment.piece !== undefined) batch.pieces.push(segment.piece)
    batch.bytes += segment.bytes
    batch.frames += segment.frames
  }
}

/** A batch has been handed to the socket: its room is free again. */
export const written = (outbox: Outbox, batch: Batch): void => {
  outbox.frames -= batch.frames
  outbox.bytes -= batch.bytes
  FrameMemory.handedOver(outbox.handedOver, outbox.free, batch.bytes, batch.pieces)
  updateRoom(outbox)
}

/** Room closes above half of the bounds and opens again at a quarter, so that waiting senders wake for many messages. */
const updateRoom = ({ bytes, frames, limits, room }: Outbox): void => {
  const taken = Math.max(frames / limits.maxOutboxMessages, bytes / limits.maxOutboxBytes)
  if (taken > 0.5) room.closeUnsafe()
  else if (taken <= 0.25) room.openUnsafe()
}
