/**
 * How an earlier release would speak: without the optional fields that came last, which a receiver has to do
 * without, and with one that this release does not know.
 */
import { decode, encode } from "@msgpack/msgpack"
import type { ClusterMessage } from "../../domain/wire/ClusterMessage.ts"

/** The message without the fields that are the latest of its type. */
export const older = (message: ClusterMessage): ClusterMessage => {
  switch (message.type) {
    case "HEARTBEAT": {
      const { tableVersion: _, ...rest } = message
      return rest
    }
    case "MEMBERS_UPDATE": {
      const { cause: _, ...rest } = message
      return rest
    }
    case "JOIN_RESPONSE": {
      const { cause: _, ...rest } = message
      return rest
    }
    case "JOIN_REQUEST": {
      const { features: _f, partitionCount: _p, zone: _z, ...rest } = message
      return rest
    }
    default:
      return message
  }
}

/** The same bytes with one more field, of a name that no release has. */
export const withUnknownField = (bytes: Uint8Array): Uint8Array => {
  const fields = decode(bytes)
  return typeof fields === "object" && fields !== null ? encode({ ...fields, fieldOfAnotherRelease: [1, "a"] }) : bytes
}
