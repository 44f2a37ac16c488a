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
  return minimal(bytes, start, end, count) ?? anyWidth(bytes, words, start, end, count)
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
 * octet: each wire byte is stored, and the output advances only past those that are not the marker.
 */
const minimal = (bytes: Uint8Array, start: number, end: number, count: number): Uint8Array | undefined => {
  const octets = new Uint8Array(count)
  let position = start
  let escaped = 0
  let strange = 0
  let i = 0
  while (i < count) {
    const octet = bytes[position++] ?? 0
    octets[i] = octet
    escaped = (octet >> 7) & ~escaped
    strange |= (octet ^ 0xcc) & -escaped
    i += escaped ^ 1
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
