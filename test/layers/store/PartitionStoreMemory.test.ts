import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as PartitionStoreMemory from "../../../src/layers/PartitionStoreMemory.ts"
import { MapStore } from "../../../src/services/MapStore.ts"
import { PartitionStore } from "../../../src/services/PartitionStore.ts"
import * as PartitionStoreLaws from "../../../src/testing/PartitionStoreLaws.ts"

const media = Effect.succeed({ open: PartitionStoreMemory.make() })

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
