/** The store of one virtual node: its partitions' records in memory, and what a store's lane does for each request. */
import { Result } from "effect"
import { DigestTree } from "../../../domain/data/DigestTree.ts"
import { Epoch } from "../../../domain/data/Epoch.ts"
import { type KeyDigest, KeyName } from "../../../domain/data/KeyName.ts"
import { KeyRecords } from "../../../domain/data/KeyRecords.ts"
import { MapOperation } from "../../../domain/data/MapOperation.ts"
import { MapRecord } from "../../../domain/data/MapRecord.ts"
import { decodeChunk, decodeDelta, encodeChunk, encodeDelta } from "../../../domain/data/RecordCodec.ts"
import { keyHash, RecordDigest } from "../../../domain/data/RecordDigest.ts"
import { Timestamp } from "../../../domain/data/Timestamp.ts"
import type { MapType } from "../../../domain/model/Migration.ts"
import type { StoredPartition, StoreRequest, StoreResult } from "../../../domain/replication/DataCommand.ts"
import type { Content, Delta } from "../../../domain/replication/DataMessage.ts"

interface Entry {
  readonly mapName: string
  readonly mapType: MapType
  readonly key: string
  readonly records: KeyRecords
  /** Of the records. */
  readonly digest: number
}

export interface VirtualPartition {
  readonly entries: Map<string, Entry>
  note: Uint8Array | undefined
  tree: DigestTree
  version: number
}

/** A chunk that is being read: the keys that are left, and of one with many records what did not fit. */
interface Reading {
  readonly partitionId: number
  readonly keys: Array<string>
  rest: Entry | undefined
}

/** About what a record takes. */
const recordBytes = 40
const mapOf = ({ mapName, mapType }: Entry): string => JSON.stringify([mapName, mapType])

const nameOf = (mapName: string, mapType: MapType, key: string): string =>
  `${mapName.length} ${mapType} ${mapName}${key}`

const sumOf = (mapName: string, records: KeyRecords): number => {
  let sum = 0
  for (const record of records) sum = RecordDigest.add(sum, RecordDigest.of(mapName, record))
  return sum
}

export class VirtualStore {
  readonly partitions = new Map<number, VirtualPartition>()
  private readonly readings = new Map<number, Reading>()
  private versions = 0

  partition(id: number): VirtualPartition {
    const known = this.partitions.get(id)
    if (known !== undefined) return known
    const made = {
      entries: new Map<string, Entry>(),
      note: undefined,
      tree: DigestTree.make(),
      version: ++this.versions
    }
    this.partitions.set(id, made)
    return made
  }
  /** Partitions that hold something. */
  get filled(): ReadonlyArray<number> {
    return [...this.partitions].flatMap(([id, { entries }]) => (entries.size > 0 ? [id] : []))
  }
  /** What a process is told when it opens the store. */
  get stored(): ReadonlyArray<StoredPartition> {
    return [...this.partitions].flatMap(([partitionId, { entries, note }]) =>
      entries.size > 0 || note !== undefined ? [{ partitionId, hasRecords: entries.size > 0, note }] : []
    )
  }
  /** A process ends: its readings with it. */
  closeReadings(): void {
    this.readings.clear()
  }
  records(partitionId: number, mapName: string, mapType: MapType, key: string): KeyRecords {
    return this.partitions.get(partitionId)?.entries.get(nameOf(mapName, mapType, key))?.records ?? KeyRecords.none
  }
  digest(partitionId: number): number {
    const partition = this.partitions.get(partitionId)
    return partition === undefined ? 0 : DigestTree.sum(partition.tree, DigestTree.root)
  }

  // ---- changing -------------------------------------------------------------------------------------

  private replace(partition: VirtualPartition, mapName: string, mapType: MapType, key: string, next: KeyRecords): void {
    const name = nameOf(mapName, mapType, key)
    const before = partition.entries.get(name)?.digest ?? 0
    const digest = sumOf(mapName, next)
    DigestTree.replace(partition.tree, DigestTree.leafOf(keyHash(mapName, key)), before, digest)
    if (next.length === 0) partition.entries.delete(name)
    else partition.entries.set(name, { mapName, mapType, key, records: next, digest })
    partition.version = ++this.versions
  }

  private mergeRecord(
    partition: VirtualPartition,
    mapName: string,
    record: MapRecord,
    epoch: Epoch | undefined
  ): boolean {
    const { key, type } = record
    const before = partition.entries.get(nameOf(mapName, type, key))?.records ?? KeyRecords.none
    if (epoch !== undefined && KeyRecords.find(before, record) === undefined && Epoch.isGone(epoch, record))
      return false
    const next = KeyRecords.merge(before, record)
    if (next === before) return false
    this.replace(partition, mapName, type, key, next)
    return true
  }

  private merge(partition: VirtualPartition, content: Content, epoch: Epoch | undefined): StoreResult {
    let changed = 0
    let latest: Timestamp | undefined
    const take = (mapName: string, record: MapRecord): void => {
      const time = MapRecord.latest(record)
      latest = latest === undefined ? time : Timestamp.max(latest, time)
      if (this.mergeRecord(partition, mapName, record, epoch)) changed++
    }
    for (const chunk of content.chunks) {
      for (const record of Result.getOrThrow(decodeChunk(chunk))) take(chunk.mapName, record)
    }
    for (const delta of content.deltas) take(delta.mapName, Result.getOrThrow(decodeDelta(delta)))
    return { _tag: "Merged", changed, latest }
  }

  private write(
    partition: VirtualPartition,
    { operations, reading }: Extract<StoreRequest, { _tag: "Write" }>
  ): StoreResult {
    const deltas: Array<Delta> = []
    let latest: Timestamp | undefined
    for (const operation of operations) {
      const { key, mapName } = operation
      const mapType = MapOperation.mapTypeOf(operation)
      const before = partition.entries.get(nameOf(mapName, mapType, key))?.records ?? KeyRecords.none
      const stamped = MapOperation.stamp(operation, before, reading)
      if (Result.isFailure(stamped)) return { _tag: "Failed", reason: "invalid", detail: stamped.failure.message }
      for (const record of stamped.success) {
        this.mergeRecord(partition, mapName, record, undefined)
        deltas.push(encodeDelta(mapName, record))
        const time = MapRecord.latest(record)
        latest = latest === undefined ? time : Timestamp.max(latest, time)
      }
    }
    return { _tag: "Written", deltas, latest }
  }

  private collect(
    partition: VirtualPartition,
    { epoch, keys }: Extract<StoreRequest, { _tag: "Collect" }>
  ): StoreResult {
    const wanted =
      keys === undefined || keys === "all" ? undefined : new Set(keys.map((k) => nameOf(k.mapName, k.mapType, k.key)))
    for (const [name, { key, mapName, mapType, records }] of partition.entries) {
      const goes = (record: MapRecord): boolean =>
        Epoch.isCollected(epoch, record) ||
        (keys !== undefined && (wanted === undefined || wanted.has(name)) && Epoch.isGone(epoch, record))
      if (records.some(goes))
        this.replace(
          partition,
          mapName,
          mapType,
          key,
          records.filter((record) => !goes(record))
        )
    }
    return { _tag: "Done" }
  }

  // ---- reading --------------------------------------------------------------------------------------

  private read(partitionId: number, reader: number, maxBytes: number): StoreResult {
    const partition = this.partition(partitionId)
    const reading = this.readings.get(reader) ?? { partitionId, keys: [...partition.entries.keys()], rest: undefined }
    this.readings.set(reader, reading)
    const taken: Array<MapRecord> = []
    let first: Entry | undefined
    while (taken.length * recordBytes < maxBytes) {
      const next = reading.rest ?? partition.entries.get(reading.keys[0] ?? "")
      if (next === undefined && reading.keys.length === 0) break
      if (next !== undefined && first !== undefined && mapOf(next) !== mapOf(first)) break
      if (reading.rest === undefined) reading.keys.shift()
      reading.rest = undefined
      if (next === undefined) continue
      first ??= next
      const room = Math.ceil(maxBytes / recordBytes) - taken.length
      taken.push(...next.records.slice(0, room))
      if (next.records.length > room) reading.rest = { ...next, records: next.records.slice(room) }
    }
    if (first !== undefined) return { _tag: "Chunk", chunk: encodeChunk(first.mapName, first.mapType, taken) }
    this.readings.delete(reader)
    return { _tag: "End" }
  }

  private deltasOf(
    partition: VirtualPartition,
    keys: ReadonlyArray<KeyName>,
    keep: (records: KeyRecords) => KeyRecords
  ) {
    return keys.flatMap(({ key, mapName, mapType }) =>
      keep(partition.entries.get(nameOf(mapName, mapType, key))?.records ?? KeyRecords.none).map((record) =>
        encodeDelta(mapName, record)
      )
    )
  }

  private keyDigests(partition: VirtualPartition, leaf: number): ReadonlyArray<KeyDigest> {
    return [...partition.entries.values()].flatMap(({ digest, key, mapName, mapType }) =>
      DigestTree.leafOf(keyHash(mapName, key)) === leaf ? [{ key, mapName, mapType, digest }] : []
    )
  }

  /** Carries out one request. */
  execute(partitionId: number, request: StoreRequest): StoreResult {
    const partition = this.partition(partitionId)
    switch (request._tag) {
      case "Write":
        return this.write(partition, request)
      case "Merge":
        return this.merge(partition, request.content, request.epoch)
      case "Get":
        return { _tag: "Got", deltas: this.deltasOf(partition, [request.key], KeyRecords.live) }
      case "Read":
        return this.read(partitionId, request.reader, request.maxBytes)
      // No simulated client scans.
      case "Scan":
        return { _tag: "Page", deltas: [], isEnd: true }
      case "CloseRead":
        this.readings.delete(request.reader)
        return { _tag: "Done" }
      case "Size":
        return { _tag: "Size", records: partition.entries.size, version: partition.version }
      case "Drop":
        if (partition.version !== request.ifVersion) return { _tag: "Dropped", dropped: false }
        this.partitions.delete(partitionId)
        return { _tag: "Dropped", dropped: true }
      case "Digests":
        return { _tag: "Digests", digests: request.nodes.map((node) => DigestTree.sum(partition.tree, node)) }
      case "KeyDigests":
        return { _tag: "KeyDigests", keys: this.keyDigests(partition, request.node) }
      case "Records":
        return { _tag: "Got", deltas: this.deltasOf(partition, request.keys, (records) => records) }
      case "Collect":
        return this.collect(partition, request)
      case "SetNote":
        partition.note = request.note
        return { _tag: "Done" }
    }
  }
}
