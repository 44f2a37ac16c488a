/**
 * When to dial a peer again. The waits double, so that a peer that is gone costs little, and are
 * random, so that the members of a restarted cluster do not all dial at the same moment.
 */

export interface RedialBounds {
  /** Shortest wait in milliseconds, above 0. */
  readonly minMs: number
  /** Longest wait in milliseconds, at least `minMs`. */
  readonly maxMs: number
}

/**
 * Milliseconds to wait before the next attempt, uniform between `minMs` and
 * `min(maxMs, minMs × 2^(attempt + 1))`: exponential backoff with full jitter above a floor (Brooker,
 * "Exponential Backoff And Jitter", 2015).
 *
 * - `attempt`: failed attempts since the last connection, from 0
 * - `random01`: a random number in [0, 1)
 */
export const redialDelayMs = (attempt: number, random01: number, { minMs, maxMs }: RedialBounds): number =>
  minMs + random01 * (Math.min(maxMs, minMs * 2 ** (attempt + 1)) - minMs)
