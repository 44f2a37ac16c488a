/**
 * Everything about one node that the original's `ClusterConfig` does not hold: who it is, where it
 * listens, and the bounds within which it works.
 */
import { Result, Schema } from "effect"
import { InvalidConfig, isName, isWholeIn, require, type Requirement } from "./InvalidConfig.ts"
import { NodeId, Text, U16, U32, U64 } from "./Scalars.ts"
import { defaultPartitionCount } from "./Partition.ts"

const schema = Schema.Struct({
  /** Unique in the cluster; kept over restarts. */
  nodeId: NodeId,
  /** Address to listen on. Default 127.0.0.1. */
  host: Text,
  /** Host that others are told to dial. Default: `host`. */
  advertiseHost: Text,
  /** Port of the cluster protocol, 0…65535; 0 lets the system choose. */
  clusterPort: U16,
  /** Port on which clients find this node; told to them, not opened by the kernel. */
  clientPort: U16,
  /** Failure domain of this node: backups go to other zones. Absent: a zone of its own decision. */
  zone: Schema.optionalKey(Text),
  /** Shared secret of the cluster; compared in constant time. Absent: anyone may join. */
  authToken: Schema.optionalKey(Text),
  /** Partitions of the cluster, equal on all nodes, 1…2^20. Default 271. */
  partitionCount: U32,
  /** Members that a cluster admits, 1…10,000. Default 1000. */
  maxMembers: U32,
  /** Milliseconds after which a node that found no cluster gives up, at least 1000. Default 30,000. */
  joinTimeoutMs: U64,
  /** Milliseconds after which a leaving node goes in any state, at least 1000; counts once it has handed over. Default 60,000. */
  leaveTimeoutMs: U64,
  /**
   * Milliseconds that a leaving node with data stays at most until others hold its partitions; then it goes without, and
   * says so. 0: it does not hand over. Default 600,000.
   */
  drainTimeoutMs: U64,
  /** Shortest and longest wait before a lost connection is dialled again, with jitter. Defaults 50 and 5000. */
  redialMinMs: U64,
  redialMaxMs: U64
})

export type NodeConfig = typeof schema.Type

const defaults = {
  host: "127.0.0.1",
  clusterPort: 0,
  clientPort: 0,
  partitionCount: defaultPartitionCount,
  maxMembers: 1000,
  joinTimeoutMs: 30_000,
  leaveTimeoutMs: 60_000,
  drainTimeoutMs: 600_000,
  redialMinMs: 50,
  redialMaxMs: 5000
} as const

/** A node's configuration from its id and whatever differs from the defaults. */
const make = (given: Partial<NodeConfig> & Pick<NodeConfig, "nodeId">): NodeConfig => ({
  ...defaults,
  advertiseHost: given.host ?? defaults.host,
  ...given
})

const wildcardHosts: ReadonlySet<string> = new Set(["0.0.0.0", "::", ""])

const requirements: ReadonlyArray<Requirement<NodeConfig>> = [
  {
    field: "nodeId",
    holds: (c) => isName(c.nodeId, 1),
    wanted: "a name of 1…255 characters"
  },
  { field: "host", holds: (c) => c.host.length <= 255, wanted: "an address to listen on, for example 127.0.0.1" },
  {
    field: "advertiseHost",
    holds: (c) => !wildcardHosts.has(c.advertiseHost) && isName(c.advertiseHost, 1),
    wanted: "a host that other nodes can dial (not a wildcard address)"
  },
  { field: "clusterPort", holds: (c) => isWholeIn(c.clusterPort, 0, 65_535), wanted: "a port, or 0 for any free one" },
  { field: "clientPort", holds: (c) => isWholeIn(c.clientPort, 0, 65_535), wanted: "a port of 0…65535" },
  {
    field: "zone",
    holds: (c) => c.zone === undefined || isName(c.zone, 1),
    wanted: "a name of 1…255 characters"
  },
  {
    field: "partitionCount",
    holds: (c) => isWholeIn(c.partitionCount, 1, 2 ** 20),
    wanted: "1…1048576 partitions"
  },
  { field: "maxMembers", holds: (c) => isWholeIn(c.maxMembers, 1, 10_000), wanted: "1…10000 members" },
  {
    field: "joinTimeoutMs",
    holds: (c) => isWholeIn(c.joinTimeoutMs, 1000, Number.MAX_SAFE_INTEGER),
    wanted: "at least 1000 milliseconds"
  },
  {
    field: "leaveTimeoutMs",
    holds: (c) => isWholeIn(c.leaveTimeoutMs, 1000, Number.MAX_SAFE_INTEGER),
    wanted: "at least 1000 milliseconds"
  },
  {
    field: "drainTimeoutMs",
    holds: (c) => isWholeIn(c.drainTimeoutMs, 0, Number.MAX_SAFE_INTEGER),
    wanted: "a whole number of milliseconds"
  },
  { field: "redialMinMs", holds: (c) => isWholeIn(c.redialMinMs, 1, 600_000), wanted: "1…600000 milliseconds" },
  {
    field: "redialMaxMs",
    holds: (c) => isWholeIn(c.redialMaxMs, c.redialMinMs, 600_000),
    wanted: "at least redialMinMs, at most 600000 milliseconds"
  }
]

const isToken = (token: string | undefined): boolean => token === undefined || isName(token, 1)

/** The configuration itself, or the first setting with which no node can work. */
const validate = (config: NodeConfig): Result.Result<NodeConfig, InvalidConfig> =>
  isToken(config.authToken)
    ? require(config, requirements)
    : // Without its value: a secret must not reach a log.
      Result.fail(
        new InvalidConfig({ field: "authToken", value: "empty or too long", wanted: "a secret of 1…255 characters" })
      )

export const NodeConfig = Object.assign(schema, { defaults, of: make, validate })
