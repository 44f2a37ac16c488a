/** Who watches whom on rings: everyone has as many watchers, and watches as many, whatever the ids and their order. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { ringsOf } from "../../../src/domain/protocol/Rings.ts"
import { random } from "../../../src/testing/simulation/Random.ts"

const Size = Schema.Int.check(Schema.isBetween({ minimum: 2, maximum: 80 }))
const K = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 12 }))

const idsOf = (count: number, prefix = "n"): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, i) => `${prefix}${i + 1}`)

/** How many nodes of `side` have most of their watchers on the other side. */
const cutOff = (ids: ReadonlyArray<string>, side: ReadonlySet<string>, k: number): number => {
  const { watchersOf } = ringsOf(ids, k)
  return [...side].filter((id) => {
    const across = [...(watchersOf.get(id) ?? [])].filter((watcher) => !side.has(watcher)).length
    return 2 * across > k
  }).length
}

describe("rings", () => {
  it.prop(
    "give every node exactly k distinct watchers, and k that it watches",
    { extra: Size, k: K },
    ({ extra, k }) => {
      const ids = idsOf(k + extra, `node-${extra}-`)
      const { watchedBy, watchersOf } = ringsOf(ids, k)
      assert.deepStrictEqual([...watchersOf.keys()].toSorted(), ids.toSorted())
      for (const id of ids) {
        assert.strictEqual(watchersOf.get(id)?.size, k)
        assert.strictEqual(watchedBy.get(id)?.size, k)
        assert.isFalse(watchersOf.get(id)?.has(id))
        // Both readings of the relation agree: who watches knows it, and who is watched knows by whom.
        for (const watcher of watchersOf.get(id) ?? []) assert.isTrue(watchedBy.get(watcher)?.has(id))
      }
    }
  )

  it.prop("do not depend on the order of the nodes", { size: Size, seed: Schema.Int }, ({ seed, size }) => {
    const ids = idsOf(size + 4)
    assert.deepStrictEqual(ringsOf(random(seed).shuffle(ids), 4).watchersOf, ringsOf(ids, 4).watchersOf)
  })

  it("of the fewest nodes are everyone with everyone", () => {
    const { watchersOf } = ringsOf(["a", "b", "c", "d"], 3)
    assert.deepStrictEqual([...(watchersOf.get("b") ?? [])].toSorted(), ["a", "c", "d"])
  })

  it("change little when a node comes: of 8,000 relations among 1,000 nodes fewer than 40", () => {
    const ids = idsOf(1000)
    const before = ringsOf(ids, 8)
    const after = ringsOf([...ids, "another"], 8)
    let changed = 0
    for (const id of ids) {
      for (const watcher of before.watchersOf.get(id) ?? []) if (!after.watchersOf.get(id)?.has(watcher)) changed++
    }
    assert.isAtLeast(changed, 8)
    assert.isBelow(changed, 40)
  })

  it("leave hardly anyone of a small part of 1,000 nodes with most watchers inside it", () => {
    const ids = idsOf(1000)
    const part = new Set(random(7).shuffle(ids).slice(0, 100))
    assert.isAtLeast(cutOff(ids, part, 8), 98)
  })

  it("do not follow the names: nodes that are neighbours by name are not on the rings", () => {
    const ids = idsOf(1000)
    assert.isAtLeast(cutOff(ids, new Set(ids.slice(0, 100)), 8), 98)
  })
})
