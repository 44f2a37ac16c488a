/**
 * Walks over a partition in memory, a piece at a time: between two pieces it may change. Each piece is bounded in
 * size and in the keys that it looks at, so that a walk holds up nothing else for long.
 */
import { chunkWriter, type ChunkWriter } from "../../domain/data/ChunkWriter.ts"
import { defaultChunkBytes, largestChunkBytes } from "../../domain/data/DataBounds.ts"
import { DigestTree } from "../../domain/data/DigestTree.ts"
import type { KeyDigest } from "../../domain/data/KeyName.ts"
import type { MapRecord } from "../../domain/data/MapRecord.ts"
import { RecordDigest } from "../../domain/data/RecordDigest.ts"
import type { MapStateChunk } from "../../domain/wire/PartitionMessages.ts"
import type { MemoryMap, MemoryPartition } from "./MemoryPartition.ts"
import * as RecordTable from "./RecordTable.ts"

/** Records that one piece looks at. */
export const maxRecordsPerPiece = 1024

/** The size of chunks that is really used. */
export const chunkBytes = (asked: number = defaultChunkBytes): number =>
  Math.min(Math.max(1, Math.floor(asked)), largestChunkBytes)

/** All records, in chunks. */
export function* chunks(partition: MemoryPartition, maxChunkBytes: number): Generator<MapStateChunk> {
  for (const { mapName, mapType, table } of partition.maps.values()) {
    const cursor = RecordTable.start()
    let writer: ChunkWriter | undefined
    for (;;) {
      const place = RecordTable.advance(table, cursor)
      if (place === undefined) break
      writer ??= chunkWriter(mapName, mapType, maxChunkBytes)
      if (writer.addEncoded(RecordTable.encodedAt(table, place))) continue
      const full = writer.finish()
      writer = chunkWriter(mapName, mapType, maxChunkBytes)
      writer.addEncoded(RecordTable.encodedAt(table, place))
      yield full
    }
    if (writer !== undefined) yield writer.finish()
  }
}

/** The keys below a node of the digest tree, with their digests. A piece may be empty. */
export function* keyDigests(partition: MemoryPartition, node: number): Generator<ReadonlyArray<KeyDigest>> {
  const [first, last] = DigestTree.hashRange(node)
  for (const map of partition.maps.values()) yield* keyDigestsOf(map, first, last)
}

function* keyDigestsOf(
  { mapName, mapType, table }: MemoryMap,
  first: number,
  last: number
): Generator<ReadonlyArray<KeyDigest>> {
  const cursor = RecordTable.start(first)
  let found = new Map<string, KeyDigest>()
  let hash = first
  let looked = 0
  for (;;) {
    const place = RecordTable.advance(table, cursor, last)
    if (place === undefined) break
    // All of one key is in one piece: keys with equal hashes come one behind the other.
    if (cursor.hash !== hash && looked >= maxRecordsPerPiece) {
      yield [...found.values()]
      found = new Map()
      looked = 0
      // It may be gone meanwhile.
      RecordTable.restart(cursor)
      continue
    }
    hash = cursor.hash
    looked++
    const { key } = RecordTable.recordAt(table, place)
    const digest = RecordDigest.add(found.get(key)?.digest ?? 0, cursor.digest)
    found.set(key, { mapName, mapType, key, digest })
  }
  yield [...found.values()]
}

/** The records of a map that are no tombstones. A piece may be empty. */
export function* liveRecords({ table }: MemoryMap): Generator<ReadonlyArray<MapRecord>> {
  const cursor = RecordTable.start()
  let found: Array<MapRecord> = []
  let looked = 0
  for (;;) {
    const place = RecordTable.advance(table, cursor)
    if (place === undefined) break
    if (!RecordTable.isTombstoneAt(table, place)) found.push(RecordTable.copyAt(table, place))
    if (++looked % maxRecordsPerPiece !== 0) continue
    yield found
    found = []
  }
  yield found
}
