/**
 * Input that was not acted upon is counted by reason and logged once per sender, reason and interval,
 * so that a misbehaving peer can be found and cannot fill the log.
 */
import { Clock, Effect, Metric, Result } from "effect"
import { parseAddress } from "../../domain/model/Address.ts"

/** Milliseconds in which the same sender and reason are logged once. */
export const logIntervalMs = 10_000
/** Senders and reasons remembered; at the bound all are forgotten, so some are logged again. */
export const maxRemembered = 1024

/** Messages that a node received and did not act upon; attributes `message` and `reason`. */
export const ignoredMessages = Metric.counter("squadron_ignored_messages_total", {
  description: "Messages that were received and not acted upon",
  incremental: true
})

// Reasons that are ordinary: they say that a message came late or was not needed.
const ordinary: ReadonlySet<string> = new Set([
  "informational",
  "older",
  "stale",
  "refused",
  "unasked",
  "unknownConnection"
])

export interface Ignored {
  /** Type of the message, `malformed` for bytes that are none, or `connection` for how one ended. */
  readonly message: string
  /** A node id, or `host:port` of a peer that is not identified. */
  readonly from: string
  readonly reason: string
  /** For the log only: a metric needs few labels. */
  readonly detail?: string
}

// Connections of one host are one sender: a new port for each attempt must not make a new line each.
const senderOf = (from: string): string => {
  const address = parseAddress(from)
  return Result.isSuccess(address) ? address.success.host : from
}

/** Counts and logs; one for each node. */
export const make = (): ((ignored: Ignored) => Effect.Effect<void>) => {
  const logged = new Map<string, number>()
  return Effect.fnUntraced(function* ({ detail, from, message, reason }: Ignored) {
    yield* Metric.update(Metric.withAttributes(ignoredMessages, { message, reason }), 1)
    if (ordinary.has(reason)) return
    const nowMs = yield* Clock.currentTimeMillis
    const key = `${senderOf(from)} ${reason}`
    if (nowMs - (logged.get(key) ?? Number.NEGATIVE_INFINITY) < logIntervalMs) return
    if (logged.size >= maxRemembered) logged.clear()
    logged.set(key, nowMs)
    const what = message === "connection" ? `closed a connection of ${from}` : `ignored ${message} from ${from}`
    yield* Effect.logWarning(`${what}: ${detail ?? reason}`)
  })
}
