/** The codec as derived from any schema: all wire types by property, and each rule on small schemas. */
import { execFileSync } from "node:child_process"
import { join } from "node:path"
import { encode as oracleEncode } from "@msgpack/msgpack"
import { assert, describe, it } from "@effect/vitest"
import { Option, Result, Schema } from "effect"
import { MessagePack } from "../../../src/domain/codec/MessagePack.ts"
import { UnencodableValue } from "../../../src/domain/codec/UnencodableValue.ts"
import { Bytes, F64, I64, Text, U16, U32, U64, U8 } from "../../../src/domain/model/Scalars.ts"
import { wireTypes } from "../../conformance/Types.ts"
import { encodeLoosely } from "./LooseEncoder.ts"
import { allCodecs, bytesOf } from "./Readers.ts"
import { xorshift } from "./Xorshift.ts"

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex")

/** Types with a float field: the oracle writes 1.0 as an integer. */
const withFloats = new Set(["ClusterConfig"])

const holds = (name: string, schema: Schema.Codec<unknown, unknown>) => {
  const codec = allCodecs(schema)
  const equivalent = Schema.toEquivalence(schema)
  const toJson = Schema.encodeSync(schema)
  const random = xorshift(5)
  return (value: unknown): void => {
    const bytes = codec.encode(value)
    assert.isTrue(equivalent(Result.getOrThrow(codec.decode(bytes)), value), "the round trip changes the value")
    const json = toJson(value)
    if (!withFloats.has(name)) assert.strictEqual(hex(bytes), hex(oracleEncode(json)), "the oracle writes other bytes")
    const loose = encodeLoosely(json, random, { shuffle: true, widen: true, unknownFields: true })
    assert.isTrue(equivalent(Result.getOrThrow(codec.decode(loose)), value), "another peer's form is another value")
  }
}

describe("every wire type round-trips in all back ends, as the oracle writes it and as others may", () => {
  for (const [name, wireType] of Object.entries(wireTypes)) {
    // Seen one by one, each of the schemas is a codec; their union is too large for the checker to say so.
    const schema = wireType as Schema.Codec<unknown, unknown>
    const check = holds(name, schema)
    it.prop(name, { value: schema }, ({ value }) => check(value), { arbitrary: { runs: 60, seed: "wire" } })
  }
})

interface Tree {
  readonly label: string
  readonly branches: ReadonlyArray<Tree>
}
const Tree = Schema.Struct({
  label: Text,
  branches: Schema.Array(Schema.suspend((): Schema.Codec<Tree> => Tree))
})

const Everything = Schema.Struct({
  small: U8,
  port: U16.check(Schema.makeFilter((port: number) => port % 2 === 0, { expected: "an even port" })),
  version: U64,
  signed: I64,
  delta: Schema.Int.check(Schema.isBetween({ minimum: -100, maximum: 100 })),
  ratio: F64,
  positive: Schema.Finite.check(Schema.isGreaterThan(0)),
  flag: Schema.Boolean,
  maybe: Schema.OptionFromOptionalKey(Schema.Array(U32)),
  perhaps: Schema.optionalKey(Bytes),
  shapes: Schema.Array(
    Schema.Union([
      Schema.TaggedStruct("Circle", { radius: F64 }),
      Schema.TaggedStruct("Named", { name: Text, parent: Schema.OptionFromOptionalKey(Text) }),
      Schema.TaggedStruct("Nothing", {})
    ])
  ),
  tree: Tree,
  last: Schema.Literals(["yes", "no", "ja", "né"])
}).check(Schema.makeFilter(({ small, delta }) => small + delta >= -100, { expected: "a balanced pair" }))

describe("a schema with everything", () => {
  const codec = allCodecs(Everything)
  const equivalent = Schema.toEquivalence(Everything)
  it.prop(
    "round-trips",
    { value: Everything },
    ({ value }) => equivalent(Result.getOrThrow(codec.decode(codec.encode(value))), value),
    { arbitrary: { runs: 150, seed: "everything" } }
  )

  it.prop(
    "is read or refused the same by all readers when its bytes are damaged",
    { value: Everything },
    ({ value }) => {
      const random = xorshift(9)
      const bytes = codec.encode(value)
      for (let i = 0; i < 60; i++) {
        const damaged = Uint8Array.from(bytes)
        do damaged[random.below(bytes.length)] = random.oneIn(2) ? random.below(256) : 0xc0 + random.below(32)
        while (random.oneIn(2))
        // Throws when two readers differ.
        codec.decode(random.oneIn(4) ? damaged.subarray(0, random.below(bytes.length)) : damaged)
      }
    },
    { arbitrary: { runs: 100, seed: "damage" } }
  )
})

const accepts = (schema: Schema.Codec<unknown, unknown>, bytes: Uint8Array): unknown =>
  Result.getOrThrow(allCodecs(schema).decode(bytes))
const reasonOf = (schema: Schema.Codec<unknown, unknown>, bytes: Uint8Array): string => {
  const decoded = allCodecs(schema).decode(bytes)
  if (Result.isSuccess(decoded)) throw new Error(`accepted ${JSON.stringify(decoded.success)}`)
  return decoded.failure.message
}

describe("floats", () => {
  it("are always written with eight bytes", () => {
    assert.strictEqual(hex(allCodecs(F64).encode(1)), "cb3ff0000000000000")
    assert.strictEqual(hex(allCodecs(F64).encode(Number.NaN)), "cb7ff8000000000000")
    assert.strictEqual(hex(allCodecs(F64).encode(-0)), "cb8000000000000000")
  })
  it("are read from float64, float32 and any integer, rounded as a conversion rounds", () => {
    assert.strictEqual(accepts(F64, bytesOf(0xca, 0x3f, 0xc0, 0, 0)), 1.5)
    assert.strictEqual(accepts(F64, bytesOf(0xff)), -1)
    assert.strictEqual(accepts(F64, bytesOf(0xcf, [255, 255, 255, 255, 255, 255, 255, 255])), 2 ** 64)
    assert.strictEqual(accepts(F64, bytesOf(0xd3, [0x80, 0, 0, 0, 0, 0, 0, 0])), -(2 ** 63))
    assert.strictEqual(accepts(F64, bytesOf(0xcf, [0, 0x20, 0, 0, 0, 0, 0, 1])), 2 ** 53)
    assert.strictEqual(
      reasonOf(F64, bytesOf("1.5")),
      "expected a number, found a string, at the message itself (byte 0)"
    )
  })
})

describe("integers", () => {
  const widths: ReadonlyArray<readonly [string, Schema.Codec<number>, ReadonlyArray<number>]> = [
    ["U8", U8, [0, 127, 128, 255]],
    ["U16", U16, [0, 255, 256, 65_535]],
    ["U32", U32, [0, 65_535, 65_536, 2 ** 32 - 1]],
    ["U64", U64, [2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER]],
    [
      "I64",
      I64,
      [-1, -32, -33, -128, -129, -32_768, -32_769, -(2 ** 31), -(2 ** 31) - 1, Number.MIN_SAFE_INTEGER, 2 ** 32]
    ]
  ]
  it.each(widths)("%s is written in the shortest form at every border", (_, schema, values) => {
    const codec = allCodecs(schema)
    for (const value of values) {
      assert.strictEqual(Result.getOrThrow(codec.decode(codec.encode(value))), value)
      // The oracle writes a negative integer of 64 bits in another, equally long, way or not at all shorter.
      assert.strictEqual(hex(codec.encode(value)), hex(oracleEncode(value)))
    }
  })
  it("beyond the range are refused, also where a double would round them into it", () => {
    assert.include(reasonOf(U64, bytesOf(0xcf, [0, 0x20, 0, 0, 0, 0, 0, 0])), "9007199254740992 is outside")
    assert.include(reasonOf(U64, bytesOf(0xcf, [0, 0x20, 0, 0, 0, 0, 0, 1])), "9007199254740993 is outside")
    assert.include(reasonOf(I64, bytesOf(0xd3, [0xff, 0xe0, 0, 0, 0, 0, 0, 0])), "-9007199254740992 is outside")
    assert.include(reasonOf(U8, bytesOf(0xcd, 1, 0)), "256 is outside 0…255")
    assert.include(reasonOf(U8, bytesOf(0xff)), "-1 is outside 0…255")
  })
})

describe("strings", () => {
  it.each([0, 1, 3, 4, 31, 32, 36, 37, 39, 40, 64, 65, 255, 256, 65_535, 65_536])(
    "of %i units round-trip",
    (length) => {
      const codec = allCodecs(Text)
      for (const unit of ["a", "é", "中", "\u0000", "🚀"]) {
        const text = unit.repeat(length)
        assert.strictEqual(hex(codec.encode(text)), hex(oracleEncode(text)))
        for (let sighting = 0; sighting < 3; sighting++) {
          assert.strictEqual(Result.getOrThrow(codec.decode(codec.encode(text))), text)
        }
      }
    }
  )
  it("keep a byte order mark", () => assert.strictEqual(accepts(Text, bytesOf("\uFEFFa")), "\uFEFFa"))
  it.each([
    ["overlong", [0xc0, 0x80]],
    ["a surrogate", [0xed, 0xa0, 0x80]],
    ["beyond U+10FFFF", [0xf4, 0x90, 0x80, 0x80]],
    ["a lone continuation", [0x80]],
    ["cut off", [0xe4, 0xb8]]
  ] as const)("that are no UTF-8 are refused: %s", (_, octets) => {
    for (const padding of [0, 3, 20, 28]) {
      const length = octets.length + padding
      const bytes = bytesOf(
        length < 32 ? 0xa0 | length : [0xd9, length],
        Array.from({ length: padding }, () => 0x61),
        octets
      )
      for (let sighting = 0; sighting < 3; sighting++) assert.include(reasonOf(Text, bytes), "not valid UTF-8")
    }
  })
  it("that differ in one byte are never mixed up by the interning cache", () => {
    const codec = allCodecs(Text)
    const base = Array.from({ length: 60 }, (_, i) => String.fromCharCode(97 + (i % 26)))
    const texts = base.flatMap((_, i) => ["\u0000", "~", "é"].map((other) => base.with(i, other).join("")))
    for (let sighting = 0; sighting < 3; sighting++) {
      for (const text of texts) assert.strictEqual(Result.getOrThrow(codec.decode(codec.encode(text))), text)
    }
  })
})

describe("structs", () => {
  const Pair = Schema.Struct({ a: U8, b: Schema.optionalKey(Text), c: Schema.OptionFromOptionalKey(U8) })

  it("take nil for an absent optional", () => {
    assert.deepStrictEqual(accepts(Pair, bytesOf(0x83, "a", 1, "b", 0xc0, "c", 0xc0)), { a: 1, c: Option.none() })
    assert.deepStrictEqual(accepts(Pair, bytesOf(0x83, "c", 0xc0, "b", 0xc0, "a", 1)), { a: 1, c: Option.none() })
  })
  it("refuse nil for a required field", () =>
    assert.include(reasonOf(Pair, bytesOf(0x81, "a", 0xc0)), "expected an integer 0…255, found nil, at a"))
  it.each([
    ["in order", bytesOf(0x83, "a", 1, "a", 1, "b", 0xc0)],
    ["out of order", bytesOf(0x83, "a", 1, "c", 1, "a", 1)],
    ["a nil one", bytesOf(0x83, "a", 1, "b", 0xc0, "b", "x")],
    ["a nil one, twice", bytesOf(0x83, "b", 0xc0, "b", 0xc0, "a", 1)]
  ])("refuse a repeated field: %s", (_, bytes) => assert.include(reasonOf(Pair, bytes), "the field is repeated"))
  it("ignore repeated unknown fields", () =>
    assert.deepStrictEqual(accepts(Pair, bytesOf(0x84, "x", 1, "x", 0xc0, "a", 1, "x", 2)), { a: 1, c: Option.none() }))
  it.each([
    ["an integer", [0x00]],
    ["binary data", [0xc4, 0x01, 0x61]],
    ["nil", [0xc0]],
    ["an array", [0x90]],
    ["a map", [0x80]]
  ] as const)("refuse %s as a field name", (kind, name) => {
    assert.include(reasonOf(Pair, bytesOf(0x82, name, 1, "a", 1)), `expected a field name, found ${kind}`)
    assert.include(reasonOf(Pair, bytesOf(0x82, "a", 1, name, 1)), `expected a field name, found ${kind}`)
  })
  it("write absent optionals as nothing", () => {
    assert.strictEqual(hex(allCodecs(Pair).encode({ a: 1, c: Option.none() })), "81a16101")
    assert.strictEqual(hex(allCodecs(Pair).encode({ a: 1, b: "", c: Option.some(2) })), "83a16101a162a0a16302")
  })
  it("of more than fifteen fields have a longer header", () => {
    const names = Array.from({ length: 20 }, (_, i) => `field${i}`)
    const Wide = Schema.Struct(Object.fromEntries(names.map((name) => [name, U8])))
    const value = Object.fromEntries(names.map((name, i) => [name, i]))
    assert.strictEqual(hex(allCodecs(Wide).encode(value)), hex(oracleEncode(value)))
    assert.deepStrictEqual(accepts(Wide, oracleEncode(value)), value)
  })
})

describe("nesting", () => {
  /** A tree of `depth` nodes takes two containers for each: the struct and its list. */
  const deepTree = (depth: number): Tree => ({ label: "", branches: depth === 1 ? [] : [deepTree(depth - 1)] })
  const codec = allCodecs(Tree)
  it("of 64 containers is accepted, of 65 refused, where the schema is recursive", () => {
    assert.deepStrictEqual(Result.getOrThrow(codec.decode(codec.encode(deepTree(32)))), deepTree(32))
    assert.include(reasonOf(Tree, codec.encode(deepTree(33))), "nested deeper than 64")
  })
  it.each([
    ["arrays", [0x91]],
    ["maps", [0x81, 0xa0]]
  ] as const)("of 64 containers is accepted, of 65 refused, in unknown fields of %s", (_, open) => {
    const unknown = (depth: number): Uint8Array =>
      bytesOf(0x83, "x", ...Array.from({ length: depth - 1 }, () => open), 1, "label", "", "branches", 0x90)
    assert.deepStrictEqual(accepts(Tree, unknown(64)), { label: "", branches: [] })
    assert.include(reasonOf(Tree, unknown(65)), "nested deeper than 64")
    assert.include(reasonOf(Tree, unknown(100_000)), "nested deeper than 64")
  })
})

describe("claimed lengths", () => {
  const claims: ReadonlyArray<readonly [string, Schema.Codec<unknown, unknown>, Uint8Array]> = [
    ["array", Schema.Array(U8), bytesOf(0xdd, [255, 255, 255, 255], 1)],
    ["bytes as an array", Bytes, bytesOf(0xdd, [255, 255, 255, 255], 1)],
    ["bytes as bin", Bytes, bytesOf(0xc6, [255, 255, 255, 255], 1)],
    ["string", Text, bytesOf(0xdb, [255, 255, 255, 255], 1)],
    ["map", Tree, bytesOf(0xdf, [255, 255, 255, 255], 1)]
  ]
  it.each(claims)("beyond the bytes left are refused before anything is allocated: %s", (_, schema, bytes) => {
    const codec = MessagePack.codec(schema)
    assert.isTrue(Result.isFailure(codec.decode(bytes)))
    const before = process.memoryUsage()
    for (let i = 0; i < 200; i++) codec.decode(bytes)
    const after = process.memoryUsage()
    const grown = after.heapTotal + after.arrayBuffers - before.heapTotal - before.arrayBuffers
    assert.isBelow(grown, 32_000_000, "200 claims of 4 GB each")
  })
})

describe("checks of a schema", () => {
  const Even = U8.check(Schema.makeFilter((n: number) => n % 2 === 0, { expected: "an even number" }))
  it("that bytes do not imply run when decoding", () => {
    assert.strictEqual(accepts(Even, bytesOf(4)), 4)
    assert.strictEqual(reasonOf(Even, bytesOf(5)), "expected an even number, at the message itself (byte 0)")
  })
  it("run on every kind of value", () => {
    const never = Schema.makeFilter(() => false, { expected: "nothing at all" })
    const schemas: ReadonlyArray<readonly [Schema.Codec<unknown, unknown>, Uint8Array]> = [
      [Schema.String.check(never), bytesOf("a")],
      [Schema.Boolean.check(never), bytesOf(0xc3)],
      [F64.check(never), bytesOf(1)],
      [Schema.Literals(["a"]).check(never), bytesOf("a")],
      [Schema.Array(U8).check(never), bytesOf(0x90)],
      [Schema.Struct({}).check(never), bytesOf(0x80)],
      [Schema.Union([Schema.TaggedStruct("A", {})]).check(never), bytesOf(0x81, "_tag", "A")],
      [Bytes.check(never), bytesOf(0x90)]
    ].map(([schema, bytes]) => [schema as Schema.Codec<unknown, unknown>, bytes as Uint8Array])
    for (const [schema, bytes] of schemas) assert.include(reasonOf(schema, bytes), "expected nothing at all")
  })
  it("run when encoding", () =>
    assert.throws(() => allCodecs(Even).encode(5), UnencodableValue, "Cannot encode 5: expected an even number"))
})

const withOne = (port: number, name = "") => ({
  list: [
    { port: 1, name },
    { port, name }
  ]
})

describe("a value that its schema forbids", () => {
  const One = Schema.Struct({ list: Schema.Array(Schema.Struct({ port: U16, name: Text })) })
  it.each([
    ["an integer out of range", withOne(65_536), "Cannot encode 65536: expected an integer 0…65535, at list[1].port"],
    ["a negative one", withOne(-1), "Cannot encode -1: expected an integer 0…65535, at list[1].port"],
    ["no integer", withOne(1.5), "Cannot encode 1.5: expected an integer 0…65535, at list[1].port"],
    ["NaN", withOne(Number.NaN), "Cannot encode NaN: expected an integer 0…65535, at list[1].port"],
    [
      "a lone surrogate",
      withOne(2, "a\ud800"),
      'Cannot encode "a\\ud800": the string has a lone surrogate, at list[0].name'
    ],
    [
      "a long one",
      withOne(2, `${"a".repeat(90)}\udc00`),
      `Cannot encode "${"a".repeat(79)}…: the string has a lone surrogate, at list[0].name`
    ]
  ])("is a defect that names it: %s", (_, value, message) => {
    for (const backEnd of ["generated", "closures"] as const) {
      const codec = MessagePack.codec(One, { backEnd })
      assert.throws(() => codec.encode(value), UnencodableValue, message)
      assert.throws(() => codec.encodeInto(value, new Uint8Array(200), 0), UnencodableValue, message)
    }
  })
  it("leaves the next value unharmed", () => {
    const codec = MessagePack.codec(One)
    assert.throws(() => codec.encode(withOne(-1)))
    assert.strictEqual(hex(codec.encode({ list: [] })), "81a46c69737490")
  })
})

const withoutWireForm: ReadonlyArray<readonly [string, Schema.Codec<unknown, unknown>]> = [
  ["a tuple", Schema.Tuple([U8, U8])],
  ["a record", Schema.Record(Schema.String, U8)],
  ["a date", Schema.Date],
  ["an untagged union", Schema.Union([Schema.Struct({ a: U8 }), Schema.Struct({ b: U8 })])],
  ["a bigint", Schema.BigInt],
  ["a number as text", Schema.NumberFromString]
]

describe("a schema without a wire form is refused at first use", () => {
  it.each(withoutWireForm)("%s", (_, schema) => {
    const codec = MessagePack.codec(schema)
    assert.throws(() => codec.decode(bytesOf(0x90)), "No MessagePack codec can be derived")
  })
})

describe("where code generation is forbidden", () => {
  it("codecs run on closures, with the same bytes", () => {
    const source = `
      import { Result } from "effect"
      import { decodeClusterMessage, encodeClusterMessage } from "./src/domain/codec/ClusterMessageCodec.ts"
      const message = { type: "HEARTBEAT", senderId: "node-1", timestampMs: 1700000000000, membersViewVersion: 5, suspectedNodes: [] }
      const bytes = encodeClusterMessage(message)
      const same = JSON.stringify(Result.getOrThrow(decodeClusterMessage(bytes))) === JSON.stringify(message)
      console.log(same, Buffer.from(bytes).toString("hex"))`
    const output = execFileSync(
      process.execPath,
      ["--disallow-code-generation-from-strings", "--input-type=module", "--eval", source],
      { cwd: join(import.meta.dirname, "..", "..", ".."), encoding: "utf8" }
    )
    const expected = oracleEncode({
      type: "HEARTBEAT",
      senderId: "node-1",
      timestampMs: 1_700_000_000_000,
      membersViewVersion: 5,
      suspectedNodes: []
    })
    assert.strictEqual(output.trim(), `true ${hex(expected)}`)
  })
})
