/**
 * Moves partitions between members. Between nodes that keep data a partition is copied before its row changes; between
 * others the table changes at once, so no migration is ever open, and a peer's message about one is answered with
 * `NoSuchMigration`. Only the acting master knows which migrations are open.
 */
import { Context, type Effect } from "effect"
import type { MigrationTask } from "../domain/model/Migration.ts"
import type { NodeId } from "../domain/model/Scalars.ts"
import type { MigrateDataPayload, MigrateReadyPayload, MigrateStartPayload } from "../domain/wire/PartitionMessages.ts"
import type { InvalidMigrationTask, NoSuchMigration, NotMaster } from "./ClusterErrors.ts"

export class MigrationService extends Context.Service<
  MigrationService,
  {
    /** Begins the moves, all or none; a task must start at the partition's owner and end at an active member. */
    readonly startMigrations: (
      tasks: ReadonlyArray<MigrationTask>
    ) => Effect.Effect<void, NotMaster | InvalidMigrationTask>
    readonly cancelMigration: (partitionId: number) => Effect.Effect<void, NoSuchMigration>
    /** How many were cancelled. */
    readonly cancelAll: Effect.Effect<number>
    readonly handleMigrateStart: (from: NodeId, message: MigrateStartPayload) => Effect.Effect<void, NoSuchMigration>
    readonly handleMigrateData: (from: NodeId, message: MigrateDataPayload) => Effect.Effect<void, NoSuchMigration>
    readonly handleMigrateReady: (from: NodeId, message: MigrateReadyPayload) => Effect.Effect<void, NoSuchMigration>
    readonly isMigrating: (partitionId: number) => Effect.Effect<boolean>
  }
>()("effect-squadron/MigrationService") {}
