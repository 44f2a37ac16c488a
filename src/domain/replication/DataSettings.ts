/** Bounds and waiting times of the data plane, with what happens at each. Times are milliseconds. */
import { ClusterConfig } from "../model/ClusterConfig.ts"

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
  /** Tombstones are kept at least this long. Who was away longer is set aside. Default a day. */
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
