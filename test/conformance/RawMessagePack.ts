/**
 * MessagePack without any schema, written apart from the codec that it judges: where a value ends, how
 * deep it is nested, and the same message with `bin` spelled as arrays of integers.
 */

interface Raw {
  readonly first: number
  /** Bytes of the header. */
  readonly header: number
  /** Bytes behind the header, without the items of a container. */
  readonly payload: number
  /** Values inside: items of an array, keys and values of a map. */
  readonly items: number
}

const uint = (bytes: Uint8Array, at: number, width: number): number =>
  bytes.subarray(at, at + width).reduce((sum, octet) => sum * 256 + octet, 0)

const raw = (bytes: Uint8Array, at: number): Raw => {
  const first = bytes[at] ?? 0
  const leaf = (header: number, payload: number): Raw => ({ first, header, payload, items: 0 })
  const sized = (width: number, extra: number): Raw => leaf(1 + width, uint(bytes, at + 1, width) + extra)
  const container = (header: number, items: number): Raw => ({ first, header, payload: 0, items })
  if (first < 0x80 || first >= 0xe0) return leaf(1, 0)
  if (first < 0x90) return container(1, (first & 15) * 2)
  if (first < 0xa0) return container(1, first & 15)
  if (first < 0xc0) return leaf(1, first & 31)
  if (first < 0xc4) return leaf(1, 0)
  if (first < 0xc7) return sized(1 << (first - 0xc4), 0)
  if (first < 0xca) return sized(1 << (first - 0xc7), 1)
  if (first < 0xcc) return leaf(1, first === 0xca ? 4 : 8)
  if (first < 0xd4) return leaf(1, 1 << (first & 3))
  if (first < 0xd9) return leaf(1, 1 + (1 << (first - 0xd4)))
  if (first < 0xdc) return sized(1 << (first - 0xd9), 0)
  const width = first % 2 === 0 ? 2 : 4
  return container(1 + width, uint(bytes, at + 1, width) * (first < 0xde ? 1 : 2))
}

/** Every value of the first message: its position, and how many containers are open with it, itself included. */
const walk = (bytes: Uint8Array, start: number, visit: (at: number, value: Raw, nesting: number) => void): number => {
  const open: Array<number> = []
  let left = 1
  let at = start
  while (at < bytes.length) {
    const value = raw(bytes, at)
    left--
    const isContainer =
      value.items > 0 || (value.first >= 0x80 && value.first < 0xa0) || (value.first >= 0xdc && value.first < 0xe0)
    visit(at, value, open.length + (isContainer ? 1 : 0))
    at += value.header + value.payload
    if (isContainer) {
      open.push(left)
      left = value.items
    }
    while (left === 0 && open.length > 0) left = open.pop() ?? 0
    if (left === 0 && open.length === 0) return at
  }
  return at
}

/** Position behind the value at `start`; the end of the input when it is cut off. */
export const endOfValue = (bytes: Uint8Array, start: number): number => walk(bytes, start, () => undefined)

/** Containers open at the value at `offset`, itself included; 0 when no value starts there. */
export const nestingAt = (bytes: Uint8Array, offset: number): number => {
  let found = 0
  walk(bytes, 0, (at, _, nesting) => {
    if (at === offset) found = nesting
  })
  return found
}

/** The same message with every `bin` as an array of integers. */
export const withoutBinary = (bytes: Uint8Array): Uint8Array => {
  const out: Array<number> = []
  walk(bytes, 0, (at, { first, header, payload }) => {
    const body = bytes.subarray(at + header, at + header + payload)
    if (first >= 0xc4 && first <= 0xc6) {
      out.push(0xdd, (payload >>> 24) & 255, (payload >> 16) & 255, (payload >> 8) & 255, payload & 255)
      for (const octet of body) out.push(...(octet < 0x80 ? [octet] : [0xcc, octet]))
    } else {
      out.push(...bytes.subarray(at, at + header), ...body)
    }
  })
  return Uint8Array.from(out)
}
