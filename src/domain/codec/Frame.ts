/**
 * Messages on a byte stream: a length of four bytes (u32, big-endian), then the payload.
 *
 * Splitting is incremental and its leftover is a value. A frame that lies within one chunk is handed
 * on as a view of it; a frame that straddles chunks is joined once, when its last byte is there. The
 * length is judged as soon as it can be read, so that nothing is buffered for a frame that is too
 * large. A payload of no bytes passes: that it is no message is for the decoder to say.
 *
 * The caller bounds what a peer can make it hold: `maxPayloadBytes` bounds the bytes, and
 * {@link isPending} tells when to put a deadline on the rest of a frame.
 */
import { Result, Schema } from "effect"

/** Bytes of the length that precedes every payload. */
export const headerBytes = 4

/** Largest payload by default, 8 MiB: what reference nodes accept. */
export const defaultMaxFrameBytes = 8 * 1024 * 1024

/** A peer announces (or a caller wants to send) a payload of `size` bytes where `limit` are allowed. */
export class FrameTooLarge extends Schema.TaggedError<FrameTooLarge>()("FrameTooLarge", {
  size: Schema.Int,
  limit: Schema.Int
}) {
  override get message(): string {
    return `a frame of ${this.size} bytes exceeds the limit of ${this.limit}`
  }
}

/** Writes the length of a payload at `offset`, where four bytes must be left; returns the offset behind it. */
export const writeHeader = (payloadBytes: number, buffer: Uint8Array, offset: number): number => {
  buffer[offset] = payloadBytes >>> 24
  buffer[offset + 1] = payloadBytes >>> 16
  buffer[offset + 2] = payloadBytes >>> 8
  buffer[offset + 3] = payloadBytes
  return offset + headerBytes
}

/** Writes a frame at `offset`; returns the offset behind it, or -1 (and writes nothing) when it does not fit. */
export const encodeInto = (payload: Uint8Array, buffer: Uint8Array, offset: number): number => {
  const end = offset + headerBytes + payload.length
  if (end > buffer.length) return -1
  buffer.set(payload, writeHeader(payload.length, buffer, offset))
  return end
}

/** One frame after the other, in one buffer. */
export const encodeMany = (payloads: ReadonlyArray<Uint8Array>): Uint8Array => {
  const size = payloads.reduce((total, payload) => total + headerBytes + payload.length, 0)
  const buffer = new Uint8Array(size)
  let offset = 0
  for (const payload of payloads) offset = encodeInto(payload, buffer, offset)
  return buffer
}

/** The frame of one payload. */
export const encode = (payload: Uint8Array): Uint8Array => encodeMany([payload])

/** Received pieces, the latest first. */
interface Pieces {
  readonly last: Uint8Array
  readonly before: Pieces | undefined
}

/** Bytes that have come in and are not yet handed on as frames. */
export interface Splitter {
  readonly pieces: Pieces | undefined
  /** Bytes in `pieces`. */
  readonly byteLength: number
  /** Size of the first frame with its header, once that has come in and is within the limit. */
  readonly frameBytes: number | undefined
}

export interface Split {
  readonly splitter: Splitter
  /** Payloads, in order. Views of the pushed chunk where possible: copy what must outlive it. */
  readonly frames: ReadonlyArray<Uint8Array>
}

/** A stream of which nothing has come in. */
export const empty: Splitter = { pieces: undefined, byteLength: 0, frameBytes: undefined }

/** Whether a part of a frame has come in, but not its end. */
export const isPending = (splitter: Splitter): boolean => splitter.byteLength > 0

/**
 * Splits a further chunk of the stream. Returns at most `maxFrames` (from 1) frames, by default all; the
 * bytes of the others stay in the splitter, and pushing an empty chunk gets them out.
 *
 * Linear in the bytes of the stream however it is chunked (with a logarithmic factor for pieces
 * below 16 KiB). Fails as soon as a header announces more than `maxPayloadBytes`; the stream cannot
 * be read any further then.
 */
export const push = (
  splitter: Splitter,
  chunk: Uint8Array,
  maxPayloadBytes: number = defaultMaxFrameBytes,
  maxFrames = Number.POSITIVE_INFINITY
): Result.Result<Split, FrameTooLarge> => {
  const { byteLength, frameBytes } = splitter
  if (frameBytes === undefined) {
    // Nothing, a cut header, or frames left behind by `maxFrames`: at most about a chunk, so join and look again.
    return splitChunk(byteLength === 0 ? chunk : joined(splitter, chunk), 0, [], maxPayloadBytes, maxFrames)
  }
  const missing = frameBytes - byteLength
  if (chunk.length < missing) return Result.succeed({ splitter: append(splitter, chunk), frames: [] })
  const first = joined(splitter, chunk.subarray(0, missing)).subarray(headerBytes)
  return splitChunk(chunk, missing, [first], maxPayloadBytes, maxFrames)
}

/** Splits `chunk` from `start`, where a frame begins, adding to `frames`. */
const splitChunk = (
  chunk: Uint8Array,
  start: number,
  frames: Array<Uint8Array>,
  maxPayloadBytes: number,
  maxFrames: number
): Result.Result<Split, FrameTooLarge> => {
  let offset = start
  let frameBytes: number | undefined
  while (chunk.length - offset >= headerBytes && frames.length < maxFrames) {
    const size = readHeader(chunk, offset)
    if (size > maxPayloadBytes) return Result.fail(new FrameTooLarge({ size, limit: maxPayloadBytes }))
    if (chunk.length - offset - headerBytes < size) {
      frameBytes = headerBytes + size
      break
    }
    frames.push(chunk.subarray(offset + headerBytes, offset + headerBytes + size))
    offset += headerBytes + size
  }
  if (offset === chunk.length) return Result.succeed({ splitter: empty, frames })
  const last = chunk.subarray(offset)
  return Result.succeed({
    splitter: { pieces: { last, before: undefined }, byteLength: last.length, frameBytes },
    frames
  })
}

const readHeader = (bytes: Uint8Array, offset: number): number =>
  ((byteAt(bytes, offset) << 24) |
    (byteAt(bytes, offset + 1) << 16) |
    (byteAt(bytes, offset + 2) << 8) |
    byteAt(bytes, offset + 3)) >>>
  0

const byteAt = (bytes: Uint8Array, index: number): number => bytes[index] ?? 0

/** Pieces below this size are merged, so that a peer that sends single bytes costs no object for each. */
const mergeBelowBytes = 16 * 1024

/**
 * Adds a piece. Small neighbours merge when the older is no larger than the newer, as in a binary
 * counter: each byte is copied at most 14 times, and few small pieces exist at any time.
 */
const append = (splitter: Splitter, chunk: Uint8Array): Splitter => {
  if (chunk.length === 0) return splitter
  let last = chunk
  let before = splitter.pieces
  while (before !== undefined && before.last.length <= last.length && last.length < mergeBelowBytes) {
    const merged = new Uint8Array(before.last.length + last.length)
    merged.set(before.last, 0)
    merged.set(last, before.last.length)
    last = merged
    before = before.before
  }
  return {
    pieces: { last, before },
    byteLength: splitter.byteLength + chunk.length,
    frameBytes: splitter.frameBytes
  }
}

/** The held bytes and then `chunk`, in one buffer. */
const joined = (splitter: Splitter, chunk: Uint8Array): Uint8Array => {
  if (chunk.length === 0 && splitter.pieces?.before === undefined) return splitter.pieces?.last ?? chunk
  const bytes = new Uint8Array(splitter.byteLength + chunk.length)
  let end = splitter.byteLength
  bytes.set(chunk, end)
  for (let piece = splitter.pieces; piece !== undefined; piece = piece.before) {
    end -= piece.last.length
    bytes.set(piece.last, end)
  }
  return bytes
}
