import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as Frame from "../../../src/domain/codec/Frame.ts"

/** Pushes the chunks one after the other; the payloads are copied, as views may be reused. */
const splitAll = (chunks: ReadonlyArray<Uint8Array>, limit?: number) => {
  let splitter = Frame.empty
  const frames: Array<Uint8Array> = []
  for (const chunk of chunks) {
    const split = Result.getOrThrow(Frame.push(splitter, chunk, limit))
    splitter = split.splitter
    frames.push(...split.frames)
  }
  return { splitter, frames }
}

/** Cuts bytes at the given places, modulo their length. */
const cutAt = (bytes: Uint8Array, places: ReadonlyArray<number>): ReadonlyArray<Uint8Array> => {
  const cuts = [0, ...places.map((place) => place % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b)
  return cuts.slice(1).map((end, index) => bytes.subarray(cuts[index], end))
}

const bytesOf = (length: number, seed = 1) => Uint8Array.from({ length }, (_, index) => (index * 31 + seed * 7) & 0xff)

const Size = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 300 }))
const Place = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100_000 }))

describe("Frame", () => {
  it("writes the length as four bytes, big-endian", () => {
    assert.deepStrictEqual(Frame.encode(Uint8Array.of(7, 8)), Uint8Array.of(0, 0, 0, 2, 7, 8))
    assert.deepStrictEqual(Frame.encode(bytesOf(0x01_02_03)).subarray(0, 4), Uint8Array.of(0, 1, 2, 3))
  })

  it("writes into a buffer, or nothing when there is no room", () => {
    const buffer = new Uint8Array(10)
    assert.strictEqual(Frame.encodeInto(Uint8Array.of(1, 2, 3), buffer, 3), 10)
    assert.deepStrictEqual(buffer, Uint8Array.of(0, 0, 0, 0, 0, 0, 3, 1, 2, 3))
    const untouched = new Uint8Array(10)
    assert.strictEqual(Frame.encodeInto(Uint8Array.of(1, 2, 3), untouched, 4), -1)
    assert.deepStrictEqual(untouched, new Uint8Array(10))
  })

  it.prop(
    "any chunking of a stream gives the same frames",
    { sizes: Schema.Array(Size), places: Schema.Array(Place) },
    ({ sizes, places }) => {
      const payloads = sizes.map(bytesOf)
      const { splitter, frames } = splitAll(cutAt(Frame.encodeMany(payloads), places))
      assert.deepStrictEqual(
        frames.map((bytes) => Array.from(bytes)),
        payloads.map((bytes) => Array.from(bytes))
      )
      assert.isFalse(Frame.isPending(splitter))
    },
    { arbitrary: { runs: 500, seed: "frames" } }
  )

  it.prop(
    "taking one frame at a time gives the same frames, one for each push",
    { sizes: Schema.Array(Size), places: Schema.Array(Place) },
    ({ sizes, places }) => {
      const payloads = sizes.map(bytesOf)
      const nothing = new Uint8Array(0)
      // Each chunk, and then nothing as often as there could be frames in it.
      const pushes = [...cutAt(Frame.encodeMany(payloads), places), ...payloads.map(() => nothing)]
      const frames: Array<ReadonlyArray<number>> = []
      let splitter = Frame.empty
      for (const chunk of pushes) {
        const split = Result.getOrThrow(Frame.push(splitter, chunk, undefined, 1))
        assert.isAtMost(split.frames.length, 1)
        splitter = split.splitter
        for (const frame of split.frames) frames.push(Array.from(frame))
      }
      assert.deepStrictEqual(
        frames,
        payloads.map((bytes) => Array.from(bytes))
      )
      assert.isFalse(Frame.isPending(splitter))
    },
    { arbitrary: { runs: 300, seed: "one at a time" } }
  )

  it("a stream in single bytes gives the same frames", () => {
    const payloads = [bytesOf(0), bytesOf(1), bytesOf(70_000), bytesOf(0), bytesOf(5)]
    const stream = Frame.encodeMany(payloads)
    const { frames, splitter } = splitAll(Array.from(stream, (_, index) => stream.subarray(index, index + 1)))
    assert.deepStrictEqual(frames, payloads)
    assert.isFalse(Frame.isPending(splitter))
  })

  it("2 MiB in single bytes are held in few pieces and not copied over and over", () => {
    const size = 2 * 1024 * 1024
    const header = Frame.encode(new Uint8Array(0))
    Frame.writeHeader(size, header, 0)
    let splitter = Result.getOrThrow(Frame.push(Frame.empty, header)).splitter
    const byte = Uint8Array.of(9)
    // Copying everything held at every byte would move 2 TB here.
    for (let sent = 0; sent < size - 1; sent++) {
      splitter = Result.getOrThrow(Frame.push(splitter, byte)).splitter
    }
    let pieces = 0
    for (let piece = splitter.pieces; piece !== undefined; piece = piece.before) pieces += 1
    assert.isBelow(pieces, size / (16 * 1024) + 20)
    const { frames } = Result.getOrThrow(Frame.push(splitter, byte))
    assert.strictEqual(frames[0]?.length, size)
  })

  it("a frame that lies within a chunk is a view of it", () => {
    const chunk = Frame.encodeMany([bytesOf(3), bytesOf(4)])
    const { frames } = splitAll([chunk])
    for (const frame of frames) assert.strictEqual(frame.buffer, chunk.buffer)
  })

  it("a splitter is a value: pushing twice from the same one gives the same", () => {
    const stream = Frame.encodeMany([bytesOf(10), bytesOf(20)])
    const half = splitAll([stream.subarray(0, 9), stream.subarray(9, 12)]).splitter
    const other = Uint8Array.from(stream.subarray(12), (byte) => byte ^ 0xff)
    const once = Result.getOrThrow(Frame.push(half, stream.subarray(12, 20)))
    Result.getOrThrow(Frame.push(half, other.subarray(0, 2)))
    assert.deepStrictEqual(Result.getOrThrow(Frame.push(half, stream.subarray(12, 20))), once)
  })

  it("a part of a frame is pending, its end is not", () => {
    const frame = Frame.encode(bytesOf(3))
    assert.isFalse(Frame.isPending(Frame.empty))
    for (let end = 1; end < frame.length; end++) {
      assert.isTrue(Frame.isPending(splitAll([frame.subarray(0, end)]).splitter), `after ${end} bytes`)
    }
    assert.isFalse(Frame.isPending(splitAll([frame]).splitter))
  })

  it("a payload of the limit passes, one byte more fails with size and limit", () => {
    assert.strictEqual(splitAll([Frame.encode(bytesOf(100))], 100).frames.length, 1)
    const tooLarge = Frame.push(Frame.empty, Frame.encode(bytesOf(101)), 100)
    assert.deepStrictEqual(tooLarge, Result.fail(new Frame.FrameTooLarge({ size: 101, limit: 100 })))
  })

  it.prop(
    "the limit is judged at the header, wherever that is cut, before any of the body",
    { before: Schema.Array(Size), places: Schema.Array(Place) },
    ({ before, places }) => {
      const header = Uint8Array.of(0xff, 0xff, 0xff, 0xff)
      const stream = Uint8Array.from([...Frame.encodeMany(before.map(bytesOf)), ...header])
      let splitter = Frame.empty
      const chunks = cutAt(stream, places)
      const results = chunks.map((chunk) => {
        const result = Frame.push(splitter, chunk, 1000)
        if (Result.isSuccess(result)) splitter = result.success.splitter
        return result
      })
      const failures = results.filter(Result.isFailure).map((result) => result.failure)
      // A trailing empty chunk pushes the same header no second time, because the stream has ended.
      assert.deepStrictEqual(failures[0], new Frame.FrameTooLarge({ size: 0xffff_ffff, limit: 1000 }))
    },
    { arbitrary: { runs: 200, seed: "limit" } }
  )

  it("the default limit is 8 MiB", () => {
    const header = new Uint8Array(4)
    Frame.writeHeader(8 * 1024 * 1024, header, 0)
    assert.isTrue(Result.isSuccess(Frame.push(Frame.empty, header)))
    Frame.writeHeader(8 * 1024 * 1024 + 1, header, 0)
    assert.isTrue(Result.isFailure(Frame.push(Frame.empty, header)))
  })
})
