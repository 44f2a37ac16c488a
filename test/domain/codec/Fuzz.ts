/**
 * Mutated frames against all three readers. None may throw; all must give the same verdict, and the
 * same value when they accept; every refusal must explain itself. What is accepted must survive being
 * encoded and decoded again.
 *
 * Alone: `node test/domain/codec/Fuzz.ts --frames 1000000 --seed 7`.
 */
import { isDeepStrictEqual, parseArgs } from "node:util"
import { Result, Schema } from "effect"
import { MessagePack } from "../../../src/domain/codec/MessagePack.ts"
import { closureReader } from "../../../src/domain/codec/ClosureReader.ts"
import { cursor, refused } from "../../../src/domain/codec/ReadPrimitives.ts"
import { readStrictly } from "../../../src/domain/codec/StrictReader.ts"
import { wireShape } from "../../../src/domain/codec/WireShape.ts"
import { ClusterMessage } from "../../../src/domain/wire/ClusterMessage.ts"
import { encodeLoosely } from "./LooseEncoder.ts"
import { samples } from "./Samples.ts"
import { type Random, xorshift } from "./Xorshift.ts"

export interface FuzzOptions {
  readonly frames: number
  readonly seed: number
  readonly onProgress?: (done: number) => void
}

export interface FuzzOutcome {
  readonly accepted: number
  readonly refused: number
}

const generated = MessagePack.codec(ClusterMessage, { backEnd: "generated" })
const closures = MessagePack.codec(ClusterMessage, { backEnd: "closures" })
const shape = wireShape(ClusterMessage.ast)
const closure = closureReader(shape)

/** The closures' verdict without the strict reader behind it, which one codec has asked already. */
const readByClosures = (frame: Uint8Array): unknown => {
  const memory = Buffer.from(frame.buffer)
  const words = new DataView(frame.buffer)
  const end = frame.byteOffset + frame.length
  const value = closure(memory, words, frame.byteOffset, end, 0)
  return cursor.position === end ? value : refused
}

/** Plain and loosely written frames to start from. */
const corpus = (random: Random): ReadonlyArray<Uint8Array> => {
  const loose = { shuffle: true, widen: true, unknownFields: true }
  return samples.flatMap((message) => {
    const json = Schema.encodeSync(ClusterMessage)(message)
    return [
      generated.encode(message),
      encodeLoosely(json, random, loose),
      encodeLoosely(json, random, { ...loose, widen: false })
    ]
  })
}

/** Throws at the first frame that the readers disagree on; its message has the frame in hex. */
export const fuzz = ({ frames, seed, onProgress }: FuzzOptions): FuzzOutcome => {
  const random = xorshift(seed)
  const sources = corpus(random)
  let accepted = 0
  for (let i = 0; i < frames; i++) {
    if (isAcceptedByAll(placed(mutated(random.pick(sources), sources, random), random))) accepted++
    if (i % 100_000 === 99_999) onProgress?.(i + 1)
  }
  return { accepted, refused: frames - accepted }
}

const isAcceptedByAll = (frame: Uint8Array): boolean => {
  const fail = (what: string): never => {
    throw new Error(`${what}: ${Buffer.from(frame).toString("hex")}`)
  }
  const fast = generated.decode(frame)
  const other = readByClosures(frame)
  if (Result.isFailure(fast)) {
    // The codec throws when the strict reader accepts what the fast one refused, so these agree.
    const { path, offset, reason } = fast.failure
    if (other !== refused) return fail("only the closures accept")
    if (!Array.isArray(path) || offset < 0 || offset > frame.length || reason === "") return fail("no explanation")
    return false
  }
  if (other === refused) return fail("only the generated reader accepts")
  const strict = readStrictly(shape, frame)
  if (Result.isFailure(strict)) return fail("only the strict reader refuses")
  if (!isDeepStrictEqual(fast.success, other)) return fail("the back ends differ")
  if (!isDeepStrictEqual(fast.success, strict.success)) return fail("the strict reader differs")
  const bytes = generated.encode(fast.success)
  if (Buffer.compare(bytes, closures.encode(fast.success)) !== 0) return fail("the writers differ")
  const again = generated.decode(bytes)
  if (Result.isFailure(again) || !isDeepStrictEqual(again.success, fast.success)) return fail("no round trip")
  return true
}

// ── mutations ───────────────────────────────────────────────────────────────────────────────────

/** Bytes that mean much: markers of every kind, and claims of huge lengths. */
const telling = [
  0x00,
  0x7f,
  0x80,
  0x8f,
  0x90,
  0x9f,
  0xa0,
  0xbf,
  ...Array.from({ length: 32 }, (_, i) => 0xc0 + i),
  0xe0,
  0xff
]

const mutated = (source: Uint8Array, sources: ReadonlyArray<Uint8Array>, random: Random): Uint8Array => {
  let frame = source
  do frame = mutatedOnce(frame, sources, random)
  while (random.oneIn(3))
  return frame
}

const mutatedOnce = (frame: Uint8Array, sources: ReadonlyArray<Uint8Array>, random: Random): Uint8Array => {
  const at = random.below(frame.length + 1)
  const cut = frame.subarray(0, at)
  const rest = frame.subarray(at)
  switch (random.below(7)) {
    case 0:
      return joined(cut, Uint8Array.of(random.below(256)), rest.subarray(1))
    case 1:
      return joined(cut, Uint8Array.of(random.pick(telling)), rest.subarray(1))
    case 2:
      return joined(cut, Uint8Array.of(random.pick(telling)), rest)
    case 3:
      return joined(cut, rest.subarray(1 + random.below(4)))
    case 4:
      return cut
    case 5:
      return joined(cut, Uint8Array.of(0xdd, 0xff, 0xff, 0xff, random.below(256)), rest.subarray(random.below(2)))
    default: {
      const other = random.pick(sources)
      const from = random.below(other.length)
      return joined(cut, other.subarray(from, from + random.below(24)), rest)
    }
  }
}

const joined = (...parts: ReadonlyArray<Uint8Array>): Uint8Array => new Uint8Array(Buffer.concat(parts))

/** Alone in its memory, or between other bytes: reading beyond the end must not matter. */
const placed = (frame: Uint8Array, random: Random): Uint8Array => {
  if (random.oneIn(2)) return Uint8Array.from(frame)
  const before = random.below(16)
  const memory = new Uint8Array(before + frame.length + random.below(16)).fill(random.below(256))
  memory.set(frame, before)
  return memory.subarray(before, before + frame.length)
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { frames: { type: "string" }, seed: { type: "string" } } })
  const frames = Number(values.frames ?? 1_000_000)
  const seed = Number(values.seed ?? 1)
  const start = performance.now()
  const rate = (done: number): string => `${Math.round((done / (performance.now() - start)) * 1000)} frames/s`
  const { accepted, refused } = fuzz({
    frames,
    seed,
    onProgress: (done) => {
      if (done % 1_000_000 === 0) console.log(`${done} frames, ${rate(done)}`)
    }
  })
  console.log(`${frames} frames of seed ${seed}: ${accepted} accepted, ${refused} refused, all agree, ${rate(frames)}`)
}
