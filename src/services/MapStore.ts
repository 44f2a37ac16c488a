/**
 * A `PartitionStore` of maps: what the owner of a partition needs to carry out operations. Applications use
 * `PartitionedMaps`, which adds routing, replication and acknowledgement.
 */
import { Context, Effect, Layer, Stream } from "effect"
import type { KeyName } from "../domain/data/KeyName.ts"
import type { InvalidOperation } from "../domain/data/InvalidOperation.ts"
import type { KeyRecords } from "../domain/data/KeyRecords.ts"
import type { MapOperation } from "../domain/data/MapOperation.ts"
import type { MapRecord } from "../domain/data/MapRecord.ts"
import type { Timestamp } from "../domain/data/Timestamp.ts"
import { PartitionStore, type PartitionStoreShape } from "./PartitionStore.ts"
import { StoreFailed, type StoreFull } from "./StoreErrors.ts"

/** A record as it is after a change, and the map that it belongs to. */
export interface MapChange {
  readonly mapName: string
  readonly record: MapRecord
}

/** The methods of a `MapStore`. */
export interface MapStoreShape extends PartitionStoreShape {
  /**
   * Carries out operations in order, all or none, at most `maxOperationsPerWrite`. Each change is stamped not
   * before `reading` and later than everything its key holds. Returns the changed records, stamped, one for each
   * key (or tag): the last. An operation that finds nothing to remove changes nothing.
   */
  readonly write: (
    partitionId: number,
    operations: ReadonlyArray<MapOperation>,
    reading: Timestamp
  ) => Effect.Effect<ReadonlyArray<MapChange>, StoreFailed | StoreFull | InvalidOperation>

  /**
   * The records of a key that are no tombstones: at most one register, or the additions in the order of their tags.
   * Their bytes may be the store's own, so they must not be changed.
   */
  readonly get: (partitionId: number, key: KeyName) => Effect.Effect<KeyRecords, StoreFailed>

  /** All records of a map that are no tombstones, in no particular order, as consistent as `read`. */
  readonly iterate: (
    partitionId: number,
    mapName: string,
    mapType: KeyName["mapType"]
  ) => Stream.Stream<MapRecord, StoreFailed>
}

const noMaps = new StoreFailed({
  operation: "an operation of a map",
  reason: "unavailable",
  detail: "this store keeps no maps, but data of its own"
})

export class MapStore extends Context.Service<MapStore, MapStoreShape>()("effect-squadron/MapStore") {
  /** A store of your own for a node on which nobody uses maps: their operations fail with `StoreFailed`. */
  static readonly layerWithoutMaps: Layer.Layer<MapStore, never, PartitionStore> = Layer.effect(
    MapStore,
    Effect.map(PartitionStore, (store) =>
      MapStore.of({
        ...store,
        write: () => Effect.fail(noMaps),
        get: () => Effect.fail(noMaps),
        iterate: () => Stream.fail(noMaps)
      })
    )
  )
}
