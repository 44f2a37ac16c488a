/** The wire form of every message: recorded bytes, hand-written messages, and what other peers may write. */
import { join } from "node:path"
import { encode as oracleEncode } from "@msgpack/msgpack"
import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import {
  decodeClusterMessage,
  decodeClusterMessageInPlace,
  encodeClusterMessage,
  encodeClusterMessageInto
} from "../../../src/domain/codec/ClusterMessageCodec.ts"
import { ClusterMessage } from "../../../src/domain/wire/ClusterMessage.ts"
import { tolerance } from "../../conformance/Tolerance.ts"
import { types } from "../../conformance/Types.ts"
import { wire } from "../../conformance/Wire.ts"
import { encodeLoosely } from "./LooseEncoder.ts"
import { allCodecs } from "./Readers.ts"
import { samples } from "./Samples.ts"
import { xorshift } from "./Xorshift.ts"

const fixtures = join(import.meta.dirname, "..", "..", "fixtures")
const all = allCodecs(ClusterMessage)
const toJson = Schema.encodeSync(ClusterMessage)
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

const variants = new Set<string>(ClusterMessage.members.map((member) => member.fields.type.schema.literal))

describe("recorded bytes", () => {
  it("agree for messages", () => assert.deepStrictEqual(wire(fixtures).failures, []))
  it("agree for standalone types", () => assert.deepStrictEqual(types(fixtures, "wireTypes.json").failures, []))
  it("agree about what is tolerated", () =>
    assert.deepStrictEqual(tolerance(fixtures, "wireTolerance.json").failures, []))
})

describe("every variant", () => {
  it("has a hand-written sample", () =>
    assert.deepStrictEqual(new Set<string>(samples.map(({ type }) => type)), variants))

  it.each(samples.map((message, i) => [`${i} ${message.type}`, message] as const))("%s round-trips", (_, message) => {
    const bytes = all.encode(message)
    assert.deepStrictEqual(Result.getOrThrow(all.decode(bytes)), message)
  })

  it.each(samples.map((message, i) => [`${i} ${message.type}`, message] as const))(
    "%s has the oracle's shortest bytes",
    (_, message) => assert.strictEqual(hex(encodeClusterMessage(message)), hex(oracleEncode(toJson(message))))
  )

  it("may have its byte fields as they are, and is then read as the same message, as a copy or in place", () => {
    for (const message of samples) {
      const bytes = encodeClusterMessage(message, "bin")
      assert.isAtMost(bytes.length, encodeClusterMessage(message).length + 8)
      assert.deepStrictEqual(Result.getOrThrow(decodeClusterMessage(bytes)), message)
      assert.deepStrictEqual(Result.getOrThrow(decodeClusterMessageInPlace(bytes)), message)
      assert.deepStrictEqual(Result.getOrThrow(decodeClusterMessageInPlace(encodeClusterMessage(message))), message)
      const buffer = new Uint8Array(bytes.length + 64)
      assert.strictEqual(encodeClusterMessageInto(message, buffer, 5, "bin"), 5 + bytes.length)
      assert.deepStrictEqual(buffer.slice(5, 5 + bytes.length), new Uint8Array(bytes))
    }
  })

  it("is read in any order, any width and with unknown fields", () => {
    const random = xorshift(11)
    for (let round = 0; round < 20; round++) {
      const looseness = { shuffle: round % 2 === 0, widen: round % 3 !== 0, unknownFields: round % 5 !== 0 }
      for (const message of samples) {
        const bytes = encodeLoosely(toJson(message), random, looseness)
        assert.deepStrictEqual(Result.getOrThrow(all.decode(bytes)), message)
      }
    }
  })

  it("is refused when any of its bytes is missing at the end", () => {
    for (const message of samples) {
      const bytes = encodeClusterMessage(message)
      for (let length = 0; length < bytes.length; length++) {
        assert.isTrue(
          Result.isFailure(decodeClusterMessage(bytes.slice(0, length))),
          `${message.type} cut at ${length}`
        )
      }
    }
  })

  it("is refused without any one of its required fields, naming it", () => {
    for (const message of samples) {
      const json: Record<string, unknown> = { ...toJson(message) }
      const decode = Schema.decodeUnknownResult(ClusterMessage)
      for (const name of Object.keys(json)) {
        const { [name]: _, ...rest } = json
        const decoded = all.decode(oracleEncode(rest))
        assert.strictEqual(Result.isSuccess(decoded), Result.isSuccess(decode(rest)), `${message.type}.${name}`)
        if (Result.isFailure(decoded)) assert.deepStrictEqual(decoded.failure.path, [name])
      }
    }
  })
})

describe("encodeClusterMessageInto", () => {
  it("writes the same bytes at any offset, into exactly enough room, and touches nothing before them", () => {
    for (const message of samples) {
      const bytes = encodeClusterMessage(message)
      const buffer = new Uint8Array(bytes.length + 5).fill(0xaa)
      assert.strictEqual(encodeClusterMessageInto(message, buffer, 5), buffer.length)
      assert.strictEqual(hex(buffer.subarray(5)), hex(bytes))
      assert.strictEqual(hex(buffer.subarray(0, 5)), "aaaaaaaaaa")
    }
  })

  it("returns −1 when a single byte is missing, and writes nothing behind the buffer", () => {
    for (const message of samples) {
      const bytes = encodeClusterMessage(message)
      const memory = new Uint8Array(bytes.length + 64).fill(0xaa)
      const tooSmall = memory.subarray(8, 8 + bytes.length - 1)
      assert.strictEqual(encodeClusterMessageInto(message, tooSmall, 0), -1)
      assert.strictEqual(hex(memory.subarray(8 + bytes.length - 1)), "aa".repeat(57))
      assert.strictEqual(hex(memory.subarray(0, 8)), "aa".repeat(8))
    }
  })
})

describe("encodeClusterMessage", () => {
  it("never changes bytes that it has returned", () => {
    const kept = Array.from({ length: 3000 }, (_, i) => {
      const message = samples[i % samples.length]
      assert.isDefined(message)
      const bytes = encodeClusterMessage(message)
      return { bytes, before: hex(bytes) }
    })
    for (const { bytes, before } of kept) assert.strictEqual(hex(bytes), before)
  })

  it("grows for messages of megabytes", () => {
    const payload = new Uint8Array(3_000_000).fill(200)
    const message: ClusterMessage = { type: "DAG_EXECUTE", executionId: "large", plan: payload }
    const bytes = encodeClusterMessage(message)
    assert.isAbove(bytes.length, 6_000_000)
    const decoded = Result.getOrThrow(decodeClusterMessage(bytes))
    assert.isTrue(decoded.type === "DAG_EXECUTE" && Buffer.compare(decoded.plan, payload) === 0)
  })
})

describe("decodeClusterMessage", () => {
  it("names an unknown type without listing the known ones", () => {
    const decoded = decodeClusterMessage(oracleEncode({ type: "NOPE", nodeId: "a" }))
    assert.isTrue(Result.isFailure(decoded))
    if (Result.isFailure(decoded)) {
      assert.deepStrictEqual([decoded.failure.path, decoded.failure.offset], [["type"], 6])
      assert.strictEqual(decoded.failure.message, `unknown type "NOPE", at type (byte 6)`)
    }
  })

  it("says where in a list the fault is", () => {
    const good = samples.find(({ type }) => type === "MERGE_REQUEST")
    assert.isDefined(good)
    const json = structuredClone(toJson(good))
    if (json.type !== "MERGE_REQUEST") throw new Error("the sample is another")
    const third = json.sourceMembers[2]
    assert.isDefined(third)
    const broken = { ...json, sourceMembers: json.sourceMembers.with(2, { ...third, clientPort: 65_536 }) }
    const decoded = all.decode(oracleEncode(broken))
    if (Result.isSuccess(decoded)) throw new Error("accepted")
    assert.deepStrictEqual(decoded.failure.path, ["sourceMembers", 2, "clientPort"])
    assert.strictEqual(decoded.failure.reason, "65536 is outside 0…65535")
  })

  it("copies bytes out of the message", () => {
    const frame = encodeClusterMessage({ type: "DAG_EXECUTE", executionId: "e", plan: Uint8Array.of(1, 2, 3) })
    const binary = Uint8Array.from([...frame.subarray(0, frame.length - 4), 0xc4, 3, 1, 2, 3])
    for (const bytes of [Uint8Array.from(frame), Buffer.from(frame), binary, Buffer.from(binary)]) {
      const decoded = Result.getOrThrow(decodeClusterMessage(bytes))
      bytes.fill(9)
      assert.deepStrictEqual(decoded, { type: "DAG_EXECUTE", executionId: "e", plan: Uint8Array.of(1, 2, 3) })
    }
  })
})
