/**
 * The events that wait to be received, bounded in number and bytes. A producer asks for room before
 * it adds what one read returned, so the bounds are overshot by at most one read of each connection.
 */
import { Array as Arr, Effect, Latch } from "effect"
import type { TransportEvent } from "../../services/Transport.ts"
import type { TransportLimits } from "../../services/TransportLimits.ts"

export interface Inbox {
  readonly hasRoom: () => boolean
  /** Adds an event. The caller has asked for room. */
  readonly add: (event: TransportEvent, payloadBytes?: number) => void
  /** Waits for room, then adds the events together. */
  readonly offer: (events: ReadonlyArray<TransportEvent>, payloadBytes?: number) => Effect.Effect<void>
  /** Nobody will receive any more: events are dropped, and whoever waits for room goes on. */
  readonly shutdown: () => void
  /** Takes all events that wait, at least one. */
  readonly receive: Effect.Effect<Arr.NonEmptyReadonlyArray<TransportEvent>>
}

/** `onRoom` runs when events have been taken from an inbox that was full. */
export const make = (
  limits: Pick<TransportLimits, "maxInboxEvents" | "maxInboxBytes">,
  onRoom: () => void = () => {}
): Inbox => {
  let events: Array<TransportEvent> = []
  let bytes = 0
  let open = true
  const room = Latch.makeUnsafe(true)
  const filled = Latch.makeUnsafe(false)

  const hasRoom = () => events.length < limits.maxInboxEvents && bytes < limits.maxInboxBytes

  const add = (event: TransportEvent, payloadBytes = 0): void => {
    if (!open) return
    events.push(event)
    bytes += payloadBytes
    if (events.length === 1) filled.openUnsafe()
    if (!hasRoom()) room.closeUnsafe()
  }

  const offer = (offered: ReadonlyArray<TransportEvent>, payloadBytes = 0): Effect.Effect<void> =>
    Effect.suspend(() => {
      // Several producers may wait for the same room, so look again.
      if (!hasRoom()) return Effect.andThen(room.await, offer(offered, payloadBytes))
      for (const event of offered) add(event)
      if (open) bytes += payloadBytes
      if (!hasRoom()) room.closeUnsafe()
      return Effect.void
    })

  const shutdown = (): void => {
    open = false
    events = []
    bytes = 0
    room.openUnsafe()
  }

  const receive: Inbox["receive"] = Effect.suspend(() => {
    const taken = events
    // A latch wakes its waiters within the call that opens it: yield, so that the producer first adds all it has.
    if (!Arr.isArrayNonEmpty(taken)) return filled.await.pipe(Effect.andThen(Effect.yieldNow), Effect.andThen(receive))
    const wasFull = !hasRoom()
    events = []
    bytes = 0
    filled.closeUnsafe()
    if (wasFull) onRoom()
    return Effect.as(room.open, taken)
  })

  return { hasRoom, add, offer, shutdown, receive }
}
