/** Writes: who stamps, who must hold them, and what their origin is told. */
import { describe, expect, it } from "vitest"
import { deltas, merged, Plane, wrote } from "./Plane.ts"

const replicated = (plane: Plane, accepted = true) =>
  ({ type: "replicated", partitionId: 0, writeId: plane.writeId, accepted }) as const

describe("a write", () => {
  it("is acknowledged when all backups hold it", () => {
    const a = new Plane("a", { version: 5, rows: ["a+b+c"] }).put(1, "k").stored(wrote("k"))
    a.told("b", replicated(a)).told("c", replicated(a))
    expect(a.text()).toMatchInlineSnapshot(`
      "put k
        store 0 Write
      stored: Written
        b <- replicate k
        c <- replicate k
      b -> replicated: true
      c -> replicated: true
        answer 1: Done"
    `)
  })

  it("goes to the owner, and its answer comes back (rule 7: a broken connection leaves it unknown)", () => {
    const b = new Plane("b", { version: 5, rows: ["a+b"] }).put(1, "k")
    b.table({ version: 5, rows: ["a+b"], links: { c: 3 } })
    expect(b.text()).toMatchInlineSnapshot(`
      "put k
        a <- request 1: write
      table 5: a+b
        answer 1: Unknown"
    `)
  })

  it("may still be answered over another connection when the one that it went over ends", () => {
    const row = { version: 5, rows: ["a+b"] }
    const b = new Plane("b", { ...row, links: { a: [1, 11] } }).put(1, "k").table({ ...row, links: { a: 1 } })
    expect(b.text()).not.toContain("answer")
    expect(b.told("a", { type: "reply", id: 1, reply: { type: "done" } }).text()).toContain("answer 1: Done")
    // None is left.
    b.put(2, "l").table({ ...row, links: {} })
    expect(b.text()).toContain("answer 2: Unknown")
  })

  it("waits in a process that is out of its own view: nobody would listen to it", () => {
    const row = { version: 5, rows: ["a+c"] }
    const b = new Plane("b", row).table({ ...row, members: ["a", "c", "d"] }).put(1, "k")
    expect(b.text()).not.toContain("request")
    expect(b.table(row).text()).toContain("a <- request 1: write")
  })

  it("is of unknown fate as soon as the process that it went to is out of the cluster, though connected (rule 7)", () => {
    const b = new Plane("b", { version: 5, rows: ["a+b", "a+b"] }).put(1, "k")
    b.table({ version: 6, rows: ["b+c"], members: ["b", "c", "d"], links: { a: 1, c: 3, d: 4 } })
    expect(b.text()).toMatchInlineSnapshot(`
      "put k
        a <- request 1: write
      table 6: b+c
        answer 1: Unknown"
    `)
    // Another process has come back under its id.
    const c = new Plane("c", { version: 5, rows: ["a+b"] }).put(1, "k")
    c.table({ version: 6, rows: ["b+c"], incarnations: { a: 2 } })
    expect(c.text()).toContain("answer 1: Unknown")
  })

  it("that a replica is slow to store is sent again less and less often: more of it would make it slower", () => {
    const a = new Plane("a", { version: 5, rows: ["a+b+c"] }).put(1, "k").stored(wrote("k"))
    a.told("c", replicated(a)).text()
    const sentAtMs: Array<number> = []
    while (a.nowMs < 4900) if (a.after(100).text().includes("b <- replicate k")) sentAtMs.push(a.nowMs)
    expect(sentAtMs).toEqual([500, 1500, 3500])
    // Who has come to be a replica meanwhile is not waited for so long.
    a.table({ version: 6, rows: ["a+b+d"] }).text()
    expect(a.told("b", replicated(a)).told("d", replicated(a)).text()).toContain("answer 1: Done")
  })

  it("is judged again when the set of replicas changes (rule 3)", () => {
    const a = new Plane("a", { version: 5, rows: ["a+b"] }).put(1, "k").stored(wrote("k"))
    a.told("b", replicated(a)).text()
    a.put(2, "l")
      .stored(wrote("l"))
      .table({ version: 6, rows: ["a+c"] })
    a.told("b", replicated(a))
    expect(a.text()).toContain("c <- replicate l")
    expect(a.partition.pending.size).toBe(1)
    a.told("c", replicated(a))
    expect(a.text()).toContain("answer 2: Done")
  })

  it("goes to the new owner with its stamp when the node has lost the partition meanwhile (rule 6)", () => {
    const a = new Plane("a", { version: 5, rows: ["a+b"] }).put(1, "k").stored(wrote("k"))
    a.table({ version: 6, rows: ["b+a"] }).after(50)
    expect(a.text()).toMatchInlineSnapshot(`
      "put k
        store 0 Write
      stored: Written
        b <- replicate k
      table 6: b+a
        b <- request 1: stamped
      50 ms"
    `)
  })

  it("of a process that is no member here yet is refused, so that it is asked again", () => {
    const a = new Plane("a", { version: 5, rows: ["a+b"], links: { b: 2, e: 5 } })
    const work = { type: "write", operations: [{ type: "delete", mapName: "m", key: "k" }] } as const
    a.told("e", { type: "request", id: 7, partitionId: 0, work, ack: "backups", minCopies: 1, ttlMs: 1000 })
    expect(a.text()).toMatchInlineSnapshot(`
      "e -> request 7: write
        e <- reply 7: refused notOwner"
    `)
  })

  it("that asks for more replicas than are listed is refused at once", () => {
    const a = new Plane("a", { version: 5, rows: ["a+b"] }).put(1, "k", "backups", 3)
    expect(a.text()).toContain("answer 1: Refused")
  })

  it("that the owner alone acknowledges is answered before its backups have it", () => {
    const a = new Plane("a", { version: 5, rows: ["a+b"] }).put(1, "k", "owner").stored(wrote("k"))
    expect(a.text()).toMatchInlineSnapshot(`
      "put k
        store 0 Write
      stored: Written
        answer 1: Done
        b <- replicate k"
    `)
  })

  it("of a process that has come back under a listed id is refused: the rows mean the one before (rules 1, 18)", () => {
    const a = new Plane("a", { version: 5, rows: ["a+b"], incarnations: { a: 2 }, holders: { a: 1 } }).put(1, "k")
    expect(a.state.isListed).toBe(false)
    expect(a.text()).not.toContain("store 0 Write")
  })
})

describe("a replica", () => {
  const replicate = { type: "replicate", partitionId: 0, writeId: 9, content: deltas("k") } as const

  it("rejects whoever is not the owner by a table at least as new (rule 4)", () => {
    const b = new Plane("b", { version: 5, rows: ["a+b"] })
    b.told("c", replicate).told("c", replicate, { tableVersion: 4 })
    expect(b.text()).toMatchInlineSnapshot(`
      "c -> replicate k
        c <- replicated: false
      c -> replicate k at table 4
        c <- replicated: false"
    `)
  })

  it("rejects the owner when it is neither replica nor destination itself (rule 4)", () => {
    const d = new Plane("d", { version: 5, rows: ["a+b"] }).told("a", replicate)
    expect(d.text()).toContain("a <- replicated: false")
  })

  it("accepts from who knows a newer table, and does not act itself until that comes (rules 4, 5)", () => {
    const b = new Plane("b", { version: 5, rows: ["b+a"] }).told("a", replicate, { tableVersion: 6 }).stored(merged)
    expect(b.text()).toContain("a <- replicated: true")
    b.put(1, "k")
    expect(b.text()).not.toContain("Write")
    b.table({ version: 6, rows: ["b+a"] })
    expect(b.text()).toContain("store 0 Write")
  })

  it("takes nothing from an unrelated lineage, whatever its version", () => {
    const b = new Plane("b", { version: 5, rows: ["a+b"] }).told("a", replicate, { lineage: "z.9", tableVersion: 99 })
    expect(b.text()).not.toContain("store")
  })

  it("takes nothing from another process of the owner's id", () => {
    const b = new Plane("b", { version: 5, rows: ["a+b"] }).told("a", replicate, {}, 7)
    expect(b.text()).not.toContain("store")
  })
})

describe("an owner that is rejected by a newer table", () => {
  it("acknowledges nothing until that table comes (rule 5)", () => {
    const a = new Plane("a", { version: 5, rows: ["a+b+c"] }).put(1, "k").stored(wrote("k"))
    a.told("b", replicated(a, false), { tableVersion: 6 }).told("c", replicated(a))
    a.put(2, "l")
    expect(a.text()).not.toContain("answer")
    a.table({ version: 6, rows: ["b+c"] })
    expect(a.text()).toContain("b <- request 1: stamped")
  })
})
