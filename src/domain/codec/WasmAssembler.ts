/**
 * Just enough of WebAssembly's binary format to write OctetKernel.ts in: instructions as functions of
 * their operands, as in the folded text format, so `i32.add(from.get, i32.constant(8))` is the code that
 * leaves the sum. WebAssembly itself validates the result when it compiles it.
 *
 * See "WebAssembly Core Specification 2.0", chapter 5.
 */

/** Instructions in binary form. */
export type Code = ReadonlyArray<number>

export type ValueType = "i32" | "i64" | "v128"

const valueTypes: Readonly<Record<ValueType, number>> = { i32: 0x7f, i64: 0x7e, v128: 0x7b }

/** A variable or parameter of a function. */
export interface Local {
  readonly get: Code
  readonly set: (value: Code) => Code
}

/** An exported function from i32 parameters to one i32. Locals start at zero. */
export interface WasmFunction {
  readonly name: string
  readonly parameters: number
  readonly locals: ReadonlyArray<ValueType>
  /** Given the parameters and then the locals; leaves the result. */
  readonly body: (...locals: ReadonlyArray<Local>) => Code
}

/** Codes one after the other. (Spelled `[...a, ...b]`, assembling took several times as long.) */
export const sequence = (...parts: ReadonlyArray<Code>): Code => new Array<number>().concat(...parts)

/** A module that exports its functions, and its memory of exactly `pages` times 64 KiB as `memory`. */
export const assemble = (pages: number, functions: ReadonlyArray<WasmFunction>): Uint8Array =>
  Uint8Array.from(
    sequence(
      [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
      section(1, functions.map(typeOf)),
      section(
        3,
        functions.map((_, i) => unsigned(i))
      ),
      section(5, [sequence([0x01], unsigned(pages), unsigned(pages))]),
      section(7, [exported("memory", 0x02, 0), ...functions.map(({ name }, i) => exported(name, 0x00, i))]),
      section(10, functions.map(codeOf))
    )
  )

const typeOf = ({ parameters }: WasmFunction): Code => {
  const taken = Array.from({ length: parameters }, () => [valueTypes.i32])
  return sequence([0x60], counted(taken), counted([[valueTypes.i32]]))
}

const codeOf = ({ body, locals, parameters }: WasmFunction): Code => {
  const all = Array.from({ length: parameters + locals.length }, (_, index) => local(index))
  return sized(sequence(counted(locals.map((type) => [1, valueTypes[type]])), body(...all), [0x0b]))
}

const local = (index: number): Local => {
  const place = unsigned(index)
  return { get: sequence([0x20], place), set: (value) => sequence(value, [0x21], place) }
}

const exported = (name: string, kind: number, index: number): Code =>
  sequence(sized(Array.from(name, (letter) => letter.charCodeAt(0))), [kind], unsigned(index))

const section = (id: number, items: ReadonlyArray<Code>): Code => sequence([id], sized(counted(items)))
const counted = (items: ReadonlyArray<Code>): Code => sequence(unsigned(items.length), ...items)
const sized = (code: Code): Code => sequence(unsigned(code.length), code)

/** LEB128 of a natural number below 2^31. */
const unsigned = (value: number): Code =>
  value < 0x80 ? [value] : sequence([(value & 0x7f) | 0x80], unsigned(value >>> 7))

/** Signed LEB128. */
const signed = (value: bigint): Code => {
  const low = Number(BigInt.asUintN(7, value))
  return value >= -64n && value < 64n ? [low] : sequence([low | 0x80], signed(value >> 7n))
}

// ── instructions ────────────────────────────────────────────────────────────────────────────────

type Unary = (value: Code) => Code
type Binary = (left: Code, right: Code) => Code

const unary =
  (...opcode: Code): Unary =>
  (value) =>
    sequence(value, opcode)

const binary =
  (...opcode: Code): Binary =>
  (left, right) =>
    sequence(left, right, opcode)

/** Loads from `address + offset`. */
const load =
  (...opcode: Code) =>
  (address: Code, offset = 0): Code =>
    sequence(address, opcode, [0x00], unsigned(offset))

/** Stores to `address + offset`. */
const store =
  (opcode: Code, ...lane: Code) =>
  (address: Code, value: Code, offset = 0): Code =>
    sequence(address, value, opcode, [0x00], unsigned(offset), lane)

export const i32 = {
  constant: (value: number): Code => sequence([0x41], signed(BigInt(value))),
  store: store([0x36]),
  greater: binary(0x4b),
  popcnt: unary(0x69),
  add: binary(0x6a),
  sub: binary(0x6b),
  and: binary(0x71),
  shl: binary(0x74),
  wrap: unary(0xa7)
}

export const i64 = {
  constant: (value: bigint): Code => sequence([0x42], signed(BigInt.asIntN(64, value))),
  isNot: binary(0x52),
  add: binary(0x7c),
  and: binary(0x83),
  or: binary(0x84),
  xor: binary(0x85),
  shl: binary(0x86),
  shr: binary(0x88),
  extend: unary(0xad)
}

export const v128 = {
  constant: (octets: ReadonlyArray<number>): Code => sequence([0xfd, 12], octets),
  load: load(0xfd, 0),
  /** The low eight octets; the others are zero. */
  load64: load(0xfd, 93),
  store: store([0xfd, 11]),
  /** Stores the low eight octets. */
  store64: store([0xfd, 91], 0),
  or: binary(0xfd, 80)
}

export const i8x16 = {
  /** Octets of the first at the places that the second names; zero for a place beyond 15. */
  swizzle: binary(0xfd, 14),
  equal: binary(0xfd, 35),
  /** The highest bit of each octet. */
  bitmask: unary(0xfd, 100)
}

/** Repeats until a `leaveIf` in it, outside any other loop, holds. */
export const loop = (...body: ReadonlyArray<Code>): Code =>
  sequence([0x02, 0x40, 0x03, 0x40], ...body, [0x0c, 0x00, 0x0b, 0x0b])

export const leaveIf = (condition: Code): Code => sequence(condition, [0x0d, 0x01])
