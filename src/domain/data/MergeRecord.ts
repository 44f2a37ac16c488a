/** What a partition does with a record that comes in from elsewhere. */
import { Epoch } from "./Epoch.ts"
import { MapRecord } from "./MapRecord.ts"

/**
 * The record to store in place of `known`; `"known"` when it says nothing new, `"refused"` when the partition has
 * forgotten it on purpose.
 */
export const mergeRecord = (
  known: MapRecord | undefined,
  incoming: MapRecord,
  epoch: Epoch
): MapRecord | "known" | "refused" => {
  if (known === undefined) return Epoch.isGone(epoch, incoming) ? "refused" : incoming
  const merged = MapRecord.merge(known, incoming)
  return merged === known ? "known" : merged
}

/** What a record counts for in a store's size: its value and key, and about what keeping it costs besides. */
export const recordBytes = (record: MapRecord): number =>
  overheadBytes + 2 * record.key.length + (record.value === undefined ? 0 : record.value.length)

const overheadBytes = 128
