/**
 * Puts records of one map together into chunks of bounded size. A record that would make a chunk too large begins
 * the next; one that is larger than a whole chunk is a chunk of its own.
 */
import type { MapType } from "../model/Migration.ts"
import type { MapStateChunk } from "../wire/PartitionMessages.ts"
import type { MapRecord } from "./MapRecord.ts"
import { chunkHeader, encodeRecord } from "./RecordCodec.ts"

/** A chunk that is being filled. */
export interface ChunkWriter {
  /** Adds a record, unless the chunk would become too large with it. The first is always taken. */
  readonly add: (record: MapRecord) => boolean
  /** The same for a record that is encoded already. */
  readonly addEncoded: (record: Uint8Array) => boolean
  readonly finish: () => MapStateChunk
}

/** Bytes of the longest header. */
const headerRoom = 5

export const chunkWriter = (mapName: string, mapType: MapType, maxChunkBytes: number): ChunkWriter => {
  const records: Array<Uint8Array> = []
  let bytes = headerRoom
  const addEncoded = (record: Uint8Array): boolean => {
    if (records.length > 0 && bytes + record.length > maxChunkBytes) return false
    records.push(record)
    bytes += record.length
    return true
  }
  const finish = (): MapStateChunk => {
    const header = chunkHeader(records.length)
    const data = new Uint8Array(bytes - headerRoom + header.length)
    data.set(header)
    let at = header.length
    for (const record of records) {
      data.set(record, at)
      at += record.length
    }
    return { mapName, mapType, data }
  }
  return { add: (record) => addEncoded(encodeRecord(record)), addEncoded, finish }
}
