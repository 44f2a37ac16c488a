import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Result } from "effect"
import { Epoch } from "../../../src/domain/data/Epoch.ts"
import * as PartitionStoreMemory from "../../../src/layers/PartitionStoreMemory.ts"
import * as MemoryStore from "../../../src/layers/store/MemoryStore.ts"
import { MapStore } from "../../../src/services/MapStore.ts"
import { PartitionStore } from "../../../src/services/PartitionStore.ts"
import * as PartitionStoreLaws from "../../../src/testing/PartitionStoreLaws.ts"

const media = Effect.succeed({ open: PartitionStoreMemory.make() })

const register = (i: number) => ({ mapName: "m", mapType: "lww" as const, key: `${i}` })

describe("In memory", () => {
  for (const { check, name } of PartitionStoreLaws.laws({ media })) it.effect(name, () => check)
  for (const { check, name } of PartitionStoreLaws.mapLaws(media)) it.effect(name, () => check)

  it.effect("what exceeds the maximum is refused as a whole, and removing makes room", () =>
    Effect.gen(function* () {
      const store = yield* PartitionStoreMemory.make({ maxBytes: 5000 })
      const reading = { wallMs: 1, counter: 0, node: "a#1" }
      const put = (key: string, size: number) =>
        store.write(1, [{ type: "put", mapName: "m", key, value: new Uint8Array(size) }], reading)
      yield* put("a", 3000)
      const before = yield* store.size(1)
      assert.strictEqual((yield* Effect.flip(put("b", 3000)))._tag, "StoreFull")
      assert.deepStrictEqual(yield* store.size(1), before)
      assert.strictEqual((yield* Effect.flip(put("a", 6000)))._tag, "StoreFull")
      yield* put("a", 100)
      yield* put("b", 3000)
      yield* store.drop(1)
      yield* put("c", 4000)
    })
  )

  it.effect("a partition of which all is removed is not there any more", () =>
    Effect.gen(function* () {
      const store = yield* PartitionStoreMemory.make()
      for (let i = 0; i < 600; i++) {
        yield* store.write(1, [{ type: "put", mapName: "m", key: `${i}`, value: Uint8Array.of(i) }], {
          wallMs: i,
          counter: 0,
          node: "a#1"
        })
      }
      assert.strictEqual(
        yield* store.collect(1, { baseMs: 0, markMs: 1000 }, { _tag: "gone", keys: Option.none() }),
        600
      )
      assert.deepStrictEqual(yield* store.partitions, [])
      assert.strictEqual((yield* store.size(1)).bytes, 0)
    })
  )

  it.effect("what is collected gives its memory back, slab by slab", () =>
    Effect.gen(function* () {
      const store = MemoryStore.make(1e9)
      for (let i = 0; i < 4000; i++) {
        const operation = { type: "put" as const, mapName: "m", key: `${i}`, value: new Uint8Array(1000) }
        Result.getOrThrow(MemoryStore.write(store, 1, [operation], { wallMs: i, counter: 0, node: "a#1" }))
      }
      const slabs = store.partitions.get(1)?.maps.get("lww m")?.table.slabs
      const odd = Array.from({ length: 2000 }, (_, i) => register(2 * i + 1))
      const epoch = { baseMs: 0, markMs: 10_000 }
      MemoryStore.collect(store, 1, epoch, { _tag: "gone", keys: Option.some(odd) })
      for (let i = 0; i < 20; i++) MemoryStore.collect(store, 1, Epoch.none, { _tag: "tombstones" })
      assert.isDefined(slabs)
      if (slabs === undefined) return
      assert.isAtLeast(slabs.used - slabs.dead, 2_000_000)
      assert.isAtMost(slabs.used, 2_700_000 + 256 * 1024)
    })
  )

  it.effect("the layer is one store behind both services", () =>
    Effect.gen(function* () {
      const maps = yield* MapStore
      const partitions = yield* PartitionStore
      yield* maps.write(1, [{ type: "put", mapName: "m", key: "k", value: Uint8Array.of(1) }], {
        wallMs: 1,
        counter: 0,
        node: "a#1"
      })
      assert.strictEqual((yield* partitions.size(1)).records, 1)
    }).pipe(Effect.provide(PartitionStoreMemory.layer()))
  )
})
