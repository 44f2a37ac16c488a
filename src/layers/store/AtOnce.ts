/**
 * What a store in memory does without an effect. The data plane asks such a store in the turn in which it decides, which
 * spares a fiber and a turn of the event loop for each write.
 *
 * It stands beside the store's methods and not among them: whoever wraps a store is to be asked himself.
 */
import type { Result } from "effect"
import type { Epoch } from "../../domain/data/Epoch.ts"
import type { InvalidOperation } from "../../domain/data/InvalidOperation.ts"
import type { KeyName } from "../../domain/data/KeyName.ts"
import type { MapOperation } from "../../domain/data/MapOperation.ts"
import type { MalformedRecords } from "../../domain/data/RecordCodec.ts"
import type { Timestamp } from "../../domain/data/Timestamp.ts"
import type { DeltaOp } from "../../domain/wire/PartitionMessages.ts"
import type { MapStoreShape } from "../../services/MapStore.ts"
import type { Merged } from "../../services/PartitionStore.ts"
import type { StoreFull } from "../../services/StoreErrors.ts"
import type { StoredChange } from "./MemoryStore.ts"

/**
 * As the methods of a `MapStore`. Bytes of records are views of what the store keeps, which it does not change any more:
 * they are for messages, and whoever keeps them longer copies them.
 */
export interface AtOnce {
  readonly write: (
    partitionId: number,
    operations: ReadonlyArray<MapOperation>,
    reading: Timestamp
  ) => Result.Result<ReadonlyArray<StoredChange>, StoreFull | InvalidOperation>
  /** Without the records that were changed. */
  readonly apply: (
    partitionId: number,
    deltas: ReadonlyArray<DeltaOp>,
    epoch: Epoch | undefined
  ) => Result.Result<Merged, StoreFull | MalformedRecords>
  readonly get: (partitionId: number, key: KeyName) => ReadonlyArray<DeltaOp>
}

const known = new WeakMap<MapStoreShape, AtOnce>()

export const offer = (store: MapStoreShape, atOnce: AtOnce): MapStoreShape => {
  known.set(store, atOnce)
  return store
}

/** Of this very store; `undefined` of one that has to be waited for. */
export const of = (store: MapStoreShape): AtOnce | undefined => known.get(store)
