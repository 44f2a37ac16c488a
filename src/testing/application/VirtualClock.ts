/** The clock of one process in virtual time: it runs a little fast or slow, and its wall clock may be wrong. */
import { type Clock, Duration, Effect } from "effect"
import type { Process, ProcessClock } from "../simulation/Process.ts"

/** What a clock has to know of the world. Times are milliseconds. */
export interface Timekeeper {
  /** Virtual time since the start of the run. */
  readonly nowMs: () => number
  /** What the wall clock of the process's machine says, since 1970. */
  readonly wallMs: () => number
  readonly later: (delayMs: number, run: () => void) => void
  /** Gives the process a turn. */
  readonly turn: (run: () => void) => void
}

/** How many sleep by a clock now. */
export interface Sleeps {
  count: number
}

const nanosOf = (ms: number): bigint => BigInt(Math.round(ms * 1e6))

/** Sleeps go by the monotonic clock. Who sleeps while its process is frozen wakes up at the thaw, if it is due. */
export const make = (
  process: Process,
  { offsetMs, rate }: ProcessClock,
  time: Timekeeper,
  sleeps: Sleeps
): Clock.Clock => {
  const monotonic = () => nanosOf(offsetMs + time.nowMs() * rate)
  const wall = () => nanosOf(time.wallMs())
  return {
    currentTimeMillisUnsafe: time.wallMs,
    currentTimeMillis: Effect.sync(time.wallMs),
    currentTimeNanosUnsafe: wall,
    currentTimeNanos: Effect.sync(wall),
    monotonicTimeNanosUnsafe: monotonic,
    monotonicTimeNanos: Effect.sync(monotonic),
    sleep: (duration) => {
      const ms = Duration.toMillis(duration)
      if (ms <= 0) return Effect.yieldNow
      if (ms === Number.POSITIVE_INFINITY) return Effect.never
      return Effect.callback<void>((resume) => {
        sleeps.count++
        let isWanted = true
        const ends = () => {
          if (isWanted) sleeps.count--
          isWanted = false
        }
        const wake = () => {
          if (!isWanted) return
          ends()
          resume(Effect.void)
        }
        time.later(ms / rate, () => {
          if (isWanted) process.whenAwake(() => time.turn(wake))
        })
        return Effect.sync(ends)
      })
    }
  }
}
