/**
 * Byte fields: on the wire an array of integers, because the reference's decoder takes nothing else.
 * An octet below 128 is one byte; the others are written as 0xcc and the octet. `bin` is accepted too.
 */
import { maximumNesting } from "./Limits.ts"
import { cursor, openArray, readInteger, refused } from "./ReadPrimitives.ts"

/** The bytes at `at`, or `refused`; `nesting` containers are open around them. */
export const readBytes = (
  bytes: Uint8Array,
  words: DataView,
  at: number,
  end: number,
  nesting: number
): Uint8Array | typeof refused => {
  const first = bytes[at] ?? 0
  if (first >= 0xc4 && first <= 0xc6) return readBinary(bytes, at, end, 1 << (first - 0xc4))
  const count = nesting >= maximumNesting ? -1 : openArray(bytes, at, end)
  if (count < 0) return refused
  const start = cursor.position
  return minimal(bytes, words, start, end, count) ?? anyWidth(bytes, words, start, end, count)
}

const readBinary = (bytes: Uint8Array, at: number, end: number, width: number): Uint8Array | typeof refused => {
  const start = at + 1 + width
  let length = 0
  for (let i = at + 1; i < start; i++) length = length * 256 + (bytes[i] ?? 0)
  if (length > end - start) return refused
  cursor.position = start + length
  // A plain copy: a Buffer's own `slice` would share the message's memory.
  return new Uint8Array(bytes.subarray(start, start + length))
}

/**
 * Octets in the form that encoders write, or `undefined` when any is not. There is no branch per
 * octet: one that is marked is read one byte further. Eight unmarked ones in a row are copied at once.
 */
const minimal = (
  bytes: Uint8Array,
  words: DataView,
  start: number,
  end: number,
  count: number
): Uint8Array | undefined => {
  const octets = new Uint8Array(count)
  const target = new DataView(octets.buffer)
  let position = start
  let strange = 0
  let i = 0
  while (i < count) {
    if (i + 8 <= count && position + 8 <= end) {
      const low = words.getInt32(position, true)
      const high = words.getInt32(position + 4, true)
      if (((low | high) & 0x80808080) === 0) {
        target.setInt32(i, low, true)
        target.setInt32(i + 4, high, true)
        i += 8
        position += 8
        continue
      }
    }
    const stop = Math.min(count, i + 8)
    for (; i < stop; i++) {
      const octet = bytes[position] ?? 0
      const marked = octet >> 7
      strange |= (octet ^ 0xcc) & -marked
      octets[i] = bytes[position + marked] ?? 0
      position += 1 + marked
    }
  }
  if (strange !== 0 || position > end) return undefined
  cursor.position = position
  return octets
}

const anyWidth = (
  bytes: Uint8Array,
  words: DataView,
  start: number,
  end: number,
  count: number
): Uint8Array | typeof refused => {
  const octets = new Uint8Array(count)
  let position = start
  for (let i = 0; i < count; i++) {
    const octet = readInteger(bytes, words, position, end)
    if (!(octet >= 0 && octet <= 0xff)) return refused
    octets[i] = octet
    position = cursor.position
  }
  cursor.position = position
  return octets
}
