/**
 * The tokens that both fast back ends read, as functions over a whole buffer.
 *
 * Every function takes the buffer twice (`bytes`, and `words` over the same memory), the position to
 * read at and the `end` of the message, all absolute. It leaves the next position in `cursor.position`
 * and refuses by its own sentinel: no exceptions, no objects per token. Which error it was, the strict
 * reader finds out afterwards.
 */
import { byteString } from "./ByteString.ts"
import { maximumNameBytes, maximumNesting } from "./Limits.ts"
import { textFrom } from "./TextReader.ts"

/** Where the last read token ended. One for the whole program: readers never interleave. */
export const cursor = { position: 0 }

/** A value that no reader returns: "give up, ask the strict reader". */
export const refused: unique symbol = Symbol("refused")

/** The string at `at`, or `refused`. */
export const readText = (bytes: Uint8Array, words: DataView, at: number, end: number): string | typeof refused => {
  const length = textLength(bytes, at, end)
  if (length < 0) return refused
  const start = cursor.position
  if (length > end - start) return refused
  cursor.position = start + length
  return textFrom(bytes, words, start, length) ?? refused
}

/** Length of the string whose header is at `at`, −1 when there is none; the cursor moves behind the header. */
const textLength = (bytes: Uint8Array, at: number, end: number): number => {
  const first = bytes[at] ?? 0
  if ((first & 0xe0) === 0xa0) {
    cursor.position = at + 1
    return first & 0x1f
  }
  return first >= 0xd9 && first <= 0xdb ? longLength(bytes, at, end, first - 0xd9) : -1
}

/** The number in the 2^width bytes after the header byte, −1 beyond the end. */
const longLength = (bytes: Uint8Array, at: number, end: number, width: number): number => {
  const start = at + 1 + (1 << width)
  if (start > end) return -1
  cursor.position = start
  let length = 0
  for (let i = at + 1; i < start; i++) length = length * 256 + (bytes[i] ?? 0)
  return length
}

/** No field has this name, because it is too long for one: every over-long name reads as it. */
const unknownName = " ".repeat(maximumNameBytes + 1)

/**
 * A field name as a string of its UTF-8 bytes (one unit per byte), or `refused`. Comparing bytes needs
 * no decoding, and unknown names may well be invalid UTF-8.
 */
export const readName = (bytes: Uint8Array, at: number, end: number): string | typeof refused => {
  const length = textLength(bytes, at, end)
  if (length < 0) return refused
  const start = cursor.position
  if (length > end - start) return refused
  cursor.position = start + length
  return length > maximumNameBytes ? unknownName : byteString(bytes, start, length)
}

/** Any integer form at `at` as a number, rounded beyond 2^53; NaN when it is no integer. */
export const readInteger = (bytes: Uint8Array, words: DataView, at: number, end: number): number => {
  const first = bytes[at] ?? 0xc1
  if (at >= end) return Number.NaN
  if (first < 0x80 || first >= 0xe0) {
    cursor.position = at + 1
    return first < 0x80 ? first : first - 0x100
  }
  if (first < 0xcc || first > 0xd3) return Number.NaN
  const next = at + 1 + (1 << (first & 3))
  if (next > end) return Number.NaN
  cursor.position = next
  switch (first) {
    case 0xcc:
      return words.getUint8(at + 1)
    case 0xcd:
      return words.getUint16(at + 1)
    case 0xce:
      return words.getUint32(at + 1)
    case 0xcf:
      return words.getUint32(at + 1) * 4294967296 + words.getUint32(at + 5)
    case 0xd0:
      return words.getInt8(at + 1)
    case 0xd1:
      return words.getInt16(at + 1)
    case 0xd2:
      return words.getInt32(at + 1)
    default:
      return words.getInt32(at + 1) * 4294967296 + words.getUint32(at + 5)
  }
}

/** A float64, a float32 or any integer, or `refused` (NaN is a value here). */
export const readFloat = (bytes: Uint8Array, words: DataView, at: number, end: number): number | typeof refused => {
  const first = bytes[at]
  if (first === 0xcb && at + 9 <= end) {
    cursor.position = at + 9
    return words.getFloat64(at + 1)
  }
  if (first === 0xca && at + 5 <= end) {
    cursor.position = at + 5
    return words.getFloat32(at + 1)
  }
  const integer = readInteger(bytes, words, at, end)
  return Number.isNaN(integer) ? refused : integer
}

/** Number of items of the array at `at`, −1 when it is none or claims more items than there are bytes. */
export const openArray = (bytes: Uint8Array, at: number, end: number): number => {
  const first = bytes[at] ?? 0
  const count =
    (first & 0xf0) === 0x90
      ? short(at, first)
      : first === 0xdc || first === 0xdd
        ? longLength(bytes, at, end, first - 0xdb)
        : -1
  return count > end - cursor.position ? -1 : count
}

/** Number of pairs of the map at `at`, −1 when it is none or claims more pairs than there are bytes for. */
export const openMap = (bytes: Uint8Array, at: number, end: number): number => {
  const first = bytes[at] ?? 0
  const count =
    (first & 0xf0) === 0x80
      ? short(at, first)
      : first === 0xde || first === 0xdf
        ? longLength(bytes, at, end, first - 0xdd)
        : -1
  return count * 2 > end - cursor.position ? -1 : count
}

const short = (at: number, first: number): number => {
  cursor.position = at + 1
  return first & 0x0f
}

/** Position behind the value at `at`, of whatever kind, or −1; `nesting` containers are open around it. */
export const skipValue = (bytes: Uint8Array, at: number, end: number, nesting: number): number => {
  const first = bytes[at] ?? 0xc1
  if (at >= end || first === 0xc1) return -1
  if (first < 0x80 || first >= 0xe0 || first === 0xc0 || first === 0xc2 || first === 0xc3) return at + 1
  if ((first & 0xf0) === 0x80 || first >= 0xde) return skipItems(bytes, openMap(bytes, at, end) * 2, end, nesting)
  if ((first & 0xf0) === 0x90 || first === 0xdc || first === 0xdd) {
    return skipItems(bytes, openArray(bytes, at, end), end, nesting)
  }
  const next = payloadEnd(bytes, at, end, first)
  return next > end ? -1 : next
}

const skipItems = (bytes: Uint8Array, count: number, end: number, nesting: number): number => {
  if (count < 0 || nesting >= maximumNesting) return -1
  let position = cursor.position
  for (let i = 0; i < count; i++) {
    position = skipValue(bytes, position, end, nesting + 1)
    if (position < 0) return -1
  }
  return position
}

/** End of a number, string, binary or extension; beyond `end` when it is cut off. */
const payloadEnd = (bytes: Uint8Array, at: number, end: number, first: number): number => {
  if (first < 0xc0) return at + 1 + (first & 0x1f)
  if (first <= 0xc6) return counted(bytes, at, end, first - 0xc4)
  if (first <= 0xc9) return counted(bytes, at, end, first - 0xc7) + 1
  if (first <= 0xcb) return at + (first === 0xca ? 5 : 9)
  if (first <= 0xd3) return at + 1 + (1 << (first & 3))
  if (first <= 0xd8) return at + 2 + (1 << (first - 0xd4))
  return counted(bytes, at, end, first - 0xd9)
}

const counted = (bytes: Uint8Array, at: number, end: number, width: number): number => {
  const length = longLength(bytes, at, end, width)
  return length < 0 ? end + 1 : cursor.position + length
}
