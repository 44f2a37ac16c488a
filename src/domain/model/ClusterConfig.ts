/**
 * The eleven settings of the original, with its names and defaults. The schema checks types only, as
 * the original does; `ClusterConfig.validate` refuses values with which a cluster cannot work, and
 * runs when a node starts. Everything else that can be set stands in `NodeConfig`.
 */
import { Result, Schema } from "effect"
import { parseAddress } from "./Address.ts"
import { InvalidConfig, isName, isWholeIn, require, type Requirement } from "./InvalidConfig.ts"
import { F64, Text, U32, U64 } from "./Scalars.ts"

const schema = Schema.Struct({
  /** Clusters with different ids never join or merge. Default `""`. */
  clusterId: Text,
  /** `host:port` of nodes to ask for the cluster, at least one of them up at a start. Default none: found alone. */
  seedAddresses: Schema.Array(Text),
  /** Milliseconds between two heartbeats to a peer, 10…60,000. Default 1000. */
  heartbeatIntervalMs: U64,
  /** Suspicion level from which a member is suspected, above 0. Default 8: one false alarm in 10^8 intervals. */
  phiThreshold: F64,
  /** Heartbeat intervals remembered for each peer, 1…100,000. Default 200. */
  maxSampleSize: U64,
  /** Floor of the intervals' standard deviation in milliseconds. Default 100. */
  minStdDevMs: U64,
  /** Silence in milliseconds that counts as an outage before enough intervals are known; at least one heartbeat interval. Default 5000. */
  maxNoHeartbeatMs: U64,
  /** Milliseconds of continuous suspicion by a quorum until a member is declared dead; at least one heartbeat interval. Default 10,000. */
  suspicionTimeoutMs: U64,
  /** Copies of each partition beside the owner's, 0…15. Default 1. */
  backupCount: U32,
  /** Migrations that run at the same time, 1…1024. Default 2. */
  maxParallelMigrations: U32,
  /** Milliseconds between probes for other parts of a split cluster, at least 100. Default 30,000. */
  splitBrainCheckIntervalMs: U64
})

export type ClusterConfig = typeof schema.Type

const defaults: ClusterConfig = {
  clusterId: "",
  seedAddresses: [],
  heartbeatIntervalMs: 1000,
  phiThreshold: 8,
  maxSampleSize: 200,
  minStdDevMs: 100,
  maxNoHeartbeatMs: 5000,
  suspicionTimeoutMs: 10_000,
  backupCount: 1,
  maxParallelMigrations: 2,
  splitBrainCheckIntervalMs: 30_000
}

/** Seeds that a node may be given: all of them travel in every join request. */
export const maxSeeds = 32

const requirements: ReadonlyArray<Requirement<ClusterConfig>> = [
  { field: "clusterId", holds: (c) => isName(c.clusterId, 0), wanted: "a name of at most 255 characters" },
  {
    field: "seedAddresses",
    holds: (c) => c.seedAddresses.length <= maxSeeds,
    wanted: `at most ${maxSeeds} addresses; a few nodes that are usually up are enough`
  },
  {
    field: "seedAddresses",
    holds: (c) => c.seedAddresses.every((address) => Result.isSuccess(parseAddress(address))),
    wanted: "each of the form host:port with a port of 1…65535, for example 10.0.0.1:9090 or [::1]:9090"
  },
  {
    field: "heartbeatIntervalMs",
    holds: (c) => isWholeIn(c.heartbeatIntervalMs, 10, 60_000),
    wanted: "10…60000 milliseconds"
  },
  {
    field: "phiThreshold",
    holds: (c) => Number.isFinite(c.phiThreshold) && c.phiThreshold > 0,
    wanted: "a finite number above 0 (8 is usual)"
  },
  {
    field: "maxSampleSize",
    holds: (c) => isWholeIn(c.maxSampleSize, 1, 100_000),
    wanted: "1…100000 samples"
  },
  { field: "minStdDevMs", holds: (c) => isWholeIn(c.minStdDevMs, 0, 60_000), wanted: "0…60000 milliseconds" },
  {
    field: "maxNoHeartbeatMs",
    holds: (c) => isWholeIn(c.maxNoHeartbeatMs, c.heartbeatIntervalMs, 86_400_000),
    wanted: "at least heartbeatIntervalMs, at most a day (86400000 milliseconds)"
  },
  {
    field: "suspicionTimeoutMs",
    holds: (c) => isWholeIn(c.suspicionTimeoutMs, c.heartbeatIntervalMs, 86_400_000),
    wanted: "at least heartbeatIntervalMs, at most a day (86400000 milliseconds)"
  },
  { field: "backupCount", holds: (c) => isWholeIn(c.backupCount, 0, 15), wanted: "0…15 backups" },
  {
    field: "maxParallelMigrations",
    holds: (c) => isWholeIn(c.maxParallelMigrations, 1, 1024),
    wanted: "1…1024 migrations"
  },
  {
    field: "splitBrainCheckIntervalMs",
    holds: (c) => isWholeIn(c.splitBrainCheckIntervalMs, 100, 86_400_000),
    wanted: "100…86400000 milliseconds"
  }
]

/** The configuration itself, or the first setting with which no cluster can work. */
const validate = (config: ClusterConfig): Result.Result<ClusterConfig, InvalidConfig> => require(config, requirements)

export const ClusterConfig = Object.assign(schema, { defaults, validate })
