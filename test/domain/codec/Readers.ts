/** All ways to run one schema's codec, to be held against each other. */
import { Result, type Schema } from "effect"
import type { MalformedMessage } from "../../../src/domain/codec/MalformedMessage.ts"
import { MessagePack } from "../../../src/domain/codec/MessagePack.ts"
import { readStrictly } from "../../../src/domain/codec/StrictReader.ts"
import { wireShape } from "../../../src/domain/codec/WireShape.ts"

export interface AllCodecs<A> {
  readonly encode: (value: A) => Uint8Array
  readonly decode: (bytes: Uint8Array) => Result.Result<A, MalformedMessage>
}

/** A codec that throws when its back ends or the strict reader differ in verdict, error or bytes. */
export const allCodecs = <A, I>(schema: Schema.Codec<A, I>): AllCodecs<A> => {
  const generated = MessagePack.codec(schema, { backEnd: "generated" })
  const closures = MessagePack.codec(schema, { backEnd: "closures" })
  const shape = wireShape(schema.ast)
  return {
    encode: (value) => {
      const bytes = generated.encode(value)
      if (Buffer.compare(bytes, closures.encode(value)) !== 0) throw new Error("the back ends write different bytes")
      return bytes
    },
    decode: (bytes) => {
      const verdicts = [generated.decode(bytes), closures.decode(bytes), readStrictly(shape, bytes)].map(shown)
      if (new Set(verdicts).size !== 1) throw new Error(`the readers differ: ${verdicts.join(" | ")}`)
      return generated.decode(bytes)
    }
  }
}

const shown = (result: Result.Result<unknown, MalformedMessage>): string =>
  Result.isSuccess(result)
    ? JSON.stringify(result.success, (_, value: unknown) => (typeof value === "number" ? String(value) : value))
    : `refused ${JSON.stringify(result.failure.path)} ${result.failure.offset} ${result.failure.reason}`

/** Bytes from a readable list: numbers are octets, strings are written as MessagePack strings. */
export const bytesOf = (...parts: ReadonlyArray<number | string | ReadonlyArray<number>>): Uint8Array =>
  Uint8Array.from(parts.flatMap(octetsOf))

const octetsOf = (part: number | string | ReadonlyArray<number>): ReadonlyArray<number> => {
  if (typeof part === "number") return [part]
  if (typeof part !== "string") return part
  const utf8 = new TextEncoder().encode(part)
  return [0xa0 | utf8.length].concat(Array.from(utf8))
}
