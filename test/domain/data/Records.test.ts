/** The laws of records and of whatever is derived from them, for all records that the schemas allow. */
import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { utf8Bytes } from "../../../src/domain/data/DataBounds.ts"
import { DigestTree } from "../../../src/domain/data/DigestTree.ts"
import { Epoch } from "../../../src/domain/data/Epoch.ts"
import { KeyRecords } from "../../../src/domain/data/KeyRecords.ts"
import { LwwRecord, MapRecord, OrRecord } from "../../../src/domain/data/MapRecord.ts"
import {
  chunkHeader,
  decodeChunk,
  decodeDelta,
  encodeChunk,
  encodeDelta,
  encodeRecord
} from "../../../src/domain/data/RecordCodec.ts"
import { keyHash, RecordDigest } from "../../../src/domain/data/RecordDigest.ts"
import { Timestamp } from "../../../src/domain/data/Timestamp.ts"
import { Binary } from "../../../src/domain/model/Scalars.ts"

const options = { arbitrary: { runs: 300, seed: "records" } }
const same = Schema.toEquivalence(MapRecord)
const sameTime = Schema.toEquivalence(Timestamp)

/** Few different times, so that ties come up. */
const Few = Schema.Struct({
  wallMs: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 })),
  counter: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1 })),
  node: Schema.Literals(["a#1", "b#1", "\u{ffff}", "\u{10000}"])
})
const Small = Binary.check(Schema.isMaxLength(2))
const Register = Schema.Struct({ ...LwwRecord.fields, time: Few, value: Schema.optionalKey(Small) })
const Addition = Schema.Union([
  Schema.Struct({ type: Schema.Literal("or"), key: Schema.Literal("k"), tag: Few, value: Small }),
  Schema.Struct({ type: Schema.Literal("or"), key: Schema.Literal("k"), tag: Few, removed: Few })
])

const sign = (n: number): number => Math.sign(n)
const bytesOf = (text: string): number => new TextEncoder().encode(text).length

describe("Timestamp", () => {
  it.prop(
    "is totally ordered",
    { a: Few, b: Few, c: Few },
    ({ a, b, c }) => {
      const order = Timestamp.compare
      assert.strictEqual(sign(order(a, b)), -sign(order(b, a)) + 0)
      assert.strictEqual(order(a, b) === 0, sameTime(a, b))
      if (order(a, b) <= 0 && order(b, c) <= 0) assert.isAtMost(order(a, c), 0)
    },
    options
  )

  it.prop(
    "after a replaced one is the later of the reading and its successor",
    { reading: Timestamp, replaced: Timestamp },
    ({ reading, replaced }) => {
      const stamp = Timestamp.after(reading, replaced)
      assert.isDefined(stamp)
      assert.isAbove(Timestamp.compare(stamp, replaced), 0)
      assert.isAtLeast(Timestamp.compare(stamp, reading), 0)
      assert.strictEqual(stamp.node, reading.node)
      if (Timestamp.compare(reading, replaced) > 0) assert.strictEqual(stamp, reading)
    },
    options
  )

  it("has no successor at the end of time, and one everywhere else", () => {
    const end: Timestamp = { wallMs: 2 ** 48 - 1, counter: 0xffff_ffff, node: "a#1" }
    const reading: Timestamp = { wallMs: 5, counter: 0, node: "b#1" }
    assert.isUndefined(Timestamp.after(reading, end))
    assert.deepStrictEqual(Timestamp.after(reading, { ...end, wallMs: 7 }), { wallMs: 8, counter: 0, node: "b#1" })
  })

  it("orders nodes by code point", () => {
    const early: Timestamp = { wallMs: 1, counter: 1, node: "\u{ffff}" }
    assert.isBelow(Timestamp.compare(early, { ...early, node: "\u{10000}" }), 0)
  })
})

/** Versions of one record. */
const versions = (records: ReadonlyArray<MapRecord>): ReadonlyArray<MapRecord> => {
  const [first] = records
  return records.map((record) =>
    record.type === "or" && first?.type === "or"
      ? { ...record, key: first.key, tag: first.tag }
      : { ...record, key: first?.key ?? "" }
  )
}

const each = (check: (a: MapRecord, b: MapRecord, c: MapRecord) => void) => (given: ReadonlyArray<MapRecord>) => {
  const [a, b, c] = versions(given)
  if (a !== undefined && b !== undefined && c !== undefined) check(a, b, c)
  else assert.fail("three versions are needed")
}

describe.each([
  ["registers", Register],
  ["additions", Addition]
])("Versions of %s", (_, Version) => {
  const triple = Schema.Array(Version).check(Schema.isMinLength(3), Schema.isMaxLength(3))
  const { merge } = MapRecord

  it.prop(
    "merge commutatively",
    [triple],
    ([given]) => each((a, b) => assert.isTrue(same(merge(a, b), merge(b, a))))(given),
    options
  )
  it.prop(
    "merge associatively",
    [triple],
    ([given]) => each((a, b, c) => assert.isTrue(same(merge(merge(a, b), c), merge(a, merge(b, c)))))(given),
    options
  )
  it.prop(
    "merge idempotently, and into themselves when nothing is new",
    [triple],
    ([given]) =>
      each((a, b) => {
        assert.strictEqual(merge(a, a), a)
        const joined = merge(a, b)
        assert.strictEqual(merge(joined, a), joined)
        assert.strictEqual(merge(joined, b), joined)
      })(given),
    options
  )
})

const OneKey = Schema.Array(Addition).check(Schema.isMaxLength(12))

describe("The records of a key", () => {
  it.prop(
    "are the same in whatever order and however often they come",
    { given: OneKey, again: OneKey },
    ({ given, again }) => {
      const all = [...given, ...again]
      const forward = [...all, ...all].reduce<KeyRecords>(KeyRecords.merge, KeyRecords.none)
      const backward = all.toReversed().reduce<KeyRecords>(KeyRecords.merge, KeyRecords.none)
      assert.deepStrictEqual(forward, backward)
      const tags = forward.map((record) => (record.type === "or" ? record.tag : assert.fail("a register")))
      assert.deepStrictEqual(tags, tags.toSorted(Timestamp.order))
    },
    options
  )

  it("are untouched by what they know", () => {
    const tag: Timestamp = { wallMs: 1, counter: 0, node: "a#1" }
    const records = KeyRecords.merge(KeyRecords.none, { type: "or", key: "k", tag, value: Uint8Array.of(1) })
    assert.strictEqual(KeyRecords.merge(records, { type: "or", key: "k", tag, value: Uint8Array.of(1) }), records)
  })
})

const refused = (result: Result.Result<unknown, unknown>): void => assert.isTrue(Result.isFailure(result))

describe("Encoded records", () => {
  it.prop(
    "come back as they were, one by one and in chunks of one map",
    { mapName: Schema.NonEmptyString.check(Schema.isMaxLength(20)), records: Schema.Array(MapRecord) },
    ({ mapName, records }) => {
      if (!mapName.isWellFormed()) return
      for (const type of ["lww", "or"] as const) {
        const ofType = records.filter((record) => record.type === type)
        const chunk = encodeChunk(mapName, type, ofType)
        assert.deepStrictEqual(Result.getOrThrow(decodeChunk(chunk)), ofType)
        const joined = Buffer.concat([chunkHeader(ofType.length), ...ofType.map(encodeRecord)])
        assert.deepStrictEqual(new Uint8Array(joined), new Uint8Array(chunk.data))
      }
      for (const record of records) {
        const delta = encodeDelta(mapName, record)
        assert.strictEqual(delta.key, record.key)
        assert.deepStrictEqual(Result.getOrThrow(decodeDelta(delta)), record)
      }
    },
    options
  )

  it("have the header of any count", () => {
    for (const count of [0, 1, 15, 16, 255, 256, 65_535, 65_536, 1_000_000]) {
      const header = chunkHeader(count)
      const bytes = new Uint8Array(header.length + count)
      bytes.set(header)
      // A map of no fields is the shortest item; it is refused for what it lacks, not for the count.
      bytes.fill(0x80, header.length)
      const result = decodeChunk({ mapName: "m", mapType: "lww", data: bytes })
      assert.strictEqual(Result.isSuccess(result), count === 0)
      if (Result.isFailure(result)) assert.match(result.failure.reason, /missing|type/i)
    }
  })

  it("keep values as they are, one byte for one", () => {
    const record: MapRecord = {
      type: "lww",
      key: "k",
      time: { wallMs: 1, counter: 0, node: "a#1" },
      value: new Uint8Array(10_000).fill(0xff)
    }
    assert.isBelow(encodeRecord(record).length, 10_100)
  })

  it.each([
    ["no bytes", Uint8Array.of()],
    ["no array", Uint8Array.of(0xc0)],
    ["a count without records", Uint8Array.of(0xdd, 0xff, 0xff, 0xff, 0xff)]
  ])("are refused with a reason: %s", (_, data) => {
    const result = decodeChunk({ mapName: "m", mapType: "lww", data })
    assert.isTrue(Result.isFailure(result) && result.failure._tag === "MalformedRecords")
  })

  it("are refused when they are of another kind of map, of another key or of no map", () => {
    const time: Timestamp = { wallMs: 1, counter: 0, node: "a#1" }
    const register: MapRecord = { type: "lww", key: "k", time }
    refused(decodeChunk({ ...encodeChunk("m", "lww", [register]), mapType: "or" }))
    refused(decodeChunk({ ...encodeChunk("m", "lww", [register]), mapName: "" }))
    refused(decodeChunk({ ...encodeChunk("m", "lww", [register]), mapName: "ä".repeat(128) }))
    refused(decodeDelta({ ...encodeDelta("m", register), key: "l" }))
  })
})

describe("Digests", () => {
  it.prop(
    "are equal for equal records, and else different",
    { a: MapRecord, b: MapRecord },
    ({ a, b }) => {
      assert.strictEqual(RecordDigest.of("m", a), RecordDigest.of("m", structuredClone(a)))
      if (!same(a, b)) assert.notStrictEqual(RecordDigest.of("m", a), RecordDigest.of("m", b))
      assert.notStrictEqual(RecordDigest.of("m", a), RecordDigest.of("n", a))
    },
    options
  )

  it.prop(
    "are within their range and add up to 0 with their opposites",
    { a: MapRecord, b: MapRecord },
    ({ a, b }) => {
      const x = RecordDigest.of("m", a)
      const y = RecordDigest.of("m", b)
      assert.isTrue(Schema.is(RecordDigest)(x))
      assert.strictEqual(RecordDigest.subtract(RecordDigest.add(x, y), y), x)
      assert.strictEqual(RecordDigest.subtract(x, x), 0)
    },
    options
  )

  it("tell records apart that differ in a counter, a key or a byte", () => {
    const digests = new Set<number>()
    const value = Uint8Array.of(0, 0, 0, 0, 0)
    for (let i = 0; i < 40_000; i++) {
      value[i % 5] = i >> 3
      const time: Timestamp = { wallMs: 1e12, counter: i, node: "a#1" }
      digests.add(RecordDigest.of("m", { type: "lww", key: "k", time }))
      digests.add(RecordDigest.of("m", { type: "lww", key: `k${i}`, time: { ...time, counter: 0 } }))
      digests.add(RecordDigest.of("m", { type: "or", key: "k", tag: time, value }))
    }
    assert.strictEqual(digests.size, 120_000)
  })

  it("spread keys evenly over leaves", () => {
    const counts = new Map<number, number>()
    for (let i = 0; i < 204_800; i++) {
      const leaf = DigestTree.leafOf(keyHash("sessions", `user-${i}`))
      counts.set(leaf, (counts.get(leaf) ?? 0) + 1)
    }
    assert.strictEqual(counts.size, 4096)
    // 50 on average, with a deviation of 7 when they fall at random.
    assert.isBelow(Math.max(...counts.values()), 95)
    assert.isAbove(Math.min(...counts.values()), 15)
  })
})

describe("A digest tree", () => {
  const Changes = Schema.Array(
    Schema.Struct({
      hash: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 0xffff_ffff })),
      digest: RecordDigest
    })
  )

  it.prop(
    "has the sum of its children at every node, sparse or dense",
    { few: Changes, extra: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 600 })) },
    ({ few, extra }) => {
      const changes = [
        ...few,
        ...Array.from({ length: extra }, (_, i) => ({ hash: Math.imul(i + 1, 0x9e3779b1) >>> 0, digest: i + 1 }))
      ]
      const tree = DigestTree.make()
      for (const { hash, digest } of changes) DigestTree.replace(tree, DigestTree.leafOf(hash), 0, digest)
      for (let node = 0; node < DigestTree.firstLeaf; node++) {
        const sums = DigestTree.children(node).map((child) => DigestTree.sum(tree, child))
        assert.strictEqual(sums.reduce(RecordDigest.add, 0), DigestTree.sum(tree, node))
      }
      const all = changes.map(({ digest }) => digest).reduce(RecordDigest.add, 0)
      assert.strictEqual(DigestTree.sum(tree, DigestTree.root), all)
      for (const { hash, digest } of changes) DigestTree.replace(tree, DigestTree.leafOf(hash), digest, 0)
      for (let node = 0; node < DigestTree.size; node++) assert.strictEqual(DigestTree.sum(tree, node), 0)
    },
    { arbitrary: { runs: 10, seed: "tree" } }
  )

  it("has every node below exactly one parent, and the hashes of a leaf in its range", () => {
    const seen = new Set([0])
    for (let node = 0; node < DigestTree.size; node++) {
      for (const child of DigestTree.children(node)) {
        assert.isFalse(seen.has(child))
        seen.add(child)
      }
    }
    assert.strictEqual(seen.size, DigestTree.size)
    for (const hash of [0, 1, 0x000f_ffff, 0x0010_0000, 0x8000_0000, 0xffff_ffff]) {
      const leaf = DigestTree.leafOf(hash)
      const [first, last] = DigestTree.hashRange(leaf)
      assert.isTrue(DigestTree.isLeaf(leaf) && first <= hash && hash <= last)
    }
  })
})

const at = (wallMs: number): Timestamp => ({ wallMs, counter: 0, node: "a#1" })
const live = (wallMs: number): MapRecord => ({ type: "lww", key: "k", time: at(wallMs), value: Uint8Array.of() })
const removal = (wallMs: number): MapRecord => ({ type: "lww", key: "k", time: at(wallMs) })

describe("An epoch", () => {
  const epoch: Epoch = { baseMs: 10, markMs: 20 }

  it("that has collected nothing refuses nothing", () => {
    for (const record of [live(0), removal(0), live(2 ** 40)]) assert.isFalse(Epoch.isGone(Epoch.none, record))
  })

  it.each([
    ["older than the base: never known here", 9, false, true],
    ["between base and mark: removed", 10, true, true],
    ["just before the mark", 19, true, true],
    ["at the mark: not yet collected", 20, false, false]
  ])("judges what is %s", (_, wallMs, liveGone, removalGone) => {
    assert.strictEqual(Epoch.isGone(epoch, live(wallMs)), liveGone)
    assert.strictEqual(Epoch.isGone(epoch, removal(wallMs)), removalGone)
    assert.strictEqual(Epoch.isCollected(epoch, removal(wallMs)), removalGone)
    assert.isFalse(Epoch.isCollected(epoch, live(wallMs)))
  })

  it("counts an addition from its removal", () => {
    const removed: MapRecord = { type: "or", key: "k", tag: at(1), removed: at(30) }
    assert.isFalse(Epoch.isCollected(epoch, removed))
    assert.isTrue(Epoch.isCollected(epoch, { ...removed, removed: at(15) }))
  })
})

describe("A text's length in UTF-8", () => {
  it.prop(
    "is what the encoder makes",
    { text: Schema.String },
    ({ text }) => utf8Bytes(text) === bytesOf(text),
    options
  )

  it("counts lone surrogates and pairs", () => {
    for (const text of ["", "a", "ä", "€", "😀", "\ud800", "\udc00", "a\udc00\ud800b", "😀\udc00"]) {
      assert.strictEqual(utf8Bytes(text), bytesOf(text), JSON.stringify(text))
    }
  })
})

it("OrRecord has a value or the time of its removal, never both and never neither", () => {
  const tag: Timestamp = { wallMs: 1, counter: 0, node: "a#1" }
  const is = Schema.is(OrRecord)
  assert.isTrue(is({ type: "or", key: "k", tag, value: Uint8Array.of() }))
  assert.isTrue(is({ type: "or", key: "k", tag, removed: tag }))
  assert.isFalse(is({ type: "or", key: "k", tag }))
  assert.isFalse(is({ type: "or", key: "k", tag, removed: tag, value: Uint8Array.of() }))
})
