/** Bounds and waiting times of the data plane, with what happens at each. Times are milliseconds. */
import type { Result } from "effect"
import { ClusterConfig } from "../model/ClusterConfig.ts"
import { type InvalidConfig, isWholeIn, require, type Requirement } from "../model/InvalidConfig.ts"

/** Bounds and waiting times of one node. */
export interface DataSettings {
  /** Clients' requests that a node has under way; further ones are `Overloaded`. Default 16,384. */
  readonly maxRequests: number
  /** Writes of one partition that wait for replicas; further ones are refused as overloaded. Default 4096. */
  readonly maxPendingWrites: number
  /** Bytes of the writes of a node that wait for replicas; as before. Default 32 MiB. */
  readonly maxPendingBytes: number
  /** Bytes of records in one part of a copy, as much as a node reads, sends or merges at once. Default 64 KiB. */
  readonly chunkBytes: number
  /** Bytes of a copy sent and not yet merged. Default 512 KiB. */
  readonly copyWindowBytes: number
  /** The same of all copies of a node together. Default 8 MiB. */
  readonly maxCopyBytes: number
  /** Bytes of changes that wait to be sent behind a copy; beyond, writes to the partition are refused as overloaded. Default 4 MiB. */
  readonly maxDeltaBytes: number
  /**
   * Bytes per second that a node sends in copies: more would take the time of its clients. They flow evenly, and slower
   * when the node is busy; what clients change meanwhile comes on top. Default 4 MiB.
   */
  readonly copyBytesPerSecond: number
  /** Requests that the store has not answered; further ones of clients are refused as overloaded. Default 32,768. */
  readonly maxStoreRequests: number
  /** Scans of maps that are open at a node; further ones are refused as overloaded. Default 256. */
  readonly maxScans: number
  /** A scan that nobody goes on with is closed after this. Default 10,000. */
  readonly scanIdleMs: number
  /** How often a request that was refused for now is tried again. Default 30. */
  readonly retryMs: number
  /**
   * How often what was not answered is sent again: ready, declarations; records (replicate, offers) after that time
   * first, then less and less often. Default 500.
   */
  readonly resendMs: number
  /** A copy without progress is given up by its source after this. Default 10,000. */
  readonly copyStallMs: number
  /**
   * How long an owner waits for those who may still hold a partition without survivors; then it opens the partition
   * without them, and reports it lost if nobody had anything. Default: twice `splitBrainCheckIntervalMs` and five
   * heartbeat intervals (65,000), so that parts of a split that has healed meet before.
   */
  readonly recoveryTimeoutMs: number
  /** How often an owner compares digests with its replicas. Default 10,000. */
  readonly repairIntervalMs: number
  /** Nodes of a digest tree in one message. Default 64. */
  readonly maxDigestNodes: number
  /**
   * Tombstones are kept at least this long. Who was away longer is set aside. At least 1.25 times `recoveryTimeoutMs`,
   * or what an owner still waits for would be too old when it comes. Default a day.
   */
  readonly tombstoneHorizonMs: number
  /** A peer's clock may be ahead by this before it is not followed. Default 60,000. */
  readonly maxClockDriftMs: number
}

const recoveryTimeoutOf = ({ heartbeatIntervalMs, splitBrainCheckIntervalMs }: ClusterConfig): number =>
  2 * splitBrainCheckIntervalMs + 5 * heartbeatIntervalMs

/** With the configuration of the cluster that is the original's default. */
export const defaultDataSettings: DataSettings = {
  maxRequests: 16_384,
  maxPendingWrites: 4096,
  maxPendingBytes: 32 * 2 ** 20,
  chunkBytes: 64 * 1024,
  copyWindowBytes: 2 ** 19,
  maxCopyBytes: 8 * 2 ** 20,
  maxDeltaBytes: 4 * 2 ** 20,
  copyBytesPerSecond: 4 * 2 ** 20,
  maxStoreRequests: 32_768,
  maxScans: 256,
  scanIdleMs: 10_000,
  retryMs: 30,
  resendMs: 500,
  copyStallMs: 10_000,
  recoveryTimeoutMs: recoveryTimeoutOf(ClusterConfig.defaults),
  repairIntervalMs: 10_000,
  maxDigestNodes: 64,
  tombstoneHorizonMs: 24 * 3_600_000,
  maxClockDriftMs: 60_000
}

/** The settings of a node of a cluster with this configuration: what is given, and the defaults. */
export const dataSettingsOf = (config: ClusterConfig, given: Partial<DataSettings> = {}): DataSettings => ({
  ...defaultDataSettings,
  recoveryTimeoutMs: recoveryTimeoutOf(config),
  ...given
})

/** Longest time that any of them may be: 30 days. */
const maxMs = 30 * 86_400_000
/** Of the horizon: data that was out of touch for longer is set aside. What is recovered has to be younger. */
const recoveredShare = 0.8

const whole = (field: keyof DataSettings, minimum: number, maximum: number): Requirement<DataSettings> => ({
  field,
  holds: (settings) => isWholeIn(settings[field], minimum, maximum),
  wanted: `a whole number of ${minimum}…${maximum}`
})

const requirements: ReadonlyArray<Requirement<DataSettings>> = [
  whole("maxRequests", 1, 2 ** 24),
  whole("maxPendingWrites", 1, 2 ** 24),
  whole("maxPendingBytes", 1, 2 ** 40),
  whole("chunkBytes", 1, 4 * 2 ** 20),
  whole("copyWindowBytes", 1, 2 ** 32),
  whole("maxCopyBytes", 1, 2 ** 40),
  whole("maxDeltaBytes", 1, 2 ** 40),
  whole("copyBytesPerSecond", 1, 2 ** 40),
  whole("maxStoreRequests", 1, 2 ** 24),
  whole("maxScans", 1, 2 ** 20),
  whole("scanIdleMs", 1, maxMs),
  whole("retryMs", 1, maxMs),
  whole("resendMs", 1, maxMs),
  whole("copyStallMs", 1, maxMs),
  whole("recoveryTimeoutMs", 1, maxMs),
  whole("repairIntervalMs", 1, maxMs),
  whole("maxDigestNodes", 1, 65_536),
  whole("maxClockDriftMs", 0, maxMs),
  {
    field: "tombstoneHorizonMs",
    holds: ({ recoveryTimeoutMs, tombstoneHorizonMs }) =>
      isWholeIn(tombstoneHorizonMs, 1, 100 * maxMs) && recoveredShare * tombstoneHorizonMs >= recoveryTimeoutMs,
    wanted:
      "at least 1.25 times recoveryTimeoutMs, which is twice splitBrainCheckIntervalMs and five heartbeat intervals unless it is set"
  }
]

/** The settings themselves, or the first with which no data would be safe. */
export const validateDataSettings = (settings: DataSettings): Result.Result<DataSettings, InvalidConfig> =>
  require(settings, requirements)
