/**
 * Walks over a partition in memory, a piece at a time: between two pieces it may change. Each piece is bounded in
 * size and in the keys that it looks at, so that a walk holds up nothing else for long.
 */
import { chunkWriter, type ChunkWriter } from "../../domain/data/ChunkWriter.ts"
import { defaultChunkBytes, largestChunkBytes } from "../../domain/data/DataBounds.ts"
import { DigestTree } from "../../domain/data/DigestTree.ts"
import { KeyRecords } from "../../domain/data/KeyRecords.ts"
import type { MapRecord } from "../../domain/data/MapRecord.ts"
import type { MapStateChunk } from "../../domain/wire/PartitionMessages.ts"
import type { KeyDigest } from "../../domain/data/KeyName.ts"
import { entries, type Entry, type MemoryMap, type MemoryPartition } from "./MemoryPartition.ts"

/** Keys that one piece looks at. */
export const maxKeysPerPiece = 4096

/** The size of chunks that is really used. */
export const chunkBytes = (asked: number = defaultChunkBytes): number =>
  Math.min(Math.max(1, Math.floor(asked)), largestChunkBytes)

/** All records, in chunks. */
export function* chunks(partition: MemoryPartition, maxChunkBytes: number): Generator<MapStateChunk> {
  for (const { entries, mapName, mapType } of partition.maps.values()) {
    let writer: ChunkWriter | undefined
    for (const { records } of entries.values()) {
      for (const record of records) {
        writer ??= chunkWriter(mapName, mapType, maxChunkBytes)
        if (writer.add(record)) continue
        yield writer.finish()
        writer = chunkWriter(mapName, mapType, maxChunkBytes)
        writer.add(record)
      }
    }
    if (writer !== undefined) yield writer.finish()
  }
}

/** The keys below a node of the digest tree, with their digests. A piece may be empty. */
export function* keyDigests(partition: MemoryPartition, node: number): Generator<ReadonlyArray<KeyDigest>> {
  const [first, last] = DigestTree.hashRange(node)
  if (partition.leaves !== undefined) {
    yield* keyDigestsOf(
      partition.leaves.slice(
        DigestTree.leafOf(first) - DigestTree.firstLeaf,
        DigestTree.leafOf(last) - DigestTree.firstLeaf + 1
      )
    )
    return
  }
  let found: Array<KeyDigest> = []
  let looked = 0
  for (const { digest, hash, key, mapName, mapType } of entries(partition)) {
    if (hash >= first && hash <= last) found.push({ mapName, mapType, key, digest })
    if (++looked % maxKeysPerPiece !== 0) continue
    yield found
    found = []
  }
  yield found
}

// Leaf by leaf, so that none changes while it is looked at.
function* keyDigestsOf(leaves: ReadonlyArray<ReadonlyArray<Entry>>): Generator<ReadonlyArray<KeyDigest>> {
  let found: Array<KeyDigest> = []
  for (const leaf of leaves) {
    for (const { digest, key, mapName, mapType } of leaf) found.push({ mapName, mapType, key, digest })
    if (found.length < maxKeysPerPiece) continue
    yield found
    found = []
  }
  yield found
}

/** The records of a map that are no tombstones. A piece may be empty. */
export function* liveRecords(map: MemoryMap): Generator<KeyRecords> {
  let found: Array<MapRecord> = []
  let looked = 0
  for (const { records } of map.entries.values()) {
    found.push(...KeyRecords.live(records))
    if (++looked % maxKeysPerPiece !== 0) continue
    yield found
    found = []
  }
  yield found
}
