/**
 * Which heartbeats tell something about a peer's rhythm. A heartbeat out of turn (an immediate answer, a
 * vote) would make the peer look faster than it is; the silence of an outage, taken as a sample, would
 * blind the detector: one of 24 s among a few raises the time to suspicion above a minute.
 */
import { ArrivalWindow } from "./ArrivalWindow.ts"
import type { PhiAccrualConfig } from "./PhiAccrualConfig.ts"

/** Samples are at least this share of `heartbeatIntervalMs` apart. */
export const minSampleSpacing = 0.7

/**
 * What a heartbeat is to the window: its `first`; a `sample`; `early`, only a sign of life; or the end of an
 * `outage` of more than `maxNoHeartbeatMs`, from which the next interval is measured.
 */
export type HeartbeatKind = "first" | "sample" | "early" | "outage"

export const heartbeatKind = (
  window: ArrivalWindow,
  nowMs: number,
  config: Pick<PhiAccrualConfig, "heartbeatIntervalMs" | "maxNoHeartbeatMs">
): HeartbeatKind => {
  if (window.lastSampleMs === undefined) return "first"
  const gapMs = ArrivalWindow.elapsed(window.lastSampleMs, nowMs)
  if (gapMs > config.maxNoHeartbeatMs) return "outage"
  return gapMs < minSampleSpacing * config.heartbeatIntervalMs ? "early" : "sample"
}

/** The window after a heartbeat of which only a regular one becomes a sample. */
export const sampledHeartbeat = (window: ArrivalWindow, nowMs: number, config: PhiAccrualConfig): ArrivalWindow => {
  switch (heartbeatKind(window, nowMs, config)) {
    case "sample":
      return ArrivalWindow.sample(window, nowMs, config.maxSampleSize)
    case "early":
      return ArrivalWindow.arrival(window, nowMs)
    case "first":
    case "outage":
      return ArrivalWindow.restart(window, nowMs)
  }
}
