/** `squadron node`: runs one node of a cluster until it is asked to leave. */
import { Config, Effect, Layer, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { ClusterConfig } from "../domain/model/ClusterConfig.ts"
import { NodeConfig } from "../domain/model/NodeConfig.ts"
import { defaultDataSettings } from "../domain/replication/DataSettings.ts"
import { available, majority, type QuorumPolicy, staticQuorum } from "../domain/protocol/Quorum.ts"
import * as PartitionStoreMemory from "../layers/PartitionStoreMemory.ts"
import * as PartitionStoreSqlite from "../layers/PartitionStoreSqlite.ts"
import type { StoreFailed, StoreFull } from "../services/StoreErrors.ts"
import { CommandFailed } from "./Failure.ts"
import { type NodeStore, runNode } from "./node/NodeProgram.ts"

const described =
  (description: string, byDefault?: string | number) =>
  <A>(flag: Flag.Flag<A>): Flag.Flag<A> =>
    Flag.withDescription(flag, byDefault === undefined ? description : `${description} (default ${byDefault})`)

/** Whole numbers of a wire type; what makes sense within it is the configuration's to say. */
const count = (name: string, description: string, byDefault: number) =>
  Flag.Int(name).pipe(
    Flag.filter(
      (value) => value >= 0 && value <= 0xffff_ffff,
      () => "a whole number of 0 or more"
    ),
    described(description, byDefault),
    Flag.withDefault(byDefault)
  )

const port = (name: string, description: string) =>
  Flag.Int(name).pipe(
    Flag.withMetavar("port"),
    Flag.filter(
      (value) => value >= 0 && value <= 65_535,
      () => "a port of 1…65535, or 0 for any free one"
    ),
    described(description, 0),
    Flag.withDefault(0)
  )

const policyOf = (text: string): Option.Option<QuorumPolicy> => {
  if (text === "available") return Option.some(available)
  if (text === "majority") return Option.some(majority)
  return /^[1-9][0-9]{0,4}$/.test(text) ? Option.some(staticQuorum(Number(text))) : Option.none()
}

const hints: Readonly<Record<StoreFailed["reason"], string>> = {
  unavailable: "check that its folder is there, and that this user may write in it",
  locked: "another process has it: give each node a file of its own",
  corrupted: "choose another file, or bring this one back from a backup",
  version: "run the release that has written it, or choose another file",
  closed: "start the node again",
  overloaded: "start the node again"
}

/** Why a store cannot be opened, as a line that names it and says what to do. */
const unopened = (text: string, error: StoreFailed | StoreFull): CommandFailed => {
  const hint = error._tag === "StoreFull" ? "make room" : hints[error.reason]
  return new CommandFailed({ message: `--store ${text}: ${error.message}; ${hint}`, exitCode: 1 })
}

const storeOf = (text: string): Option.Option<NodeStore> => {
  if (text === "memory") return Option.some(PartitionStoreMemory.layer())
  if (!text.startsWith("sqlite:") || text.length === "sqlite:".length) return Option.none()
  const store = PartitionStoreSqlite.layer({ path: text.slice("sqlite:".length) })
  const told = store.pipe(Layer.catch((error) => Layer.effectContext(Effect.fail(unopened(text, error)))))
  return Option.some(told)
}

const cluster = ClusterConfig.defaults
const own = NodeConfig.defaults

const flags = {
  nodeId: Flag.String("node-id").pipe(
    Flag.withMetavar("name"),
    described("Name of this node: unique in the cluster, and the same after a restart")
  ),
  clusterId: Flag.String("cluster-id").pipe(
    Flag.withMetavar("name"),
    described("Name of the cluster; nodes with another one are refused", '""'),
    Flag.withDefault(cluster.clusterId)
  ),
  seeds: Flag.String("seeds").pipe(
    Flag.withMetavar("host:port,…"),
    described(
      "Nodes to ask for the cluster, separated by commas; this node itself may be among them",
      "none: found one"
    ),
    Flag.withDefault("")
  ),
  host: Flag.String("host").pipe(
    Flag.withMetavar("address"),
    described("Address to listen on; 0.0.0.0 for all", own.host),
    Flag.withDefault(own.host)
  ),
  advertiseHost: Flag.String("advertise-host").pipe(
    Flag.withMetavar("host"),
    described("Host that other nodes are told to dial (default: what --host says)"),
    Flag.optional
  ),
  clusterPort: port("cluster-port", "Port that other nodes dial; 0 takes a free one"),
  clientPort: port("client-port", "Port at which clients find this node; it is announced, not opened"),
  zone: Flag.String("zone").pipe(
    Flag.withMetavar("name"),
    described("Failure domain of this node, such as a rack: backups go to other zones (default: none)"),
    Flag.optional
  ),
  policy: Flag.String("policy").pipe(
    Flag.filterMap(policyOf, () => "available, majority, or a number of nodes from 1"),
    Flag.withMetavar("available|majority|n"),
    described(
      "Who goes on in a split: every side, the majority, or a majority of at least n nodes; the same on all nodes",
      "available"
    ),
    Flag.withDefault(available)
  ),
  backupCount: count("backup-count", "Copies of each partition beside the owner's, 0…15", cluster.backupCount),
  partitionCount: count(
    "partition-count",
    "Partitions of the cluster, 1…1048576, the same on all nodes",
    own.partitionCount
  ),
  maxMembers: count("max-members", "Members that the cluster admits, 1…10000", own.maxMembers),
  heartbeatIntervalMs: count(
    "heartbeat-interval-ms",
    "Milliseconds between two heartbeats to a peer, 10…60000",
    cluster.heartbeatIntervalMs
  ),
  phiThreshold: Flag.Finite("phi-threshold").pipe(
    described("Suspicion level from which a silent member is suspected, above 0", cluster.phiThreshold),
    Flag.withDefault(cluster.phiThreshold)
  ),
  maxNoHeartbeatMs: count(
    "max-no-heartbeat-ms",
    "Milliseconds of silence that count as an outage before enough heartbeats are known",
    cluster.maxNoHeartbeatMs
  ),
  suspicionTimeoutMs: count(
    "suspicion-timeout-ms",
    "Milliseconds of suspicion by a quorum until a member is declared dead",
    cluster.suspicionTimeoutMs
  ),
  splitBrainCheckIntervalMs: count(
    "split-brain-check-interval-ms",
    "Milliseconds between two looks for other parts of a split cluster: the wait for a merge after a split has healed",
    cluster.splitBrainCheckIntervalMs
  ),
  joinTimeoutMs: count(
    "join-timeout-ms",
    "Milliseconds after which a node that found no cluster gives up, at least 1000",
    own.joinTimeoutMs
  ),
  leaveTimeoutMs: count(
    "leave-timeout-ms",
    "Milliseconds after which a leaving node goes in any state, at least 1000",
    own.leaveTimeoutMs
  ),
  drainTimeoutMs: count(
    "drain-timeout-ms",
    "Milliseconds that a leaving node with data stays at most until others hold its partitions; 0: it does not hand over",
    own.drainTimeoutMs
  ),
  store: Flag.String("store").pipe(
    Flag.filterMap(storeOf, () => "memory, or sqlite: and the path of a file"),
    Flag.withMetavar("memory|sqlite:path"),
    described("Where this node keeps the data of its partitions (default: it keeps none)"),
    Flag.optional
  ),
  copyBytesPerSecond: Flag.Int("copy-bytes-per-second").pipe(
    Flag.filter(
      (value) => value >= 1,
      () => "a whole number of 1 or more"
    ),
    described(
      "Bytes per second that this node sends in copies of partitions; more would take the time of its clients",
      defaultDataSettings.copyBytesPerSecond
    ),
    Flag.withDefault(defaultDataSettings.copyBytesPerSecond)
  ),
  report: Flag.Boolean("report").pipe(
    described("Print one JSON object per line on stdout whenever this node's view, master or partition table changes"),
    Flag.withoutNegation,
    Flag.withDefault(false)
  ),
  stopWithStdin: Flag.Boolean("stop-with-stdin").pipe(
    described("Leave also when stdin ends, so that no node outlives a supervisor that holds its stdin"),
    Flag.withoutNegation,
    Flag.withDefault(false)
  ),
  drive: Flag.Boolean("drive").pipe(
    described(
      "Carry out operations on a map that come in on stdin, and answer on stdout, as JSON, one object per line; for " +
        "programs that try out a cluster, such as the demo. Without --store data is kept in memory"
    ),
    Flag.withoutNegation,
    Flag.withDefault(false)
  )
}

/** `a:1, b:2` → `["a:1", "b:2"]`; whether they are addresses is the configuration's to say. */
const parseSeeds = (list: string): ReadonlyArray<string> =>
  list
    .split(",")
    .map((seed) => seed.trim())
    .filter((seed) => seed !== "")

// Not a flag: arguments of a process can be read by every user of its host.
const token = Config.option(Config.String("SQUADRON_TOKEN"))

export const node = Command.make(
  "node",
  flags,
  Effect.fnUntraced(function* (given) {
    const authToken = yield* token
    const config: ClusterConfig = {
      ...cluster,
      clusterId: given.clusterId,
      seedAddresses: parseSeeds(given.seeds),
      heartbeatIntervalMs: given.heartbeatIntervalMs,
      phiThreshold: given.phiThreshold,
      maxNoHeartbeatMs: given.maxNoHeartbeatMs,
      suspicionTimeoutMs: given.suspicionTimeoutMs,
      splitBrainCheckIntervalMs: given.splitBrainCheckIntervalMs,
      backupCount: given.backupCount
    }
    const nodeConfig = NodeConfig.of({
      nodeId: given.nodeId,
      host: given.host,
      advertiseHost: Option.getOrElse(given.advertiseHost, () => given.host),
      clusterPort: given.clusterPort,
      clientPort: given.clientPort,
      partitionCount: given.partitionCount,
      maxMembers: given.maxMembers,
      joinTimeoutMs: given.joinTimeoutMs,
      leaveTimeoutMs: given.leaveTimeoutMs,
      drainTimeoutMs: given.drainTimeoutMs,
      ...Option.match(given.zone, { onNone: () => ({}), onSome: (zone) => ({ zone }) }),
      ...Option.match(authToken, { onNone: () => ({}), onSome: (authToken) => ({ authToken }) })
    })
    yield* runNode({
      config,
      node: nodeConfig,
      policy: given.policy,
      store: Option.getOrUndefined(given.store),
      copyBytesPerSecond: given.copyBytesPerSecond,
      report: given.report,
      stopWithStdin: given.stopWithStdin,
      drive: given.drive
    })
  })
).pipe(
  Command.withShortDescription("Run one node of a cluster"),
  Command.withDescription(
    "Runs one node of a cluster until SIGTERM or SIGINT; then it leaves in good order and exits with 0 (a second " +
      "signal ends it at once). Logs go to stderr: readable on a terminal, one JSON object per line otherwise. " +
      "A join token is read from the environment variable SQUADRON_TOKEN."
  ),
  Command.withExamples([
    {
      command: "squadron node --node-id a --cluster-port 9001 --seeds 127.0.0.1:9001,127.0.0.1:9002",
      description: "One of two nodes on this host that look for each other, started in any order"
    },
    {
      command: "squadron node --node-id b --cluster-port 9002 --seeds 127.0.0.1:9001,127.0.0.1:9002",
      description: "The other"
    },
    {
      command:
        "SQUADRON_TOKEN=secret squadron node --node-id c --host 0.0.0.0 --advertise-host 10.0.0.7 --cluster-port 9001 --seeds 10.0.0.5:9001",
      description: "Join a cluster on other hosts that asks for a token"
    },
    {
      command: "squadron node --node-id d --seeds 127.0.0.1:9001 --report",
      description: "Print what this node sees, as JSON, at every change"
    },
    {
      command: "squadron node --node-id e --cluster-port 9003 --seeds 127.0.0.1:9001 --store sqlite:/var/lib/e.db",
      description: "Keep partition data in a file"
    }
  ])
)
