/** Bytes behind Schema's own functions, before and after the codecs are installed there. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema } from "effect"
import { encodeClusterMessage } from "../../../src/domain/codec/ClusterMessageCodec.ts"
import { MessagePack } from "../../../src/domain/codec/MessagePack.ts"
import { ClusterMessage } from "../../../src/domain/wire/ClusterMessage.ts"
import { samples } from "./Samples.ts"

const definedBefore = MessagePack.schema(ClusterMessage)

const behaves = (schema: Schema.Codec<ClusterMessage, Uint8Array>): void => {
  for (const message of samples) {
    const bytes = Schema.encodeSync(schema)(message)
    assert.deepStrictEqual(Uint8Array.from(bytes), Uint8Array.from(encodeClusterMessage(message)))
    assert.deepStrictEqual(Schema.decodeSync(schema)(bytes), message)
    assert.deepStrictEqual(Effect.runSync(Schema.decodeEffect(schema)(bytes)), message)
  }
  const malformed = Schema.decodeUnknownResult(schema)(Uint8Array.of(0x81, 0xa4, 0x74, 0x79, 0x70, 0x65, 0xc3))
  assert.include(
    Result.isFailure(malformed) ? malformed.failure.message : "",
    "expected a string, found a boolean, at type"
  )
  assert.isTrue(Result.isFailure(Schema.decodeUnknownResult(schema)("not bytes")))
  assert.isTrue(Result.isFailure(Schema.encodeUnknownResult(schema)({ type: "DAG_EXECUTE", executionId: 1 })))
}

describe("a schema of bytes", () => {
  it("works before anything is installed", () => behaves(definedBefore))
  it("works the same with the codec installed, whether it was defined before or after", () => {
    MessagePack.install()
    behaves(definedBefore)
    behaves(MessagePack.schema(ClusterMessage))
    MessagePack.install()
    behaves(definedBefore)
  })
})
