/** Reading a partition takes the memory of a few chunks, however large the partition is. */
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { afterAll } from "vitest"
import { encodeChunk } from "../../../src/domain/data/RecordCodec.ts"
import * as PartitionStoreMemory from "../../../src/layers/PartitionStoreMemory.ts"
import * as PartitionStoreSqlite from "../../../src/layers/PartitionStoreSqlite.ts"
import type { MapStoreShape } from "../../../src/services/MapStore.ts"

const folder = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "squadron-reading-"))
afterAll(() => rmSync(folder, { recursive: true }))

setFlagsFromString("--expose-gc")
const collectGarbage: unknown = runInNewContext("gc")

/** Bytes that are really in use. */
const used = (): number => {
  assert.isFunction(collectGarbage)
  // Another thread gives back buffers; a second collection waits for it.
  for (let i = 0; i < 2; i++) if (typeof collectGarbage === "function") collectGarbage()
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return arrayBuffers + heapUsed
}

const chunkBytes = 64 * 1024
const chunks = 150

const fill = (store: MapStoreShape) =>
  Effect.forEach(
    Array.from({ length: chunks }, (_, chunk) => chunk),
    (chunk) => {
      const records = Array.from({ length: 64 }, (_, i) => ({
        type: "lww" as const,
        key: `${chunk}-${i}`,
        time: { wallMs: 1, counter: i, node: "a#1" },
        value: new Uint8Array(1000).fill(chunk)
      }))
      return store.merge(1, encodeChunk("m", "lww", records))
    },
    { discard: true }
  )

/** The most that was in use while the partition was read, beyond what was before. */
const peakOfReading = (store: MapStoreShape) =>
  Effect.gen(function* () {
    yield* fill(store)
    const before = used()
    let peak = 0
    let bytes = 0
    let at = 0
    yield* Stream.runForEach(store.read(1, chunkBytes), ({ data }) =>
      Effect.sync(() => {
        bytes += data.length
        if (++at % 30 === 0) peak = Math.max(peak, used() - before)
      })
    )
    assert.isAbove(bytes, chunks * 64 * 1000)
    return peak
  })

describe("Reading 10 MB in chunks of 64 KiB takes less than 3 MB", () => {
  it.live(
    "from memory",
    () =>
      Effect.gen(function* () {
        assert.isBelow(yield* peakOfReading(yield* PartitionStoreMemory.make()), 3e6)
      }),
    60_000
  )
  it.live(
    "from a file",
    () =>
      Effect.gen(function* () {
        const store = yield* PartitionStoreSqlite.makeWithoutThread({ path: join(folder, "store.db") })
        assert.isBelow(yield* peakOfReading(store), 3e6)
      }).pipe(Effect.scoped),
    60_000
  )
})
