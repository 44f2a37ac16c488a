/**
 * The tokens that both back ends write, always in the shortest form.
 *
 * Every function writes at `at` into `bytes` (and `words` over the same memory) up to `capacity`, all
 * absolute, and returns the next position, or why there is none. They may ask for a little more room
 * than they end up using; the caller then tries again with a larger buffer.
 */

/** The value may not fit. */
export const overflow = -1
/** The value is none that the schema allows. */
export const invalid = -2

/** Longest token without payload: a header or a number. */
export const longestToken = 9

/** A non-negative or negative safe integer. */
export const writeInteger = (
  integer: number,
  at: number,
  bytes: Uint8Array,
  words: DataView,
  capacity: number
): number => {
  if (at + longestToken > capacity) return overflow
  return integer < 0 ? writeNegative(integer, at, bytes, words) : writeNatural(integer, at, bytes, words)
}

/** Zero or more, where room for `longestToken` bytes has been verified. */
export const writeNatural = (integer: number, at: number, bytes: Uint8Array, words: DataView): number => {
  if (integer < 0x80) {
    bytes[at] = integer
    return at + 1
  }
  if (integer <= 0xff) {
    bytes[at] = 0xcc
    bytes[at + 1] = integer
    return at + 2
  }
  if (integer <= 0xffff) {
    bytes[at] = 0xcd
    words.setUint16(at + 1, integer)
    return at + 3
  }
  if (integer <= 0xffff_ffff) {
    bytes[at] = 0xce
    words.setUint32(at + 1, integer)
    return at + 5
  }
  bytes[at] = 0xcf
  words.setUint32(at + 1, integer / 0x1_0000_0000)
  words.setUint32(at + 5, integer)
  return at + 9
}

const writeNegative = (integer: number, at: number, bytes: Uint8Array, words: DataView): number => {
  if (integer >= -0x20) {
    bytes[at] = integer
    return at + 1
  }
  if (integer >= -0x80) {
    bytes[at] = 0xd0
    bytes[at + 1] = integer
    return at + 2
  }
  if (integer >= -0x8000) {
    bytes[at] = 0xd1
    words.setInt16(at + 1, integer)
    return at + 3
  }
  if (integer >= -0x8000_0000) {
    bytes[at] = 0xd2
    words.setInt32(at + 1, integer)
    return at + 5
  }
  bytes[at] = 0xd3
  words.setInt32(at + 1, Math.floor(integer / 0x1_0000_0000))
  words.setUint32(at + 5, integer)
  return at + 9
}

/** Always eight bytes, as the reference writes them. */
export const writeFloat = (float: number, at: number, bytes: Uint8Array, words: DataView, capacity: number): number => {
  if (at + longestToken > capacity) return overflow
  bytes[at] = 0xcb
  words.setFloat64(at + 1, float)
  return at + 9
}

/** Header of an array (`short` 0x90, `long` 0xdc) or a map (0x80, 0xde) of `count` items. */
export const writeHeader = (
  count: number,
  short: 0x80 | 0x90,
  at: number,
  bytes: Uint8Array,
  words: DataView,
  capacity: number
): number => {
  if (at + longestToken > capacity) return overflow
  if (count < 16) {
    bytes[at] = short | count
    return at + 1
  }
  const long = short === 0x90 ? 0xdc : 0xde
  if (count <= 0xffff) {
    bytes[at] = long
    words.setUint16(at + 1, count)
    return at + 3
  }
  bytes[at] = long + 1
  words.setUint32(at + 1, count)
  return at + 5
}

/** Bytes as `bin`: a header and the bytes as they are. */
export const writeBinary = (
  octets: Uint8Array,
  at: number,
  bytes: Uint8Array,
  words: DataView,
  capacity: number
): number => {
  const count = octets.length
  if (at + longestToken + count > capacity) return overflow
  const start = writeBinaryHeader(count, at, bytes, words)
  bytes.set(octets, start)
  return start + count
}

const writeBinaryHeader = (count: number, at: number, bytes: Uint8Array, words: DataView): number => {
  if (count <= 0xff) {
    bytes[at] = 0xc4
    bytes[at + 1] = count
    return at + 2
  }
  if (count <= 0xffff) {
    bytes[at] = 0xc5
    words.setUint16(at + 1, count)
    return at + 3
  }
  bytes[at] = 0xc6
  words.setUint32(at + 1, count)
  return at + 5
}
