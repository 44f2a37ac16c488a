/** The counters of one transport while it runs; readers get copies. */
import type { TransportCounters } from "../../services/Transport.ts"

export type Counters = { -readonly [Name in keyof TransportCounters]: number }

export const make = (): Counters => ({
  framesIn: 0,
  framesOut: 0,
  bytesIn: 0,
  bytesOut: 0,
  writes: 0,
  accepted: 0,
  dialled: 0,
  dialsFailed: 0,
  refused: 0,
  malformed: 0,
  frameTooLarge: 0,
  identifyTimeout: 0,
  halfFrameTimeout: 0,
  outboxFull: 0,
  dropped: 0,
  connections: 0,
  unidentified: 0
})
