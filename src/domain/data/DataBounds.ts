/** What partitions carry, how large it may be, and what happens at each bound. */
import { Schema } from "effect"
import { Binary, Text } from "../model/Scalars.ts"

/** UTF-8 bytes of a map's name, 1…255. An operation on a longer one is invalid, a record of one malformed. */
export const maxMapNameBytes = 255

/** UTF-8 bytes of a key, 0…4096. As `maxMapNameBytes`. */
export const maxKeyBytes = 4096

/** Bytes of one value, 0…1 MiB. As `maxMapNameBytes`. */
export const maxValueBytes = 1024 * 1024

/** UTF-8 bytes of the node part of a timestamp: a node id of 255 characters and its incarnation. */
export const maxTimestampNodeBytes = 1024

/**
 * Tags of one key of an observed-remove map that an addition may leave; a further one is invalid until some have
 * been removed and collected. A merge keeps what comes in, however many tags that makes.
 */
export const maxTagsPerKey = 1024

/** Operations of one atomic write; a larger one is invalid. */
export const maxOperationsPerWrite = 1024

/**
 * Bytes of a chunk's records by default. One record larger than what was asked for makes a chunk of its own, so a
 * reader holds at most this and one record.
 */
export const defaultChunkBytes = 256 * 1024

/**
 * The most that may be asked for as the size of a chunk, 2 MiB. Its wire form has at most twice the bytes, so that
 * any chunk fits a frame of 8 MiB with room for deltas.
 */
export const largestChunkBytes = 2 * 1024 * 1024

/** Bytes of the note that a store keeps beside a partition; a longer one is a defect of its writer. */
export const maxNoteBytes = 4096

/** Bytes that `text` takes as UTF-8; a lone surrogate counts as three. */
export const utf8Bytes = (text: string): number => {
  let bytes = text.length
  for (let i = 0; i < text.length; i++) {
    const point = text.codePointAt(i) ?? 0
    if (point < 0x80) continue
    bytes += point < 0x800 ? 1 : 2
    // A pair has been counted as two, and takes four.
    if (point > 0xffff) i++
  }
  return bytes
}

/** Whether `text` takes at most `limit` bytes as UTF-8. */
export const isWithinUtf8 = (text: string, limit: number): boolean =>
  text.length * 3 <= limit || (text.length <= limit && utf8Bytes(text) <= limit)

const textUpTo = (limit: number) =>
  Text.check(
    Schema.makeFilter((text: string) => isWithinUtf8(text, limit), { expected: `at most ${limit} bytes of UTF-8` })
  )

export const MapName = textUpTo(maxMapNameBytes).check(
  Schema.makeFilter((name: string) => name.length > 0, { expected: "a name" })
)
export const Key = textUpTo(maxKeyBytes)
export const TimestampNode = textUpTo(maxTimestampNodeBytes)
export const Value = Binary.check(
  Schema.makeFilter((value: Uint8Array) => value.length <= maxValueBytes, {
    expected: `at most ${maxValueBytes} bytes`
  })
)
