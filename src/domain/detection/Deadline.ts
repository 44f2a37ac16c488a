/**
 * The deadline failure detector: a peer silent for longer than `maxNoHeartbeatMs` is suspected, whatever its
 * rhythm was. Cruder than phi, and easier to predict.
 */
import { ArrivalWindow } from "./ArrivalWindow.ts"
import type { Detector } from "./Detector.ts"
import type { PhiAccrualConfig } from "./PhiAccrualConfig.ts"

type DeadlineConfig = Pick<PhiAccrualConfig, "maxNoHeartbeatMs">

/** The level when the deadline is reached: phi's usual threshold, so that both detectors share a scale. */
const levelAtDeadline = 8

/** No intervals are kept. */
const heartbeat = (window: ArrivalWindow, nowMs: number, _config: DeadlineConfig): ArrivalWindow =>
  ArrivalWindow.restart(window, nowMs)

/**
 * Silence in deadlines, times 8; 0 for a peer never heard. NaN only for a `maxNoHeartbeatMs` of 0, which
 * `PhiAccrualConfig.validate` refuses.
 */
const level = (window: ArrivalWindow, nowMs: number, config: DeadlineConfig): number =>
  window.lastArrivalMs === undefined
    ? 0
    : (ArrivalWindow.elapsed(window.lastArrivalMs, nowMs) / config.maxNoHeartbeatMs) * levelAtDeadline

/** The silence does not exceed `maxNoHeartbeatMs`. */
const isAlive = (window: ArrivalWindow, nowMs: number, config: DeadlineConfig): boolean =>
  window.lastArrivalMs === undefined || ArrivalWindow.elapsed(window.lastArrivalMs, nowMs) <= config.maxNoHeartbeatMs

export const Deadline = {
  empty: ArrivalWindow.empty,
  heartbeat,
  sampledHeartbeat: heartbeat,
  arrival: ArrivalWindow.arrival,
  giveBack: ArrivalWindow.giveBack,
  phi: level,
  level,
  isAlive,
  lastArrivalMs: ArrivalWindow.lastArrivalMs,
  lastHeartbeat: ArrivalWindow.lastArrivalMs
} satisfies Detector & Record<string, unknown>
