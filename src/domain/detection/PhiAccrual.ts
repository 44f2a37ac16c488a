/**
 * The phi accrual failure detector: suspicion is how unlikely the present silence is, given how a peer's
 * heartbeats came until now. Phi p means that a healthy peer would be silent for this long once in 10^p
 * intervals.
 *
 * Source: Hayashibara, Défago, Yared and Katayama, "The φ accrual failure detector", 2004, section 4, with
 * the normal distribution that the paper proposes.
 */
import { ArrivalWindow } from "./ArrivalWindow.ts"
import type { Detector } from "./Detector.ts"
import { Moments } from "./Moments.ts"
import { negLog10Tail } from "./NormalTail.ts"
import type { PhiAccrualConfig } from "./PhiAccrualConfig.ts"
import { sampledHeartbeat } from "./SamplingRule.ts"
import { SlidingMoments } from "./SlidingMoments.ts"

export { PhiAccrualConfig } from "./PhiAccrualConfig.ts"

/** Intervals from which a distribution is estimated; with fewer the silence is compared with `maxNoHeartbeatMs`. */
export const minIntervals = 3

const heartbeat = (window: ArrivalWindow, nowMs: number, config: PhiAccrualConfig): ArrivalWindow =>
  ArrivalWindow.sample(window, nowMs, config.maxSampleSize)

/** Phi after a silence, of a peer whose intervals have these moments. */
export const phiOf = (silenceMs: number, moments: Moments, config: PhiAccrualConfig): number => {
  if (moments.count < minIntervals) return (silenceMs / config.maxNoHeartbeatMs) * config.phiThreshold
  const deviationMs = Math.max(Moments.standardDeviation(moments), config.minStdDevMs)
  const excessMs = silenceMs - moments.mean
  if (deviationMs === 0) return excessMs <= 0 ? 0 : Infinity
  return negLog10Tail(excessMs / deviationMs)
}

/**
 * Phi at `nowMs`: 0 for a peer never heard; with fewer than three intervals the share of `maxNoHeartbeatMs`
 * that has passed, times the threshold; otherwise −log10 P(interval > silence). Never decreasing in `nowMs`.
 *
 * When all intervals are the same and `minStdDevMs` is 0, phi is 0 up to that interval and Infinity beyond.
 * NaN only for a `maxNoHeartbeatMs` of 0, which `PhiAccrualConfig.validate` refuses.
 */
const phi = (window: ArrivalWindow, nowMs: number, config: PhiAccrualConfig): number => {
  if (window.lastArrivalMs === undefined) return 0
  const silenceMs = ArrivalWindow.elapsed(window.lastArrivalMs, nowMs)
  return phiOf(silenceMs, SlidingMoments.moments(window.intervals), config)
}

/** Phi up to the mean interval is at most log10 2. */
export const mostUpToMean = 0.302

/** Phi is below the threshold. */
const isAlive = (window: ArrivalWindow, nowMs: number, config: PhiAccrualConfig): boolean => {
  if (window.lastArrivalMs === undefined) return true
  const silenceMs = ArrivalWindow.elapsed(window.lastArrivalMs, nowMs)
  const { intervals } = window
  // Most peers that anybody asks about are not even late: no tail has to be computed.
  const isEarly = SlidingMoments.size(intervals) >= minIntervals && silenceMs <= SlidingMoments.mean(intervals)
  if (isEarly && config.phiThreshold > mostUpToMean) return true
  return phiOf(silenceMs, SlidingMoments.moments(intervals), config) < config.phiThreshold
}

export const PhiAccrual = {
  empty: ArrivalWindow.empty,
  heartbeat,
  sampledHeartbeat,
  arrival: ArrivalWindow.arrival,
  giveBack: ArrivalWindow.giveBack,
  phi,
  level: phi,
  isAlive,
  lastArrivalMs: ArrivalWindow.lastArrivalMs,
  lastHeartbeat: ArrivalWindow.lastArrivalMs
} satisfies Detector & Record<string, unknown>
