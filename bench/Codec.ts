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
  { name: "view of 3", messages: [Messages.view(cluster.slice(0, 3))] },
  { name: "view of 100", messages: [Messages.view(Messages.ids(100))] },
  { name: "view of 1000", messages: [Messages.view(Messages.ids(1000))] },
  { name: "table of 271", messages: [Messages.partitionTable(cluster)] },
  { name: "join response, 3 members", messages: [Messages.joinResponse(cluster.slice(0, 3))] },
  {
    name: "64 KiB of bytes",
    messages: [Messages.migrateData(Messages.randomBytes(65_536))],
    decodeTarget: "≥ 500 MB/s",
    encodeTarget: "≥ 1300 MB/s"
  },
  { name: "1 MiB of bytes", messages: [Messages.migrateData(Messages.randomBytes(1_048_576))] }
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

const toRow = (
  group: string,
  name: string,
  times: ReadonlyMap<string, number>,
  bytesPerMessage: number,
  target: string | undefined
): Row => {
  const ns = times.get(name) ?? Number.NaN
  const isLarge = bytesPerMessage > 50_000
  const row: Row = {
    group,
    name,
    value: isLarge ? (bytesPerMessage / ns) * 1000 : ns,
    unit: isLarge ? "MB/s" : "ns"
  }
  if (!name.startsWith("squadron")) return row
  const ratios = Object.fromEntries(peers.map((peer) => [peer, (times.get(peer) ?? Number.NaN) / ns]))
  return name === "squadron" && target !== undefined ? { ...row, ratios, target } : { ...row, ratios }
}

const compared = (
  group: string,
  contenders: ReadonlyArray<Contender>,
  bytesPerMessage: number,
  target: string | undefined
): ReadonlyArray<Row> => {
  const times = compare(contenders)
  return contenders.map(({ name }) => toRow(group, name, times, bytesPerMessage, target))
}

const streamRows = ({ name, messages, decodeTarget, encodeTarget }: Stream): ReadonlyArray<Row> => {
  const wire = frames(messages)
  const plain = messages.map((message) => schemaEncode(message))
  const size = wire.reduce((sum, bytes) => sum + bytes.length, 0) / wire.length
  const room = Buffer.allocUnsafeSlow(4_194_304)
  const title = `${name} (${Math.round(size)} B)`
  const decoded = compared(`decode, ${title}`, decoders(wire), size, decodeTarget)
  return decoded.concat(compared(`encode, ${title}`, encoders(messages, plain, room), size, encodeTarget))
}

/** Rows of all streams, or of those whose name contains `filter`. Takes about half a minute. */
export const rows = (filter = ""): ReadonlyArray<Row> =>
  streams()
    .filter(({ name }) => name.includes(filter))
    .flatMap(streamRows)

if (import.meta.main) console.log(formatRows(rows(process.argv[2])))
