/** `effect-squadron/maps`: maps over the partitions of a cluster, and the parts that they are made of. */
export {
  type BytesValues,
  type ChangesOptions,
  type LwwChange,
  type LwwMap,
  type MakeLww,
  type MakeOr,
  type MapOptions,
  type OrChange,
  type OrMap,
  PartitionedMaps,
  type ReadError,
  type ReadOptions,
  type StringKeys,
  type TypedKeys,
  type TypedValues,
  type WriteError,
  type WriteOptions
} from "./services/PartitionedMaps.ts"
export {
  NotEnoughReplicas,
  NotOwner,
  OutcomeUnknown,
  Overloaded,
  OwnerStoreFailed,
  PartitionUnavailable,
  UndecodableValue
} from "./services/MapErrors.ts"
export { InvalidOperation } from "./domain/data/InvalidOperation.ts"
export {
  type AppliedChange,
  type CopyStatus,
  type DataStatus,
  PartitionData,
  type Question
} from "./services/PartitionData.ts"
export { PartitionRecords } from "./services/PartitionRecords.ts"
export { type DataSettings, defaultDataSettings } from "./domain/replication/DataSettings.ts"
export * as PartitionDataLive from "./layers/PartitionDataLive.ts"
export * as PartitionedMapsLive from "./layers/PartitionedMapsLive.ts"
export * as PartitionStoreMemory from "./layers/PartitionStoreMemory.ts"
