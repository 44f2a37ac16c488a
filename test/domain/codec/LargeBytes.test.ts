/** Byte fields long enough for blocks and lanes: the same bytes as the oracle's, and the strict reader's verdicts. */
import { decode, encode } from "@msgpack/msgpack"
import { Result, Schema } from "effect"
import { assert, describe, it } from "vitest"
import { MessagePack } from "../../../src/domain/codec/MessagePack.ts"
import { Bytes, U32 } from "../../../src/domain/model/Scalars.ts"
import { xorshift } from "./Xorshift.ts"

const schema = Schema.Struct({ data: Bytes, after: U32 })
const codecs = [MessagePack.codec(schema, { backEnd: "generated" }), MessagePack.codec(schema, { backEnd: "closures" })]

const random = xorshift(5)
const contents: Record<string, (i: number) => number> = {
  random: () => random.below(256),
  "all 0xcc": () => 0xcc,
  "all small": (i) => i % 128,
  "all marked": (i) => 128 + (i % 128),
  "runs of 0xcc": () => (random.oneIn(2) ? 0xcc : random.below(256)),
  "small, then marked": (i) => (i < 300 ? i % 128 : 200),
  "marked, then small": (i) => (i < 300 ? 200 : i % 128)
}
const sizes = [0, 31, 32, 33, 255, 256, 257, 1000, 8191, 8192, 8193, 65_535, 65_536, 65_537, 131_100]

describe("long byte fields", () => {
  it.each(Object.keys(contents))("%s: written as the oracle writes them, and read back", (content) => {
    for (const size of sizes) {
      const data = Uint8Array.from({ length: size }, (_, i) => contents[content]?.(i) ?? 0)
      const expected = encode({ data: [...data], after: 7 })
      for (const codec of codecs) {
        assert.isTrue(Buffer.from(codec.encode({ data, after: 7 })).equals(expected), `${size} octets`)
        const read = Result.getOrThrow(codec.decode(expected))
        assert.isTrue(Buffer.from(read.data).equals(data) && read.after === 7, `${size} octets`)
      }
    }
  })

  it("damaged ones are refused, or read as the oracle reads them", () => {
    let refused = 0
    for (let round = 0; round < 1500; round++) {
      const size = 256 + random.below(900)
      const data = Uint8Array.from({ length: size }, () => random.below(256))
      const frame = encode({ data: [...data], after: 7 })
      for (let damage = 0; damage < 3; damage++) {
        frame[10 + random.below(frame.length - 10)] = random.oneIn(2) ? 0xcc : random.below(256)
      }
      const verdicts = codecs.map((codec) => codec.decode(frame))
      assert.deepStrictEqual(verdicts[0], verdicts[1])
      const [verdict] = verdicts
      if (verdict === undefined || Result.isFailure(verdict)) refused++
      else assert.deepStrictEqual({ data: [...verdict.success.data], after: verdict.success.after }, decode(frame))
    }
    assert.isAbove(refused, 300)
    assert.isBelow(refused, 1499)
  })
})
