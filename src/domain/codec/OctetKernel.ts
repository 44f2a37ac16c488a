/**
 * The wire form of long byte fields, eight octets at a time: two functions in WebAssembly with vector
 * instructions, for arrays of octets in the form that encoders write (one byte below 128, otherwise 0xcc
 * and the octet). What they cannot take in full blocks they leave to the caller.
 *
 * They are assembled and compiled at first use. Where WebAssembly or its vector instructions are absent
 * or forbidden there is no kernel, and loops do the same work.
 */
import { kernelOctets } from "./Limits.ts"
import {
  assemble,
  type Code,
  i32,
  i64,
  i8x16,
  leaveIf,
  type Local,
  loop,
  sequence,
  v128,
  type WasmFunction
} from "./WasmAssembler.ts"

/** Octets and their wire form lie at these places of `memory`. Its content does not outlive a call. */
export const octetsAt = 8192
export const wireAt = octetsAt + kernelOctets + 64
const pages = Math.ceil((wireAt + 2 * kernelOctets + 64) / 65_536)

export interface OctetKernel {
  readonly memory: Uint8Array<ArrayBuffer>
  /** Writes the wire form of `count` octets, a multiple of eight, at most `kernelOctets`; returns its length. */
  readonly encode: (count: number) => number
  /**
   * Reads at most `length` bytes of wire form (at most 2 × `kernelOctets`) to at most `limit` octets (at most
   * `kernelOctets`), in blocks of `decodedBlock` bytes. It ends between two octets: when bytes or room
   * for a whole block are missing, or before a block that has any octet in another form. Returns how many
   * bytes it has read; how many octets those are, `decodedOctets` tells.
   */
  readonly decode: (length: number, limit: number) => number
  readonly decodedOctets: () => number
}

/** Bytes of wire form that are read in one step. */
export const decodedBlock = 64

/** A shorter field is left to the loops: the copies to the kernel and back would cost more than they save. */
export const fewestKernelOctets = 128

let kernel: OctetKernel | undefined
let tried = false

/** The kernel, or `undefined` where the runtime has none. */
export const octetKernel = (): OctetKernel | undefined => {
  if (!tried) {
    tried = true
    kernel = compile()
  }
  return kernel
}

/** What is used here of WebAssembly; the types of the language and of Node do not know it. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object) => {
    readonly exports: Pick<OctetKernel, "encode" | "decode"> & { readonly memory: { readonly buffer: ArrayBuffer } }
  }
}

const compile = (): OctetKernel | undefined => {
  const code = assemble(pages, [encode, decode])
  const exports = instantiated(code)
  if (exports === undefined) return undefined
  const memory = new Uint8Array(exports.memory.buffer)
  for (let mask = 0; mask < 256; mask++) {
    memory.set(encodeShuffle(mask), encodeTable + mask * 16)
    memory.set(decodeShuffle(mask), decodeTable + mask * 8)
  }
  const words = new Int32Array(exports.memory.buffer)
  return { memory, encode: exports.encode, decode: exports.decode, decodedOctets: () => words[0] ?? 0 }
}

const instantiated = (code: Uint8Array) => {
  try {
    return new WebAssembly.Instance(new WebAssembly.Module(code)).exports
  } catch {
    // Absent, without vectors, or forbidden by a policy: all of these are how a runtime says no.
    return undefined
  }
}

// ── tables ──────────────────────────────────────────────────────────────────────────────────────

/** The count of decoded octets is left at 0. */
const encodeTable = 16
const decodeTable = encodeTable + 256 * 16

const places = [0, 1, 2, 3, 4, 5, 6, 7]
const isIn = (mask: number, place: number): boolean => ((mask >> place) & 1) === 1

/** Where each byte of the wire form of eight octets comes from; place 8 holds a marker. */
const encodeShuffle = (mask: number): Code => places.flatMap((place) => (isIn(mask, place) ? [8, place] : [place]))

/** The places of eight that are no markers. */
const decodeShuffle = (mask: number): Code => places.filter((place) => !isIn(mask, place))

// ── code ────────────────────────────────────────────────────────────────────────────────────────

const marker = 0xcc
const sixteen = (octet: (place: number) => number): Code =>
  v128.constant(Array.from({ length: 16 }, (_, i) => octet(i)))
const markers = sixteen(() => marker)
const markersBehindEight = sixteen((place) => (place < 8 ? 0 : marker))

const advance = (local: Local, by: Code): Code => local.set(i32.add(local.get, by))
const shiftedLeft = (value: Code, by: number): Code => (by === 0 ? value : i64.shl(value, i64.constant(BigInt(by))))
const shiftedRight = (value: Code, by: number): Code => (by === 0 ? value : i64.shr(value, i64.constant(BigInt(by))))
const not = (value: Code): Code => i64.xor(value, i64.constant(-1n))

/** Eight octets and, behind them, markers are shuffled to their wire form at once. */
const encode: WasmFunction = {
  name: "encode",
  parameters: 1,
  locals: ["i32", "i32", "v128", "i32"],
  body: (count, from, to, octets, mask) =>
    sequence(
      loop(
        leaveIf(i32.greater(i32.add(from.get, i32.constant(8)), count.get)),
        octets.set(v128.load64(from.get, octetsAt)),
        mask.set(i8x16.bitmask(octets.get)),
        v128.store(
          to.get,
          i8x16.swizzle(
            v128.or(octets.get, markersBehindEight),
            v128.load(i32.shl(mask.get, i32.constant(4)), encodeTable)
          ),
          wireAt
        ),
        advance(to, i32.add(i32.constant(8), i32.popcnt(mask.get))),
        advance(from, i32.constant(8))
      ),
      to.get
    )
}

const even = i64.constant(0x5555555555555555n)

/** One bit for each of the block's 64 bytes, from sixteen of each vector. */
const blockBits = (vectors: ReadonlyArray<Local>, bits: (vector: Code) => Code): Code =>
  vectors.map(({ get }, i) => shiftedLeft(i64.extend(bits(get)), 16 * i)).reduce(i64.or)

/**
 * A byte 0xcc is a marker or the octet behind one. In a run of them that starts between two octets, the
 * first, third, … are markers. Adding a run's first bit to the run clears it, which tells the runs that
 * start at even places from the others. Whatever else has its high bit set is in another form.
 */
const decode: WasmFunction = {
  name: "decode",
  parameters: 2,
  locals: ["i32", "i32", "i32", "i64", "i64", "i64", "i64", "v128", "v128", "v128", "v128"],
  body: (length, limit, from, to, mask, runs, evenRuns, marked, open, ...block) =>
    sequence(
      loop(
        leaveIf(i32.greater(i32.add(from.get, i32.constant(decodedBlock)), length.get)),
        leaveIf(i32.greater(i32.add(to.get, i32.constant(decodedBlock)), limit.get)),
        ...block.map((vector, i) => vector.set(v128.load(from.get, wireAt + 16 * i))),
        // `open` is 1 when the block's first byte belongs to a marker before it.
        runs.set(
          i64.and(
            blockBits(block, (vector) => i8x16.bitmask(i8x16.equal(vector, markers))),
            not(open.get)
          )
        ),
        evenRuns.set(i64.and(i64.and(runs.get, not(shiftedLeft(runs.get, 1))), even)),
        evenRuns.set(i64.and(runs.get, not(i64.add(runs.get, evenRuns.get)))),
        marked.set(i64.or(i64.and(evenRuns.get, even), i64.and(i64.xor(runs.get, evenRuns.get), not(even)))),
        runs.set(i64.or(i64.or(marked.get, shiftedLeft(marked.get, 1)), open.get)),
        leaveIf(i64.isNot(i64.and(blockBits(block, i8x16.bitmask), not(runs.get)), i64.constant(0n))),
        open.set(shiftedRight(marked.get, 63)),
        ...places.map((eighth) => compact(from, to, mask, marked, eighth)),
        advance(from, i32.constant(decodedBlock))
      ),
      i32.store(i32.constant(0), to.get),
      i32.sub(from.get, i32.wrap(open.get))
    )
}

/** Eight bytes of the block without their markers. */
const compact = (from: Local, to: Local, mask: Local, marked: Local, eighth: number): Code =>
  sequence(
    mask.set(i32.and(i32.wrap(shiftedRight(marked.get, 8 * eighth)), i32.constant(0xff))),
    v128.store64(
      to.get,
      i8x16.swizzle(
        v128.load64(from.get, wireAt + 8 * eighth),
        v128.load64(i32.shl(mask.get, i32.constant(3)), decodeTable)
      ),
      octetsAt
    ),
    advance(to, i32.sub(i32.constant(8), i32.popcnt(mask.get)))
  )
