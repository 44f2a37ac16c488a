/**
 * A monotonic clock that does not count the time in which this process was stopped.
 *
 * A process that was frozen, swapped out or busy has heard nobody, and must not accuse others of its
 * own silence. Instead of mending every deadline after a stall, the protocol reads a clock on which
 * the stall did not happen: every transition first advances it, and of a gap longer than a stall
 * threshold only one tick counts. All `nowMs` in `src/domain/protocol` are readings of this clock.
 */
export interface AwakeClock {
  /** Last reading of the process's monotonic clock. */
  readonly monotonicMs: number
  /** The same, without stalls. */
  readonly awakeMs: number
}

export const start = (monotonicMs: number): AwakeClock => ({ monotonicMs, awakeMs: monotonicMs })

/**
 * The clock at `monotonicMs`, and how long the process was stalled since the last reading (0 for not).
 * Readings come at least every `tickIntervalMs`, so a gap of more than twice that is a stall.
 */
export const advance = (
  clock: AwakeClock,
  monotonicMs: number,
  tickIntervalMs: number
): readonly [clock: AwakeClock, stalledMs: number] => {
  const gapMs = Math.max(0, monotonicMs - clock.monotonicMs)
  const stalledMs = gapMs > 2 * tickIntervalMs ? gapMs - tickIntervalMs : 0
  return [
    { monotonicMs: Math.max(monotonicMs, clock.monotonicMs), awakeMs: clock.awakeMs + gapMs - stalledMs },
    stalledMs
  ]
}
