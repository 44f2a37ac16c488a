/**
 * What a user wants done to a map, and the records that do it. The owner of a partition stamps each change later
 * than everything that the key holds, whatever its clock says: a change that was acknowledged must not lose to an
 * older one that carried a faster clock's time.
 */
import { Result, Schema } from "effect"
import { Binary, Text } from "../model/Scalars.ts"
import type { MapType } from "../model/Migration.ts"
import {
  isWithinUtf8,
  maxKeyBytes,
  maxMapNameBytes,
  maxOperationsPerWrite,
  maxTagsPerKey,
  maxValueBytes
} from "./DataBounds.ts"
import { InvalidOperation } from "./InvalidOperation.ts"
import { KeyRecords } from "./KeyRecords.ts"
import { type MapRecord, type OrRecord, sameBytes } from "./MapRecord.ts"
import { maxWallMs, Timestamp } from "./Timestamp.ts"

const at = { mapName: Text, key: Text }

/** `put` and `delete` work on last-writer-wins maps, `add` and `remove` on observed-remove maps. */
const schema = Schema.Union([
  Schema.Struct({ type: Schema.Literal("put"), ...at, value: Binary }),
  Schema.Struct({ type: Schema.Literal("delete"), ...at }),
  /** Adds a value to the key's. One that is there already is added anew, so that a removal elsewhere misses it. */
  Schema.Struct({ type: Schema.Literal("add"), ...at, value: Binary }),
  /** Removes the value from the key's, or all that are seen when none is given. */
  Schema.Struct({ type: Schema.Literal("remove"), ...at, value: Schema.optionalKey(Binary) })
])
export type MapOperation = typeof schema.Type

/** The kind of map that the operation works on. */
const mapTypeOf = (operation: MapOperation): MapType =>
  operation.type === "put" || operation.type === "delete" ? "lww" : "or"

/**
 * The records that carry out `operation` on a key that holds `records`, later than all of them and not before
 * `reading`. None when there is nothing to remove. The records have bytes of their own: what the caller does with
 * the operation's later changes nothing.
 */
const stamp = (
  operation: MapOperation,
  records: KeyRecords,
  reading: Timestamp
): Result.Result<ReadonlyArray<MapRecord>, InvalidOperation> => {
  const broken = brokenBound(operation)
  if (broken !== undefined) return Result.fail(broken)
  const time = Timestamp.after(reading, KeyRecords.latest(records))
  return time === undefined
    ? Result.fail(invalid(operation, "endOfTime", maxWallMs))
    : changes(operation, records, time)
}

const changes = (
  operation: MapOperation,
  records: KeyRecords,
  time: Timestamp
): Result.Result<ReadonlyArray<MapRecord>, InvalidOperation> => {
  const { key } = operation
  switch (operation.type) {
    case "put":
      return Result.succeed([{ type: "lww", key, time, value: new Uint8Array(operation.value) }])
    case "delete":
      return Result.succeed([{ type: "lww", key, time }])
    case "add":
      if (records.length >= maxTagsPerKey) return Result.fail(invalid(operation, "tooManyTags", maxTagsPerKey))
      return Result.succeed([
        { type: "or", key, tag: time, value: new Uint8Array(operation.value) },
        ...removals(records, operation.value, time)
      ])
    case "remove":
      return Result.succeed(removals(records, operation.value, time))
  }
}

/** Tombstones of the additions of `value`, or of all. */
const removals = (records: KeyRecords, value: Uint8Array | undefined, removed: Timestamp): ReadonlyArray<MapRecord> =>
  records.flatMap((record): ReadonlyArray<OrRecord> => {
    if (record.type !== "or" || record.removed !== undefined) return []
    if (value !== undefined && (record.value === undefined || !sameBytes(record.value, value))) return []
    return [{ type: "or", key: record.key, tag: record.tag, removed }]
  })

const brokenBound = (operation: MapOperation): InvalidOperation | undefined => {
  const { mapName, key } = operation
  if (!mapName.isWellFormed() || !key.isWellFormed()) return invalid(operation, "notUnicode", 0)
  if (mapName === "" || !isWithinUtf8(mapName, maxMapNameBytes)) {
    return invalid(operation, "mapNameLength", maxMapNameBytes)
  }
  if (!isWithinUtf8(key, maxKeyBytes)) return invalid(operation, "keyLength", maxKeyBytes)
  const value = "value" in operation ? operation.value : undefined
  return value !== undefined && value.length > maxValueBytes
    ? invalid(operation, "valueLength", maxValueBytes)
    : undefined
}

const invalid = (operation: MapOperation, reason: InvalidOperation["reason"], limit: number): InvalidOperation =>
  new InvalidOperation({ mapName: operation.mapName.slice(0, 80), key: operation.key.slice(0, 80), reason, limit })

/** The failure of a write of too many operations. */
const tooMany = (operations: ReadonlyArray<MapOperation>): InvalidOperation | undefined => {
  const [first] = operations
  return first !== undefined && operations.length > maxOperationsPerWrite
    ? invalid(first, "tooManyOperations", maxOperationsPerWrite)
    : undefined
}

export const MapOperation = Object.assign(schema, { mapTypeOf, stamp, tooMany })
