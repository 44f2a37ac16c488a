/**
 * The derived codec against `@msgpack/msgpack` and msgpackr, each alone (bytes to plain values, nothing
 * checked) and followed by Schema with its just-in-time compiler (bytes to checked values, which is
 * what the derived codec does in one step).
 *
 * "Hot" streams repeat the same node ids, "cold" ones never do, "mixed" is a stream of ten kinds of
 * small messages, most of whose ids have been seen before.
 */
import "effect/schema/SchemaJITCompiler/enable"
import { Decoder, Encoder } from "@msgpack/msgpack"
import { Result, Schema } from "effect"
import { Packr } from "msgpackr"
import { MessagePack } from "../src/domain/codec/MessagePack.ts"
import { ClusterMessage } from "../src/domain/wire/ClusterMessage.ts"
import * as Messages from "./CodecMessages.ts"
import { compare, type Contender, formatRows, type Row } from "./Harness.ts"

interface Stream {
  readonly name: string
  readonly messages: ReadonlyArray<ClusterMessage>
  readonly decodeTarget?: string
  readonly encodeTarget?: string
  /** What the native reference took for the same kind of message, in another run on other days: for scale only. */
  readonly referenceNs?: { readonly decode: number; readonly encode: number }
}

const cluster = Messages.ids(4)

const streams = (): ReadonlyArray<Stream> => [
  {
    name: "mixed control stream",
    messages: Array.from({ length: 64 }, (_, i) =>
      Messages.controlMessages(i % 8 === 7 ? Messages.ids(3) : cluster)
    ).flat(),
    decodeTarget: "≥ 6× msgpackr+Schema, ≥ 3× msgpackr",
    encodeTarget: "≥ 8× msgpackr+Schema, ≥ 3× msgpackr"
  },
  { name: "heartbeat, hot", messages: [Messages.heartbeat(cluster)] },
  { name: "heartbeat, cold", messages: Array.from({ length: 32_768 }, () => Messages.heartbeat(Messages.ids(3))) },
  {
    name: "heartbeat, 2 suspects",
    messages: [Messages.heartbeat(Messages.names(3))],
    referenceNs: { decode: 312, encode: 110 }
  },
  {
    name: "view of 3",
    messages: [Messages.view(Messages.names(3))],
    referenceNs: { decode: 1459, encode: 263 }
  },
  {
    name: "view of 100",
    messages: [Messages.view(Messages.names(100))],
    referenceNs: { decode: 42_022, encode: 5450 }
  },
  {
    name: "view of 1000",
    messages: [Messages.view(Messages.names(1000))],
    referenceNs: { decode: 542_633, encode: 63_648 }
  },
  { name: "view of 1000, long ids", messages: [Messages.view(Messages.ids(1000))] },
  {
    name: "table of 271",
    messages: [Messages.partitionTable(Messages.names(3))],
    referenceNs: { decode: 87_652, encode: 10_364 }
  },
  {
    name: "join response, 3 members",
    messages: [Messages.joinResponse(Messages.names(3))],
    referenceNs: { decode: 88_539, encode: 11_011 }
  },
  {
    name: "64 KiB of bytes",
    messages: [Messages.migrateData(Messages.randomBytes(65_536))],
    decodeTarget: "≥ 500 MB/s",
    encodeTarget: "≥ 1300 MB/s",
    referenceNs: { decode: 1_189_465, encode: 373_965 }
  },
  {
    name: "1 MiB of bytes",
    messages: [Messages.migrateData(Messages.randomBytes(1_048_576))],
    referenceNs: { decode: 34_895_722, encode: 6_836_971 }
  }
]

const generated = MessagePack.codec(ClusterMessage, { backEnd: "generated" })
const closures = MessagePack.codec(ClusterMessage, { backEnd: "closures" })
const schemaDecode = Schema.decodeUnknownSync(ClusterMessage)
const schemaEncode = Schema.encodeSync(ClusterMessage)
const oracleEncoder = new Encoder()
const oracleDecoder = new Decoder()
const packr = new Packr({ useRecords: false, variableMapSize: true, int64AsType: "number" })

const peers = ["msgpackr", "msgpackr+Schema", "@msgpack", "@msgpack+Schema"] as const

/** The messages of a stream in one block of memory, as a socket delivers them. */
const frames = (messages: ReadonlyArray<ClusterMessage>): ReadonlyArray<Uint8Array> => {
  const encoded = messages.map((message) => generated.encode(message))
  const block = Buffer.allocUnsafeSlow(encoded.reduce((sum, bytes) => sum + bytes.length, 0))
  let offset = 0
  return encoded.map((bytes) => {
    block.set(bytes, offset)
    offset += bytes.length
    return block.subarray(offset - bytes.length, offset)
  })
}

const at = <A>(values: ReadonlyArray<A>, i: number): A => {
  const value = values[i % values.length]
  if (value === undefined) throw new Error("a stream is empty")
  return value
}

const decoders = (wire: ReadonlyArray<Uint8Array>): ReadonlyArray<Contender> => [
  { name: "squadron", run: (i) => Result.getOrThrow(generated.decode(at(wire, i))) },
  { name: "squadron, closures", run: (i) => Result.getOrThrow(closures.decode(at(wire, i))) },
  { name: "msgpackr", run: (i) => packr.unpack(at(wire, i)) },
  { name: "msgpackr+Schema", run: (i) => schemaDecode(packr.unpack(at(wire, i))) },
  { name: "@msgpack", run: (i) => oracleDecoder.decode(at(wire, i)) },
  { name: "@msgpack+Schema", run: (i) => schemaDecode(oracleDecoder.decode(at(wire, i))) }
]

const encoders = (
  messages: ReadonlyArray<ClusterMessage>,
  plain: ReadonlyArray<unknown>,
  room: Uint8Array
): ReadonlyArray<Contender> => [
  { name: "squadron", run: (i) => generated.encodeInto(at(messages, i), room, 0) },
  { name: "squadron, new buffer", run: (i) => generated.encode(at(messages, i)) },
  { name: "squadron, closures", run: (i) => closures.encodeInto(at(messages, i), room, 0) },
  { name: "msgpackr", run: (i) => packr.pack(at(plain, i)) },
  { name: "msgpackr+Schema", run: (i) => packr.pack(schemaEncode(at(messages, i))) },
  { name: "@msgpack", run: (i) => oracleEncoder.encodeSharedRef(at(plain, i)) },
  { name: "@msgpack+Schema", run: (i) => oracleEncoder.encodeSharedRef(schemaEncode(at(messages, i))) }
]

/** What is known of a table besides the times. */
interface Heading {
  readonly group: string
  readonly bytesPerMessage: number
  readonly target: string | undefined
  readonly referenceNs: number | undefined
}

const toRow = (name: string, times: ReadonlyMap<string, number>, heading: Heading): Row => {
  const { group, bytesPerMessage, target, referenceNs } = heading
  const ns = times.get(name) ?? Number.NaN
  const isLarge = group.includes("KiB") || group.includes("MiB")
  const row: Row = {
    group,
    name,
    value: isLarge ? (bytesPerMessage / ns) * 1000 : ns,
    unit: isLarge ? "MB/s" : "ns"
  }
  if (!name.startsWith("squadron")) return row
  const ratios = Object.fromEntries(peers.map((peer) => [peer, (times.get(peer) ?? Number.NaN) / ns]))
  if (referenceNs !== undefined) ratios["reference (other run)"] = referenceNs / ns
  return name === "squadron" && target !== undefined ? { ...row, ratios, target } : { ...row, ratios }
}

const compared = (contenders: ReadonlyArray<Contender>, heading: Heading): ReadonlyArray<Row> => {
  const times = compare(contenders)
  return contenders.map(({ name }) => toRow(name, times, heading))
}

const streamRows = ({ name, messages, decodeTarget, encodeTarget, referenceNs }: Stream): ReadonlyArray<Row> => {
  const wire = frames(messages)
  const plain = messages.map((message) => schemaEncode(message))
  const bytesPerMessage = wire.reduce((sum, bytes) => sum + bytes.length, 0) / wire.length
  const room = Buffer.allocUnsafeSlow(4_194_304)
  const title = `${name} (${Math.round(bytesPerMessage)} B)`
  const decoded = compared(decoders(wire), {
    group: `decode, ${title}`,
    bytesPerMessage,
    target: decodeTarget,
    referenceNs: referenceNs?.decode
  })
  const encoded = compared(encoders(messages, plain, room), {
    group: `encode, ${title}`,
    bytesPerMessage,
    target: encodeTarget,
    referenceNs: referenceNs?.encode
  })
  return decoded.concat(encoded)
}

/** Rows of all streams, or of those whose name contains `filter`. Takes about half a minute. */
export const rows = (filter = ""): ReadonlyArray<Row> =>
  streams()
    .filter(({ name }) => name.includes(filter))
    .flatMap(streamRows)

if (import.meta.main) console.log(formatRows(rows(process.argv[2])))
