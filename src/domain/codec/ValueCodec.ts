/**
 * How a map's values become bytes: MessagePack derived from their schema where it can be derived, and else JSON (for
 * transformations, records, tuples).
 */
import { Result, Schema } from "effect"
import { MessagePack } from "./MessagePack.ts"
import { UnsupportedSchema } from "./WireShape.ts"

export interface ValueCodec<V> {
  /** Throws, as a defect, when the schema forbids the value. */
  readonly encode: (value: V) => Uint8Array
  /** The value, or why the bytes are none. */
  readonly decode: (bytes: Uint8Array) => Result.Result<V, string>
}

const utf8 = new TextEncoder()
const fromUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** The codec of a schema; the same for equal schemas on all nodes. */
export const ofSchema = <V>(schema: Schema.Codec<V, unknown>): ValueCodec<V> => {
  const packed = MessagePack.codec(schema)
  try {
    // A codec compiles at its first use.
    packed.decode(new Uint8Array())
  } catch (error) {
    if (error instanceof UnsupportedSchema) return asJson(schema)
    throw error
  }
  return {
    encode: packed.encode,
    decode: (bytes) => Result.mapError(packed.decode(bytes), ({ message }) => message)
  }
}

const asJson = <V>(schema: Schema.Codec<V, unknown>): ValueCodec<V> => {
  const json = Schema.fromJsonString(schema)
  const encode = Schema.encodeSync(json)
  const decode = Schema.decodeUnknownResult(json)
  return {
    encode: (value) => utf8.encode(encode(value)),
    decode: (bytes) => Result.flatMap(textOf(bytes), (text) => Result.mapError(decode(text), String))
  }
}

const textOf = (bytes: Uint8Array): Result.Result<string, string> =>
  Result.try({ try: () => fromUtf8.decode(bytes), catch: () => "it is no UTF-8" })

/** Bytes as they are: copies, because who wrote them may go on writing. */
export const bytes: ValueCodec<Uint8Array> = {
  encode: (value) => value.slice(),
  decode: (stored) => Result.succeed(stored.slice())
}

/** How a map's keys become strings. */
export interface KeyCodec<K> {
  readonly encode: (key: K) => string
  readonly decode: (text: string) => Result.Result<K, string>
}

export const text: KeyCodec<string> = { encode: (key) => key, decode: Result.succeed }

export const keyOfSchema = <K>(schema: Schema.Codec<K, string>): KeyCodec<K> => {
  const decode = Schema.decodeUnknownResult(schema)
  return { encode: Schema.encodeSync(schema), decode: (key) => Result.mapError(decode(key), String) }
}
