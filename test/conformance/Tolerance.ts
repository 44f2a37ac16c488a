/**
 * Odd and hostile inputs against what the reference's decoder did with them, as recorded in
 * `tolerance.json`. Both must accept and refuse the same, except, by rule and never by name:
 *
 * - we take `bin` for byte fields, which the reference refuses;
 * - we refuse what the reference takes when the bytes at the reported offset show one of the forms that
 *   we are stricter about: bytes after the message, nesting beyond 64, array-form structs, map-form
 *   enums, integers or `bin` for tags and field names, integers beyond 2^53−1.
 *
 * Every refusal says where and why, and what is accepted is encoded to the recorded bytes.
 */
import { isDeepStrictEqual } from "node:util"
import { Result, Schema } from "effect"
import { decodeClusterMessage, encodeClusterMessage } from "../../src/domain/codec/ClusterMessageCodec.ts"
import type { MalformedMessage } from "../../src/domain/codec/MalformedMessage.ts"
import { ClusterMessage } from "../../src/domain/wire/ClusterMessage.ts"
import type { Failure, Report } from "./Report.ts"
import { endOfValue, nestingAt, withoutBinary } from "./RawMessagePack.ts"
import { fromHex, readCases, toHex } from "./VectorFile.ts"

const Case = Schema.Struct({
  name: Schema.String,
  hex: Schema.optionalKey(Schema.String),
  accepted: Schema.Boolean,
  error: Schema.optionalKey(Schema.String),
  json: Schema.optionalKey(Schema.Unknown),
  bigInts: Schema.optionalKey(Schema.Boolean),
  reencodedHex: Schema.optionalKey(Schema.String),
  /** The case is about every shorter prefix of the bytes; these lengths are accepted. */
  acceptedPrefixLengths: Schema.optionalKey(Schema.Array(Schema.Number))
})
type Case = typeof Case.Type

export const tolerance = (folder: string, file = "tolerance.json"): Report => {
  // A case that is too large to be recorded has no bytes to try.
  const cases = readCases(folder, file, Schema.Array(Case)).filter(({ hex }) => hex !== undefined)
  const failures = cases.flatMap((recorded): ReadonlyArray<Failure> => {
    const reason = recorded.acceptedPrefixLengths === undefined ? judge(recorded) : judgePrefixes(recorded)
    return reason === undefined ? [] : [{ name: recorded.name, reason }]
  })
  return { suite: "tolerance", cases: cases.length, failures }
}

const judge = (recorded: Case): string | undefined => {
  const bytes = fromHex(recorded.hex ?? "")
  const decoded = decodeClusterMessage(bytes)
  if (Result.isFailure(decoded)) {
    const bad = badExplanation(decoded.failure, bytes)
    if (bad !== undefined || !recorded.accepted) return bad
    return isStricterForm(decoded.failure, bytes) ? undefined : `refused: ${decoded.failure.message}`
  }
  if (!recorded.accepted) return isLaxerForm(recorded, bytes, decoded.success) ? undefined : "accepted"
  return wrongValue(recorded, decoded.success)
}

const judgePrefixes = ({ hex = "", acceptedPrefixLengths = [] }: Case): string | undefined => {
  const bytes = fromHex(hex)
  for (let length = 0; length < bytes.length; length++) {
    const decoded = decodeClusterMessage(bytes.subarray(0, length))
    if (Result.isSuccess(decoded) !== acceptedPrefixLengths.includes(length)) return `wrong at the prefix of ${length}`
    const bad = Result.isFailure(decoded) ? badExplanation(decoded.failure, bytes.subarray(0, length)) : undefined
    if (bad !== undefined) return bad
  }
  return undefined
}

const badExplanation = ({ path, offset, reason }: MalformedMessage, bytes: Uint8Array): string | undefined => {
  if (!Array.isArray(path)) return "the refusal has no path"
  if (!Number.isInteger(offset) || offset < 0 || offset > bytes.length) return `the offset ${offset} is outside`
  return reason === "" ? "the refusal has no reason" : undefined
}

const wrongValue = ({ json, bigInts, reencodedHex }: Case, value: ClusterMessage): string | undefined => {
  if (reencodedHex !== undefined && toHex(encodeClusterMessage(value)) !== reencodedHex) return "re-encoded differently"
  if (json === undefined || bigInts === true) return undefined
  return isDeepStrictEqual(Schema.encodeSync(ClusterMessage)(value), json) ? undefined : "decoded to another value"
}

/** The reference missed a sequence and found bytes: with arrays of integers for them it must be the same message. */
const isLaxerForm = ({ error = "" }: Case, bytes: Uint8Array, value: ClusterMessage): boolean => {
  if (!error.includes("byte array, expected a sequence")) return false
  const rewritten = decodeClusterMessage(withoutBinary(bytes))
  return Result.isSuccess(rewritten) && isDeepStrictEqual(rewritten.success, value)
}

const isStricterForm = ({ offset, reason }: MalformedMessage, bytes: Uint8Array): boolean => {
  if (offset === endOfValue(bytes, 0)) return offset < bytes.length
  const first = bytes[offset]
  if (first === undefined) return false
  const isInteger = first < 0x80 || first >= 0xe0 || (first >= 0xcc && first <= 0xd3)
  const isBinary = first >= 0xc4 && first <= 0xc6
  const isArray = (first & 0xf0) === 0x90 || first === 0xdc || first === 0xdd
  const isMap = (first & 0xf0) === 0x80 || first === 0xde || first === 0xdf
  const wanted = /^expected (a string|a field name|a map)/u.exec(reason)?.[1]
  if (wanted === "a string" || wanted === "a field name") return isInteger || isBinary || isMap
  if (wanted === "a map") return isArray
  return isArray || isMap ? nestingAt(bytes, offset) > 64 : isInteger && isBeyondSafe(bytes, offset)
}

const isBeyondSafe = (bytes: Uint8Array, offset: number): boolean => {
  const words = new DataView(bytes.buffer, bytes.byteOffset)
  return (
    (bytes[offset] === 0xcf || bytes[offset] === 0xd3) &&
    words.getBigUint64(offset + 1) > BigInt(Number.MAX_SAFE_INTEGER)
  )
}
