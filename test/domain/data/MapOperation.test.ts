import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { maxKeyBytes, maxMapNameBytes, maxTagsPerKey, maxValueBytes } from "../../../src/domain/data/DataBounds.ts"
import { KeyRecords } from "../../../src/domain/data/KeyRecords.ts"
import { MapOperation } from "../../../src/domain/data/MapOperation.ts"
import { MapRecord } from "../../../src/domain/data/MapRecord.ts"
import { Timestamp } from "../../../src/domain/data/Timestamp.ts"

const at = (wallMs: number, node = "a#1"): Timestamp => ({ wallMs, counter: 0, node })
const byte = (n: number): Uint8Array => Uint8Array.of(n)

/** The key's records after the operation. */
const after = (records: KeyRecords, operation: MapOperation, reading: Timestamp): KeyRecords =>
  Result.getOrThrow(MapOperation.stamp(operation, records, reading)).reduce(KeyRecords.merge, records)
const values = (records: KeyRecords): ReadonlyArray<number | undefined> =>
  KeyRecords.live(records)
    .map(({ value }) => value?.[0])
    .toSorted((a = 0, b = 0) => a - b)

const put = (n: number): MapOperation => ({ type: "put", mapName: "m", key: "k", value: byte(n) })
const drop: MapOperation = { type: "delete", mapName: "m", key: "k" }
const add = (n: number): MapOperation => ({ type: "add", mapName: "m", key: "k", value: byte(n) })
const remove = (n?: number): MapOperation =>
  n === undefined
    ? { type: "remove", mapName: "m", key: "k" }
    : { type: "remove", mapName: "m", key: "k", value: byte(n) }

const Operation = Schema.Literals(["put 1", "put 2", "delete", "add 1", "add 2", "remove", "remove 1"])
const operationOf: Record<typeof Operation.Type, MapOperation> = {
  "put 1": put(1),
  "put 2": put(2),
  delete: drop,
  "add 1": add(1),
  "add 2": add(2),
  remove: remove(),
  "remove 1": remove(1)
}
const Clocks = Schema.Array(
  Schema.Struct({ operation: Operation, wallMs: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 9 })) })
)

describe("The owner's stamp", () => {
  it.prop(
    "is later than all that the key holds, whatever the clock, so the last operation always shows",
    { steps: Clocks },
    ({ steps }) => {
      const model = { lww: new Set<number>(), or: new Set<number>() }
      let lww = KeyRecords.none
      let or = KeyRecords.none
      for (const { operation: name, wallMs } of steps) {
        const operation = operationOf[name]
        const isLww = MapOperation.mapTypeOf(operation) === "lww"
        const records = isLww ? lww : or
        const before = KeyRecords.latest(records)
        const next = after(records, operation, at(wallMs))
        const now = KeyRecords.latest(next)
        if (next !== records && before !== undefined && now !== undefined) {
          assert.isAbove(Timestamp.compare(now, before), 0)
        }
        for (const record of next) assert.isTrue(Schema.is(MapRecord)(record))
        if (isLww) lww = next
        else or = next
        const value = "value" in operation ? operation.value?.[0] : undefined
        if (operation.type === "put" || operation.type === "delete") model.lww.clear()
        if (operation.type === "remove" && value === undefined) model.or.clear()
        if (operation.type === "remove" && value !== undefined) model.or.delete(value)
        if (operation.type === "put" && value !== undefined) model.lww.add(value)
        if (operation.type === "add" && value !== undefined) model.or.add(value)
        assert.deepStrictEqual(new Set(values(lww)), model.lww)
        assert.deepStrictEqual(new Set(values(or)), model.or)
      }
    },
    { arbitrary: { runs: 300, seed: "operations" } }
  )

  it("is the clock's reading when the key holds nothing later", () => {
    const [record] = after(KeyRecords.none, put(1), at(7))
    assert.deepStrictEqual(record?.type === "lww" ? record.time : undefined, at(7))
  })
})

it("A record keeps the value that was given, whatever becomes of the bytes that it was given in", () => {
  const value = byte(1)
  const records = after(KeyRecords.none, { type: "put", mapName: "m", key: "k", value }, at(1))
  const added = after(KeyRecords.none, { type: "add", mapName: "m", key: "k", value }, at(1))
  value[0] = 9
  assert.deepStrictEqual([values(records), values(added)], [[1], [1]])
})

describe("Observed remove", () => {
  it("an addition made at the same time as a removal elsewhere stays", () => {
    const common = after(KeyRecords.none, add(1), at(1))
    const here = after(common, add(1), at(2, "a#1"))
    const there = after(common, remove(1), at(3, "b#1"))
    assert.deepStrictEqual(values(here.reduce(KeyRecords.merge, there)), [1])
    assert.deepStrictEqual(values(there.reduce(KeyRecords.merge, here)), [1])
  })

  it("a removal takes what it has seen, and nothing else", () => {
    const both = after(after(KeyRecords.none, add(1), at(1)), add(2), at(2))
    assert.deepStrictEqual(values(after(both, remove(1), at(3))), [2])
    assert.deepStrictEqual(values(after(both, remove(), at(3))), [])
    assert.deepStrictEqual(Result.getOrThrow(MapOperation.stamp(remove(9), both, at(3))), [])
  })

  it("a value that is added again and again is one addition", () => {
    let records = KeyRecords.none
    for (let i = 0; i < 20; i++) records = after(records, add(1), at(i))
    assert.strictEqual(KeyRecords.live(records).length, 1)
  })
})

const refusal = (operation: MapOperation, records = KeyRecords.none): readonly [string, number] | undefined => {
  const result = MapOperation.stamp(operation, records, at(1))
  return Result.isFailure(result) ? [result.failure.reason, result.failure.limit] : undefined
}
/** A write of so many bytes. */
const putBytes = (bytes: number): MapOperation => ({
  type: "put",
  mapName: "m",
  key: "k",
  value: new Uint8Array(bytes)
})

describe("An operation is invalid, with its bound", () => {
  it("one beyond each bound, not at it", () => {
    assert.isUndefined(refusal(putBytes(maxValueBytes)))
    assert.deepStrictEqual(refusal(putBytes(maxValueBytes + 1)), ["valueLength", maxValueBytes])
    assert.isUndefined(refusal({ ...drop, key: "ä".repeat(maxKeyBytes / 2) }))
    assert.deepStrictEqual(refusal({ ...drop, key: `a${"ä".repeat(maxKeyBytes / 2)}` }), ["keyLength", maxKeyBytes])
    assert.isUndefined(refusal({ ...drop, mapName: "m".repeat(maxMapNameBytes) }))
    for (const mapName of ["", "m".repeat(maxMapNameBytes + 1)]) {
      assert.deepStrictEqual(refusal({ ...drop, mapName }), ["mapNameLength", maxMapNameBytes])
    }
    for (const text of ["\ud800", "a\udfff"]) {
      assert.deepStrictEqual(refusal({ ...drop, key: text }), ["notUnicode", 0])
      assert.deepStrictEqual(refusal({ ...drop, mapName: text }), ["notUnicode", 0])
    }
    let records = KeyRecords.none
    for (let i = 0; i < maxTagsPerKey; i++) {
      records = KeyRecords.merge(records, { type: "or", key: "k", tag: at(i), value: byte(1) })
    }
    assert.deepStrictEqual(refusal(add(1), records), ["tooManyTags", maxTagsPerKey])
    assert.isUndefined(refusal(remove(), records))
  })

  it("when the key holds a record with the last possible time", () => {
    const end: Timestamp = { wallMs: 2 ** 48 - 1, counter: 0xffff_ffff, node: "\u{10ffff}" }
    const records: KeyRecords = [{ type: "lww", key: "k", time: end }]
    assert.strictEqual(refusal(put(1), records)?.[0], "endOfTime")
  })
})
