/** Who has heard whom lately, as the world knows it and no process does. */
import type { Process } from "./Process.ts"

/** Heartbeats at most this many intervals apart are one contact. */
const gapIntervals = 2
/** A contact of this many intervals leaves no doubt. */
const longIntervals = 6
/** A master may count on whom it has heard this many intervals ago. */
const recentIntervals = 4

const intervalMs = (process: Process): number => process.state.config.heartbeatIntervalMs

const none = new Float64Array(0)
const firstCapacity = 32

const grown = (times: Float64Array, size: number): Float64Array => {
  let capacity = Math.max(firstCapacity, times.length)
  while (capacity < size) capacity *= 2
  const more = new Float64Array(capacity).fill(Number.NEGATIVE_INFINITY)
  more.set(times)
  return more
}

export class Contacts {
  // By the number of the listener; at twice the speaker's number since when they are in contact, and behind that when
  // the last heartbeat came. −∞: never.
  private readonly byListener: Array<Float64Array> = []

  /** A heartbeat has arrived at this time of the world. */
  heard(listener: Process, speaker: Process, nowMs: number): void {
    const at = 2 * speaker.number
    let times = this.byListener[listener.number] ?? none
    if (at + 1 >= times.length) {
      times = grown(times, at + 2)
      for (let number = this.byListener.length; number < listener.number; number++) this.byListener[number] = none
      this.byListener[listener.number] = times
    }
    const lastMs = times[at + 1] ?? Number.NEGATIVE_INFINITY
    if (nowMs - lastMs > gapIntervals * intervalMs(listener)) times[at] = nowMs
    times[at + 1] = nowMs
  }

  private sinceMs(listener: Process, speaker: Process): number {
    return this.byListener[listener.number]?.[2 * speaker.number] ?? Number.NEGATIVE_INFINITY
  }
  private lastMs(listener: Process, speaker: Process): number {
    return this.byListener[listener.number]?.[2 * speaker.number + 1] ?? Number.NEGATIVE_INFINITY
  }

  /** The listener may still count on the speaker, who speaks after `more` intervals than one. */
  isRecent(listener: Process, speaker: Process, nowMs: number, more = 0): boolean {
    return nowMs - this.lastMs(listener, speaker) <= (recentIntervals + more) * intervalMs(listener)
  }
  /** The listener has heard the speaker without a gap for long. */
  isLong(listener: Process, speaker: Process, nowMs: number): boolean {
    return (
      nowMs - this.lastMs(listener, speaker) <= gapIntervals * intervalMs(listener) &&
      nowMs - this.sinceMs(listener, speaker) >= longIntervals * intervalMs(listener)
    )
  }
  /** The two have heard each other without a gap for long. */
  isMutual(a: Process, b: Process, nowMs: number): boolean {
    return this.isLong(a, b, nowMs) && this.isLong(b, a, nowMs)
  }
}
