/** Records in slabs: what a table holds is what was put into it, whatever else was put, removed and moved about. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { LwwRecord, type MapRecord } from "../../../src/domain/data/MapRecord.ts"
import { encodeRecord } from "../../../src/domain/data/RecordCodec.ts"
import { RecordDigest } from "../../../src/domain/data/RecordDigest.ts"
import { Binary } from "../../../src/domain/model/Scalars.ts"
import * as RecordTable from "../../../src/layers/store/RecordTable.ts"
import * as Slabs from "../../../src/layers/store/Slabs.ts"

const options = { arbitrary: { runs: 60, seed: "tables" } }

/** Few hashes, some of which begin alike, so that keys share hashes and buckets. */
const Hash = Schema.Literals([0, 1, 0xf, 0x10, 0xfffff, 0x100000, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff])
const Key = Schema.Literals(["a", "b", "ä"])
const At = { hash: Hash, key: Key }

const Step = Schema.Union([
  Schema.Struct({ type: Schema.Literal("put"), ...At, value: Binary.check(Schema.isMaxLength(40)) }),
  Schema.Struct({ type: Schema.Literal("tombstone"), ...At }),
  Schema.Struct({ type: Schema.Literal("remove"), ...At }),
  /** So many others of one leaf, large ones now and then. */
  Schema.Struct({
    type: Schema.Literal("fill"),
    hash: Hash,
    count: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 400 })),
    bytes: Schema.Literals([0, 10, 500, 70_000])
  }),
  /** Removes two of three of them. */
  Schema.Struct({ type: Schema.Literal("thin"), hash: Hash }),
  Schema.Struct({ type: Schema.Literal("tidy") })
])
type Step = typeof Step.Type

const register = (key: string, value: Uint8Array | undefined, wallMs = 1): MapRecord => ({
  type: "lww",
  key,
  time: { wallMs, counter: 0, node: "a#1" },
  ...(value === undefined ? {} : { value })
})

const digestOf = (record: MapRecord): number => RecordDigest.of("m", record)

/** A table and what it should hold, by hash and key. */
class Checked {
  readonly table = RecordTable.make()
  readonly expected = new Map<string, { readonly hash: number; readonly record: MapRecord }>()

  put(hash: number, record: MapRecord): void {
    const held = RecordTable.findSame(this.table, hash, record)
    if (held === undefined) RecordTable.add(this.table, hash, digestOf(record), record)
    else RecordTable.replace(this.table, held.place, digestOf(record), record)
    this.expected.set(`${hash} ${record.key}`, { hash, record })
  }

  remove(hash: number, key: string): void {
    for (const { place } of RecordTable.find(this.table, hash, key)) RecordTable.remove(this.table, place)
    this.expected.delete(`${hash} ${key}`)
  }

  take(step: Step): void {
    switch (step.type) {
      case "put":
        return this.put(step.hash, register(step.key, step.value))
      case "tombstone":
        return this.put(step.hash, register(step.key, undefined))
      case "remove":
        return this.remove(step.hash, step.key)
      case "fill": {
        const count = step.bytes > 1000 ? 3 : step.count
        for (let i = 0; i < count; i++) {
          // Of one leaf, so that no splitting tells them apart.
          const hash = ((step.hash & 0xfff00000) | (i * 2654)) >>> 0
          this.put(hash, register(`filled ${i}`, i % 7 === 0 ? undefined : new Uint8Array(step.bytes).fill(i)))
        }
        return
      }
      case "thin": {
        for (let i = 0; i < 400; i++) {
          if (i % 3 !== 0) this.remove(((step.hash & 0xfff00000) | (i * 2654)) >>> 0, `filled ${i}`)
        }
        return
      }
      case "tidy":
        return RecordTable.tidy(this.table)
    }
  }

  check(): void {
    const { expected, table } = this
    for (const { hash, record } of expected.values()) {
      assert.deepStrictEqual(
        RecordTable.find(table, hash, record.key).map((held) => held.record),
        [record]
      )
    }
    assert.strictEqual(table.records, expected.size)
    const tombstones = [...expected.values()].filter(
      ({ record }) => record.type === "lww" && record.value === undefined
    )
    assert.sameMembers(
      RecordTable.placesWhere(table, ({ isTombstone }) => isTombstone, true).map(
        (place) => RecordTable.recordAt(table, place).key
      ),
      tombstones.map(({ record }) => record.key)
    )
    const { dead, used } = table.slabs
    const live = [...expected.values()].reduce((sum, { record }) => sum + encodeRecord(record).length, 0)
    assert.isAtLeast(used - dead, live)
    assert.isAtMost(used - dead, live + 40 * expected.size)
  }
}

const walked = (table: RecordTable.RecordTable, between: () => void): ReadonlyArray<string> => {
  const met: Array<string> = []
  const cursor = RecordTable.start()
  for (;;) {
    const place = RecordTable.advance(table, cursor)
    if (place === undefined) return met
    met.push(RecordTable.recordAt(table, place).key)
    between()
  }
}

const Steps = Schema.Array(Step).check(Schema.isMaxLength(60))

describe("a table of records", () => {
  it.prop(
    "holds what was put last, with keys of one hash, split buckets and emptied slabs",
    { steps: Steps },
    ({ steps }) => {
      const checked = new Checked()
      for (const step of steps) checked.take(step)
      checked.check()
      const keys = [...checked.expected.values()].map(({ record }) => record.key)
      assert.sameMembers([...walked(checked.table, () => undefined)], keys)
    },
    options
  )

  it.prop(
    "is walked through while it changes: what stays is met once",
    { before: Steps, meanwhile: Steps, staying: Schema.Array(Hash).check(Schema.isMaxLength(10)) },
    ({ before, meanwhile, staying }) => {
      const checked = new Checked()
      for (const step of before) checked.take(step)
      for (const [i, hash] of staying.entries()) checked.put(hash, register(`stays ${i}`, Uint8Array.of(i)))
      let next = 0
      const met = walked(checked.table, () => {
        const step = meanwhile[next++]
        if (step !== undefined) checked.take(step)
      })
      assert.deepStrictEqual(
        met.filter((key) => key.startsWith("stays")).toSorted(),
        staying.map((_, i) => `stays ${i}`).toSorted()
      )
      checked.check()
    },
    options
  )

  it.prop(
    "bytes once read stay what they are, although their record is replaced and its slab emptied",
    { record: LwwRecord },
    ({ record }) => {
      const table = RecordTable.make()
      const place = RecordTable.add(table, 7, digestOf(record), record)
      const seen = RecordTable.recordAt(table, place)
      for (let i = 0; i < 50; i++) {
        const [held] = RecordTable.find(table, 7, record.key)
        assert.isDefined(held)
        const next = register(record.key, new Uint8Array(5000).fill(i))
        if (held !== undefined) RecordTable.replace(table, held.place, digestOf(next), next)
        RecordTable.tidy(table)
      }
      assert.deepStrictEqual(seen, record)
    },
    options
  )

  it("keeps no slab in which nothing lives", () => {
    const table = RecordTable.make()
    for (let i = 0; i < 2000; i++) {
      const record = register(`${i}`, new Uint8Array(i % 100 === 0 ? 300_000 : 100))
      RecordTable.remove(table, RecordTable.add(table, i, digestOf(record), record))
    }
    assert.isAtMost(table.slabs.all.filter((slab) => slab !== undefined).length, 1)
    assert.isAtMost(table.slabs.all.length, 3)
  })

  it("leaves little of its slabs empty, whatever the size of values", () => {
    for (const bytes of [10, 3000, 50_000, 70_000, 140_000, 1_000_000]) {
      const table = RecordTable.make()
      for (let i = 0; i < Math.max(20, 4_000_000 / bytes); i++) {
        const record = register(`${i}`, new Uint8Array(bytes))
        RecordTable.add(table, (i * 2_654_435_761) >>> 0, digestOf(record), record)
      }
      const taken = table.slabs.all.reduce((sum, slab) => sum + (slab?.bytes.length ?? 0), 0)
      assert.isAtMost(taken, (table.slabs.used * 4) / 3 + 256 * 1024, `${bytes}`)
    }
  })

  it("gives memory back: of what is dead there is a quarter of what lives, and a slab", () => {
    const { slabs } = ((): RecordTable.RecordTable => {
      const checked = new Checked()
      // Each fourth stays, the others change all the time, so that no slab is ever dead as a whole by itself.
      for (let i = 0; i < 20_000; i++) {
        const hash = (i * 2_654_435_761) >>> 0
        checked.put(hash, register(`${i}`, new Uint8Array(200)))
        if (i % 4 !== 0) checked.remove(hash, `${i}`)
        RecordTable.tidy(checked.table)
      }
      checked.check()
      return checked.table
    })()
    assert.isAtMost(slabs.dead, (slabs.used - slabs.dead) / 4 + 256 * 1024)
    assert.isFalse(Slabs.isWasteful(slabs))
  })
})
