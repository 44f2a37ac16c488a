/** The application's view of the cluster, over the driver. */
import { Effect, Layer, Option, Queue } from "effect"
import type { ClusterHealth } from "../domain/model/ClusterHealth.ts"
import { type ClusterState, isActing } from "../domain/protocol/ClusterState.ts"
import { masterByAge, memberAs } from "../domain/protocol/ClusterView.ts"
import * as Leaving from "../domain/protocol/Leaving.ts"
import { transition } from "../domain/protocol/Transition.ts"
import { ClusterChannelReceivers } from "../services/ClusterChannels.ts"
import { ClusterDriver } from "../services/ClusterDriver.ts"
import { ClusterService } from "../services/ClusterService.ts"
import { tableOf } from "./ClusterPartitionServiceLive.ts"
import { viewOf } from "./driver/Interpreter.ts"

const acts = (state: ClusterState): boolean => state.phase._tag === "Joined" && isActing(state, state.phase)

const masterOf = ({ phase }: ClusterState): Option.Option<string> =>
  Option.fromUndefinedOr(phase._tag === "Joined" ? masterByAge(phase.view)?.nodeId : undefined)

const isReady = ({ phase, self }: ClusterState): boolean =>
  phase._tag === "Joined" && phase.table.version > 0 && memberAs(phase.view, self) !== undefined

const healthOf = (state: ClusterState): ClusterHealth => {
  const { members } = viewOf(state)
  const count = (wanted: string) => members.filter((member) => member.state === wanted).length
  return {
    nodeCount: members.length,
    activeNodes: count("active"),
    suspectNodes: count("suspect"),
    partitionTableVersion: tableOf(state).version,
    activeMigrations: state.phase._tag === "Joined" ? state.phase.migrations.open.size : 0,
    isMaster: acts(state),
    masterNodeId: masterOf(state)
  }
}

/** The cluster as the node whose driver is given sees it. */
export const layer: Layer.Layer<ClusterService, never, ClusterDriver | ClusterChannelReceivers> = Layer.effect(
  ClusterService,
  Effect.gen(function* () {
    const driver = yield* ClusterDriver
    const { clusterEvents } = yield* ClusterChannelReceivers
    const { self } = yield* driver.state
    return ClusterService.of({
      nodeId: self.nodeId,
      isMaster: Effect.map(driver.state, acts),
      masterId: Effect.map(driver.state, masterOf),
      membersView: Effect.map(driver.state, viewOf),
      partitionTable: Effect.map(driver.state, tableOf),
      subscribeChanges: clusterEvents,
      health: Effect.map(driver.state, healthOf),
      ready: Effect.gen(function* () {
        const seen = yield* Queue.sliding<ClusterState>(1)
        yield* driver.onChange((state) => Queue.offerUnsafe(seen, state))
        for (let state = yield* driver.state; !isReady(state);) state = yield* Queue.take(seen)
      }).pipe(Effect.scoped),
      leave: driver.commit(transition(Leaving.begin)).pipe(Effect.andThen(driver.stopped), Effect.asVoid),
      stopped: driver.stopped
    })
  })
)
