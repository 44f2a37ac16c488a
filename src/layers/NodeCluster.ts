/** One node as a program runs it: over TCP, with phi accrual, minimal movement and, unless told otherwise, the policy `available`. */
import { Effect, Layer, Result } from "effect"
import { parseAddress } from "../domain/model/Address.ts"
import { ClusterConfig } from "../domain/model/ClusterConfig.ts"
import { dataSettingsOf, validateDataSettings } from "../domain/replication/DataSettings.ts"
import type { InvalidConfig } from "../domain/model/InvalidConfig.ts"
import { NodeConfig } from "../domain/model/NodeConfig.ts"
import { AssignmentPlanner } from "../services/AssignmentPlanner.ts"
import { available, type QuorumPolicy } from "../domain/protocol/Quorum.ts"
import { defaultTopology, type Topology } from "../domain/protocol/Topology.ts"
import type { JoinFailed } from "../services/ClusterErrors.ts"
import type { FailureDetector } from "../services/FailureDetector.ts"
import type { MapStore } from "../services/MapStore.ts"
import { MonitoringTopology } from "../services/MonitoringTopology.ts"
import { SplitBrainPolicy } from "../services/SplitBrainPolicy.ts"
import { Transport } from "../services/Transport.ts"
import type { TransportLimits } from "../services/TransportLimits.ts"
import * as Cluster from "./Cluster.ts"
import type * as PartitionDataLive from "./PartitionDataLive.ts"
import { PhiAccrualFailureDetector } from "./PhiAccrualFailureDetector.ts"
import type { TransportBindError } from "./transport/TransportBindError.ts"
import * as TransportTcp from "./TransportTcp.ts"

export interface NodeClusterOptions extends Cluster.ClusterOptions {
  /** Bounds of the transport that differ from `TransportLimits.defaults`. */
  readonly limits?: Partial<TransportLimits>
  /** Who must agree, the same on all nodes of a cluster. Default `available`. */
  readonly policy?: QuorumPolicy
  /** Who watches whom, the same on all nodes of a cluster. Default all-to-all up to 100 members, rings above. */
  readonly topology?: Topology
}

export interface NodeDataOptions<E> extends NodeClusterOptions, PartitionDataLive.Options {
  /** Where the node keeps the data of its partitions. With it the node offers maps. */
  readonly store: Layer.Layer<MapStore, E>
}

// With port 0 the system chooses one, and that is what others are told.
const withBoundPort = <Options extends NodeClusterOptions>(
  options: Options
): Effect.Effect<Options, never, Transport> =>
  Effect.map(Transport, (transport) => {
    const bound = parseAddress(transport.localAddress)
    const clusterPort = Result.isSuccess(bound) ? bound.success.port : options.node.clusterPort
    return { ...options, node: { ...options.node, clusterPort } }
  })

// Before anything is opened: a port that makes no sense is a setting to mend, not a failure to listen.
const validated = ({
  config,
  node,
  settings
}: NodeClusterOptions & PartitionDataLive.Options): Effect.Effect<unknown, InvalidConfig> =>
  Effect.all([
    Effect.fromResult(ClusterConfig.validate(config)),
    Effect.fromResult(NodeConfig.validate(node)),
    Effect.fromResult(validateDataSettings(dataSettingsOf(config, settings)))
  ])

// All but the node itself.
const parts = (options: NodeClusterOptions) =>
  TransportTcp.layer({ host: options.node.host, port: options.node.clusterPort, ...options.limits }).pipe(
    Layer.provideMerge(PhiAccrualFailureDetector.layerFor(options.config)),
    Layer.provideMerge(AssignmentPlanner.layerMinimalMovement),
    Layer.provideMerge(Layer.succeed(SplitBrainPolicy, options.policy ?? available)),
    Layer.provideMerge(Layer.succeed(MonitoringTopology, options.topology ?? defaultTopology))
  )

type NodeServices = Cluster.ClusterServices | Transport | FailureDetector
type NodeError = InvalidConfig | JoinFailed | TransportBindError

/** The node with every part as it ships; with a `store` it keeps data, and offers maps. */
export function layer<E>(options: NodeDataOptions<E>): Layer.Layer<NodeServices | Cluster.DataServices, NodeError | E>
export function layer(
  options: NodeClusterOptions & { readonly store?: undefined }
): Layer.Layer<NodeServices, NodeError>
export function layer<E>(
  options: NodeDataOptions<E> | (NodeClusterOptions & { readonly store?: undefined })
): Layer.Layer<NodeServices, NodeError | E> {
  const node =
    options.store === undefined
      ? Layer.unwrap(Effect.map(withBoundPort(options), Cluster.layer))
      : Layer.unwrap(Effect.map(withBoundPort(options), Cluster.layerWithData)).pipe(Layer.provide(options.store))
  return Layer.unwrap(Effect.as(validated(options), node.pipe(Layer.provideMerge(parts(options)))))
}
