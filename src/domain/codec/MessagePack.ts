/**
 * The MessagePack codec of a schema, derived from its AST: adding a field to the schema is all that a
 * new field needs.
 *
 * - A *shape* (WireShape.ts) is what the bytes depend on.
 * - Two fast back ends read and write it: generated source, and composed closures where `new Function`
 *   is forbidden. They are byte for byte and verdict for verdict the same.
 * - When a fast reader gives up, the strict reader (StrictReader.ts) reads again to say where and why.
 *
 * Codecs compile at their first use.
 */
import { Result, type Schema } from "effect"
import { byteSchema, install } from "./ByteSchema.ts"
import { makeViewCache } from "./ByteViews.ts"
import { closureReader } from "./ClosureReader.ts"
import { closureWriter } from "./ClosureWriter.ts"
import { canGenerateCode } from "./CodeGeneration.ts"
import { generatedReader } from "./GeneratedReader.ts"
import { generatedWriter } from "./GeneratedWriter.ts"
import type { MalformedMessage } from "./MalformedMessage.ts"
import { writeInto, writeNew } from "./Output.ts"
import { cursor, refused } from "./ReadPrimitives.ts"
import { readStrictly } from "./StrictReader.ts"
import { findUnencodable } from "./Unencodable.ts"
import { type ByteForm, type WireShape, wireShape } from "./WireShape.ts"

/** Encodes and decodes values of one schema. */
export interface MessagePackCodec<A> {
  /**
   * The value's bytes. Throws `UnencodableValue` as a defect when the schema forbids the value. Small
   * results share a slab of memory, as Node's own buffers do; they are never written again.
   */
  readonly encode: (value: A) => Uint8Array
  /**
   * Writes the value's bytes into `buffer` from `offset`, and returns the offset behind them, or −1 when
   * they do not fit. Bytes of `buffer` behind the result may change. Throws as `encode` does.
   */
  readonly encodeInto: (value: A, buffer: Uint8Array, offset: number) => number
  /** The value that fills `bytes` exactly. Never throws. */
  readonly decode: (bytes: Uint8Array) => Result.Result<A, MalformedMessage>
}

/** How a codec runs. */
export type BackEnd = "generated" | "closures"

export interface CodecOptions {
  /** Default: `generated` where the runtime allows it, else `closures`. */
  readonly backEnd?: BackEnd | undefined
  /** How byte fields are written; both forms are read. Default: as their schema says. */
  readonly byteForm?: ByteForm | undefined
  /** Byte fields that come as `bin` are views of the bytes that are decoded, which must not change. Default: copies. */
  readonly byteViews?: boolean | undefined
}

/** The codec of a schema. Compiles at the first call of one of its functions. */
const codec = <A, I>(schema: Schema.Codec<A, I>, options: CodecOptions = {}): MessagePackCodec<A> => {
  let compiled: Compiled<A> | undefined
  const current = (): Compiled<A> => (compiled ??= compile(schema, options))
  return {
    encode: (value) => current().encode(value),
    encodeInto: (value, buffer, offset) => current().encodeInto(value, buffer, offset),
    decode: (bytes) => current().decode(bytes)
  }
}

type Compiled<A> = MessagePackCodec<A>

const inputViews = makeViewCache()

const compile = <A, I>(schema: Schema.Codec<A, I>, options: CodecOptions): Compiled<A> => {
  const shape = wireShape(schema.ast, options.byteForm, options.byteViews)
  const generates = (options.backEnd ?? (canGenerateCode() ? "generated" : "closures")) === "generated"
  const read = generates ? generatedReader(shape) : closureReader(shape)
  const write = generates ? generatedWriter(shape) : closureWriter(shape)
  return {
    encode: (value) => writeNew(write, value) ?? forbidden(shape, value),
    encodeInto: (value, buffer, offset) => writeInto(write, value, buffer, offset) ?? forbidden(shape, value),
    decode: (bytes) => {
      const { bytes: memory, words } = inputViews(bytes)
      const end = bytes.byteOffset + bytes.byteLength
      const value = read(memory, words, bytes.byteOffset, end, 0)
      // The readers build what the shape says, and the shape is the schema's: this is where it becomes typed.
      return value !== refused && cursor.position === end ? Result.succeed(value as A) : explained(shape, bytes)
    }
  }
}

const explained = (shape: WireShape, bytes: Uint8Array): Result.Result<never, MalformedMessage> => {
  const explanation = readStrictly(shape, bytes)
  if (Result.isFailure(explanation)) return Result.fail(explanation.failure)
  throw new Error("The strict reader accepts what the fast reader refused: a bug of the MessagePack codec")
}

const forbidden = (shape: WireShape, value: unknown): never => {
  throw (
    findUnencodable(shape, value) ??
    new Error("A writer refused what the schema allows: a bug of the MessagePack codec")
  )
}

/** A schema of the same values whose Encoded side is their bytes. */
const schema = <A, I>(values: Schema.Codec<A, I>, options: CodecOptions = {}): Schema.Codec<A, Uint8Array> =>
  byteSchema(values, codec(values, options))

export const MessagePack = { codec, schema, install }
