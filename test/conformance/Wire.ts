/**
 * Messages and their exact bytes, as recorded in `wire.json`: both directions must agree with the
 * recording, and so must the JSON shape that the schema itself encodes to. Recorded integers beyond
 * 2^53−1 (`bigInts`) must be refused.
 */
import { isDeepStrictEqual } from "node:util"
import { Result, Schema } from "effect"
import { decodeClusterMessage, encodeClusterMessage } from "../../src/domain/codec/ClusterMessageCodec.ts"
import { type MessagePackCodec } from "../../src/domain/codec/MessagePack.ts"
import { ClusterMessage } from "../../src/domain/wire/ClusterMessage.ts"
import type { Failure, Report } from "./Report.ts"
import { fromHex, readCases, toHex } from "./VectorFile.ts"

const Case = Schema.Struct({
  name: Schema.String,
  variant: Schema.String,
  json: Schema.Unknown,
  hex: Schema.String,
  bigInts: Schema.optionalKey(Schema.Boolean)
})

/** What a recording says about one value. */
export interface RecordedValue {
  readonly json: unknown
  readonly hex: string
  readonly bigInts?: boolean
}

/** The first disagreement between a codec, its schema and a recorded value. */
export const disagreement = <A, I>(
  schema: Schema.Codec<A, I>,
  codec: Pick<MessagePackCodec<A>, "encode" | "decode">,
  { json, hex, bigInts }: RecordedValue
): string | undefined => {
  const decoded = codec.decode(fromHex(hex))
  const fromJson = Schema.decodeUnknownResult(schema)(json)
  if (bigInts === true) {
    return Result.isFailure(decoded) ? undefined : "an integer beyond 2^53−1 was accepted"
  }
  if (Result.isFailure(decoded)) return decoded.failure.message
  if (Result.isFailure(fromJson)) return `the schema refuses the JSON: ${fromJson.failure.message}`
  if (!isDeepStrictEqual(Schema.encodeSync(schema)(decoded.success), json)) return "the decoded value has other JSON"
  if (toHex(codec.encode(decoded.success)) !== hex) return "the decoded value is encoded to other bytes"
  if (toHex(codec.encode(fromJson.success)) !== hex) return "the JSON is encoded to other bytes"
  return undefined
}

const clusterMessages = { encode: encodeClusterMessage, decode: decodeClusterMessage }

export const wire = (folder: string, file = "wire.json"): Report => {
  const cases = readCases(folder, file, Schema.Array(Case))
  const failures = cases.flatMap((recorded): ReadonlyArray<Failure> => {
    const reason = disagreement(ClusterMessage, clusterMessages, recorded) ?? wrongVariant(recorded)
    return reason === undefined ? [] : [{ name: recorded.name, reason }]
  })
  return { suite: "wire", cases: cases.length, failures }
}

const wrongVariant = ({ hex, variant, bigInts }: typeof Case.Type): string | undefined => {
  const decoded = decodeClusterMessage(fromHex(hex))
  if (bigInts === true || Result.isFailure(decoded) || decoded.success.type === variant) return undefined
  return `decoded as ${decoded.success.type} instead of ${variant}`
}
