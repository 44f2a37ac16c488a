/**
 * The reading half of a connection: bytes to frames to messages to events. It reads on only when the
 * inbox has room, and before the connection is identified it lets one small message through.
 */
import { type Array as Arr, Clock, Effect, Result } from "effect"
import type { SocketError } from "effect/socket/Socket"
import { decodeClusterMessageInPlace } from "../../domain/codec/ClusterMessageCodec.ts"
import * as Frame from "../../domain/codec/Frame.ts"
import type { TransportEvent } from "../../services/Transport.ts"
import type { Connection, Shared } from "./Connection.ts"
import { type Ending, endingOf } from "./Ending.ts"

/** Waits for bytes of an open socket; fails when it is over, also by a normal end. */
export type Pull = Effect.Effect<Arr.NonEmptyReadonlyArray<Uint8Array>, SocketError>

const nothing = new Uint8Array(0)

/** Reads until the connection is over; never fails. */
export const readMessages = Effect.fnUntraced(
  function* (shared: Shared, connection: Connection, pull: Pull) {
    const clock = yield* Clock.Clock
    let splitter = Frame.empty
    while (true) {
      for (const chunk of yield* pull) {
        shared.counters.bytesIn += chunk.length
        let rest = chunk
        while (true) {
          const gated = !connection.identified.isOpen()
          const split = splitNext(shared, splitter, rest, gated)
          if (Result.isFailure(split)) return tooLarge(shared, split.failure)
          const { frames } = split.success
          splitter = split.success.splitter
          if (frames.length > 0) {
            // While this side does not read, the peer is not late.
            connection.halfFrameSinceMs = undefined
            const malformed = yield* deliver(shared, connection, frames)
            if (malformed !== undefined) return malformed
          }
          if (!gated || frames.length === 0) break
          yield* connection.identified.await
          rest = nothing
        }
      }
      connection.halfFrameSinceMs = Frame.isPending(splitter)
        ? (connection.halfFrameSinceMs ?? Number(clock.monotonicTimeNanosUnsafe()) / 1e6)
        : undefined
    }
  },
  Effect.catchTag("SocketError", (error) => Effect.succeed(endingOf(error)))
)

const splitNext = ({ limits }: Shared, splitter: Frame.Splitter, chunk: Uint8Array, gated: boolean) =>
  gated
    ? Frame.push(splitter, chunk, limits.maxUnidentifiedFrameBytes, 1)
    : Frame.push(splitter, chunk, limits.maxFrameBytes)

const tooLarge = ({ counters }: Shared, error: Frame.FrameTooLarge): Ending => {
  counters.frameTooLarge += 1
  return { cause: "frameTooLarge", detail: error.message }
}

/** Offers the messages, up to the first that is none; with that, the connection is over. */
const deliver = ({ counters, inbox }: Shared, { id: connection }: Connection, frames: ReadonlyArray<Uint8Array>) => {
  const events: Array<TransportEvent> = []
  let malformed: Ending | undefined
  for (const frame of frames) {
    counters.framesIn += 1
    // What a socket delivers is not used again.
    const decoded = decodeClusterMessageInPlace(frame)
    if (Result.isFailure(decoded)) {
      counters.malformed += 1
      malformed = { cause: "malformed", detail: decoded.failure.message }
      events.push({ _tag: "Malformed", connection, error: decoded.failure })
      break
    }
    events.push({ _tag: "Received", connection, message: decoded.success, payloadBytes: frame.length })
  }
  return Effect.as(inbox.offer(events), malformed)
}
