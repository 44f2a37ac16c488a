/** Migrations: one partition on its way from a source to a destination. */
import { Schema } from "effect"
import { NodeId, Text, U32, U64 } from "./Scalars.ts"

export const MigrationPhase = Schema.Literals(["replicating", "ready", "finalizing", "failed"])
export type MigrationPhase = typeof MigrationPhase.Type

/** A move that is planned and not yet started. */
export const MigrationTask = Schema.Struct({
  partitionId: U32,
  source: NodeId,
  destination: NodeId,
  newBackups: Schema.Array(NodeId)
})
export type MigrationTask = typeof MigrationTask.Type

/** A move that is under way. */
export const ActiveMigration = Schema.Struct({
  migrationId: Text,
  partitionId: U32,
  source: NodeId,
  destination: NodeId,
  state: MigrationPhase,
  /** Wall clock of the master, milliseconds since 1970. */
  startedAtMs: U64,
  newBackups: Schema.Array(NodeId)
})
export type ActiveMigration = typeof ActiveMigration.Type

/** Conflict resolution of a map: last writer wins, or observed remove. */
export const MapType = Schema.Literals(["lww", "or"])
export type MapType = typeof MapType.Type
