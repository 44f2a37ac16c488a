/** The partition table and the migrations that change it. */
import { Schema } from "effect"
import { MapType } from "../model/Migration.ts"
import { PartitionAssignment } from "../model/Partition.ts"
import { Bytes, NodeId, Text, U32, U64 } from "../model/Scalars.ts"
import { CancelExtensions, ChunkExtensions, ReadyExtensions, TableExtensions } from "./Extensions.ts"

/** The acting master's new table. */
export const PartitionTableUpdatePayload = Schema.Struct({
  assignments: Schema.Array(PartitionAssignment),
  version: U64,
  /** Ids of migrations that this version commits. */
  completedMigrations: Schema.Array(Text),
  ...TableExtensions
})
export type PartitionTableUpdatePayload = typeof PartitionTableUpdatePayload.Type

/** master → source: copy this partition to that node. */
export const MigrateStartPayload = Schema.Struct({ migrationId: Text, partitionId: U32, destinationNodeId: NodeId })
export type MigrateStartPayload = typeof MigrateStartPayload.Type

/** A piece of one map of a partition, encoded by the store. */
export const MapStateChunk = Schema.Struct({ mapName: Text, data: Bytes, mapType: MapType })
export type MapStateChunk = typeof MapStateChunk.Type

/** One change of one key, made while its partition was being copied. */
export const DeltaOp = Schema.Struct({ mapName: Text, key: Text, entry: Bytes })
export type DeltaOp = typeof DeltaOp.Type

/** source → destination: part of the copy. `sourceVersion` numbers the parts from 0. */
export const MigrateDataPayload = Schema.Struct({
  partitionId: U32,
  mapStates: Schema.Array(MapStateChunk),
  deltaOps: Schema.Array(DeltaOp),
  sourceVersion: U32,
  ...ChunkExtensions
})
export type MigrateDataPayload = typeof MigrateDataPayload.Type

/** source → destination: that was all. destination → master: all of it is merged. */
export const MigrateReadyPayload = Schema.Struct({
  migrationId: Text,
  partitionId: U32,
  sourceNodeId: NodeId,
  ...ReadyExtensions
})
export type MigrateReadyPayload = typeof MigrateReadyPayload.Type

/** master → both ends: the table has changed. A hint; the table is the authority. */
export const MigrateFinalizePayload = Schema.Struct({ migrationId: Text, partitionId: U32, newOwner: NodeId })
export type MigrateFinalizePayload = typeof MigrateFinalizePayload.Type

/** master → both ends: this copy will not be used. Never wipes data. An end → master: it cannot go on, or asks. */
export const MigrateCancelPayload = Schema.Struct({
  migrationId: Text,
  partitionId: U32,
  reason: Text,
  ...CancelExtensions
})
export type MigrateCancelPayload = typeof MigrateCancelPayload.Type
