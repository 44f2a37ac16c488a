/** The partition table over the driver. */
import { Clock, Effect, Layer, Option } from "effect"
import type { PartitionMeta } from "../domain/model/Partition.ts"
import { ClusterPartitionTable } from "../domain/placement/ClusterPartitionTable.ts"
import { hashToPartition } from "../domain/placement/HashToPartition.ts"
import { orderMigrations } from "../domain/placement/OrderMigrations.ts"
import { planRebalance } from "../domain/placement/PlanRebalance.ts"
import { type ClusterState, emptyTable } from "../domain/protocol/ClusterState.ts"
import * as TableSharing from "../domain/protocol/TableSharing.ts"
import { transition } from "../domain/protocol/Transition.ts"
import { ClusterDriver } from "../services/ClusterDriver.ts"
import { UnknownPartition, UpdateRejected } from "../services/ClusterErrors.ts"
import { ClusterPartitionService } from "../services/ClusterPartitionService.ts"
import { viewOf } from "./driver/Interpreter.ts"

/** The table that a node holds; an empty one while it has no view. */
export const tableOf = (state: ClusterState): ClusterPartitionTable =>
  state.phase._tag === "Joined" ? state.phase.table : emptyTable(state)

/** The partitions of the node whose driver is given. */
export const layer: Layer.Layer<ClusterPartitionService, never, ClusterDriver> = Layer.effect(
  ClusterPartitionService,
  Effect.gen(function* () {
    const driver = yield* ClusterDriver
    const table = Effect.map(driver.state, tableOf)

    const row = Effect.fnUntraced(function* (partitionId: number) {
      const { rows } = yield* table
      if (!Number.isInteger(partitionId) || partitionId < 0 || partitionId >= rows.length) {
        return yield* new UnknownPartition({ partitionId, partitionCount: rows.length })
      }
      return rows[partitionId]
    })
    const rowAndSelf = <A>(partitionId: number, read: (row: PartitionMeta | undefined, self: string) => A) =>
      Effect.zipWith(row(partitionId), driver.state, (meta, { self }) => read(meta, self.nodeId))

    return ClusterPartitionService.of({
      hashToPartition: (key) => Effect.map(driver.state, ({ node }) => hashToPartition(key, node.partitionCount)),
      getOwner: (partitionId) => Effect.map(row(partitionId), (meta) => Option.fromUndefinedOr(meta?.owner)),
      isLocalOwner: (partitionId) => rowAndSelf(partitionId, (meta, self) => meta?.owner === self),
      isLocalBackup: (partitionId) => rowAndSelf(partitionId, (meta, self) => meta?.backups.includes(self) === true),
      getState: (partitionId) => Effect.map(row(partitionId), (meta) => meta?.state ?? "unassigned"),
      getPartitionMap: Effect.gen(function* () {
        const state = yield* driver.state
        return ClusterPartitionTable.toPartitionMap(tableOf(state), viewOf(state), yield* Clock.currentTimeMillis)
      }),
      version: Effect.map(table, ClusterPartitionTable.version),
      rebalance: Effect.map(driver.state, (state) => {
        const current = tableOf(state)
        const { target } = TableSharing.planFor(
          state,
          viewOf(state).members,
          ClusterPartitionTable.assignments(current)
        )
        return orderMigrations(planRebalance(current, target), current)
      }),
      applyPartitionUpdate: Effect.fn("ClusterPartitionService.applyPartitionUpdate")(function* (from, update) {
        const outcome = yield* driver.commit(transition((step) => TableSharing.receive(step, from, update)))
        if (outcome !== "applied") return yield* new UpdateRejected({ from, reason: outcome })
      }),
      partitionsForNode: (nodeId) =>
        Effect.map(table, (current) => ClusterPartitionTable.partitionsForNode(current, nodeId))
    })
  })
)
