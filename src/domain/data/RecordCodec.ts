/**
 * Records as bytes. A chunk's `data` and a delta's `entry` on the wire, and what durable stores keep, are these
 * bytes, so a store can put a chunk together from what it has stored, without decoding it.
 */
import { Result, Schema } from "effect"
import { MessagePack } from "../codec/MessagePack.ts"
import type { DeltaOp, MapStateChunk } from "../wire/PartitionMessages.ts"
import { isWithinUtf8, maxMapNameBytes } from "./DataBounds.ts"
import { MapRecord } from "./MapRecord.ts"

/** Received bytes are no records, or not those that they are said to be. */
export class MalformedRecords extends Schema.TaggedError<MalformedRecords>()("MalformedRecords", {
  mapName: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `malformed records of map "${this.mapName}": ${this.reason}`
  }
}

const one = MessagePack.codec(MapRecord)
const many = MessagePack.codec(Schema.Array(MapRecord))

/** The bytes of one record. Throws `UnencodableValue` as a defect when its schema forbids it. */
export const encodeRecord = one.encode

/** Writes a record's bytes into `buffer` from `offset`; the offset behind them, or −1 when they do not fit. */
export const encodeRecordInto = one.encodeInto

/** The record that fills the bytes. */
export const decodeRecord = one.decode

const oneInPlace = MessagePack.codec(MapRecord, { byteViews: true })
const manyInPlace = MessagePack.codec(Schema.Array(MapRecord), { byteViews: true })

/** The same; its value stays in the bytes, which must not change as long as the record is used. */
export const decodeRecordInPlace = oneInPlace.decode

/** The header that makes `count` encoded records, one behind the other, the data of a chunk. */
export const chunkHeader = (count: number): Uint8Array => {
  if (count < 16) return Uint8Array.of(0x90 | count)
  if (count <= 0xffff) return Uint8Array.of(0xdc, count >>> 8, count)
  return Uint8Array.of(0xdd, count >>> 24, count >>> 16, count >>> 8, count)
}

/** Some records of one map; all must be of the map's type. */
export const encodeChunk = (
  mapName: string,
  mapType: MapStateChunk["mapType"],
  records: ReadonlyArray<MapRecord>
): MapStateChunk => ({ mapName, mapType, data: many.encode(records) })

/** The records of a chunk; with `inPlace` their values stay in its bytes. */
export const decodeChunk = (
  chunk: MapStateChunk,
  inPlace = false
): Result.Result<ReadonlyArray<MapRecord>, MalformedRecords> => {
  const { mapName, mapType, data } = chunk
  const records = decoded(mapName, (inPlace ? manyInPlace : many).decode(data))
  return Result.isSuccess(records) && records.success.some(({ type }) => type !== mapType)
    ? malformed(mapName, `the map is said to be "${mapType}"`)
    : records
}

/** One record as a delta. */
export const encodeDelta = (mapName: string, record: MapRecord): DeltaOp => ({
  mapName,
  key: record.key,
  entry: one.encode(record)
})

/** The record of a delta; with `inPlace` its value stays in its bytes. */
export const decodeDelta = (delta: DeltaOp, inPlace = false): Result.Result<MapRecord, MalformedRecords> => {
  const record = decoded(delta.mapName, (inPlace ? oneInPlace : one).decode(delta.entry))
  return Result.isSuccess(record) && record.success.key !== delta.key
    ? malformed(delta.mapName, "the record is of another key than the delta")
    : record
}

/** A record and the map that it is for. */
export interface NamedRecord {
  readonly mapName: string
  readonly record: MapRecord
}

/** The records of all deltas, or why one has none. */
export const decodeDeltas = (
  deltas: ReadonlyArray<DeltaOp>,
  inPlace = false
): Result.Result<ReadonlyArray<NamedRecord>, MalformedRecords> => {
  const records: Array<NamedRecord> = []
  for (const delta of deltas) {
    const record = decodeDelta(delta, inPlace)
    if (Result.isFailure(record)) return Result.fail(record.failure)
    records.push({ mapName: delta.mapName, record: record.success })
  }
  return Result.succeed(records)
}

const decoded = <A>(
  mapName: string,
  result: Result.Result<A, { readonly message: string }>
): Result.Result<A, MalformedRecords> => {
  if (mapName === "" || !isWithinUtf8(mapName, maxMapNameBytes)) return malformed(mapName, "a name of 1…255 bytes")
  return Result.isSuccess(result) ? Result.succeed(result.success) : malformed(mapName, result.failure.message)
}

const malformed = (mapName: string, reason: string): Result.Result<never, MalformedRecords> =>
  Result.fail(new MalformedRecords({ mapName: mapName.slice(0, 80), reason }))
