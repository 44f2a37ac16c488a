/** Who has heard whom lately, as the world knows it and no process does. */
import type { Process } from "./Process.ts"

interface Contact {
  sinceMs: number
  lastMs: number
}

/** Heartbeats at most this many intervals apart are one contact. */
const gapIntervals = 2
/** A contact of this many intervals leaves no doubt. */
const longIntervals = 6
/** A master may count on whom it has heard this many intervals ago. */
const recentIntervals = 4

const intervalMs = (process: Process): number => process.state.config.heartbeatIntervalMs

export class Contacts {
  private readonly byListener = new Map<number, Map<number, Contact>>()

  /** A heartbeat has arrived at this time of the world. */
  heard(listener: Process, speaker: Process, nowMs: number): void {
    let contacts = this.byListener.get(listener.number)
    if (contacts === undefined) this.byListener.set(listener.number, (contacts = new Map()))
    const known = contacts.get(speaker.number)
    if (known === undefined) {
      contacts.set(speaker.number, { sinceMs: nowMs, lastMs: nowMs })
      return
    }
    if (nowMs - known.lastMs > gapIntervals * intervalMs(listener)) known.sinceMs = nowMs
    known.lastMs = nowMs
  }

  private get(listener: Process, speaker: Process): Contact | undefined {
    return this.byListener.get(listener.number)?.get(speaker.number)
  }

  /** The listener may still count on the speaker, who speaks after `more` intervals than one. */
  isRecent(listener: Process, speaker: Process, nowMs: number, more = 0): boolean {
    const known = this.get(listener, speaker)
    return known !== undefined && nowMs - known.lastMs <= (recentIntervals + more) * intervalMs(listener)
  }
  /** The listener has heard the speaker without a gap for long. */
  isLong(listener: Process, speaker: Process, nowMs: number): boolean {
    const known = this.get(listener, speaker)
    return (
      known !== undefined &&
      nowMs - known.lastMs <= gapIntervals * intervalMs(listener) &&
      nowMs - known.sinceMs >= longIntervals * intervalMs(listener)
    )
  }
  /** The two have heard each other without a gap for long. */
  isMutual(a: Process, b: Process, nowMs: number): boolean {
    return this.isLong(a, b, nowMs) && this.isLong(b, a, nowMs)
  }
}
