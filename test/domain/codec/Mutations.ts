/**
 * Frames to try the readers with: real ones, plain and loosely written, damaged in a few places. They lie
 * between the bytes of earlier frames, or alone in their memory: reading beyond the end must not matter.
 */
import { Option, Schema } from "effect"
import { MessagePack } from "../../../src/domain/codec/MessagePack.ts"
import { ClusterMessage } from "../../../src/domain/wire/ClusterMessage.ts"
import { encodeLoosely } from "./LooseEncoder.ts"
import { samples } from "./Samples.ts"
import type { Random } from "./Xorshift.ts"

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

/** Byte fields that are long enough for the kernel, of several blocks, and with much 0xcc. */
const longFields = (random: Random): ReadonlyArray<ClusterMessage> =>
  [128, 150, 200, 320].map((size) => ({
    type: "OP_FORWARD",
    sourceNodeId: "n1",
    targetPartitionId: 42,
    clientId: Option.none(),
    payload: Uint8Array.from({ length: size }, () => (random.oneIn(3) ? 0xcc : random.below(256)))
  }))

const { encode } = MessagePack.codec(ClusterMessage)

const corpusOf = (random: Random): ReadonlyArray<Uint8Array> => {
  const loose = { shuffle: true, widen: true, unknownFields: true }
  return [...samples, ...longFields(random)].flatMap((message) => {
    const json = Schema.encodeSync(ClusterMessage)(message)
    return [
      encode(message),
      encodeLoosely(json, random, loose),
      encodeLoosely(json, random, { ...loose, widen: false })
    ]
  })
}

/** Room for a frame and its damage; what would grow beyond it is cut. */
const frameRoom = 16_384
const arenaRoom = 65_536

/** An endless stream of damaged frames. A frame's bytes are valid until `next` is called again. */
export class Mutations {
  private readonly random: Random
  private readonly corpus: ReadonlyArray<Uint8Array>
  private readonly frame = new Uint8Array(frameRoom)
  private readonly arena = new Uint8Array(arenaRoom)
  private length = 0
  private place = 0

  constructor(random: Random) {
    this.random = random
    this.corpus = corpusOf(random)
  }

  next(): Uint8Array {
    const source = this.random.pick(this.corpus)
    this.frame.set(source)
    this.length = source.length
    do this.damage()
    while (this.random.oneIn(3))
    return this.placed()
  }

  private damage(): void {
    const { random } = this
    const at = random.below(this.length + 1)
    switch (random.below(7)) {
      case 0:
        return this.splice(at, 1, [random.below(256)])
      case 1:
        return this.splice(at, 1, [random.pick(telling)])
      case 2:
        return this.splice(at, 0, [random.pick(telling)])
      case 3:
        return this.splice(at, 1 + random.below(4), [])
      case 4:
        this.length = at
        return
      case 5:
        return this.splice(at, random.below(2), [0xdd, 0xff, 0xff, 0xff, random.below(256)])
      default: {
        const other = random.pick(this.corpus)
        const from = random.below(other.length)
        return this.splice(at, 0, other.subarray(from, from + random.below(24)))
      }
    }
  }

  /** Replaces `removed` bytes at `at`, or as many as there are, by others. */
  private splice(at: number, removed: number, inserted: ArrayLike<number>): void {
    const rest = Math.min(this.length, at + removed)
    const behind = at + inserted.length
    this.frame.copyWithin(behind, rest, this.length)
    this.frame.set(inserted, at)
    this.length = Math.min(frameRoom, this.length + behind - rest)
  }

  private placed(): Uint8Array {
    const frame = this.frame.subarray(0, this.length)
    if (this.random.oneIn(4)) return Uint8Array.from(frame)
    this.place = (this.place + this.random.below(64)) % (arenaRoom - frameRoom)
    this.arena.set(frame, this.place)
    return this.arena.subarray(this.place, this.place + frame.length)
  }
}
