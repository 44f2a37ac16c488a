/**
 * Nodes in one process, over a network of plain queues: the real protocol and the real services, with
 * no sockets. Time is whatever clock the spec runs under, so under `TestClock` it passes only when the
 * spec says so.
 */
import { Effect, Layer } from "effect"
import { formatAddress } from "../domain/model/Address.ts"
import { ClusterConfig } from "../domain/model/ClusterConfig.ts"
import type { InvalidConfig } from "../domain/model/InvalidConfig.ts"
import { NodeConfig } from "../domain/model/NodeConfig.ts"
import * as Cluster from "../layers/Cluster.ts"
import type * as PartitionDataLive from "../layers/PartitionDataLive.ts"
import { PhiAccrualFailureDetector } from "../layers/PhiAccrualFailureDetector.ts"
import * as TransportMemory from "../layers/TransportMemory.ts"
import type { TransportBindError } from "../layers/transport/TransportBindError.ts"
import { AssignmentPlanner } from "../services/AssignmentPlanner.ts"
import type { JoinFailed } from "../services/ClusterErrors.ts"
import type { FailureDetector } from "../services/FailureDetector.ts"
import type { MapStore } from "../services/MapStore.ts"
import { SplitBrainPolicy } from "../services/SplitBrainPolicy.ts"
import type { Transport } from "../services/Transport.ts"

export interface TestNodeOptions {
  readonly nodeId: string
  readonly clusterPort?: number
  /** What differs from `ClusterConfig.defaults`. */
  readonly config?: Partial<ClusterConfig>
  /** Settings of the node that differ from the defaults, such as `partitionCount`: the same on all nodes. */
  readonly node?: Partial<Omit<NodeConfig, "nodeId" | "clusterPort">>
  readonly awaitJoin?: boolean
}

/** What a node in a spec provides. */
export type TestServices = Cluster.ClusterServices | Transport | FailureDetector

export interface TestDataOptions<E> extends TestNodeOptions, PartitionDataLive.Options {
  /** Where the node keeps data, such as `PartitionStoreMemory.layer()`. */
  readonly store: Layer.Layer<MapStore, E>
}

/** What a node with a store provides. */
export type TestDataServices = TestServices | Cluster.DataServices

type TestError = InvalidConfig | JoinFailed | TransportBindError

/** One node that keeps data, and offers maps. */
export const nodeWithData = <E>(
  network: TransportMemory.MemoryNetwork,
  options: TestDataOptions<E>
): Layer.Layer<TestDataServices, TestError | E> => {
  const { around, settings } = partsOf(network, options)
  return Cluster.layerWithData({ ...settings, settings: options.settings ?? {} }).pipe(
    Layer.provide(options.store),
    Layer.provideMerge(around)
  )
}

/** A cluster of one node that keeps data. */
export const layerWithData = <E>(
  options: Partial<TestNodeOptions> & Pick<TestDataOptions<E>, "store" | "settings">
): Layer.Layer<TestDataServices, TestError | E> =>
  Layer.unwrap(
    Effect.map(TransportMemory.makeNetwork, (network) => nodeWithData(network, { nodeId: "test-1", ...options }))
  )

// A node's settings, and all below it.
const partsOf = (network: TransportMemory.MemoryNetwork, options: TestNodeOptions) => {
  const config = { ...ClusterConfig.defaults, ...options.config }
  const node = NodeConfig.of({ nodeId: options.nodeId, clusterPort: options.clusterPort ?? 9000, ...options.node })
  const around = TransportMemory.layer(network, formatAddress(node.host, node.clusterPort)).pipe(
    Layer.provideMerge(PhiAccrualFailureDetector.layerFor(config)),
    Layer.provideMerge(AssignmentPlanner.layerMinimalMovement),
    Layer.provideMerge(SplitBrainPolicy.layerAvailable)
  )
  return { settings: { config, node, awaitJoin: options.awaitJoin ?? true }, around }
}

/** One node of a network that several share. */
export const node = (
  network: TransportMemory.MemoryNetwork,
  options: TestNodeOptions
): Layer.Layer<TestServices, InvalidConfig | JoinFailed | TransportBindError> => {
  const { around, settings } = partsOf(network, options)
  return Cluster.layer(settings).pipe(Layer.provideMerge(around))
}

/** A cluster of one node that owns every partition: enough for most specs of an application. */
export const layer = (
  options: Partial<TestNodeOptions> = {}
): Layer.Layer<TestServices, InvalidConfig | JoinFailed | TransportBindError> =>
  Layer.unwrap(Effect.map(TransportMemory.makeNetwork, (network) => node(network, { nodeId: "test-1", ...options })))
