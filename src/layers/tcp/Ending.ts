/**
 * Why a connection is over, told from what the socket reports. Node's own error, with its code and
 * system call, is the cause inside Effect's `SocketError`.
 */
import { Predicate } from "effect"
import type { SocketError } from "effect/socket/Socket"
import type { CloseCause } from "../../services/Transport.ts"

export interface Ending {
  readonly cause: CloseCause
  readonly detail: string
}

const textOf = (value: unknown, name: string): string | undefined => {
  const field = Predicate.hasProperty(value, name) ? value[name] : undefined
  return typeof field === "string" ? field : undefined
}

/** The operating system's code of an error, for example `ECONNREFUSED`. */
export const codeOf = (error: unknown): string | undefined => textOf(error, "code")

/** An error's message, for people. */
export const detailOf = (error: unknown): string => textOf(error, "message") || codeOf(error) || String(error)

/** How a connection ended, by the failure of a read or a write on it. */
export const endingOf = ({ reason }: SocketError): Ending => {
  switch (reason._tag) {
    case "SocketCloseError":
      return reason.code === 1000
        ? { cause: "fin", detail: "the peer closed the connection" }
        : { cause: "reset", detail: `the connection was closed abnormally (${reason.code})` }
    case "SocketReadError":
    case "SocketOpenError":
    case "SocketUpgradeError":
      return { cause: causeOf(reason.cause, "readError"), detail: detailOf(reason.cause) }
    case "SocketWriteError":
      return { cause: causeOf(reason.cause, "writeError"), detail: detailOf(reason.cause) }
  }
}

/** Node reports a failed write to the reader too, so the error itself is asked first. */
const causeOf = (error: unknown, otherwise: "readError" | "writeError"): CloseCause => {
  if (codeOf(error) === "ECONNRESET") return "reset"
  return textOf(error, "syscall") === "write" ? "writeError" : otherwise
}

/**
 * Whether a dial failed because the host is up and nobody listens there. A name may stand for several
 * addresses: all that this host can reach at all must refuse.
 */
export const isRefused = ({ reason }: SocketError): boolean => {
  if (reason._tag !== "SocketOpenError") return false
  const errors: ReadonlyArray<unknown> = reason.cause instanceof AggregateError ? reason.cause.errors : [reason.cause]
  const codes = errors.map((error) => codeOf(error) ?? "").filter((code) => !noRoute.has(code))
  return codes.length > 0 && codes.every((code) => code === "ECONNREFUSED")
}

/** An address family that this host does not have: says nothing about the peer. */
const noRoute = new Set(["EADDRNOTAVAIL", "EAFNOSUPPORT", "ENETUNREACH"])
