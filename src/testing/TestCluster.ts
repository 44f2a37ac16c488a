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
import { PhiAccrualFailureDetector } from "../layers/PhiAccrualFailureDetector.ts"
import * as TransportMemory from "../layers/TransportMemory.ts"
import type { TransportBindError } from "../layers/transport/TransportBindError.ts"
import { AssignmentPlanner } from "../services/AssignmentPlanner.ts"
import type { JoinFailed } from "../services/ClusterErrors.ts"
import type { FailureDetector } from "../services/FailureDetector.ts"
import { SplitBrainPolicy } from "../services/SplitBrainPolicy.ts"
import type { Transport } from "../services/Transport.ts"

export interface TestNodeOptions {
  readonly nodeId: string
  readonly clusterPort?: number
  /** What differs from `ClusterConfig.defaults`. */
  readonly config?: Partial<ClusterConfig>
  readonly awaitJoin?: boolean
}

/** What a node in a spec provides. */
export type TestServices = Cluster.ClusterServices | Transport | FailureDetector

/** One node of a network that several share. */
export const node = (
  network: TransportMemory.MemoryNetwork,
  options: TestNodeOptions
): Layer.Layer<TestServices, InvalidConfig | JoinFailed | TransportBindError> => {
  const config = { ...ClusterConfig.defaults, ...options.config }
  const settings = NodeConfig.of({ nodeId: options.nodeId, clusterPort: options.clusterPort ?? 9000 })
  return Cluster.layer({ config, node: settings, awaitJoin: options.awaitJoin ?? true }).pipe(
    Layer.provideMerge(TransportMemory.layer(network, formatAddress(settings.host, settings.clusterPort))),
    Layer.provideMerge(PhiAccrualFailureDetector.layerFor(config)),
    Layer.provide(AssignmentPlanner.layerMinimalMovement),
    Layer.provide(SplitBrainPolicy.layerAvailable)
  )
}

/** A cluster of one node that owns every partition: enough for most specs of an application. */
export const layer = (
  options: Partial<TestNodeOptions> = {}
): Layer.Layer<TestServices, InvalidConfig | JoinFailed | TransportBindError> =>
  Layer.unwrap(Effect.map(TransportMemory.makeNetwork, (network) => node(network, { nodeId: "test-1", ...options })))
