/**
 * The transport between two processes over loopback, against a plain socket with the same framing and
 * codec: what do bounds, priorities, deadlines and events cost? They take turns; medians count.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import * as Net from "node:net"
import { fileURLToPath } from "node:url"
import { Context, Effect, Layer, Result, Schema } from "effect"
import { encodeClusterMessage, encodeClusterMessageInto } from "../src/domain/codec/ClusterMessageCodec.ts"
import * as Frame from "../src/domain/codec/Frame.ts"
import { parseAddress } from "../src/domain/model/Address.ts"
import type { ClusterMessage } from "../src/domain/wire/ClusterMessage.ts"
import * as TransportTcp from "../src/layers/TransportTcp.ts"
import { type ConnectionId, Transport } from "../src/services/Transport.ts"
import { formatRows, median, type Row } from "./Harness.ts"
import { question } from "./TransportPeer.ts"

/** Sends messages, then a question, and waits for its answer: all have been received and decoded then. */
interface Link {
  readonly name: string
  readonly exchange: (messages: ReadonlyArray<ClusterMessage>) => Effect.Effect<void>
}

const plainLink = (address: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const { host, port } = Result.getOrThrow(parseAddress(address))
      const socket = Net.connect({ host, port, noDelay: true })
      await once(socket, "connect")
      return socket
    }),
    (socket) => Effect.sync(() => socket.destroy())
  ).pipe(
    Effect.map((socket): Link => ({
      name: "plain socket",
      exchange: (messages) => Effect.promise(() => exchangePlain(socket, messages))
    }))
  )

const exchangePlain = async (socket: Net.Socket, messages: ReadonlyArray<ClusterMessage>): Promise<void> => {
  const write = async (bytes: Uint8Array) => {
    if (!socket.write(bytes)) await once(socket, "drain")
  }
  let buffer = Buffer.allocUnsafeSlow(64 * 1024)
  let end = 0
  for (const message of [...messages, question]) {
    let next = encodeClusterMessageInto(message, buffer, end + Frame.headerBytes)
    if (next === -1) {
      await write(buffer.subarray(0, end))
      buffer = Buffer.allocUnsafeSlow(64 * 1024)
      end = 0
      next = encodeClusterMessageInto(message, buffer, Frame.headerBytes)
    }
    if (next === -1) {
      await write(Frame.encode(encodeClusterMessage(message)))
    } else {
      Frame.writeHeader(next - end - Frame.headerBytes, buffer, end)
      end = next
    }
  }
  const answered = once(socket, "data")
  await write(buffer.subarray(0, end))
  await answered
}

const transportLink = Effect.fnUntraced(function* (address: string) {
  const transport = Context.get(yield* Layer.build(TransportTcp.layer({ host: "127.0.0.1", port: 0 })), Transport)
  yield* transport.dial(address)
  const [event] = yield* transport.receive
  if (event._tag !== "Dialled") return yield* Effect.die(event)
  const link: Link = { name: "transport", exchange: (messages) => exchange(transport, event.connection, messages) }
  return link
})

const exchange = Effect.fnUntraced(function* (
  transport: Transport["Service"],
  connection: ConnectionId,
  messages: ReadonlyArray<ClusterMessage>
) {
  for (const [index, message] of messages.entries()) {
    if (index % 100 === 0) yield* transport.awaitRoom(connection)
    yield* transport.send(connection, message)
  }
  yield* transport.send(connection, question)
  yield* transport.receive
}, Effect.orDie)

const heartbeats = (count: number): ReadonlyArray<ClusterMessage> =>
  Array.from({ length: count }, (_, index) => ({
    type: "HEARTBEAT",
    senderId: "node-a",
    timestampMs: 1_700_000_000_000 + index,
    membersViewVersion: 7,
    suspectedNodes: index % 2 === 0 ? [] : ["node-b", "node-c"]
  }))

const chunkBytes = 64 * 1024

const chunks = (count: number): ReadonlyArray<ClusterMessage> => {
  const data = Uint8Array.from({ length: chunkBytes }, (_, index) => (index * 2_654_435_761) >>> 24)
  return Array.from({ length: count }, (_, sourceVersion) => ({
    type: "MIGRATE_DATA",
    partitionId: 5,
    mapStates: [{ mapName: "users", data, mapType: "lww" }],
    deltaOps: [],
    sourceVersion
  }))
}

/** Median seconds of an exchange over each link. */
const seconds = Effect.fnUntraced(function* (
  links: ReadonlyArray<Link>,
  messages: ReadonlyArray<ClusterMessage>,
  rounds: number
) {
  const samples = links.map(() => [0].slice(1))
  for (let round = -2; round < rounds; round++) {
    for (const [index, link] of links.entries()) {
      const start = performance.now()
      yield* link.exchange(messages)
      if (round >= 0) samples[index]?.push((performance.now() - start) / 1000)
    }
  }
  return samples.map(median)
})

const comparison = (
  name: string,
  unit: string,
  links: ReadonlyArray<Link>,
  values: ReadonlyArray<number>,
  isBetterHigher: boolean
): ReadonlyArray<Row> => {
  const [ours = Number.NaN, plain = Number.NaN] = values
  const ratio = isBetterHigher ? ours / plain : plain / ours
  return links.map((link, index) => ({
    group: "Transport, two processes over loopback",
    name: `${name}, ${link.name}`,
    value: values[index] ?? Number.NaN,
    unit,
    ...(index === 0 ? { ratios: { "plain socket": ratio } } : {})
  }))
}

const Ports = Schema.fromJsonString(Schema.Struct({ transport: Schema.String, plain: Schema.String }))

const startPeer = Effect.acquireRelease(
  Effect.promise(async () => {
    const path = fileURLToPath(new URL("./TransportPeer.ts", import.meta.url))
    const child: ChildProcess = spawn(process.execPath, [path], { stdio: ["pipe", "pipe", "inherit"] })
    if (child.stdout === null) throw new Error("the peer's output is a pipe")
    const [line]: Array<unknown> = await once(child.stdout, "data")
    return { child, line: String(line) }
  }),
  ({ child }) => Effect.sync(() => child.kill())
).pipe(Effect.flatMap(({ line }) => Schema.decodeEffect(Ports)(line)))

const measure = Effect.gen(function* () {
  const peer = yield* startPeer
  const links = [yield* transportLink(peer.transport), yield* plainLink(peer.plain)]
  const burst = heartbeats(50_000)
  const bursts = yield* seconds(links, burst, 9)
  const bulk = chunks(500)
  const bulks = yield* seconds(links, bulk, 5)
  const roundTrips = yield* seconds(links, [], 3000)
  return [
    ...comparison(
      "heartbeats",
      "msg/s",
      links,
      bursts.map((s) => burst.length / s),
      true
    ),
    ...comparison(
      "64 KiB of map data",
      "MB/s",
      links,
      bulks.map((s) => (bulk.length * chunkBytes) / s / 1e6),
      true
    ),
    ...comparison(
      "round trip, median",
      "µs",
      links,
      roundTrips.map((s) => s * 1e6),
      false
    )
  ]
}).pipe(Effect.scoped)

/** The benchmark's table rows. Takes about 10 seconds. */
export const rows = (): Promise<ReadonlyArray<Row>> => Effect.runPromise(measure)

if (import.meta.main) console.log(formatRows(await rows()))
