/** The settings of failure detection: the five of `ClusterConfig` that concern it, with its defaults. */
import { Result, Schema } from "effect"
import { ClusterConfig } from "../model/ClusterConfig.ts"
import type { InvalidConfig } from "../model/InvalidConfig.ts"
import { F64, U64 } from "../model/Scalars.ts"

const schema = Schema.Struct({
  /** Suspicion level from which a peer is suspected, above 0. Default 8. */
  phiThreshold: F64,
  /** Heartbeat intervals remembered, 1…100,000; older ones are dropped. Default 200. */
  maxSampleSize: U64,
  /** Floor of the intervals' standard deviation in milliseconds. Default 100. */
  minStdDevMs: U64,
  /** Silence in milliseconds that counts as an outage while fewer than 3 intervals are known. Default 5000. */
  maxNoHeartbeatMs: U64,
  /** Milliseconds between two heartbeats of a healthy peer. Default 1000. */
  heartbeatIntervalMs: U64
})

export type PhiAccrualConfig = typeof schema.Type

const fromClusterConfig = (config: ClusterConfig): PhiAccrualConfig => ({
  phiThreshold: config.phiThreshold,
  maxSampleSize: config.maxSampleSize,
  minStdDevMs: config.minStdDevMs,
  maxNoHeartbeatMs: config.maxNoHeartbeatMs,
  heartbeatIntervalMs: config.heartbeatIntervalMs
})

const defaults = fromClusterConfig(ClusterConfig.defaults)

/** The configuration itself, or the first setting with which no detector can work. */
const validate = (config: PhiAccrualConfig): Result.Result<PhiAccrualConfig, InvalidConfig> =>
  Result.map(ClusterConfig.validate({ ...ClusterConfig.defaults, ...config }), () => config)

export const PhiAccrualConfig = Object.assign(schema, { defaults, fromClusterConfig, validate })
