/**
 * A schema whose Encoded side is MessagePack bytes, for code that works with Schema's own functions.
 *
 * It works everywhere as it is: Schema runs the transformation, and checks the typed side again. Once
 * `install` has been called, Schema's functions go straight to the codec, which has checked all of that
 * in one step, and come back to the transformation only to build the error. Installing changes Schema's
 * registry, so the program does it at its start; importing this file does nothing.
 */
import { Effect, Result, Schema, SchemaAST, SchemaIssue, SchemaParser, SchemaTransformation } from "effect"
import * as SchemaCompiler from "effect/schema/SchemaCompiler"
import type { MessagePackCodec } from "./MessagePack.ts"

/** Installations that wait for `install`: one for each byte schema that the program defines. */
let waiting: Array<() => void> | undefined = []

/** Puts the codecs of all byte schemas, defined before or after this call, behind Schema's functions. */
export const install = (): void => {
  const now = waiting ?? []
  waiting = undefined
  for (const installOne of now) installOne()
}

/** The schema of a codec's bytes. `decode` fails with what `MalformedMessage` says. */
export const byteSchema = <A, I>(
  schema: Schema.Codec<A, I>,
  codec: MessagePackCodec<A>
): Schema.Codec<A, Uint8Array> => {
  const bytes = transformed(schema, codec)
  const installOne = (): void => installBehind(bytes, transformed(schema, codec), codec)
  if (waiting === undefined) installOne()
  else waiting.push(installOne)
  return bytes
}

const transformed = <A, I>(schema: Schema.Codec<A, I>, codec: MessagePackCodec<A>): Schema.Codec<A, Uint8Array> =>
  Schema.Uint8Array.pipe(
    Schema.decodeTo(
      Schema.toType(schema),
      SchemaTransformation.transformEffect({
        decode: (bytes: Uint8Array, options) => {
          const decoded = codec.decode(bytes)
          return Result.isSuccess(decoded)
            ? Effect.succeed(decoded.success)
            : Effect.fail(new SchemaIssue.InvalidValue({ message: decoded.failure.message }, bytes, options))
        },
        encode: (value: A) => Effect.sync(() => codec.encode(value))
      })
    )
  )

/** `twin` is the same schema under another AST: its own functions are never replaced. */
const installBehind = <A>(
  bytes: Schema.Codec<A, Uint8Array>,
  twin: Schema.Codec<A, Uint8Array>,
  codec: MessagePackCodec<A>
): void => {
  const decodeEffect = SchemaParser.decodeUnknownEffect(twin)
  const encodeEffect = SchemaParser.encodeUnknownEffect(twin)
  const isTyped = SchemaParser.is(twin)
  SchemaCompiler.set(bytes.ast, {
    decode: (input) =>
      input instanceof Uint8Array
        ? Result.getOrElse(codec.decode(input), () => SchemaCompiler.invalid)
        : SchemaCompiler.invalid,
    decodeEffect
  })
  SchemaCompiler.set(SchemaAST.flip(bytes.ast), {
    decode: (value) => (isTyped(value) ? codec.encode(value) : SchemaCompiler.invalid),
    decodeEffect: encodeEffect
  })
}
