/**
 * One connection while it lives: a loop that reads, one that writes, and the deadlines. The first of
 * them that ends says why the connection is over.
 */
import { Clock, Deferred, Effect, Exit, Latch, Scope } from "effect"
import * as Socket from "effect/socket/Socket"
import type { ConnectionId } from "../../services/Transport.ts"
import type { TransportLimits } from "../../services/TransportLimits.ts"
import type { Counters } from "../transport/Counters.ts"
import type { Inbox } from "../transport/Inbox.ts"
import type { FreePieces } from "./FrameMemory.ts"
import { type Ending, endingOf } from "./Ending.ts"
import * as Outbox from "./Outbox.ts"
import { type Pull, readMessages } from "./Reader.ts"

/** What the connections of one transport share. */
export interface Shared {
  readonly limits: TransportLimits
  readonly inbox: Inbox
  readonly counters: Counters
  readonly free: FreePieces
}

export interface Connection {
  readonly id: ConnectionId
  readonly outbox: Outbox.Outbox
  /** Open once the connection is identified. */
  readonly identified: Latch.Latch
  /** Open once this side has asked to close. */
  readonly closing: Latch.Latch
  /** Ends the connection at once. */
  readonly aborted: Deferred.Deferred<Ending>
  /** Open once the socket is closed. */
  readonly ended: Latch.Latch
  /** Since when (monotonic) the reader has waited for the rest of a frame. */
  halfFrameSinceMs: number | undefined
}

export const make = (id: ConnectionId, identified: boolean, { free, limits }: Shared): Connection => ({
  id,
  outbox: Outbox.make(limits, free),
  identified: Latch.makeUnsafe(identified),
  closing: Latch.makeUnsafe(false),
  aborted: Deferred.makeUnsafe(),
  ended: Latch.makeUnsafe(false),
  halfFrameSinceMs: undefined
})

/** The reading end of a socket whose connection is open. */
export interface OpenSocket {
  readonly pull: Pull
  readonly writer: Socket.Socket["writer"]
}

/** Runs an open connection until it is over, and closes its socket; never fails. */
export const run = Effect.fnUntraced(function* (shared: Shared, connection: Connection, { pull, writer }: OpenSocket) {
  const { limits } = shared
  const writing = yield* Scope.fork(yield* Effect.scope)
  const { write, writeAll } = yield* Scope.provide(writer, writing)
  const ending = yield* Effect.raceAllFirst([
    readMessages(shared, connection, pull),
    writeMessages(shared, connection, writeAll),
    identifyDeadline(connection, limits),
    halfFrameDeadline(connection, limits),
    lingerDeadline(connection, limits),
    Deferred.await(connection.aborted)
  ]).pipe(
    Effect.map((first) => (connection.closing.isOpen() ? localEnding : first)),
    // The transport itself is going away: nothing is left to be polite to.
    Effect.onInterrupt(() => destroy(write))
  )
  // Closing the scope of the writer sends the end of the stream; what the peer still says is read and
  // dropped, because closing a socket with unread bytes would reset it and lose what was just sent.
  const halfClose = Effect.andThen(Scope.close(writing, Exit.void), untilClosed(pull))
  if (ending.cause === "local") {
    yield* halfClose.pipe(
      Effect.timeoutOption(limits.lingerMs),
      Effect.onInterrupt(() => destroy(write))
    )
  }
  yield* destroy(write)
  connection.outbox.room.openUnsafe()
  connection.ended.openUnsafe()
  return ending
})

/** Asks for a close after what is queued. */
export const close = ({ closing, outbox }: Connection): Effect.Effect<void> =>
  Effect.andThen(closing.open, outbox.filled.open)

/** Waits for room in the outbox, or for the end. */
export const awaitRoom = ({ outbox }: Connection): Effect.Effect<void> =>
  Effect.suspend(() => (outbox.room.isOpen() ? Effect.void : Effect.andThen(outbox.room.await, Effect.yieldNow)))

const localEnding: Ending = { cause: "local", detail: "closed by this node" }

const untilClosed = (pull: Pull): Effect.Effect<void> =>
  Effect.forever(pull).pipe(Effect.catchTag("SocketError", () => Effect.void))

/** Closes a socket at once. */
export const destroy = (write: Socket.Writer["write"]): Effect.Effect<void> =>
  // It is being thrown away, so how that fails does not matter.
  write(new Socket.CloseEvent()).pipe(Effect.catchTag("SocketError", () => Effect.void))

/** Writes what is queued, as much as possible at a time, until this side wants to close and all is written. */
const writeMessages = Effect.fnUntraced(
  function* ({ counters }: Shared, { closing, outbox }: Connection, writeAll: Socket.Writer["writeAll"]) {
    while (true) {
      if (Outbox.isEmpty(outbox)) {
        if (closing.isOpen()) return localEnding
        yield* outbox.filled.await
        // A latch wakes its waiters within the call that opens it: let the sender add all it has first.
        yield* Effect.yieldNow
      }
      const batch = Outbox.take(outbox)
      const [first, ...rest] = batch.chunks
      if (first === undefined) continue
      yield* writeAll([first, ...rest])
      Outbox.written(outbox, batch)
      counters.framesOut += batch.frames
      counters.bytesOut += batch.bytes
      counters.writes += 1
    }
  },
  Effect.catchTag("SocketError", (error) => Effect.succeed(endingOf(error)))
)

const nowMs = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)

/**
 * Waits, and says whether the wait took as long as it should. One that took much longer means that
 * this process stood still: what the peer sent meanwhile has not been read, so it is not to blame.
 */
const waited = Effect.fnUntraced(function* (ms: number) {
  const startedMs = yield* nowMs
  yield* Effect.sleep(ms)
  return (yield* nowMs) - startedMs < ms * 1.5
})

const identifyDeadline = Effect.fnUntraced(function* ({ identified }: Connection, limits: TransportLimits) {
  if (identified.isOpen()) return yield* Effect.never
  while (!(yield* waited(limits.identifyTimeoutMs))) continue
  if (identified.isOpen()) return yield* Effect.never
  const detail = `not identified within ${limits.identifyTimeoutMs} ms`
  return { cause: "identifyTimeout", detail } satisfies Ending
})

/** Looks at the reader only when a half frame could be too old: nothing runs for each frame. */
const halfFrameDeadline = Effect.fnUntraced(function* (connection: Connection, limits: TransportLimits) {
  const { halfFrameTimeoutMs } = limits
  while (true) {
    const now = yield* nowMs
    const leftMs = (connection.halfFrameSinceMs ?? now) + halfFrameTimeoutMs - now
    if (leftMs <= 0) {
      const detail = `the rest of a frame did not come within ${halfFrameTimeoutMs} ms`
      return { cause: "halfFrameTimeout", detail } satisfies Ending
    }
    const punctual = yield* waited(leftMs)
    if (!punctual && connection.halfFrameSinceMs !== undefined) connection.halfFrameSinceMs = yield* nowMs
  }
})

/** What is queued at a local close has `lingerMs` to leave. */
const lingerDeadline = ({ closing }: Connection, limits: TransportLimits) =>
  closing.await.pipe(Effect.andThen(Effect.sleep(limits.lingerMs)), Effect.as(localEnding))
