/** Keys by node of the digest tree, and the digests of each. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Stream } from "effect"
import { DigestTree } from "../../../src/domain/data/DigestTree.ts"
import { Epoch } from "../../../src/domain/data/Epoch.ts"
import { encodeChunk } from "../../../src/domain/data/RecordCodec.ts"
import { RecordDigest } from "../../../src/domain/data/RecordDigest.ts"
import * as PartitionStoreMemory from "../../../src/layers/PartitionStoreMemory.ts"
import type { MapStoreShape } from "../../../src/services/MapStore.ts"

const reading = (wallMs: number) => ({ wallMs, counter: 0, node: "a#1" })
const put = (store: MapStoreShape, key: string, wallMs: number) =>
  store.write(1, [{ type: "put", mapName: "m", key, value: new Uint8Array([wallMs % 251]) }], reading(wallMs))

/** All keys below a node, and what its records add up to. */
const below = (store: MapStoreShape, node: number) =>
  Effect.map(Stream.runCollect(store.keyDigests(1, node)), (pieces) => {
    const keys = pieces.flat()
    return {
      names: keys.map(({ key }) => key).toSorted(),
      sum: keys.reduce((sum, { digest }) => RecordDigest.add(sum, digest), 0)
    }
  })

describe("keys by node of the digest tree", () => {
  it.effect("are those of the partition, whether few or many, and after removals", () =>
    Effect.gen(function* () {
      const store = yield* PartitionStoreMemory.make()
      const alive = new Set<string>()
      for (const count of [1500, 3000]) {
        for (let i = alive.size; i < count; i++) {
          yield* put(store, `k${i}`, i)
          alive.add(`k${i}`)
        }
        const root = yield* below(store, DigestTree.root)
        assert.deepStrictEqual(root.names, [...alive].toSorted())
        assert.strictEqual(root.sum, (yield* store.digests(1, [DigestTree.root]))[0])
        for (let node = 1; node < DigestTree.size; node += 97) {
          assert.strictEqual((yield* below(store, node)).sum, (yield* store.digests(1, [node]))[0])
        }
      }
      const epoch = { ...Epoch.none, baseMs: 0, markMs: 1000 }
      assert.strictEqual(yield* store.collect(1, epoch, { _tag: "gone", keys: Option.none() }), 1000)
      for (let i = 0; i < 1000; i++) alive.delete(`k${i}`)
      const root = yield* below(store, DigestTree.root)
      assert.deepStrictEqual(root.names, [...alive].toSorted())
      assert.strictEqual(root.sum, (yield* store.digests(1, [DigestTree.root]))[0])
    })
  )

  it.effect("a key comes once, however many records it has", () =>
    Effect.gen(function* () {
      const store = yield* PartitionStoreMemory.make()
      for (let tags = 0; tags < 3000; tags += 1000) {
        const records = Array.from({ length: 1000 }, (_, i) => ({
          type: "or" as const,
          key: "k",
          tag: reading(tags + i),
          value: Uint8Array.of(i)
        }))
        yield* store.merge(1, encodeChunk("s", "or", records))
      }
      for (let i = 0; i < 2000; i++) yield* put(store, `k${i}`, i)
      const { names, sum } = yield* below(store, DigestTree.root)
      assert.strictEqual(names.length, 2001)
      assert.strictEqual(names.filter((key) => key === "k").length, 1)
      assert.strictEqual(sum, (yield* store.digests(1, [DigestTree.root]))[0])
      assert.strictEqual((yield* store.get(1, { mapName: "s", mapType: "or", key: "k" })).length, 3000)
    })
  )
})
