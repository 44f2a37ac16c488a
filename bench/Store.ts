/**
 * The stores of partitions: small writes with a thousand under way, reads, copying, and the start with a million
 * entries. The durable one depends on the disk, so what one synchronization of it takes stands beside.
 */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { Effect, Stream } from "effect"
import type { MapRecord } from "../src/domain/data/MapRecord.ts"
import { encodeChunk } from "../src/domain/data/RecordCodec.ts"
import { keyHash } from "../src/domain/data/RecordDigest.ts"
import * as PartitionStoreMemory from "../src/layers/PartitionStoreMemory.ts"
import * as PartitionStoreSqlite from "../src/layers/PartitionStoreSqlite.ts"
import type { MapStoreShape } from "../src/services/MapStore.ts"
import { formatRows, type Row } from "./Harness.ts"

const partitions = 271
const entries = 1_000_000
const inFlight = 1000
/** Partition that is copied, of records of 1 KiB. */
const copied = 1000
const copyTarget = 1001
const copiedBytes = 64 * 1024 * 1024

/** Seconds of some work. On a slow disk it takes minutes in all, so that each part is told when it ends. */
const secondsOf = <E>(name: string, work: Effect.Effect<unknown, E>) =>
  Effect.gen(function* () {
    const start = performance.now()
    yield* work
    const seconds = (performance.now() - start) / 1000
    process.stderr.write(`\r${name}: ${seconds.toFixed(1)} s`.padEnd(70))
    return seconds
  })

const value = (bytes: number, seed: number): Uint8Array => new Uint8Array(bytes).fill(seed % 251)

/** Puts of 64 bytes, one operation each. */
const writes = (store: MapStoreShape, count: number) =>
  Effect.forEach(
    Array.from({ length: count }, (_, i) => i),
    (i) => {
      const reading = { wallMs: 1_700_000_000_000 + i, counter: 0, node: "bench#1" }
      return store.write(i % partitions, [{ type: "put", mapName: "m", key: `key-${i}`, value: value(64, i) }], reading)
    },
    { concurrency: inFlight, discard: true }
  )

const gets = (store: MapStoreShape, count: number, range: number) =>
  Effect.forEach(
    Array.from({ length: count }, (_, i) => (i * 7919) % range),
    (i) => store.get(i % partitions, { mapName: "m", mapType: "lww", key: `key-${i}` }),
    { concurrency: inFlight, discard: true }
  )

const register = (key: string, bytes: number, i: number): MapRecord => ({
  type: "lww",
  key,
  time: { wallMs: 1_700_000_000_000, counter: i, node: "bench#1" },
  value: value(bytes, i)
})

/** Adds records up to a million, by chunks as another node would send them: in the order of the keys' hashes. */
const fillUp = (store: MapStoreShape, from: number) =>
  Effect.forEach(
    Array.from({ length: partitions }, (_, partitionId) => partitionId),
    (partitionId) => {
      const records: Array<MapRecord> = []
      for (let i = from - (from % partitions) + partitionId; i < entries; i += partitions) {
        if (i >= from) records.push(register(`key-${i}`, 64, i))
      }
      const ordered = records.toSorted((a, b) => keyHash("m", a.key) - keyHash("m", b.key))
      return store.merge(partitionId, encodeChunk("m", "lww", ordered))
    },
    { concurrency: 4, discard: true }
  )

const fillCopied = (store: MapStoreShape) =>
  Effect.forEach(
    Array.from({ length: copiedBytes / 2 ** 18 }, (_, chunk) => chunk),
    (chunk) => {
      const records = Array.from({ length: 256 }, (_, i) => register(`copied-${chunk}-${i}`, 1024, i))
      return store.merge(copied, encodeChunk("m", "lww", records))
    },
    { concurrency: 4, discard: true }
  )

const measured = (name: string, store: MapStoreShape, count: number) =>
  Effect.gen(function* () {
    const group = "stores of partitions"
    yield* writes(store, Math.min(count, 5000))
    const written = yield* secondsOf(`${name}: puts`, writes(store, count))
    const got = yield* secondsOf(`${name}: gets`, gets(store, count, count))
    yield* secondsOf(`${name}: fill`, fillCopied(store))
    const read = yield* secondsOf(`${name}: read`, Stream.runDrain(store.read(copied)))
    const copy = yield* secondsOf(
      `${name}: copy`,
      Stream.runForEach(store.read(copied), (chunk) => store.merge(copyTarget, chunk))
    )
    const dropped = yield* secondsOf(`${name}: drop`, store.drop(copied))
    const rows: ReadonlyArray<Row> = [
      { group, name: `${name}: put 64 B, ${inFlight} under way`, value: count / written, unit: "/s" },
      { group, name: `${name}: get, ${inFlight} under way`, value: count / got, unit: "/s" },
      { group, name: `${name}: read chunks of 1 KiB values`, value: copiedBytes / 1e6 / read, unit: "MB/s" },
      { group, name: `${name}: read and merge them`, value: copiedBytes / 1e6 / copy, unit: "MB/s" },
      { group, name: `${name}: drop them`, value: dropped * 1000, unit: "ms" }
    ]
    return rows
  })

/** Milliseconds of one small write that is synchronized. */
const synchronization = (folder: string): number => {
  const file = openSync(join(folder, "sync"), "w")
  const start = performance.now()
  for (let i = 0; i < 50; i++) {
    writeSync(file, value(4096, i))
    fdatasyncSync(file)
  }
  closeSync(file)
  return (performance.now() - start) / 50
}

const program = (folder: string) =>
  Effect.gen(function* () {
    const path = join(folder, "store.db")
    const memory = yield* PartitionStoreMemory.make()
    const rows = [...(yield* measured("memory", memory, 200_000))]
    yield* Effect.scoped(
      Effect.gen(function* () {
        const store = yield* PartitionStoreSqlite.make({ path })
        const count = 50_000
        rows.push(...(yield* measured("file", store, count)))
        const filled = yield* secondsOf("file: merge", fillUp(store, count))
        rows.push({
          group: rows[0]?.group ?? "",
          name: "file: merge entries up to 10^6",
          value: (entries - count) / filled,
          unit: "/s"
        })
      })
    )
    yield* Effect.scoped(
      Effect.gen(function* () {
        const start = performance.now()
        const store = yield* PartitionStoreSqlite.make({ path })
        const sizes = yield* store.partitions
        const total = sizes.reduce((sum, { records }) => sum + records, 0)
        if (total < entries) return yield* Effect.die(new Error(`${total} entries instead of ${entries}`))
        const opened = performance.now() - start
        for (const { partitionId } of sizes) yield* store.digests(partitionId, [0])
        const digested = performance.now() - start
        rows.push(
          { group: rows[0]?.group ?? "", name: "file: open with 10^6 entries", value: opened, unit: "ms" },
          { group: rows[0]?.group ?? "", name: "file: and the digests of all", value: digested, unit: "ms" }
        )
      })
    )
    rows.push({
      group: rows[0]?.group ?? "",
      name: "one synchronization of the disk",
      value: synchronization(folder),
      unit: "ms"
    })
    return rows
  })

export const rows = async (): Promise<ReadonlyArray<Row>> => {
  const folder = mkdtempSync(join(tmpdir(), "squadron-bench-"))
  try {
    return await Effect.runPromise(program(folder))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  console.log(formatRows(await rows()))
}
