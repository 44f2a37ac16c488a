/**
 * Writes a wire value (JSON shape) in ways that other peers may: fields in any order, unknown fields
 * of any kind among them, integers and headers wider than needed, nil for absent fields, `bin` for
 * bytes. All of it must decode to the value that the plain form decodes to.
 */
import type { Random } from "./Xorshift.ts"

export interface Looseness {
  readonly shuffle: boolean
  readonly widen: boolean
  readonly unknownFields: boolean
}

type Bytes = Array<number>

export const encodeLoosely = (value: unknown, random: Random, looseness: Looseness): Uint8Array =>
  Uint8Array.from(encode(value, random, looseness))

const encode = (value: unknown, random: Random, looseness: Looseness): Bytes => {
  if (value === null) return [0xc0]
  if (typeof value === "boolean") return [value ? 0xc3 : 0xc2]
  if (typeof value === "number") return Number.isSafeInteger(value) ? integer(value, random, looseness) : float(value)
  if (typeof value === "string") return text(value, random, looseness)
  if (Array.isArray(value)) {
    return [
      ...header(value.length, 0x90, 16, [0xdc, 0xdd], random, looseness),
      ...value.flatMap((item) => encode(item, random, looseness))
    ]
  }
  if (typeof value === "object") return struct(Object.entries(value), random, looseness)
  throw new Error(`a wire value has no ${typeof value}`)
}

const struct = (pairs: ReadonlyArray<readonly [string, unknown]>, random: Random, looseness: Looseness): Bytes => {
  const encoded = pairs.map(([name, value]) => [...text(name, random, looseness), ...encode(value, random, looseness)])
  if (looseness.unknownFields) {
    while (random.oneIn(2))
      encoded.splice(random.below(encoded.length + 1), 0, [...unknownName(random), ...junk(random, 3)])
  }
  if (looseness.shuffle) shuffle(encoded, random)
  return [...header(encoded.length, 0x80, 16, [0xde, 0xdf], random, looseness), ...encoded.flat()]
}

const shuffle = (values: Array<unknown>, random: Random): void => {
  for (let i = values.length - 1; i > 0; i--) {
    const j = random.below(i + 1)
    ;[values[i], values[j]] = [values[j], values[i]]
  }
}

/** Names that no field has: also empty, not UTF-8, longer than any field's, and repeated ones. */
const unknownName = (random: Random): Bytes =>
  random.pick([
    [0xa0],
    [0xa3, 0x7a, 0x7a, 0x7a],
    [0xa2, 0xff, 0xfe],
    [0xa4, 0x54, 0x79, 0x70, 0x65],
    [0xd9, 70, ...Array.from({ length: 70 }, () => 0x61)],
    [0xda, 0x01, 0x00, ...Array.from({ length: 256 }, () => 0x73)]
  ])

/** Any value at all, nested at most `depth` deep. */
const junk = (random: Random, depth: number): Bytes => {
  const leaves: ReadonlyArray<Bytes> = [
    [0xc0],
    [0xc3],
    [0x05],
    [0xff],
    [0xcf, 255, 255, 255, 255, 255, 255, 255, 255],
    [0xd1, 0x80, 0],
    [0xca, 0x3f, 0x80, 0, 0],
    [0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0],
    [0xa2, 0xff, 0xfe],
    [0xdb, 0, 0, 0, 1, 0x61],
    [0xc4, 2, 1, 2],
    [0xc5, 0, 1, 9],
    [0xc6, 0, 0, 0, 0],
    [0xd4, 1, 9],
    [0xd5, 1, 9, 9],
    [0xd6, 0xff, 0, 0, 0, 1],
    [0xd7, 1, 1, 2, 3, 4, 5, 6, 7, 8],
    [0xd8, 1, ...Array.from({ length: 16 }, () => 0xc1)],
    [0xc7, 3, 5, 1, 2, 3],
    [0xc8, 0, 1, 5, 1],
    [0xc9, 0, 0, 0, 0, 5]
  ]
  if (depth === 0 || random.oneIn(2)) return random.pick(leaves)
  const count = random.below(3)
  const inner = (): Bytes => junk(random, depth - 1)
  if (random.oneIn(2)) return [0x90 | count, ...Array.from({ length: count }, inner).flat()]
  return [0xde, 0, count, ...Array.from({ length: count * 2 }, inner).flat()]
}

const bigEndian = (value: number | bigint, width: number): Bytes =>
  Array.from({ length: width }, (_, i) => Number((BigInt(value) >> BigInt(8 * (width - 1 - i))) & 255n))

/** Any form that can hold the integer; the shortest unless widened. */
const integer = (value: number, random: Random, { widen }: Looseness): Bytes => {
  const forms: Array<Bytes> = []
  if (value >= -32 && value <= 127) forms.push(bigEndian(value, 1))
  for (const [i, width] of [1, 2, 4, 8].entries()) {
    if (value >= 0 && value < 2 ** (8 * width)) forms.push([0xcc + i, ...bigEndian(value, width)])
  }
  for (const [i, width] of [1, 2, 4, 8].entries()) {
    const bound = 2 ** (8 * width - 1)
    if (value >= -bound && value < bound) forms.push([0xd0 + i, ...bigEndian(value, width)])
  }
  return widen ? random.pick(forms) : (forms[0] ?? [])
}

const float = (value: number): Bytes => {
  const words = new DataView(new ArrayBuffer(8))
  words.setFloat64(0, value)
  return [0xcb, ...new Uint8Array(words.buffer)]
}

const text = (value: string, random: Random, looseness: Looseness): Bytes => {
  const bytes = [...new TextEncoder().encode(value)]
  return [...header(bytes.length, 0xa0, 32, [0xd9, 0xda, 0xdb], random, looseness), ...bytes]
}

const header = (
  count: number,
  short: number,
  shortBelow: number,
  long: ReadonlyArray<number>,
  random: Random,
  { widen }: Looseness
): Bytes => {
  const forms: Array<Bytes> = count < shortBelow ? [[short | count]] : []
  const widths = long.length === 3 ? [1, 2, 4] : [2, 4]
  for (const [i, first] of long.entries()) {
    const width = widths[i] ?? 4
    if (count < 2 ** (8 * width)) forms.push([first, ...bigEndian(count, width)])
  }
  return widen ? random.pick(forms) : (forms[0] ?? [])
}
