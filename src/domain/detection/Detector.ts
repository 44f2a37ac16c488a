/**
 * The pure side of a failure detector: from a peer's signs of life and the time to a level of suspicion.
 * The protocol core takes one as an argument; `PhiAccrual` and `Deadline` are two of them, and exchanging
 * one for the other leaves the windows in the protocol's state valid.
 */
import type { ArrivalWindow } from "./ArrivalWindow.ts"
import type { PhiAccrualConfig } from "./PhiAccrualConfig.ts"

export interface Detector {
  /** The window of a peer that has not been heard. */
  readonly empty: ArrivalWindow
  /** A heartbeat at `nowMs`, taken as it comes. */
  readonly heartbeat: (window: ArrivalWindow, nowMs: number, config: PhiAccrualConfig) => ArrivalWindow
  /** A heartbeat at `nowMs`, of which only a regular one tells something about the peer's rhythm. */
  readonly sampledHeartbeat: (window: ArrivalWindow, nowMs: number, config: PhiAccrualConfig) => ArrivalWindow
  /** A sign of life that is no heartbeat. */
  readonly arrival: (window: ArrivalWindow, nowMs: number) => ArrivalWindow
  /** Time in which this process stood still is not held against the peer. */
  readonly giveBack: (window: ArrivalWindow, missedMs: number, nowMs: number) => ArrivalWindow
  /** Suspicion, 0 or more, never falling while a peer is silent. A peer never heard has level 0. */
  readonly level: (window: ArrivalWindow, nowMs: number, config: PhiAccrualConfig) => number
  /** Whether the level is still below suspicion. A peer never heard is alive. */
  readonly isAlive: (window: ArrivalWindow, nowMs: number, config: PhiAccrualConfig) => boolean
  /** The last sign of life, `undefined` when there never was one. */
  readonly lastArrivalMs: (window: ArrivalWindow) => number | undefined
}
