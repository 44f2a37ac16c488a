/**
 * The clock that stamps changes: it never runs backwards, stays close to the wall clock, and passes whatever
 * timestamp it has seen, so that a change that was made with knowledge of another gets the later stamp.
 *
 * **Bounded.** A timestamp further ahead than `maxClockDriftMs` comes from a peer with a bad clock. Its record is
 * kept, because it was acknowledged there; the clock does not follow it, or the bad time would spread. Replacing
 * such a record is a matter of `Timestamp.after`.
 */
import { maxWallMs, Timestamp } from "./Timestamp.ts"

/** Milliseconds that a peer's clock may be ahead of this node's before it is not followed. Default 60,000. */
export const defaultMaxClockDriftMs = 60_000

/** The last reading that was taken or seen. */
export interface HybridClock {
  readonly wallMs: number
  readonly counter: number
}

/** A clock before its first reading. */
const start: HybridClock = { wallMs: 0, counter: 0 }

const maxCounter = 0xffff_ffff

/**
 * A reading later than all before. `wallNowMs` is the wall clock, milliseconds since 1970; when it has been set
 * back, time stands still at the last reading and only the counter goes on.
 */
const tick = (clock: HybridClock, wallNowMs: number, node: string): readonly [HybridClock, Timestamp] => {
  const now = Math.min(Math.max(0, Math.floor(wallNowMs)), maxWallMs)
  const next = now > clock.wallMs ? { wallMs: now, counter: 0 } : successor(clock)
  return [next, { ...next, node }]
}

const successor = ({ wallMs, counter }: HybridClock): HybridClock =>
  counter < maxCounter ? { wallMs, counter: counter + 1 } : { wallMs: wallMs + 1, counter: 0 }

/** Whether a timestamp is too far ahead of the wall clock to be followed. */
const isAhead = (seen: Timestamp, wallNowMs: number, maxClockDriftMs: number): boolean =>
  seen.wallMs > wallNowMs + maxClockDriftMs

/** Later readings pass `seen`, unless it is too far ahead. */
const observe = (
  clock: HybridClock,
  seen: Timestamp,
  wallNowMs: number,
  maxClockDriftMs: number = defaultMaxClockDriftMs
): HybridClock => {
  if (isAhead(seen, wallNowMs, maxClockDriftMs)) return clock
  const isLater = seen.wallMs > clock.wallMs || (seen.wallMs === clock.wallMs && seen.counter > clock.counter)
  return isLater ? { wallMs: seen.wallMs, counter: seen.counter } : clock
}

export const HybridClock = { start, tick, observe, isAhead }
