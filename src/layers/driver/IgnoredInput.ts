/**
 * Input that was not acted upon is counted by reason and logged once per sender, reason and interval,
 * so that a misbehaving peer can be found and cannot fill the log.
 */
import { Clock, Effect, Metric } from "effect"

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
const ordinary: ReadonlySet<string> = new Set(["informational", "older", "stale", "unasked", "unknownConnection"])

export interface Ignored {
  /** Type of the message, or `malformed` for bytes that are none. */
  readonly message: string
  readonly from: string
  readonly reason: string
}

/** Counts and logs; one for each node. */
export const make = (): ((ignored: Ignored) => Effect.Effect<void>) => {
  const logged = new Map<string, number>()
  return Effect.fnUntraced(function* ({ from, message, reason }: Ignored) {
    // Not the text of a malformed message: a metric needs few labels.
    const label = message === "malformed" ? "malformed" : reason
    yield* Metric.update(Metric.withAttributes(ignoredMessages, { message, reason: label }), 1)
    if (ordinary.has(reason)) return
    const nowMs = yield* Clock.currentTimeMillis
    const key = `${from} ${reason}`
    if (nowMs - (logged.get(key) ?? Number.NEGATIVE_INFINITY) < logIntervalMs) return
    if (logged.size >= maxRemembered) logged.clear()
    logged.set(key, nowMs)
    yield* Effect.logWarning(`ignored ${message} from ${from}: ${reason}`)
  })
}
