/** What a process knows of its partitions when it comes back: the note beside the records. */
import { Result } from "effect"
import { describe, expect, it } from "vitest"
import { Epoch } from "../../../src/domain/data/Epoch.ts"
import type { StoredPartition, StoreResult } from "../../../src/domain/replication/DataCommand.ts"
import type { Touch } from "../../../src/domain/replication/DataMessage.ts"
import { noteCodec } from "../../../src/domain/replication/Tombstones.ts"
import { chunk, deltas, lineage, merged, partOf, Plane, startOf, wrote } from "./Plane.ts"

const historyIn = (inLineage: string) => ({ lineage: inLineage, version: 1, ancestors: [] })
const noted = (epoch: Epoch, syncedAtMs = 1000, inLineage = lineage): ReadonlyArray<StoredPartition> => [
  {
    partitionId: 0,
    hasRecords: true,
    note: noteCodec.encode({ ...epoch, syncedAtMs, history: historyIn(inLineage) })
  }
]
const marked: Epoch = { baseMs: 100, markMs: 500 }
const recovering = [{ partitionId: 0, replicas: ["x"] }]
const table = { version: 6, rows: ["a+b"], recovering, members: ["a", "b", "c"] }
const offer = (epoch: Epoch, key: string, ageMs = 0, batch = 1) => ({
  type: "offer" as const,
  partitionId: 0,
  batch,
  content: deltas(key),
  epoch,
  touch: { history: historyIn(lineage), ageMs, commonMs: ageMs }
})
const size: StoreResult = { _tag: "Size", records: 1, version: 1 }
const merges = (plane: Plane) => plane.requests.flatMap((request) => (request._tag === "Merge" ? [request.epoch] : []))
const collects = (plane: Plane) =>
  plane.requests.flatMap((request) => (request._tag === "Collect" ? [request.epoch] : []))
const noteOf = (plane: Plane) =>
  plane.requests.flatMap((request) =>
    request._tag === "SetNote" ? [Result.getOrThrow(noteCodec.decode(request.note))] : []
  )

describe("what was forgotten before a restart stays forgotten (rule 22)", () => {
  it("an owner that comes back refuses what its own data tells to be gone", () => {
    const a = new Plane("a", table, {}, noted(marked)).after(2000)
    expect(a.partition.epoch).toEqual(marked)
    a.told("c", offer(Epoch.none, "old"))
    expect(merges(a)).toEqual([marked])
  })

  it("an owner that held nothing takes first what tells most, and refuses of the rest what is gone", () => {
    const a = new Plane("a", table)
    a.told("c", offer(Epoch.none, "old"))
    expect(merges(a)).toEqual([])
    a.told("b", offer(marked, "new"))
    a.told("c", offer(Epoch.none, "old"))
    expect(merges(a)).toEqual([undefined])
    a.told("b", { type: "declare", partitionIds: [0] })
    expect(a.partition.epoch).toEqual(marked)
    a.told("c", offer(Epoch.none, "old"))
    expect(merges(a)).toEqual([undefined, marked])
  })

  it("what is handed over as the best there is reaches backups that hold nothing", () => {
    const a = new Plane("a", table, {}, noted(marked)).after(2000)
    // Its own data, which it gives to its backups.
    a.stored({ _tag: "Size", records: 1, version: 1 }).stored(chunk).stored(merged)
    expect(a.text()).toContain("b <- replicate chunk of m")
    expect(merges(a)).toEqual([undefined])
  })

  it("a note is not lost with a takeover before the store is open", () => {
    const a = new Plane("a", table, {}, noted(marked))
    expect(noteOf(a)).toEqual([])
  })
})

/** What a plane says of data that it hands over. */
const stray = (plane: Plane) => {
  plane.partition.hasData = true
  return plane.after(50).stored({ _tag: "Size", records: 1, version: 1 }).stored(chunk).offered
}

describe("data that was out of touch while removals were forgotten is set aside (rule 23)", () => {
  const settings = { tombstoneHorizonMs: 1000, repairIntervalMs: 1e9 }
  const owner = () => {
    const a = new Plane("a", { version: 5, rows: ["a+b"] }, settings)
    a.partition.epoch = { baseMs: 0, markMs: 4000 }
    return a.after(5000)
  }

  it("the owner judges it by its own mark", () => {
    const a = owner()
    a.told("c", offer(Epoch.none, "old", 5000))
    expect(a.text()).toContain("c <- offered: false")
    expect(merges(a)).toEqual([])
    a.told("c", offer(Epoch.none, "old", 500))
    expect(merges(a)).toEqual([{ baseMs: 0, markMs: 4000 }])
  })

  it("and data of which as much is forgotten is not too old: it has come since", () => {
    const a = owner()
    a.told("c", offer({ baseMs: 0, markMs: 4000 }, "old", 5000))
    expect(a.text()).not.toContain("offered: false")
    expect(merges(a)).toEqual([{ baseMs: 0, markMs: 4000 }])
  })

  it("what was set aside goes when its node takes the partition in again, as far as is forgotten", () => {
    const c = new Plane("c", { version: 5, rows: ["a+b"] }, settings, noted(Epoch.none, 400)).after(50)
    c.partition.isSetAside = true
    c.receive("a", { ...partOf("5-1", 0), epoch: marked })
    expect(collects(c)).toEqual([{ baseMs: 0, markMs: 500 }])
    expect(c.partition.copyIn?.migrationId).toBe("5-1")
  })

  it("where nothing was forgotten nothing is too old", () => {
    const a = new Plane("a", { version: 5, rows: ["a+b"] }, settings).after(5000)
    a.told("c", offer(Epoch.none, "old", 1e9))
    expect(merges(a)).toEqual([Epoch.none])
  })

  it("the age of what a process finds at its start counts from its note", () => {
    const c = new Plane("c", { version: 5, rows: ["a+b"] }, settings, noted(Epoch.none, 400)).after(50)
    c.stored({ _tag: "Size", records: 1, version: 1 }).stored(chunk)
    const batch = c.partition.stray?.batch ?? 0
    expect(c.offered).toEqual({ history: historyIn(lineage), ageMs: 650, commonMs: 650 })
    c.told("a", { type: "offered", partitionId: 0, batch, accepted: false, stale: true })
    expect(c.text()).toContain("StraySetAside")
    expect(c.partition.hasData).toBe(true)
    expect(c.after(60_000).text()).not.toContain("offer")
  })

  it("a process that is cut off does not take itself for one that is in touch", () => {
    const b = new Plane("b", { version: 5, rows: ["a+b"] }, settings).after(5000)
    b.table({ version: 5, rows: ["a+b"], links: {} }).table({ version: 6, rows: ["a+c"] })
    b.partition.hasData = true
    b.after(50)
    b.stored({ _tag: "Size", records: 1, version: 1 }).stored(chunk)
    expect(b.offered?.ageMs).toBe(5050)
  })
})

describe("what the other part of a split has written is merged, however old it is (rule 22)", () => {
  const table = { version: 5, rows: ["a+b"] }
  const owner = () => {
    const a = new Plane("a", table, { tombstoneHorizonMs: 1000, repairIntervalMs: 1e9 })
    a.partition.epoch = { baseMs: 0, markMs: 4000 }
    return a.after(5000)
  }
  const told = (touch: Touch) => owner().told("c", { ...offer(Epoch.none, "k"), touch })

  it("of another cluster nothing is gone", () => {
    expect(merges(told({ history: historyIn("x.1"), ageMs: 0 }))).toEqual([{ baseMs: 0, markMs: 0 }])
  })

  it("of the other part nothing is gone that it has written since", () => {
    expect(merges(told({ history: historyIn("x.1"), ageMs: 0, commonMs: 3000 }))).toEqual([{ baseMs: 0, markMs: 3000 }])
    // And it is not set aside because it was away.
    expect(merges(told({ history: historyIn("x.1"), ageMs: 0, commonMs: 5500 }))).toEqual([{ baseMs: 0, markMs: 500 }])
  })

  it("whoever comes from it says since when they have parted", () => {
    const c = new Plane("c", { version: 5, rows: ["c+d"] }, { repairIntervalMs: 1e9 }).after(1000)
    c.table({ version: 6, rows: ["c"], lineage: "c.1.1" }).after(2000)
    c.partition.syncedAtMs = 2900
    c.partition.syncedIn = historyIn("c.1.1")
    c.table({ version: 7, rows: ["a+b"] })
    expect(stray(c)).toEqual({ history: historyIn("c.1.1"), ageMs: 150, commonMs: 2050 })
  })

  it("whoever comes from another cluster says that they have never been one", () => {
    const c = new Plane("c", { version: 5, rows: ["c+d"], lineage: "x.1" }, { repairIntervalMs: 1e9 }).after(1000)
    c.table({ version: 7, rows: ["a+b"] })
    expect(stray(c)).toEqual({ history: historyIn("x.1"), ageMs: 1050 })
  })

  it("and is handed over before a copy is taken in, whose marks do not tell of it", () => {
    const c = new Plane("c", { version: 5, rows: ["c+d"], lineage: "x.1" }, { repairIntervalMs: 1e9 }).after(1000)
    c.partition.hasData = true
    c.table({ version: 7, rows: ["a+b"] })
    c.receive("a", { ...partOf("7-1", 0), epoch: { baseMs: 0, markMs: 500 } })
    expect(c.text()).toContain("copied 0: false")
    expect(c.partition.copyIn).toBeUndefined()
    c.receive("a", { ...partOf("7-2", 0), epoch: { baseMs: 0, markMs: 0 } })
    expect(c.partition.copyIn?.migrationId).toBe("7-2")
  })
})

describe("what an owner waits for is handed over before a copy is taken in (rule 22)", () => {
  it("of what is gone as well, of which the copy tells nothing", () => {
    const c = new Plane("c", { ...table, rows: ["a+b"] }, {}, noted(marked)).after(50)
    c.receive("a", { ...partOf("6-1", 0), epoch: Epoch.none })
    expect(c.text()).toContain("copied 0: false")
    expect(c.partition.epoch).toEqual(marked)
    c.table({ ...table, version: 7, recovering: [] }).receive("a", { ...partOf("7-1", 0), epoch: Epoch.none })
    expect(c.partition.copyIn?.migrationId).toBe("7-1")
  })
})

describe("whoever is cut off writes what nobody else hears of, in their last view already (rule 22)", () => {
  it("so the last touch in it says since when they have parted", () => {
    const c = new Plane("c", { version: 5, rows: ["c+d"] }, { repairIntervalMs: 1e9 })
    const write = (key: string, stamp: { readonly lineage?: string } = {}) => {
      c.put(1, key).stored(wrote(key))
      c.told("d", { type: "replicated", partitionId: 0, writeId: c.writeId, accepted: true }, stamp)
    }
    write("both")
    c.after(1000).table({ version: 6, rows: ["c+d"], lineage: "c.1.1" })
    write("alone", { lineage: "c.1.1" })
    c.after(2000).table({ version: 7, rows: ["a+b"] })
    expect(stray(c)).toMatchObject({ ageMs: 2050, commonMs: 3050 })
  })

  it("and who takes in what others hand over is not in touch until all have", () => {
    const a = new Plane("a", table, { repairIntervalMs: 1e9 }, noted(Epoch.none, 1000, "x.1")).after(2000)
    a.told("c", offer(Epoch.none, "k"))
    // The note of the takeover, the size of what it has itself, and what came.
    for (const result of [merged, size, merged]) a.stored(result)
    expect(a.text()).toContain("b <- replicate k")
    a.told("b", { type: "replicated", partitionId: 0, writeId: a.writeId, accepted: true })
    // Its own data is that of another cluster, of which b's marks say nothing.
    a.told("b", offer(marked, "new"))
    expect(collects(a)).toEqual([])
  })

  it("marks that a process brings along from there say nothing of what was written here since", () => {
    const own = { version: 5, rows: ["a+b"], lineage: "x.1" }
    const a = new Plane("a", own, { repairIntervalMs: 1e9 }).after(5000)
    a.partition.epoch = marked
    a.partition.hasData = true
    a.table({ ...table, incarnations: { a: 2 } }).after(2000)
    a.told("c", offer(Epoch.none, "here"))
    expect(merges(a)).toEqual([{ baseMs: marked.baseMs, markMs: 0 }])
  })
})

describe("what an owner acknowledges alone is not as old as its last touch with others (rule 23)", () => {
  const settings = { repairIntervalMs: 1e9 }
  const gone = { version: 7, rows: ["a"] }

  it("its copy counts from when it is promoted", () => {
    const b = new Plane("b", { version: 5, rows: ["a+b"] }, settings).after(5000)
    b.partition.hasData = true
    expect(stray(b.table({ version: 6, rows: ["b"] }).table(gone))?.ageMs).toBe(50)
  })

  it("or from when it opens what has come together", () => {
    const recovers = { version: 5, rows: ["b"], recovering, members: ["a", "b"] }
    const b = new Plane("b", recovers, settings).after(5000).table({ version: 6, rows: ["b"] })
    expect(stray(b.table(gone))?.ageMs).toBe(50)
  })

  it("and nothing of an empty partition is older than the first write", () => {
    const b = new Plane("b", { version: 5, rows: ["b"] }, settings).after(5000)
    expect(stray(b.put(1, "first").stored(wrote("first")).table(gone))?.ageMs).toBe(50)
  })
})

/** An owner to which half has been handed over. */
const taking = () => new Plane("a", table).after(2000).told("b", offer(marked, "first"))

describe("an epoch tells of what has come only when all of it has (rule 22)", () => {
  it("an owner that loses the partition before does not hand it over as known", () => {
    const a = taking()
    expect(a.partition.epoch).toEqual(marked)
    a.table({ version: 7, rows: ["c+b"], recovering })
    expect(a.partition.epoch.markMs).toBe(0)
  })

  it("nor does one that opens it without the rest: what is lacking may still come", () => {
    const a = taking().table({ version: 7, rows: ["a+b"] })
    expect(a.partition.epoch).toEqual({ baseMs: 3000, markMs: 0 })
    a.told("b", offer(marked, "rest"))
    expect(merges(a).at(-1)?.markMs).toBe(0)
  })

  it("nor is it told with a copy", () => {
    const a = taking().receive("a", startOf("6-1", "c"))
    // Two notes, what is collected, what is merged, what is read.
    for (const result of [merged, merged, merged, merged, chunk]) a.stored(result)
    expect(a.sent.flatMap((message) => (message.type === "MIGRATE_DATA" ? [message.epoch?.markMs] : []))).toEqual([0])
  })
})
