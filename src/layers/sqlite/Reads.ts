/** Requests that change nothing. */
import { chunkWriter, type ChunkWriter } from "../../domain/data/ChunkWriter.ts"
import { DigestTree } from "../../domain/data/DigestTree.ts"
import { RecordDigest } from "../../domain/data/RecordDigest.ts"
import type { MapStateChunk } from "../../domain/wire/PartitionMessages.ts"
import type { KeyDigest } from "../../domain/data/KeyName.ts"
import type { PartitionSize } from "../../services/PartitionStore.ts"
import type { Partition, Partitions } from "./Partitions.ts"
import { mapPrefix, nameOf, placeOf, type Position } from "./RecordRows.ts"
import type { Answers, Page, Reading } from "./Requests.ts"

/** Keys or values in one page. */
const maxItemsPerPage = 1024
/** Rows that one page of values looks at. */
const maxRowsPerPage = 8192
/** Bytes of the values in one page; the last may exceed it. */
const maxPageBytes = 256 * 1024

const lastHash = 0xffff_ffff

export const answer = (partitions: Partitions, request: Reading): Answers[Reading["type"]] => {
  if (request.type === "partitions") return Array.from(partitions.all(), sizeOf)
  const { partitionId } = request
  const partition = partitions.find(partitionId)
  if (partition === undefined) return answerEmpty(request)
  switch (request.type) {
    case "size":
      return sizeOf(partition)
    case "read":
      return chunks(partitions, partition, request.after, request.maxBytes)
    case "digests": {
      const digests = partitions.digestsOf(partition)
      return request.nodes.map((node) => DigestTree.sum(digests, node))
    }
    case "keyDigests":
      return keyDigests(partitions, partition, request.after, request.node)
    case "records":
      return request.keys.flatMap((name) =>
        partitions.rows
          .ofKey(partition.generation, placeOf(name))
          .map(({ data }) => ({ mapName: name.mapName, key: name.key, entry: data }))
      )
    case "note":
      return partition.note
    case "get":
      return partitions.rows
        .ofKey(partition.generation, placeOf(request.key))
        .flatMap(({ data, removed }) => (removed ? [] : [data]))
    case "values":
      return values(partitions, partition, request.after, mapPrefix(request.map))
  }
}

const answerEmpty = (request: Exclude<Reading, { readonly type: "partitions" }>): Answers[Reading["type"]] => {
  switch (request.type) {
    case "size":
      return { partitionId: request.partitionId, records: 0, bytes: 0, version: 0 }
    case "digests":
      return request.nodes.map(() => 0)
    case "read":
    case "keyDigests":
    case "values":
      return { items: [], next: undefined }
    case "records":
    case "get":
      return []
    case "note":
      return undefined
  }
}

const sizeOf = ({ bytes, id, records, version }: Partition): PartitionSize => ({
  partitionId: id,
  records,
  bytes,
  version
})

/** The rows behind a position, as far as all their chunks together stay within `maxBytes`, and at least one. */
const chunks = (
  partitions: Partitions,
  partition: Partition,
  after: Position,
  maxBytes: number
): Page<MapStateChunk> => {
  const writers = new Map<string, ChunkWriter>()
  let next: Position | undefined
  let bytes = 0
  for (const { data, hash, id, tag } of partitions.rows.after(partition.generation, after, lastHash)) {
    if (next !== undefined && bytes + data.length > maxBytes) {
      return { items: finished(writers), next }
    }
    const { mapName, mapType } = nameOf(id)
    const name = `${mapType} ${mapName}`
    let writer = writers.get(name)
    if (writer === undefined) writers.set(name, (writer = chunkWriter(mapName, mapType, Number.POSITIVE_INFINITY)))
    writer.addEncoded(data)
    bytes += data.length + (bytes === 0 ? chunkRoom : 0)
    next = { hash, id, tag }
  }
  return { items: finished(writers), next: undefined }
}

/** Bytes of a chunk's longest header. */
const chunkRoom = 5

const finished = (writers: ReadonlyMap<string, ChunkWriter>): ReadonlyArray<MapStateChunk> =>
  Array.from(writers.values(), (writer) => writer.finish())

const keyDigests = (partitions: Partitions, partition: Partition, after: Position, node: number): Page<KeyDigest> => {
  if (!DigestTree.isNode(node)) return { items: [], next: undefined }
  const [first, last] = DigestTree.hashRange(node)
  const from = after.hash < first ? { hash: first - 1, id: after.id, tag: lastTag } : after
  const items: Array<KeyDigest> = []
  let open: { readonly position: Position; readonly digest: RecordDigest } | undefined
  for (const { digest, hash, id, tag } of partitions.rows.after(partition.generation, from, last)) {
    if (open !== undefined && Buffer.compare(open.position.id, id) === 0) {
      open = { position: { hash, id, tag }, digest: RecordDigest.add(open.digest, digest) }
      continue
    }
    if (open !== undefined) {
      items.push({ ...nameOf(open.position.id), digest: open.digest })
      if (items.length >= maxItemsPerPage) return { items, next: open.position }
    }
    open = { position: { hash, id, tag }, digest }
  }
  if (open !== undefined) items.push({ ...nameOf(open.position.id), digest: open.digest })
  return { items, next: undefined }
}

/** Behind every tag. */
const lastTag = new Uint8Array(16).fill(0xff)

const values = (
  partitions: Partitions,
  partition: Partition,
  after: Position,
  prefix: Uint8Array
): Page<Uint8Array> => {
  const items: Array<Uint8Array> = []
  let rows = 0
  let bytes = 0
  for (const { data, hash, id, removed, tag } of partitions.rows.after(partition.generation, after, lastHash)) {
    if (!removed && startsWith(id, prefix)) {
      items.push(data)
      bytes += data.length
    }
    if (++rows >= maxRowsPerPage || bytes >= maxPageBytes) return { items, next: { hash, id, tag } }
  }
  return { items, next: undefined }
}

const startsWith = (id: Uint8Array, prefix: Uint8Array): boolean =>
  id.length >= prefix.length && Buffer.compare(id.subarray(0, prefix.length), prefix) === 0
