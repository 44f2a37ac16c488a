/** The map of peers: whatever version is asked, in whatever order, it answers as a copied `Map` would. */
import { describe, expect, it } from "vitest"
import { PersistentMap } from "../../../src/domain/protocol/PersistentMap.ts"
import { seededRandom } from "../placement/SeededRandom.ts"

interface Version {
  readonly map: PersistentMap<string, { readonly value: number }>
  readonly model: ReadonlyMap<string, { readonly value: number }>
}

const sorted = (entries: Iterable<readonly [string, unknown]>) => [...entries].toSorted(([a], [b]) => (a < b ? -1 : 1))

const expectSame = ({ map, model }: Version): void => {
  expect(sorted(map)).toEqual(sorted(model))
  expect(map.size).toBe(model.size)
  expect(map.keys().toSorted()).toEqual([...model.keys()].toSorted())
  expect(map.values()).toHaveLength(model.size)
}

describe("PersistentMap", () => {
  it.each([1, 2, 3, 4])("every version stays what it was, seed %i", (seed) => {
    const { below } = seededRandom(seed)
    const versions: Array<Version> = [{ map: PersistentMap.from([]), model: new Map() }]
    for (let step = 0; step < 500; step++) {
      // Mostly the latest version, now and then any other, which starts a branch.
      const from = versions[below(10) === 0 ? below(versions.length) : versions.length - 1]
      if (from === undefined) continue
      const key = `k${below(seed * 8)}`
      const value = { value: step }
      expect(from.map.get(key)).toBe(from.model.get(key))
      expect(from.map.has(key)).toBe(from.model.has(key))
      const model = new Map(from.model)
      const isRemoved = below(4) === 0
      if (isRemoved) model.delete(key)
      else model.set(key, value)
      versions.push({ map: isRemoved ? from.map.delete(key) : from.map.set(key, value), model })
      if (below(20) === 0) expectSame(versions[below(versions.length)] ?? from)
    }
    for (const version of versions.filter((_, index) => index % 7 === 0)) expectSame(version)
  })

  it("what is being read does not change by a write", () => {
    const map = PersistentMap.from([
      ["a", { value: 1 }],
      ["b", { value: 2 }]
    ])
    const seen: Array<string> = []
    for (const [key] of map) {
      seen.push(key)
      map.set(`${key}${key}`, { value: 3 })
    }
    expect(seen).toEqual(["a", "b"])
    expect(map.filter(({ value }) => value > 1).keys()).toEqual(["b"])
  })

  it("the first and the last of many versions", () => {
    const first = PersistentMap.from([["a", { value: 0 }]])
    let last = first
    for (let i = 1; i <= 100_000; i++) last = last.set("a", { value: i })
    expect(first.get("a")).toEqual({ value: 0 })
    expect(last.get("a")).toEqual({ value: 100_000 })
  })
})
