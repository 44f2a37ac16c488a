/** What a replica does with stamps and marks of others, which no seed finds soon. */
import { describe, expect, it } from "vitest"
import { deltas, Plane } from "./Plane.ts"

/** Of the first write of a process of this incarnation. */
const stampOf = (incarnation: number) => {
  const a = new Plane("a", { version: 5, rows: ["a+b"], incarnations: { a: incarnation } }).put(1, "k")
  return a.requests.flatMap((request) => (request._tag === "Write" ? [request.reading] : []))
}

describe("stamps", () => {
  it("of two processes under one id differ, whatever their clocks say (rule 2)", () => {
    const [first, second] = [stampOf(1), stampOf(2)]
    expect(first.map(({ counter, wallMs }) => [wallMs, counter])).toEqual(
      second.map(({ counter, wallMs }) => [wallMs, counter])
    )
    expect([...first, ...second].map(({ node }) => node)).toEqual(["a#1", "a#2"])
  })
})

describe("records that the owner sends of a key", () => {
  const keys = [{ mapName: "m", mapType: "lww" as const, key: "k" }]
  const askedOf = (markMs: number) => {
    const b = new Plane("b", { version: 5, rows: ["a+b"] })
    b.partition.epoch = { baseMs: 0, markMs }
    const before = b.requests.length
    b.told("a", { type: "fill", partitionId: 0, keys, content: deltas("k") })
    return b.requests.slice(before).map(({ _tag }) => _tag)
  }

  it("are all that it has: what else a replica holds of the key from before the mark goes first (rule 22)", () => {
    expect(askedOf(900)).toEqual(["Collect", "Merge"])
    expect(askedOf(0)).toEqual(["Merge"])
  })
})
