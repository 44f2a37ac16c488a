/**
 * Writes to partitions whose store is your own. The owner merges the records, its backups do, and then they are
 * acknowledged: with what maps promise, for whatever your `PartitionStore` makes of the bytes.
 *
 * **When to use.** With a `PartitionStore` of your own. Read from that store itself, on the node that owns the
 * partition: `PartitionRouter` brings requests there. Where values under keys are enough, use `PartitionedMaps`.
 *
 * **Gotchas.** Merging is idempotent, so a merge whose outcome is unknown may be tried again.
 */
import { Context, type Effect } from "effect"
import type { DeltaOp } from "../domain/wire/PartitionMessages.ts"
import type { WriteError, WriteOptions } from "./PartitionedMaps.ts"

export class PartitionRecords extends Context.Service<
  PartitionRecords,
  {
    /** All of the records, or none. A store that cannot read them answers with `OwnerStoreFailed`. */
    readonly merge: (
      partitionId: number,
      records: ReadonlyArray<DeltaOp>,
      options?: WriteOptions
    ) => Effect.Effect<void, WriteError>
  }
>()("effect-squadron/PartitionRecords") {}
