/** Who has heard whom lately, as the world knows it and no process does. */
import type { VirtualCluster } from "./VirtualCluster.ts"
import type { VirtualProcess } from "./VirtualProcess.ts"

interface Contact {
  readonly sinceMs: number
  readonly lastMs: number
}

/** Heartbeats at most this many intervals apart are one contact. */
const gapIntervals = 2
/** A contact of this many intervals leaves no doubt. */
const longIntervals = 6
/** A master may count on whom it has heard this many intervals ago. */
const recentIntervals = 4

export class Contacts {
  private readonly world: VirtualCluster
  private readonly contacts = new Map<number, Contact>()

  constructor(world: VirtualCluster) {
    this.world = world
  }

  private key(listener: VirtualProcess, speaker: VirtualProcess): number {
    return listener.incarnation * 2 ** 24 + speaker.incarnation
  }
  private intervalMs(process: VirtualProcess): number {
    return process.state.config.heartbeatIntervalMs
  }

  heard(listener: VirtualProcess, speaker: VirtualProcess): void {
    const key = this.key(listener, speaker)
    const known = this.contacts.get(key)
    const { nowMs } = this.world
    const isContinued = known !== undefined && nowMs - known.lastMs <= gapIntervals * this.intervalMs(listener)
    this.contacts.set(key, { sinceMs: isContinued ? known.sinceMs : nowMs, lastMs: nowMs })
  }

  /** The listener may still count on the speaker. */
  isRecent(listener: VirtualProcess, speaker: VirtualProcess): boolean {
    const known = this.contacts.get(this.key(listener, speaker))
    return known !== undefined && this.world.nowMs - known.lastMs <= recentIntervals * this.intervalMs(listener)
  }

  private isLong(listener: VirtualProcess, speaker: VirtualProcess): boolean {
    const known = this.contacts.get(this.key(listener, speaker))
    const intervalMs = this.intervalMs(listener)
    return (
      known !== undefined &&
      this.world.nowMs - known.lastMs <= gapIntervals * intervalMs &&
      this.world.nowMs - known.sinceMs >= longIntervals * intervalMs
    )
  }

  /** The two have heard each other without a gap for long. */
  isMutual(a: VirtualProcess, b: VirtualProcess): boolean {
    return this.isLong(a, b) && this.isLong(b, a)
  }
}
