/** One map over the data plane: what operations are asked for, and what their outcomes mean. */
import { Effect, Option, Result, Schema } from "effect"
import {
  isWithinUtf8,
  maxKeyBytes,
  maxMapNameBytes,
  maxOperationsPerWrite,
  maxTagsPerKey,
  maxValueBytes
} from "../../domain/data/DataBounds.ts"
import { InvalidOperation } from "../../domain/data/InvalidOperation.ts"
import type { MapOperation } from "../../domain/data/MapOperation.ts"
import type { MapRecord } from "../../domain/data/MapRecord.ts"
import { decodeDelta } from "../../domain/data/RecordCodec.ts"
import { maxWallMs } from "../../domain/data/Timestamp.ts"
import type { MapType } from "../../domain/model/Migration.ts"
import type { PartitionMapPayload } from "../../domain/model/PartitionMap.ts"
import { hashToPartition } from "../../domain/placement/HashToPartition.ts"
import type { Outcome } from "../../domain/replication/DataCommand.ts"
import type { Delta, ScanCursor } from "../../domain/replication/DataMessage.ts"
import { UndecodableValue } from "../../services/MapErrors.ts"
import type { PartitionData } from "../../services/PartitionData.ts"
import {
  defaultTimeoutMs,
  type MapOptions,
  type ReadError,
  type ReadOptions,
  type WriteError,
  type WriteOptions
} from "../../services/PartitionedMaps.ts"
import * as Outcomes from "./Outcomes.ts"
import * as ValueCodec from "../../domain/codec/ValueCodec.ts"

/** What maps need of their node. */
export interface Surroundings {
  readonly data: PartitionData["Service"]
  readonly partitionCount: number
  readonly partitionMap: Effect.Effect<PartitionMapPayload>
}

/** Bytes of records in a page of a scan. */
const pageBytes = 64 * 1024

export interface Page {
  readonly records: ReadonlyArray<MapRecord>
  readonly cursor: ScanCursor | undefined
}

export interface MapAccess<K, V> {
  readonly mapName: string
  readonly mapType: MapType
  readonly keyOf: (key: K) => string
  readonly valueBytes: (value: V) => Uint8Array
  readonly write: (operation: MapOperation, options: WriteOptions | undefined) => Effect.Effect<void, WriteError>
  readonly get: (key: string, options: ReadOptions | undefined) => Effect.Effect<ReadonlyArray<MapRecord>, ReadError>
  /** A page of a scan; `None` when the scan has to begin anew. */
  readonly page: (
    partitionId: number,
    cursor: ScanCursor | undefined,
    options: ReadOptions | undefined
  ) => Effect.Effect<Option.Option<Page>, ReadError>
  readonly entry: (key: string, value: Uint8Array) => Effect.Effect<readonly [K, V], UndecodableValue>
  readonly value: (key: string, value: Uint8Array) => Effect.Effect<V, UndecodableValue>
  readonly key: (key: string) => Effect.Effect<K, UndecodableValue>
}

const limits: Readonly<Record<InvalidOperation["reason"], number>> = {
  mapNameLength: maxMapNameBytes,
  keyLength: maxKeyBytes,
  valueLength: maxValueBytes,
  notUnicode: 0,
  tooManyTags: maxTagsPerKey,
  tooManyOperations: maxOperationsPerWrite,
  endOfTime: maxWallMs
}

const reasonOf = Schema.decodeUnknownOption(InvalidOperation.fields.reason)

const invalid = (mapName: string, key: string, reason: InvalidOperation["reason"]): InvalidOperation =>
  new InvalidOperation({ mapName: mapName.slice(0, 80), key: key.slice(0, 80), reason, limit: limits[reason] })

/** Found here, so that what is too large, or cannot, does not travel. */
const brokenBound = (mapName: string, key: string, value?: Uint8Array): InvalidOperation["reason"] | undefined => {
  if (!mapName.isWellFormed() || !key.isWellFormed()) return "notUnicode"
  if (mapName === "" || !isWithinUtf8(mapName, maxMapNameBytes)) return "mapNameLength"
  if (!isWithinUtf8(key, maxKeyBytes)) return "keyLength"
  return value !== undefined && value.length > maxValueBytes ? "valueLength" : undefined
}

const recordsOf = (deltas: ReadonlyArray<Delta>): Effect.Effect<ReadonlyArray<MapRecord>> => {
  const records: Array<MapRecord> = []
  for (const delta of deltas) {
    const record = decodeDelta(delta)
    // The owner has read it from its store and encoded it itself.
    if (Result.isFailure(record)) return Effect.die(record.failure)
    records.push(record.success)
  }
  return Effect.succeed(records)
}

export const make = <K, V>(
  { data, partitionCount, partitionMap }: Surroundings,
  mapType: MapType,
  values: ValueCodec.ValueCodec<V>,
  options: MapOptions,
  keys: ValueCodec.KeyCodec<K>
): MapAccess<K, V> => {
  const { name: mapName } = options

  /** What an outcome means for an operation on a key. */
  const meaning = (partitionId: number, key: string, minCopies = 1): Outcomes.Meaning => ({
    partitionId,
    minCopies,
    partitionMap,
    invalid: (detail) => Option.map(reasonOf(detail), (reason) => invalid(mapName, key, reason))
  })
  const timeoutOf = (given: ReadOptions | undefined) => given?.timeoutMs ?? options.timeoutMs ?? defaultTimeoutMs

  const write = (operation: MapOperation, given: WriteOptions | undefined): Effect.Effect<void, WriteError> => {
    const { key } = operation
    const broken = brokenBound(mapName, key, "value" in operation ? operation.value : undefined)
    if (broken !== undefined) return Effect.fail(invalid(mapName, key, broken))
    const partitionId = hashToPartition(key, partitionCount)
    const minCopies = given?.minCopies ?? options.minCopies ?? 1
    const question = {
      partitionId,
      work: { type: "write" as const, operations: [operation] },
      ack: given?.ack ?? options.ack ?? "backups",
      minCopies,
      timeoutMs: timeoutOf(given)
    }
    return Effect.flatMap(data.ask(question), Outcomes.ofWrite(meaning(partitionId, key, minCopies)))
  }

  /** What is neither a value nor a page. */
  const unread = (partitionId: number, key: string, outcome: Outcome): Effect.Effect<never, ReadError> =>
    Outcomes.ofUnread(meaning(partitionId, key))(outcome)

  const get = (key: string, given: ReadOptions | undefined): Effect.Effect<ReadonlyArray<MapRecord>, ReadError> => {
    const broken = brokenBound(mapName, key)
    if (broken !== undefined) return Effect.fail(invalid(mapName, key, broken))
    const partitionId = hashToPartition(key, partitionCount)
    const work = { type: "get" as const, key: { mapName, mapType, key } }
    return Effect.flatMap(
      data.ask({ partitionId, work, ack: "owner", minCopies: 1, timeoutMs: timeoutOf(given) }),
      (outcome) => (outcome._tag === "Value" ? recordsOf(outcome.deltas) : unread(partitionId, key, outcome))
    )
  }

  const page: MapAccess<K, V>["page"] = (partitionId, cursor, given) => {
    const broken = brokenBound(mapName, "")
    if (broken !== undefined) return Effect.fail(invalid(mapName, "", broken))
    const scan = { type: "scan" as const, mapName, mapType, maxBytes: pageBytes }
    const work = cursor === undefined ? scan : { ...scan, cursor }
    return Effect.flatMap(
      data.ask({ partitionId, work, ack: "owner", minCopies: 1, timeoutMs: timeoutOf(given) }),
      (outcome): Effect.Effect<Option.Option<Page>, ReadError> => {
        if (outcome._tag === "Page") {
          return Effect.map(recordsOf(outcome.deltas), (records) => Option.some({ records, cursor: outcome.cursor }))
        }
        const isLost = outcome._tag === "Refused" && outcome.reason === "scanLost"
        return isLost ? Effect.succeedNone : unread(partitionId, "", outcome)
      }
    )
  }

  const undecodable = (key: string, bytes: Uint8Array, reason: string) =>
    Effect.fail(new UndecodableValue({ mapName, key, bytes, reason }))
  const value = (key: string, bytes: Uint8Array): Effect.Effect<V, UndecodableValue> => {
    const decoded = values.decode(bytes)
    return Result.isSuccess(decoded) ? Effect.succeed(decoded.success) : undecodable(key, bytes, decoded.failure)
  }
  const key = (text: string, bytes: Uint8Array = new Uint8Array()): Effect.Effect<K, UndecodableValue> => {
    const decoded = keys.decode(text)
    return Result.isSuccess(decoded)
      ? Effect.succeed(decoded.success)
      : undecodable(text, bytes, `its key is none: ${decoded.failure}`)
  }
  return {
    mapName,
    mapType,
    keyOf: keys.encode,
    valueBytes: values.encode,
    write,
    get,
    page,
    key,
    value,
    entry: (text, bytes) => Effect.zipWith(key(text, bytes), value(text, bytes), (k, v) => [k, v] as const)
  }
}
