/** Copies: what the source sends, what the destination believes, and who ends a migration. */
import { describe, expect, it } from "vitest"
import { Epoch } from "../../../src/domain/data/Epoch.ts"
import type { StoreResult } from "../../../src/domain/replication/DataCommand.ts"
import { cancelOf, chunk, deltas, end, merged, partOf, Plane, readyOf, startOf, wrote } from "./Plane.ts"

const table = { version: 5, rows: ["a+b"] }
const source = () => new Plane("a", table, { repairIntervalMs: 1e9 })
/** What a stray says of data that was in touch until now. */
const fresh = { epoch: Epoch.none, touch: { ageMs: 0, commonMs: 0 } }
const destination = () => new Plane("c", table, { repairIntervalMs: 1e9 })

// Chunks of 1000 bytes, 100 of them a second.
const pace = { repairIntervalMs: 1e9, chunkBytes: 1000, copyBytesPerSecond: 100_000 }
const paced = () => new Plane("a", { ...table, rows: ["a+b", "a+b"] }, pace)
const large: StoreResult = { _tag: "Chunk", chunk: { mapName: "m", mapType: "lww", data: new Uint8Array(1000) } }

describe("the source of a copy", () => {
  it("reads the partition, sends it in parts, and says when that was all", () => {
    const a = source().receive("a", startOf("5-1", "c")).stored(chunk).stored(end)
    expect(a.text()).toMatchInlineSnapshot(`
      "a -> MIGRATE_START
        copy started
        store 0 Read
      stored: Chunk
        c <- MIGRATE_DATA 0: chunk of m
        store 0 Read
      stored: End
        c <- MIGRATE_READY 5-1 of 1
        copy ready"
    `)
  })

  it("sends every change since before the first chunk is read (rule 10)", () => {
    const a = source().receive("a", startOf("5-1", "c")).put(1, "k")
    // The store reads after it was asked to: whatever it writes before is in the chunk, all else comes behind it.
    a.stored(chunk).stored(wrote("k")).stored(end)
    expect(a.text()).toMatchInlineSnapshot(`
      "a -> MIGRATE_START
        copy started
        store 0 Read
      put k
        store 0 Write
      stored: Chunk
        c <- MIGRATE_DATA 0: chunk of m
        store 0 Read
      stored: Written
        wake in 2 ms
        b <- replicate k
      stored: End
        c <- MIGRATE_DATA 1: k
        c <- MIGRATE_READY 5-1 of 2
        copy ready
        b <- replicate k
        c <- replicate k"
    `)
  })

  it("asks what has become of a copy that is ready, and has it cancelled only when nobody will tell any more", () => {
    const a = source().receive("a", startOf("5-1", "c")).stored(chunk).stored(end)
    a.text()
    expect(a.after(2000).text()).toContain("master <- MIGRATE_CANCEL 5-1: what has become of it?")
    a.told("c", { type: "copied", partitionId: 0, migrationId: "5-1", sequence: 0, accepted: true })
    expect(a.after(25_000).text()).toContain("what has become of it?")
    expect(a.after(10_000).text()).toContain("no word of it after it was ready")
    expect(a.partition.copyOut?.phase).toBe("ready")
  })

  it("has a copy that is ready cancelled when its destination has broken it off, or cannot be reached", () => {
    const refused = source().receive("a", startOf("5-1", "c")).stored(chunk).stored(end)
    refused.told("c", { type: "copied", partitionId: 0, migrationId: "5-1", sequence: 0, accepted: false })
    expect(refused.after(2000).text()).toContain("the destination broke it off")
    const cut = source().receive("a", startOf("5-1", "c")).stored(chunk).stored(end)
    cut.table({ ...table, links: { b: 2, d: 4 } })
    expect(cut.after(2000).text()).toContain("the connection to the destination ended")
  })

  it("does not start by a table older than the plan's (rule 9)", () => {
    const a = source().receive("a", startOf("6-1", "c"))
    expect(a.text()).toMatchInlineSnapshot(`
      "a -> MIGRATE_START
        note 6-1 does not start: oldTable"
    `)
    a.table({ version: 6, rows: ["a+b"] }).receive("a", startOf("6-1", "c"))
    expect(a.text()).toContain("copy started")
  })

  it("does not start a copy of what it does not own (rule 8)", () => {
    const b = new Plane("b", table).receive("a", startOf("5-1", "c"))
    expect(b.text()).not.toContain("Read")
  })

  it("gives up by itself before it is ready (rule 12)", () => {
    const a = source().receive("a", startOf("5-1", "c")).stored(chunk)
    a.table({ ...table, links: { b: 2, d: 4 } })
    expect(a.text()).toContain("copy abandoned")
    expect(a.partition.copyOut).toBeUndefined()
  })

  it("does not give up once it is ready, whatever becomes of the destination: only the master ends it (rule 12)", () => {
    const a = source().receive("a", startOf("5-1", "c")).stored(chunk).stored(end)
    a.table({ ...table, links: { b: 2, d: 4 } }).after(20_000)
    expect(a.partition.copyOut?.phase).toBe("ready")
    a.text()
    a.put(1, "k").stored(wrote("k"))
    a.told("b", { type: "replicated", partitionId: 0, writeId: a.writeId, accepted: true })
    expect(a.text()).not.toContain("answer")
    a.receive("a", cancelOf("5-1", 5))
    expect(a.text()).toContain("answer 1: Done")
  })

  it("waits with writes for a destination that has been sent everything (rule 3)", () => {
    const a = source().receive("a", startOf("5-1", "c")).stored(chunk).stored(end).put(1, "k").stored(wrote("k"))
    const writeId = a.writeId
    a.told("b", { type: "replicated", partitionId: 0, writeId, accepted: true })
    expect(a.text()).not.toContain("answer")
    a.told("c", { type: "replicated", partitionId: 0, writeId, accepted: true })
    expect(a.text()).toContain("answer 1: Done")
  })

  it("takes a cancel only with the table on which it was decided (rule 14)", () => {
    const a = source().receive("a", startOf("5-1", "c")).stored(chunk).stored(end).receive("a", cancelOf("5-1", 6))
    expect(a.partition.copyOut).toBeDefined()
    a.table({ version: 6, rows: ["a+b"] }).receive("a", cancelOf("5-1", 6))
    expect(a.partition.copyOut).toBeUndefined()
  })

  it("waits for the destination when so much is under way", () => {
    const a = new Plane("a", table, { copyWindowBytes: 1 }).receive("a", startOf("5-1", "c")).stored(chunk)
    a.stored(chunk).after(50).text()
    expect(a.partition.copyOut?.inFlight.length).toBe(1)
    a.told("c", { type: "copied", partitionId: 0, migrationId: "5-1", sequence: 0, accepted: true })
    expect(a.text()).toContain("MIGRATE_DATA 1")
  })

  it("sends chunks evenly: each waits until the one before has had its time", () => {
    const a = paced().receive("a", startOf("5-1", "c")).stored(large).stored(large)
    expect(a.text()).toMatchInlineSnapshot(`
      "a -> MIGRATE_START
        copy started
        store 0 Read
      stored: Chunk
        c <- MIGRATE_DATA 0: chunk of m
        store 0 Read
      stored: Chunk
        wake in 10 ms"
    `)
    expect(a.woken(9).text()).not.toContain("MIGRATE_DATA")
    expect(a.woken(1).text()).toContain("MIGRATE_DATA 1")
  })

  it("makes up for one chunk at most when its node was busy", () => {
    const a = paced().receive("a", startOf("5-1", "c")).stored(large).stored(large).woken(500)
    a.stored(large).stored(large)
    expect(a.partition.copyOut?.sent).toBe(3)
  })

  it("does not hold back what clients change, and gathers what comes together", () => {
    const a = paced().receive("a", startOf("5-1", "c")).stored(large).stored(large).put(1, "k").put(2, "l")
    a.stored(wrote("k")).stored(wrote("l")).text()
    expect(a.woken(2).text()).toContain("MIGRATE_DATA 1: k l")
  })

  it("lets copies take turns", () => {
    const a = paced()
      .receive("a", startOf("5-1", "c"))
      .receive("a", startOf("5-2", "d", 1))
    a.stored(large).stored(large).stored(large).text()
    const turns = [0, 1, 2, 3].map(() => /([cd]) <- MIGRATE_DATA/.exec(a.woken(10).stored(large).text())?.[1])
    expect(turns).toEqual(["d", "c", "d", "c"])
  })
})

describe("the destination of a copy", () => {
  it("tells the master when all parts are merged, and not before", () => {
    const c = destination()
      .receive("a", partOf("5-1", 0))
      .receive("a", readyOf("5-1", "a", 1))
    expect(c.text()).not.toContain("MIGRATE_READY 5-1\n")
    c.stored(merged)
    expect(c.text()).toMatchInlineSnapshot(`
      "stored: Merged
        a <- copied 0: true
        a <- MIGRATE_READY 5-1"
    `)
  })

  it("repeats that until it is answered", () => {
    const c = destination()
      .receive("a", partOf("5-1", 0))
      .receive("a", readyOf("5-1", "a", 1))
      .stored(merged)
    c.text()
    expect(c.after(600).text()).toContain("a <- MIGRATE_READY 5-1")
    expect(c.receive("a", cancelOf("5-1", 5)).after(600).text()).not.toContain("<- MIGRATE_READY")
  })

  it("does not believe the end of a stream with a part missing (rule 11)", () => {
    const c = destination().receive("a", partOf("5-1", 0)).receive("a", partOf("5-1", 2))
    c.receive("a", readyOf("5-1", "a", 3)).stored(merged)
    expect(c.partition.readied).toBeUndefined()
    const late = destination()
      .receive("a", partOf("5-1", 0))
      .receive("a", readyOf("5-1", "a", 2))
      .stored(merged)
    expect(late.partition.readied).toBeUndefined()
  })

  it("does not mix parts of two copies (rule 11)", () => {
    const c = destination().receive("a", partOf("5-1", 0)).receive("a", partOf("5-2", 1))
    c.receive("a", readyOf("5-2", "a", 2)).stored(merged)
    expect(c.partition.readied).toBeUndefined()
  })

  it("takes copies from the owner alone (rule 8)", () => {
    const c = destination().receive("b", partOf("5-1", 0))
    expect(c.text()).not.toContain("store")
  })

  it("takes what it is sent whole, however old, whatever its owner has forgotten (rules 20, 22)", () => {
    const epoch = { baseMs: 0, markMs: 900 }
    const c = destination().receive("a", { ...partOf("5-1", 0), epoch })
    expect(c.requests.at(-1)).toMatchObject({ _tag: "Merge", epoch: undefined })
  })

  it("keeps what it has when the migration is cancelled (rule 15)", () => {
    const c = destination()
      .receive("a", partOf("5-1", 0))
      .receive("a", readyOf("5-1", "a", 1))
      .stored(merged)
    c.receive("a", cancelOf("5-1", 5))
    expect(c.partition.hasData).toBe(true)
    expect(c.text()).not.toContain("Drop")
  })
})

describe("data that its node does not hold any more", () => {
  it("also what it had from nothing but a repair", () => {
    const a = new Plane("a", { version: 5, rows: ["a+b"] })
    a.told("b", { type: "differences", partitionId: 0, wanted: [], content: deltas("k") }).stored(merged)
    a.told("b", { type: "replicated", partitionId: 0, writeId: a.writeId, accepted: true }).text()
    a.table({ version: 6, rows: ["b+c"] })
    expect(a.text()).toContain("store 0 Size")
  })

  it("is offered to the owner, confirmed, and only then dropped (rule 17)", () => {
    const a = source().put(1, "k").stored(wrote("k"))
    a.text()
    a.table({ version: 6, rows: ["b+c"] })
    a.stored({ _tag: "Size", records: 1, version: 7 }).stored(chunk)
    const batch = a.partition.stray?.batch ?? 0
    a.told("b", { type: "offered", partitionId: 0, batch, accepted: true }).stored(end)
    a.stored({ _tag: "Dropped", dropped: true })
    expect(a.text()).toMatchInlineSnapshot(`
      "table 6: b+c
        store 0 Size
        b <- request 1: stamped
      stored: Size
        store 0 Read
      stored: Chunk
        b <- offer chunk of m
      b -> offered: true
        store 0 Read
      stored: End
        store 0 Drop
      stored: Dropped
        StrayHandedOver"
    `)
    expect(a.partition.hasData).toBe(false)
  })

  it("flows at the rate of copies, and counts once more for each backup that its owner gives it to", () => {
    const a = paced().put(1, "k").stored(wrote("k"))
    a.table({ version: 6, rows: ["b+c"] })
    a.stored({ _tag: "Size", records: 2, version: 7 }).stored(large)
    expect(a.text()).toContain("b <- offer")
    a.told("b", { type: "offered", partitionId: 0, batch: a.partition.stray?.batch ?? 0, accepted: true }).stored(large)
    expect(a.text()).toContain("wake in 20 ms")
    expect(a.woken(19).text()).not.toContain("b <- offer")
    expect(a.woken(1).text()).toContain("b <- offer")
  })

  it("flows on when a wake-up has come too early", () => {
    const a = paced().put(1, "k").stored(wrote("k"))
    a.table({ version: 6, rows: ["b+c"] })
    a.stored({ _tag: "Size", records: 2, version: 7 }).stored(large)
    const confirmed = () => ({
      type: "offered" as const,
      partitionId: 0,
      batch: a.partition.stray?.batch ?? 0,
      accepted: true
    })
    a.told("b", confirmed()).stored(large).woken(5).text()
    expect(a.after(50).text()).toContain("b <- offer")
    a.told("b", confirmed()).stored(large)
    expect(a.text()).toContain("wake in")
  })

  it("is confirmed by the owner once its backups hold it (rule 17)", () => {
    const a = source().told("d", {
      type: "offer",
      partitionId: 0,
      batch: 4,
      content: { chunks: [], deltas: [{ mapName: "m", key: "k", entry: new Uint8Array([1]) }] },
      ...fresh
    })
    a.stored(merged)
    expect(a.text()).not.toContain("offered")
    a.told("b", { type: "replicated", partitionId: 0, writeId: a.writeId, accepted: true })
    expect(a.text()).toContain("d <- offered: true")
  })

  it("is offered less and less often while the owner is slow to confirm it", () => {
    const a = source().put(1, "k").stored(wrote("k"))
    a.table({ version: 6, rows: ["b+c"] })
    a.stored({ _tag: "Size", records: 2, version: 7 }).stored(chunk).text()
    const offeredAtMs: Array<number> = []
    const wait = (untilMs: number): void => {
      while (a.nowMs < untilMs) if (a.after(100).text().includes("b <- offer")) offeredAtMs.push(a.nowMs)
    }
    wait(8000)
    expect(offeredAtMs).toEqual([1100, 3200, 7300])
    // The next one has its own time.
    a.told("b", { type: "offered", partitionId: 0, batch: a.partition.stray?.batch ?? 0, accepted: true }).stored(chunk)
    a.text()
    wait(9200)
    expect(offeredAtMs.slice(3)).toEqual([9100])
  })

  it("is merged by the owner once while its backups are slow to confirm it, however often it is offered", () => {
    const a = source()
    const batch = { type: "offer" as const, partitionId: 0, batch: 4, content: deltas("k"), ...fresh }
    a.told("d", batch).stored(merged).text()
    for (let i = 0; i < 3; i++) a.after(2000).told("d", batch)
    expect(a.text()).not.toContain("Merge")
    a.told("b", { type: "replicated", partitionId: 0, writeId: a.writeId, accepted: true })
    expect(a.text()).toContain("d <- offered: true")
  })

  it("stays when it has changed meanwhile", () => {
    const a = source()
      .put(1, "k")
      .stored(wrote("k"))
      .table({ version: 6, rows: ["b+c"] })
    a.stored({ _tag: "Size", records: 1, version: 7 }).stored(chunk)
    const batch = a.partition.stray?.batch ?? 0
    a.told("b", { type: "offered", partitionId: 0, batch, accepted: true }).stored(end)
    a.stored({ _tag: "Dropped", dropped: false })
    expect(a.partition.hasData).toBe(true)
  })
})

describe("a partition without survivors", () => {
  const recovering = [{ partitionId: 0, replicas: ["x"] }]
  const lost = { version: 6, rows: ["a+b"], recovering }

  it("is unavailable until all members have declared what they hold, and who had it has had time to return (rule 19)", () => {
    const a = new Plane("a", lost, { recoveryTimeoutMs: 10_000 })
    for (const from of ["b", "c", "d"]) a.told(from, { type: "declare", partitionIds: [0] })
    a.put(1, "k")
    expect(a.text()).not.toContain("Write")
    a.after(9000)
    expect(a.text()).not.toContain("recovered")
    a.after(1500)
    expect(a.text()).toContain("recovered 0, empty 0")
  })

  it("is not reported when a complete copy of it comes back that holds nothing", () => {
    const a = new Plane("a", lost, { recoveryTimeoutMs: 10_000 })
    a.told("c", { type: "declare", partitionIds: [0], held: [0] })
    for (const from of ["b", "d"]) a.told(from, { type: "declare", partitionIds: [0] })
    expect(a.after(10_500).text()).toMatch(/recovered 0, empty $/m)
  })

  it("a replica that drops out and comes back says that its copy was complete", () => {
    const b = new Plane("b", { version: 5, rows: ["a+b"] })
    b.table({
      version: 7,
      rows: ["a+c"],
      incarnations: { b: 2 },
      recovering: [{ partitionId: 0, replicas: ["a", "b"] }]
    })
    expect(b.held).toEqual([0])
  })

  it.each([
    { why: "also where it waited for nobody, as at a founding", replicas: [], held: [0] },
    { why: "but not where it waited for others", replicas: ["a"], held: [] }
  ])("$why", ({ held, replicas }) => {
    const b = new Plane("b", { version: 5, rows: ["a+b"], recovering: [{ partitionId: 0, replicas }] })
    const awaiting = [{ partitionId: 0, replicas: ["a", "b"] }]
    b.table({ version: 7, rows: ["a+c"], incarnations: { b: 2 }, recovering: awaiting })
    expect(b.held).toEqual(held)
  })

  it("is not reported when somebody hands it over", () => {
    const a = new Plane("a", { ...lost, recovering: [{ partitionId: 0, replicas: [] }] })
    const content = { chunks: [], deltas: [{ mapName: "m", key: "k", entry: new Uint8Array([1]) }] }
    a.after(2000).told("c", { type: "offer", partitionId: 0, batch: 1, content, ...fresh })
    // The note with the partition's epoch comes first: this owner knows nothing from before.
    a.stored({ _tag: "Done" }).stored(merged)
    a.told("b", { type: "replicated", partitionId: 0, writeId: a.writeId, accepted: true })
    for (const from of ["b", "c", "d"]) a.told(from, { type: "declare", partitionIds: [0] })
    expect(a.text()).toMatch(/recovered 0, empty $/m)
  })
})
