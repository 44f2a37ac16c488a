/** The wire form of `ClusterMessage`: one map with the tag first, byte for byte as the reference writes it. */
import type { Result } from "effect"
import { ClusterMessage } from "../wire/ClusterMessage.ts"
import type { MalformedMessage } from "./MalformedMessage.ts"
import { MessagePack, type MessagePackCodec } from "./MessagePack.ts"

const codec = MessagePack.codec(ClusterMessage)
const binCodec = MessagePack.codec(ClusterMessage, { byteForm: "bin" })
const viewCodec = MessagePack.codec(ClusterMessage, { byteViews: true })

/**
 * How byte fields are written. `array`: of integers, as the reference has it, up to twice their size. `bin`: as they
 * are. Every decoder of Squadron takes both, the reference takes `array` only.
 */
export type ByteFields = "array" | "bin"

const codecFor = (byteFields: ByteFields): MessagePackCodec<ClusterMessage> => (byteFields === "bin" ? binCodec : codec)

/** Bytes of a message. Throws `UnencodableValue` as a defect when its schema forbids the value. */
export const encodeClusterMessage = (message: ClusterMessage, byteFields: ByteFields = "array"): Uint8Array =>
  codecFor(byteFields).encode(message)

/** Writes a message into `buffer` from `offset`. Returns the offset behind it, or −1 when it does not fit. */
export const encodeClusterMessageInto = (
  message: ClusterMessage,
  buffer: Uint8Array,
  offset: number,
  byteFields: ByteFields = "array"
): number => codecFor(byteFields).encodeInto(message, buffer, offset)

/** The message that fills `bytes` exactly, or where and why they are none. Never throws. */
export const decodeClusterMessage = (bytes: Uint8Array): Result.Result<ClusterMessage, MalformedMessage> =>
  codec.decode(bytes)

/** The same. Byte fields that came as they are stay in `bytes`, which must not change any more. */
export const decodeClusterMessageInPlace = (bytes: Uint8Array): Result.Result<ClusterMessage, MalformedMessage> =>
  viewCodec.decode(bytes)
