/**
 * What a node remembers of the signs of life of one peer: when the last one came, and how regularly its
 * heartbeats come. All detectors judge from this one window, so that exchanging them does not change the
 * protocol's state. A window is a value: deriving a new one leaves the old one as it was.
 *
 * Times are milliseconds of any clock, as long as it is the same clock in all calls for one window. They
 * need not be integers. A time before the last one counts as no time passed, and becomes the last one.
 */
import { SlidingMoments } from "./SlidingMoments.ts"

export interface ArrivalWindow {
  /** The last sign of life; `undefined` when there never was one. */
  readonly lastArrivalMs: number | undefined
  /** The heartbeat from which the next interval is measured. */
  readonly lastSampleMs: number | undefined
  /** The most recent intervals between heartbeats. */
  readonly intervals: SlidingMoments
}

const empty: ArrivalWindow = { lastArrivalMs: undefined, lastSampleMs: undefined, intervals: SlidingMoments.empty }

/** Milliseconds from `sinceMs` to `nowMs`, 0 if time went backward. */
const elapsed = (sinceMs: number, nowMs: number): number => Math.max(0, nowMs - sinceMs)

/** A sign of life that says nothing about regularity: an acknowledgement, a vote, an early heartbeat. */
const arrival = (window: ArrivalWindow, nowMs: number): ArrivalWindow => ({
  lastArrivalMs: nowMs,
  lastSampleMs: window.lastSampleMs,
  intervals: window.intervals
})

/** A heartbeat that begins a new interval without ending one: the first, or the first after an outage. */
const restart = (window: ArrivalWindow, nowMs: number): ArrivalWindow => ({
  lastArrivalMs: nowMs,
  lastSampleMs: nowMs,
  intervals: window.intervals
})

/** A heartbeat that ends an interval, of which the most recent `maxSampleSize` are kept. */
const sample = (window: ArrivalWindow, nowMs: number, maxSampleSize: number): ArrivalWindow =>
  window.lastSampleMs === undefined
    ? restart(window, nowMs)
    : {
        lastArrivalMs: nowMs,
        lastSampleMs: nowMs,
        intervals: SlidingMoments.push(window.intervals, elapsed(window.lastSampleMs, nowMs), maxSampleSize)
      }

const later = (timeMs: number | undefined, byMs: number, nowMs: number): number | undefined =>
  timeMs === undefined ? undefined : Math.max(timeMs, Math.min(nowMs, timeMs + byMs))

/**
 * Gives `missedMs` (0 or more) in which *this* process stood still back to the peer: its last sign of life
 * and its current interval count as that much younger, but never as younger than `nowMs`.
 */
const giveBack = (window: ArrivalWindow, missedMs: number, nowMs: number): ArrivalWindow => ({
  lastArrivalMs: later(window.lastArrivalMs, missedMs, nowMs),
  lastSampleMs: later(window.lastSampleMs, missedMs, nowMs),
  intervals: window.intervals
})

/** The last sign of life, `undefined` when there never was one. */
const lastArrivalMs = (window: ArrivalWindow): number | undefined => window.lastArrivalMs

export const ArrivalWindow = { empty, elapsed, arrival, restart, sample, giveBack, lastArrivalMs }
