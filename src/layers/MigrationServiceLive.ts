/** Moves over the driver. No migration is ever open, because a move changes the table at once. */
import { Effect, Layer, Option, Result } from "effect"
import { masterByAge } from "../domain/protocol/ClusterView.ts"
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
      cancelMigration: noSuchMigration,
      cancelAll: Effect.succeed(0),
      handleMigrateStart: (_from, message) => noSuchMigration(message.partitionId),
      handleMigrateData: (_from, message) => noSuchMigration(message.partitionId),
      handleMigrateReady: (_from, message) => noSuchMigration(message.partitionId),
      isMigrating: () => Effect.succeed(false)
    })
  })
)
