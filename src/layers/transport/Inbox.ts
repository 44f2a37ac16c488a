/**
 * The events that wait to be received, in two lanes, each bounded in number and bytes. What opens connections and what
 * is urgent (membership) waits in one, everything else in the other, and the first is received first: so bulk data
 * delays no heartbeat that has come in.
 *
 * A producer waits for room before it adds what one read returned, so the bounds are overshot by at most one read of
 * each connection.
 */
import { Array as Arr, Effect, Latch } from "effect"
import { isUrgent } from "../../domain/protocol/ClusterCommand.ts"
import type { TransportEvent } from "../../services/Transport.ts"
import type { TransportLimits } from "../../services/TransportLimits.ts"

/** Events of the ordinary lane that are received at once: urgent ones that come in meanwhile wait for no more. */
export const maxTaken = 256

export interface Inbox {
  /** Both lanes have. */
  readonly hasRoom: () => boolean
  /** Adds an event. The caller has asked for room. */
  readonly add: (event: TransportEvent) => void
  /** Waits for room in the lanes of the events, then adds them, those of one lane together. */
  readonly offer: (events: ReadonlyArray<TransportEvent>) => Effect.Effect<void>
  /** Nobody will receive any more: events are dropped, and whoever waits for room goes on. */
  readonly shutdown: () => void
  /** Takes what waits, at least one event: all that is urgent, then others, at most `maxTaken`. */
  readonly receive: Effect.Effect<Arr.NonEmptyReadonlyArray<TransportEvent>>
  /** Takes what is urgent, as soon as there is anything; perhaps nothing once `until` has ended. */
  readonly receiveUrgent: (until: Effect.Effect<void>) => Effect.Effect<ReadonlyArray<TransportEvent>>
}

/** A connection's first event, and its urgent messages. Its last comes behind all its messages. */
const isFirst = (event: TransportEvent): boolean => {
  switch (event._tag) {
    case "Accepted":
    case "Dialled":
    case "DialFailed":
      return true
    case "Received":
      return isUrgent(event.message)
    case "Malformed":
    case "Closed":
      return false
  }
}

type Limits = Pick<TransportLimits, "maxInboxEvents" | "maxInboxBytes">

class Lane {
  events: Array<TransportEvent> = []
  bytes = 0
  /** Open while something waits. */
  readonly filled = Latch.makeUnsafe(false)
  readonly room = Latch.makeUnsafe(true)
  private readonly limits: Limits

  constructor(limits: Limits) {
    this.limits = limits
  }

  hasRoom(): boolean {
    return this.events.length < this.limits.maxInboxEvents && this.bytes < this.limits.maxInboxBytes
  }
  add(event: TransportEvent): void {
    this.events.push(event)
    this.bytes += bytesOf(event)
    if (this.events.length === 1) this.filled.openUnsafe()
    if (!this.hasRoom()) this.room.closeUnsafe()
  }
  take(most: number): ReadonlyArray<TransportEvent> {
    const taken = this.events.length <= most ? this.events : this.events.slice(0, most)
    this.events = this.events.length <= most ? [] : this.events.slice(most)
    this.bytes = 0
    for (const event of this.events) this.bytes += bytesOf(event)
    if (this.events.length === 0) this.filled.closeUnsafe()
    if (this.hasRoom()) this.room.openUnsafe()
    return taken
  }
}

const bytesOf = (event: TransportEvent): number => (event._tag === "Received" ? event.payloadBytes : 0)

/** `onRoom` runs when events have been taken from an inbox that was full. */
export const make = (limits: Limits, onRoom: () => void = () => {}): Inbox => {
  const first = new Lane(limits)
  const rest = new Lane(limits)
  // Open while something waits in either lane.
  const filled = Latch.makeUnsafe(false)
  let open = true

  const hasRoom = () => first.hasRoom() && rest.hasRoom()

  const add = (event: TransportEvent): void => {
    if (!open) return
    const lane = isFirst(event) ? first : rest
    lane.add(event)
    filled.openUnsafe()
  }

  const addTo = (lane: Lane, events: ReadonlyArray<TransportEvent>): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (events.length === 0) return Effect.void
      // Several producers may wait for the same room, so look again.
      if (open && !lane.hasRoom()) return Effect.andThen(lane.room.await, addTo(lane, events))
      for (const event of events) add(event)
      return Effect.void
    })

  const offer = (events: ReadonlyArray<TransportEvent>): Effect.Effect<void> =>
    Effect.suspend(() =>
      Effect.andThen(
        addTo(first, events.filter(isFirst)),
        addTo(
          rest,
          events.filter((event) => !isFirst(event))
        )
      )
    )

  const shutdown = (): void => {
    open = false
    for (const lane of [first, rest]) {
      lane.take(Number.POSITIVE_INFINITY)
      lane.room.openUnsafe()
    }
    filled.closeUnsafe()
  }

  const take = (most: number): ReadonlyArray<TransportEvent> => {
    const wasFull = !hasRoom()
    const urgent = first.take(Number.POSITIVE_INFINITY)
    const others = most === 0 ? [] : rest.take(most)
    if (rest.events.length === 0) filled.closeUnsafe()
    if (wasFull && hasRoom()) onRoom()
    return others.length === 0 ? urgent : urgent.length === 0 ? others : [...urgent, ...others]
  }

  const receive: Inbox["receive"] = Effect.suspend(() => {
    const taken = take(maxTaken)
    // A latch wakes its waiters within the call that opens it: yield, so that the producer first adds all it has.
    if (!Arr.isReadonlyArrayNonEmpty(taken)) {
      return filled.await.pipe(Effect.andThen(Effect.yieldNow), Effect.andThen(receive))
    }
    return Effect.succeed(taken)
  })

  const receiveUrgent: Inbox["receiveUrgent"] = (until) =>
    Effect.andThen(
      Effect.raceFirst(first.filled.await, until),
      Effect.sync(() => take(0))
    )

  return { hasRoom, add, offer, shutdown, receive, receiveUrgent }
}
