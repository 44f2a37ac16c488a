/** The wire form of `ClusterMessage`: one map with the tag first, byte for byte as the reference writes it. */
import type { Result } from "effect"
import { ClusterMessage } from "../wire/ClusterMessage.ts"
import type { MalformedMessage } from "./MalformedMessage.ts"
import { MessagePack } from "./MessagePack.ts"

const codec = MessagePack.codec(ClusterMessage)

/** Bytes of a message. Throws `UnencodableValue` as a defect when its schema forbids the value. */
export const encodeClusterMessage = (message: ClusterMessage): Uint8Array => codec.encode(message)

/** Writes a message into `buffer` from `offset`. Returns the offset behind it, or −1 when it does not fit. */
export const encodeClusterMessageInto = (message: ClusterMessage, buffer: Uint8Array, offset: number): number =>
  codec.encodeInto(message, buffer, offset)

/** The message that fills `bytes` exactly, or where and why they are none. Never throws. */
export const decodeClusterMessage = (bytes: Uint8Array): Result.Result<ClusterMessage, MalformedMessage> =>
  codec.decode(bytes)
