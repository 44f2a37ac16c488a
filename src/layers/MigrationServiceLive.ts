/** Moves over the driver. Where nodes keep no data none is ever open, because a move changes the table at once. */
import { Effect, Layer, Option, Result } from "effect"
import type { NodeId } from "../domain/model/Scalars.ts"
import { masterByAge } from "../domain/protocol/ClusterView.ts"
import type { OpenMigration } from "../domain/protocol/Custody.ts"
import { type MigrationMessage, onMigration } from "../domain/protocol/Inbound.ts"
import { cancelMove } from "../domain/protocol/Migrating.ts"
import { move } from "../domain/protocol/Moves.ts"
import { transition } from "../domain/protocol/Transition.ts"
import { ClusterDriver } from "../services/ClusterDriver.ts"
import { InvalidMigrationTask, NoSuchMigration, NotMaster } from "../services/ClusterErrors.ts"
import { MigrationService } from "../services/MigrationService.ts"

const noSuchMigration = (partitionId: number) => Effect.fail(new NoSuchMigration({ partitionId }))

/** The migrations of the node whose driver is given. */
export const layer: Layer.Layer<MigrationService, never, ClusterDriver> = Layer.effect(
  MigrationService,
  Effect.gen(function* () {
    const driver = yield* ClusterDriver
    const open = Effect.map(driver.state, ({ phase }) =>
      phase._tag === "Joined" ? phase.migrations.open : new Map<number, OpenMigration>()
    )
    const handle = Effect.fnUntraced(function* (from: NodeId, message: MigrationMessage) {
      const outcome = yield* driver.commit(transition((step) => onMigration(step, from, message)))
      if (outcome !== "handled") return yield* noSuchMigration(message.partitionId)
    })
    return MigrationService.of({
      startMigrations: Effect.fn("MigrationService.startMigrations")(function* (tasks) {
        const moved = yield* driver.commit(transition((step) => move(step, tasks)))
        if (Result.isSuccess(moved)) return
        if (moved.failure._tag === "InvalidTask") {
          const { partitionId, reason } = moved.failure
          return yield* new InvalidMigrationTask({ partitionId, reason })
        }
        const { phase, self } = yield* driver.state
        const masterId = phase._tag === "Joined" ? masterByAge(phase.view)?.nodeId : undefined
        return yield* new NotMaster({ nodeId: self.nodeId, masterId: Option.fromUndefinedOr(masterId) })
      }),
      cancelMigration: Effect.fn("MigrationService.cancelMigration")(function* (partitionId) {
        const cancelled = yield* driver.commit(transition((step) => cancelMove(step, partitionId)))
        if (!cancelled) return yield* noSuchMigration(partitionId)
      }),
      cancelAll: Effect.flatMap(open, (migrations) =>
        driver.commit(
          transition((step) => [...migrations.keys()].filter((partitionId) => cancelMove(step, partitionId)).length)
        )
      ),
      handleMigrateStart: (from, message) => handle(from, { type: "MIGRATE_START", ...message }),
      handleMigrateData: (from, message) => handle(from, { type: "MIGRATE_DATA", ...message }),
      handleMigrateReady: (from, message) => handle(from, { type: "MIGRATE_READY", ...message }),
      isMigrating: (partitionId) => Effect.map(open, (migrations) => migrations.has(partitionId))
    })
  })
)
