/**
 * Damaged frames against all three readers. None may throw; all must give the same verdict, and the
 * same value when they accept; every refusal must explain itself, and no claim in a frame may cost memory.
 * What is accepted must survive being encoded and decoded again.
 *
 * `npm run fuzz` runs as many frames as wanted.
 */
import { isDeepStrictEqual } from "node:util"
import { getHeapStatistics } from "node:v8"
import { Result } from "effect"
import { makeViewCache } from "../../../src/domain/codec/ByteViews.ts"
import { closureReader } from "../../../src/domain/codec/ClosureReader.ts"
import { MessagePack } from "../../../src/domain/codec/MessagePack.ts"
import { cursor, refused } from "../../../src/domain/codec/ReadPrimitives.ts"
import { readStrictly } from "../../../src/domain/codec/StrictReader.ts"
import { wireShape } from "../../../src/domain/codec/WireShape.ts"
import { ClusterMessage } from "../../../src/domain/wire/ClusterMessage.ts"
import { Mutations } from "./Mutations.ts"
import { xorshift } from "./Xorshift.ts"

export interface FuzzOptions {
  readonly frames: number
  readonly seed: number
}

export interface FuzzOutcome {
  readonly accepted: number
  readonly refused: number
}

const generated = MessagePack.codec(ClusterMessage, { backEnd: "generated" })
const closures = MessagePack.codec(ClusterMessage, { backEnd: "closures" })
const shape = wireShape(ClusterMessage.ast)
const closure = closureReader(shape)
const views = makeViewCache()

/** The closures' verdict without the strict reader behind it, which one codec has asked already. */
const readByClosures = (frame: Uint8Array): unknown => {
  const { bytes, words } = views(frame)
  const end = frame.byteOffset + frame.length
  const value = closure(bytes, words, frame.byteOffset, end, 0)
  return cursor.position === end ? value : refused
}

/** Of so many frames, one is weighed: looking at the heap takes about as long as reading a frame. */
const framesPerWeighing = 64

/** Throws at the first frame that breaks a rule; its message has the frame in hex. */
export const fuzz = ({ frames, seed }: FuzzOptions): FuzzOutcome => {
  const mutations = new Mutations(xorshift(seed))
  let accepted = 0
  for (let i = 0; i < frames; i++) {
    const frame = mutations.next()
    try {
      if (isAcceptedByAll(frame)) accepted++
      if (i % framesPerWeighing === 0) weigh(() => readByAll(frame), frame.length)
    } catch (error) {
      const what = error instanceof Error ? error.message : String(error)
      throw new Error(`${what}: ${Buffer.from(frame).toString("hex")}`, { cause: error })
    }
  }
  return { accepted, refused: frames - accepted }
}

const isAcceptedByAll = (frame: Uint8Array): boolean => {
  const fast = generated.decode(frame)
  const other = readByClosures(frame)
  if (Result.isFailure(fast)) {
    // The codec throws when the strict reader accepts what the fast one refused, so these agree.
    const { path, offset, reason } = fast.failure
    if (other !== refused) throw new Error("only the closures accept")
    if (!Array.isArray(path) || offset < 0 || offset > frame.length || reason === "") throw new Error("no explanation")
    return false
  }
  if (other === refused) throw new Error("only the generated reader accepts")
  const strict = readStrictly(shape, frame)
  if (Result.isFailure(strict)) throw new Error("only the strict reader refuses")
  if (!isDeepStrictEqual(fast.success, other)) throw new Error("the back ends differ")
  if (!isDeepStrictEqual(fast.success, strict.success)) throw new Error("the strict reader differs")
  const bytes = generated.encode(fast.success)
  if (Buffer.compare(bytes, closures.encode(fast.success)) !== 0) throw new Error("the writers differ")
  const again = generated.decode(bytes)
  if (Result.isFailure(again) || !isDeepStrictEqual(again.success, fast.success)) throw new Error("no round trip")
  return true
}

/** Also by the strict reader, behind the codec, when it is refused. */
const readByAll = (frame: Uint8Array): void => {
  generated.decode(frame)
  readByClosures(frame)
}

// ── memory ──────────────────────────────────────────────────────────────────────────────────────

/** What reading one frame by all readers may allocate: so much, and so much for each of its bytes. */
const allowedBytes = 16_384
const allowedPerByte = 256

const heapBytes = (): number => {
  const { used_heap_size, external_memory } = getHeapStatistics()
  return used_heap_size + external_memory
}

/** Throws when `read` allocates more than a frame of `length` bytes may cost, every time it is tried. */
export const weigh = (read: () => void, length: number): void => {
  const allowed = allowedBytes + allowedPerByte * length
  let least = Number.POSITIVE_INFINITY
  // At some of them the runtime compiles something.
  for (let attempt = 0; attempt < 8 && least > allowed; attempt++) {
    const before = heapBytes()
    read()
    const grown = heapBytes() - before
    // Less than before: garbage was collected, and nothing is known.
    if (grown >= 0) least = Math.min(least, grown)
  }
  if (Number.isFinite(least) && least > allowed) throw new Error(`${least} bytes allocated for a frame of ${length}`)
}
