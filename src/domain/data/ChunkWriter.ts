/**
 * Puts records of one map together into chunks of bounded size. A record that would make a chunk too large begins
 * the next; one that is larger than a whole chunk is a chunk of its own.
 *
 * Records are encoded right where they stay: each buffer less is one less for the collector, which would otherwise
 * run several times a second while a partition is copied.
 */
import type { MapType } from "../model/Migration.ts"
import type { MapStateChunk } from "../wire/PartitionMessages.ts"
import type { MapRecord } from "./MapRecord.ts"
import { chunkHeader, encodeRecord, encodeRecordInto } from "./RecordCodec.ts"

/** A chunk that is being filled. */
export interface ChunkWriter {
  /** Adds a record, unless the chunk would become too large with it. The first is always taken. */
  readonly add: (record: MapRecord) => boolean
  /** The same for a record that is encoded already. */
  readonly addEncoded: (record: Uint8Array) => boolean
  /** To be called once. */
  readonly finish: () => MapStateChunk
}

/** Bytes of the longest header. */
const headerRoom = 5
/** Memory that a chunk begins with; it doubles up to what the chunk may have. */
const firstBytes = 64 * 1024

export const chunkWriter = (mapName: string, mapType: MapType, maxChunkBytes: number): ChunkWriter => {
  let memory = new Uint8Array(Math.max(headerRoom, Math.min(firstBytes, maxChunkBytes)))
  let end = headerRoom
  let count = 0
  const grow = (bytes: number): void => {
    const grown = new Uint8Array(Math.max(bytes, Math.min(2 * memory.length, maxChunkBytes)))
    grown.set(memory.subarray(0, end))
    memory = grown
  }
  const addEncoded = (record: Uint8Array): boolean => {
    const next = end + record.length
    if (count > 0 && next > maxChunkBytes) return false
    if (next > memory.length) grow(next)
    memory.set(record, end)
    end = next
    count++
    return true
  }
  const add = (record: MapRecord): boolean => {
    let next = encodeRecordInto(record, memory, end)
    while (next === -1 && memory.length < maxChunkBytes) {
      grow(0)
      next = encodeRecordInto(record, memory, end)
    }
    if (next === -1) return count === 0 && addEncoded(encodeRecord(record))
    end = next
    count++
    return true
  }
  // The header comes right before the records, so that those need not be moved.
  const finish = (): MapStateChunk => {
    const header = chunkHeader(count)
    const start = headerRoom - header.length
    memory.set(header, start)
    return { mapName, mapType, data: memory.subarray(start, end) }
  }
  return { add, addEncoded, finish }
}
