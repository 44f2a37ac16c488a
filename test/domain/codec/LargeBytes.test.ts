/**
 * Byte fields long enough for the kernel, blocks and lanes: the same bytes as the oracle's and the strict
 * reader's verdicts, offsets and reasons, from both back ends, with the kernel and without.
 */
import { encode } from "@msgpack/msgpack"
import { Result, Schema } from "effect"
import { assert, describe, it, vi } from "vitest"
import { kernelOctets } from "../../../src/domain/codec/Limits.ts"
import type { MalformedMessage } from "../../../src/domain/codec/MalformedMessage.ts"
import { MessagePack } from "../../../src/domain/codec/MessagePack.ts"
import {
  decodedBlock,
  fewestKernelOctets,
  octetKernel,
  octetsAt,
  wireAt
} from "../../../src/domain/codec/OctetKernel.ts"
import { readStrictly } from "../../../src/domain/codec/StrictReader.ts"
import { wireShape } from "../../../src/domain/codec/WireShape.ts"
import { Bytes, U32 } from "../../../src/domain/model/Scalars.ts"
import { xorshift } from "./Xorshift.ts"

const schema = Schema.Struct({ data: Bytes, after: U32 })
type Value = typeof schema.Type
type Verdict = Result.Result<Value, MalformedMessage>

const backEnds = ["generated", "closures"] as const

/** The codecs of a runtime whose WebAssembly is this one: modules of their own, which find out at first use. */
const codecsUnder = async (webAssembly: unknown) => {
  vi.stubGlobal("WebAssembly", webAssembly)
  vi.resetModules()
  const { MessagePack } = await import("../../../src/domain/codec/MessagePack.ts")
  const { octetKernel } = await import("../../../src/domain/codec/OctetKernel.ts")
  const hasKernel = octetKernel() !== undefined
  vi.unstubAllGlobals()
  vi.resetModules()
  return { hasKernel, codecs: backEnds.map((backEnd) => MessagePack.codec(schema, { backEnd })) }
}

const withKernel = backEnds.map((backEnd) => MessagePack.codec(schema, { backEnd }))
const absent = await codecsUnder(undefined)
const forbidden = await codecsUnder({
  Module: function Module() {
    throw new EvalError("a policy forbids WebAssembly")
  }
})
const codecs = [...withKernel, ...absent.codecs]
const shape = wireShape(schema.ast)
const isValue = Schema.is(schema)

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0

const isSame = (a: Verdict, b: Verdict): boolean =>
  Result.isSuccess(a)
    ? Result.isSuccess(b) && a.success.after === b.success.after && sameBytes(a.success.data, b.success.data)
    : Result.isFailure(b) && a.failure.offset === b.failure.offset && a.failure.message === b.failure.message

/** The strict reader's verdict, after every codec has given the same. */
const verdictOf = (frame: Uint8Array): Verdict => {
  const strict = Result.map(readStrictly(shape, frame), (value) => {
    if (!isValue(value)) throw new Error("the strict reader returns another type")
    return value
  })
  for (const [i, codec] of codecs.entries()) {
    if (!isSame(codec.decode(frame), strict)) {
      throw new Error(`codec ${i} differs from the strict reader: ${Buffer.from(frame).toString("hex")}`)
    }
  }
  return strict
}

/** A frame whose data is the given wire form of `count` octets. */
const frameOf = (count: number, wire: ReadonlyArray<number>): Uint8Array =>
  Uint8Array.from(
    [0x82, 0xa4, ...Buffer.from("data"), 0xdd, 0, count >> 16, (count >> 8) & 0xff, count & 0xff].concat(wire, [
      0xa5,
      ...Buffer.from("after"),
      7
    ])
  )

const form = (octet: number): ReadonlyArray<number> => (octet < 0x80 ? [octet] : [0xcc, octet])

const random = xorshift(5)
const contents: Record<string, (i: number) => number> = {
  random: () => random.below(256),
  "all 0xcc": () => 0xcc,
  "all small": (i) => i % 128,
  "all marked": (i) => 128 + (i % 128),
  "runs of 0xcc": () => (random.oneIn(2) ? 0xcc : random.below(256)),
  "small, then marked": (i) => (i < 300 ? i % 128 : 200),
  "marked, then small": (i) => (i < 300 ? 200 : i % 128)
}

const around = (size: number): ReadonlyArray<number> => [size - 1, size, size + 1]
const borders = [decodedBlock, fewestKernelOctets, fewestKernelOctets + 7, 256, 8192, kernelOctets, 2 * kernelOctets]
const sizes = [0, 1, 31, 32, 33, 1000, 65_535 + decodedBlock, 131_100, ...borders.flatMap(around)]

describe("long byte fields", () => {
  it("are tested with a kernel and without", () => {
    assert.isDefined(octetKernel())
    assert.isFalse(absent.hasKernel)
    assert.isFalse(forbidden.hasKernel)
  })

  it.each(Object.keys(contents))("%s: written as the oracle writes them, and read back", (content) => {
    for (const size of sizes) {
      const data = Uint8Array.from({ length: size }, (_, i) => contents[content]?.(i) ?? 0)
      const expected = encode({ data: [...data], after: 7 })
      for (const codec of [...codecs, ...forbidden.codecs]) {
        assert.isTrue(sameBytes(codec.encode({ data, after: 7 }), expected), `${size} octets`)
        const read = Result.getOrThrow(codec.decode(expected))
        assert.isTrue(sameBytes(read.data, data) && read.after === 7, `${size} octets`)
      }
    }
  })

  it("the kernel takes all but the last blocks, whatever the octets are", () => {
    const kernel = octetKernel()
    if (kernel === undefined) throw new Error("no kernel")
    for (const content of Object.values(contents)) {
      const data = Uint8Array.from({ length: 5000 }, (_, i) => content(i))
      const wire = Array.from(data, form).flat()
      kernel.memory.set(wire, wireAt)
      const read = kernel.decode(wire.length, data.length)
      const count = kernel.decodedOctets()
      assert.isAbove(count, data.length - 2 * decodedBlock)
      assert.isTrue(sameBytes(kernel.memory.subarray(octetsAt, octetsAt + count), data.subarray(0, count)))
      assert.deepStrictEqual(wire.slice(read), Array.from(data.subarray(count), form).flat())
    }
  })

  it("0xcc and runs of it at every place of a block", () => {
    for (let run = 1; run <= 5; run++) {
      for (let at = 0; at < 2 * decodedBlock + 2; at++) {
        const data = new Uint8Array(4 * decodedBlock).fill(5).fill(0xcc, at, at + run)
        const read = Result.getOrThrow(verdictOf(frameOf(data.length, [...data].flatMap(form))))
        assert.isTrue(sameBytes(read.data, data))
      }
    }
  })

  const otherForms: ReadonlyArray<ReadonlyArray<number>> = [
    [0xcc, 5],
    [0xcd, 0, 200],
    [0xce, 0, 0, 0, 0xcc],
    [0xcf, 0, 0, 0, 0, 0, 0, 0, 9],
    [0xd0, 5],
    [0xd1, 0, 0xcc],
    [0xd2, 0, 0, 0, 255],
    [0xd3, 0, 0, 0, 0, 0, 0, 0, 0xcc]
  ]
  const noOctets: ReadonlyArray<ReadonlyArray<number>> = [
    [0xff],
    [0xcd, 1, 0],
    [0xcf, 0xcc, 0, 0, 0, 0, 0, 0, 0],
    [0xd0, 0xcc],
    [0xc0],
    [0xc1],
    [0xc3],
    [0xc4, 0],
    [0xca, 0, 0, 0, 0],
    [0x80],
    [0x90],
    [0xa1, 5]
  ]

  it("any width is accepted and anything else refused at every position, where and as the strict reader does", () => {
    const size = 3 * decodedBlock
    const data = Uint8Array.from({ length: size }, () => (random.oneIn(4) ? 0xcc : random.below(256)))
    const forms = Array.from(data, form)
    for (let at = 0; at < size; at++) {
      const before = forms.slice(0, at).flat()
      const after = forms.slice(at + 1).flat()
      for (const other of otherForms) {
        const verdict = verdictOf(frameOf(size, before.concat(other, after)))
        assert.isTrue(Result.isSuccess(verdict) && verdict.success.data[at] === other.at(-1))
      }
      for (const other of noOctets) {
        const verdict = verdictOf(frameOf(size, before.concat(other, after)))
        assert.isTrue(Result.isFailure(verdict) && verdict.failure.path.join() === `data,${at}`)
      }
    }
  })

  it("cut off at every position they are refused, even where bytes of another message follow", () => {
    const size = 3 * decodedBlock
    for (const content of ["random", "all small", "all marked", "runs of 0xcc"]) {
      const frame = frameOf(size, Array.from({ length: size }, (_, i) => contents[content]?.(i) ?? 0).flatMap(form))
      const memory = new Uint8Array(2 * frame.length).fill(3)
      memory.set(frame, 11)
      for (let length = 0; length < frame.length; length++) {
        assert.isTrue(Result.isFailure(verdictOf(memory.subarray(11, 11 + length))))
      }
    }
  })

  it("announced with one octet too many or too few they are refused", () => {
    for (const size of [fewestKernelOctets, 3 * decodedBlock, kernelOctets, kernelOctets + decodedBlock]) {
      const wire = Array.from({ length: size }, () => form(random.below(256))).flat()
      assert.isTrue(Result.isSuccess(verdictOf(frameOf(size, wire))))
      assert.isTrue(Result.isFailure(verdictOf(frameOf(size + 1, wire))))
      assert.isTrue(Result.isFailure(verdictOf(frameOf(size - 1, wire))))
    }
  })

  it("damaged ones are refused, or read as the strict reader reads them", () => {
    let refused = 0
    for (let round = 0; round < 1500; round++) {
      const size = fewestKernelOctets + random.below(900)
      const frame = frameOf(
        size,
        Array.from({ length: size }, () => form(random.oneIn(8) ? 0xcc : random.below(256))).flat()
      )
      for (let damage = 0; damage < 3; damage++) {
        frame[10 + random.below(frame.length - 10)] = random.oneIn(2) ? 0xcc : random.below(256)
      }
      if (Result.isFailure(verdictOf(frame))) refused++
    }
    assert.isAbove(refused, 300)
    assert.isBelow(refused, 1499)
  })

  it("are written between other bytes without touching them", () => {
    for (const size of [fewestKernelOctets, 1000, kernelOctets + 9]) {
      const value: Value = { data: Uint8Array.from({ length: size }, () => random.below(256)), after: 7 }
      const expected = encode({ ...value, data: [...value.data] })
      for (const codec of codecs) {
        const memory = new Uint8Array(expected.length + 40).fill(0xee)
        const room = memory.subarray(20, 20 + expected.length)
        assert.strictEqual(codec.encodeInto(value, room, 0), expected.length)
        assert.isTrue(sameBytes(room, expected))
        assert.isTrue(memory.subarray(0, 20).every((octet) => octet === 0xee))
        assert.isTrue(memory.subarray(-20).every((octet) => octet === 0xee))
        assert.strictEqual(codec.encodeInto(value, room.subarray(1), 0), -1)
      }
    }
  })

  it("keep their octets when the next one is read, and the kernel's memory never grows", () => {
    const [codec] = withKernel
    if (codec === undefined) throw new Error("no codec")
    const bytes = octetKernel()?.memory.byteLength
    const first = Uint8Array.from({ length: 5000 }, () => random.below(256))
    const read = Result.getOrThrow(codec.decode(codec.encode({ data: first, after: 1 })))
    const large = new Uint8Array(1_000_000).fill(0xcc)
    Result.getOrThrow(codec.decode(codec.encode({ data: large, after: 1 })))
    assert.isTrue(sameBytes(read.data, first))
    assert.strictEqual(octetKernel()?.memory.byteLength, bytes)
    assert.isAtMost(bytes ?? 0, 262_144)
  })
})
