/** Memory of large frames is used again only when the socket cannot hold it any more. */
import { getDefaultHighWaterMark } from "node:stream"
import { assert, describe, it } from "@effect/vitest"
import * as FrameMemory from "../../src/layers/tcp/FrameMemory.ts"

const mark = getDefaultHighWaterMark(false)

describe("a piece of memory", () => {
  it("is free once as much as a socket may hold has been handed over behind it", () => {
    const free = FrameMemory.noPieces()
    const state = FrameMemory.nothingHandedOver()
    const first = FrameMemory.take(free)
    FrameMemory.handedOver(state, free, 1000, [first])
    FrameMemory.handedOver(state, free, mark - 1, [])
    assert.deepStrictEqual(free, [])
    FrameMemory.handedOver(state, free, 1, [])
    assert.strictEqual(free[0], first)
    assert.strictEqual(FrameMemory.take(free), first)
  })

  it("is left to the collector when many are free", () => {
    const free = FrameMemory.noPieces()
    const state = FrameMemory.nothingHandedOver()
    const pieces = Array.from({ length: 20 }, () => FrameMemory.take(free))
    FrameMemory.handedOver(state, free, 20 * FrameMemory.pieceBytes, pieces)
    FrameMemory.handedOver(state, free, mark, [])
    assert.strictEqual(free.length, 8)
    assert.deepStrictEqual(state.pieces, [])
  })
})
