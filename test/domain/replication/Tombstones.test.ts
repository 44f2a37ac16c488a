/** When the owner of a partition may forget what was removed from it. */
import { describe, expect, it } from "vitest"
import { DataStep } from "../../../src/domain/replication/DataStep.ts"
import { goneOf } from "../../../src/domain/replication/Tombstones.ts"
import { deltas, merged, Plane, startOf, wrote } from "./Plane.ts"

const table = { version: 7, rows: ["a+b+c"] }
const settings = { tombstoneHorizonMs: 60_000, repairIntervalMs: 10_000 }
const owner = (): Plane => new Plane("a", table, settings)

/** The next round of comparing, up to the owner's question to its replicas, so many milliseconds from now. */
const round = (plane: Plane, ms = 10_001): Plane => {
  plane.text()
  return plane
    .after(ms)
    .stored({ _tag: "Digests", digests: [5] })
    .after(50)
}
const equal = (plane: Plane, ...replicas: ReadonlyArray<string>): Plane => {
  for (const replica of replicas) plane.told(replica, { type: "equal", round: 0, partitionIds: [0] })
  return plane
}
const forgets = (plane: Plane): boolean => plane.text().includes("Collect")

describe("tombstones are forgotten (rule 21)", () => {
  it("by an owner that has had the partition for a horizon, when all replicas were equal in a round", () => {
    expect(forgets(equal(round(owner(), 60_000), "b", "c"))).toBe(true)
  })

  it("by age alone that has passed here: a clock that jumps ahead makes nothing older", () => {
    const plane = owner()
    plane.aheadMs = 3_600_000
    equal(round(plane, 60_000), "b", "c")
    expect(plane.partition.epoch.markMs).toBe(1000)
  })

  it("not while a replica has not said so", () => {
    expect(forgets(equal(round(owner(), 60_000), "b", "b"))).toBe(false)
  })

  it("not by an owner that has had the partition for less than a horizon", () => {
    const plane = owner()
    expect(forgets(equal(round(plane, 59_000), "b", "c"))).toBe(false)
    expect(forgets(equal(round(plane), "b", "c"))).toBe(true)
  })

  it("not when something has changed since the round began", () => {
    const plane = round(owner(), 60_000)
    plane.put(1, "k").stored(wrote("k"))
    expect(forgets(equal(plane, "b", "c"))).toBe(false)
  })

  it("not while a copy is open", () => {
    const plane = round(owner(), 60_000)
    plane.receive("a", startOf("7-1", "d"))
    expect(forgets(equal(plane, "b", "c"))).toBe(false)
  })

  it("not within a horizon of taking in what others held", () => {
    const plane = owner()
    plane.after(5000).told("d", {
      type: "offer",
      partitionId: 0,
      batch: 1,
      content: deltas("k"),
      touch: { ageMs: 0, commonMs: 0 },
      epoch: plane.partition.epoch
    })
    plane.stored(merged)
    for (const replica of ["b", "c"]) {
      plane.told(replica, { type: "replicated", partitionId: 0, writeId: plane.writeId, accepted: true })
    }
    expect(forgets(equal(round(plane, 58_000), "b", "c"))).toBe(false)
    // Without that it would have.
    expect(forgets(equal(round(owner().after(5000), 58_000), "b", "c"))).toBe(true)
  })
})

describe("what was forgotten after two histories had parted (rule 22)", () => {
  it("says nothing of what the other has written: only what its epoch was from is gone there", () => {
    const plane = owner()
    const step = new DataStep(plane.state, 0, 1000)
    plane.partition.epoch = { baseMs: 5, markMs: 900 }
    plane.partition.epochIn = { lineage: "old", version: 3, ancestors: [] }
    plane.partition.epochInMarkMs = 40
    const history = { lineage: "old", version: 9, ancestors: [] }
    expect(goneOf(step, plane.partition, { history, ageMs: 10 })).toEqual({ baseMs: 5, markMs: 40 })
    expect(goneOf(step, plane.partition, { ageMs: 10, commonMs: 10 })).toEqual({ baseMs: 5, markMs: 900 })
  })
})
