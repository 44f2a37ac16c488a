/**
 * One node of a cluster over whatever transport, detector, planner and policy it is given. This is
 * the seam for specs: swap any of them, or any service above, for a layer of your own.
 */
import { Effect, Layer, Stream } from "effect"
import { ClusterConfig } from "../domain/model/ClusterConfig.ts"
import { dataSettingsOf, validateDataSettings } from "../domain/replication/DataSettings.ts"
import type { InvalidConfig } from "../domain/model/InvalidConfig.ts"
import { NodeConfig } from "../domain/model/NodeConfig.ts"
import type { StopReason } from "../domain/protocol/ClusterCommand.ts"
import type { AssignmentPlanner } from "../services/AssignmentPlanner.ts"
import { ClusterChannelReceivers, type ClusterChannels } from "../services/ClusterChannels.ts"
import { ClusterDriver } from "../services/ClusterDriver.ts"
import { JoinFailed } from "../services/ClusterErrors.ts"
import type { ClusterPartitionService } from "../services/ClusterPartitionService.ts"
import type { ClusterService } from "../services/ClusterService.ts"
import type { FailureDetector } from "../services/FailureDetector.ts"
import type { MapStore } from "../services/MapStore.ts"
import type { MembershipService } from "../services/MembershipService.ts"
import type { MigrationService } from "../services/MigrationService.ts"
import type { PartitionData } from "../services/PartitionData.ts"
import type { PartitionedMaps } from "../services/PartitionedMaps.ts"
import type { PartitionRecords } from "../services/PartitionRecords.ts"
import type { PartitionRouter } from "../services/PartitionRouter.ts"
import type { SplitBrainPolicy } from "../services/SplitBrainPolicy.ts"
import type { Transport } from "../services/Transport.ts"
import * as ClusterChannelsLive from "./ClusterChannelsLive.ts"
import * as ClusterDriverLive from "./ClusterDriverLive.ts"
import * as ClusterPartitionServiceLive from "./ClusterPartitionServiceLive.ts"
import * as ClusterServiceLive from "./ClusterServiceLive.ts"
import * as MembershipServiceLive from "./MembershipServiceLive.ts"
import * as MigrationServiceLive from "./MigrationServiceLive.ts"
import * as PartitionDataLive from "./PartitionDataLive.ts"
import * as PartitionedMapsLive from "./PartitionedMapsLive.ts"
import * as PartitionRecordsLive from "./PartitionRecordsLive.ts"
import * as PartitionRouterLive from "./PartitionRouterLive.ts"

export interface ClusterOptions {
  readonly config: ClusterConfig
  readonly node: NodeConfig
  /** Build the layer only once the node has joined a settled view, or fail. Default true. */
  readonly awaitJoin?: boolean
}

/** Everything a node offers. */
export type ClusterServices =
  | ClusterService
  | MembershipService
  | ClusterPartitionService
  | MigrationService
  | PartitionRouter
  | ClusterDriver
  | ClusterChannels
  | ClusterChannelReceivers

const hints: Record<string, string> = {
  WRONG_CLUSTER_ID: "set the cluster id of the cluster that you want to join",
  AUTH_FAILED: "set the join token of the cluster",
  PROTOCOL_VERSION_MISMATCH: "run the same release on all nodes",
  CLUSTER_FULL: "raise maxMembers on all nodes, or stop a node",
  NO_CLUSTER_FOUND: "check the seed addresses, or start without seeds to found a new cluster"
}

const joinFailed = (nodeId: string, reason: StopReason): JoinFailed => {
  switch (reason._tag) {
    case "JoinRefused":
      return new JoinFailed({ nodeId, code: reason.code, reason: reason.reason, hint: hints[reason.code] ?? "" })
    case "NoClusterFound":
      return new JoinFailed({
        nodeId,
        code: "NO_CLUSTER_FOUND",
        reason: `found no cluster: ${reason.reason}`,
        hint: hints["NO_CLUSTER_FOUND"] ?? ""
      })
    case "Left":
      return new JoinFailed({ nodeId, code: "LEFT", reason: "it was asked to leave before it had joined", hint: "" })
  }
}

/** Completes when the node holds a settled view; fails when it gives up. */
export const awaitJoined: Effect.Effect<void, JoinFailed, ClusterDriver | ClusterChannelReceivers> = Effect.gen(
  function* () {
    const driver = yield* ClusterDriver
    const { membershipChanges } = yield* ClusterChannelReceivers
    const joined = membershipChanges.pipe(
      Stream.filter((view) => view.version > 0),
      Stream.runHead
    )
    const gaveUp = Effect.gen(function* () {
      const reason = yield* driver.stopped
      const { self } = yield* driver.state
      return yield* joinFailed(self.nodeId, reason)
    })
    yield* Effect.raceFirst(joined, gaveUp)
  }
)

/** What a node offers that keeps data. */
export type DataServices = PartitionedMaps | PartitionRecords | PartitionData

/**
 * A node that keeps data, in the store that is provided: its partitions are copied before they change hands, and hold
 * maps. All else as `layer`.
 */
export const layerWithData = (
  options: ClusterOptions & PartitionDataLive.Options
): Layer.Layer<
  ClusterServices | DataServices,
  InvalidConfig | JoinFailed,
  MapStore | Transport | FailureDetector | AssignmentPlanner | SplitBrainPolicy
> => {
  const node = Layer.mergeAll(PartitionedMapsLive.layer, PartitionRecordsLive.layer).pipe(
    Layer.provideMerge(layer(options)),
    Layer.provideMerge(PartitionDataLive.layer(options))
  )
  const { config, settings } = options
  return Layer.unwrap(Effect.as(Effect.fromResult(validateDataSettings(dataSettingsOf(config, settings))), node))
}

/** The node. Fails if a setting makes no sense, and, unless `awaitJoin` is false, if it cannot join. */
export const layer = (
  options: ClusterOptions
): Layer.Layer<
  ClusterServices,
  InvalidConfig | JoinFailed,
  Transport | FailureDetector | AssignmentPlanner | SplitBrainPolicy
> => {
  const services = Layer.mergeAll(
    ClusterServiceLive.layer,
    MembershipServiceLive.layer,
    PartitionRouterLive.layer.pipe(Layer.provideMerge(ClusterPartitionServiceLive.layer)),
    MigrationServiceLive.layer,
    options.awaitJoin === false ? Layer.empty : Layer.effectDiscard(awaitJoined)
  )
  return Layer.unwrap(
    Effect.gen(function* () {
      const config = yield* Effect.fromResult(ClusterConfig.validate(options.config))
      const node = yield* Effect.fromResult(NodeConfig.validate(options.node))
      return services.pipe(
        Layer.provideMerge(ClusterDriverLive.layer({ config, node })),
        Layer.provideMerge(ClusterChannelsLive.layer)
      )
    })
  )
}
