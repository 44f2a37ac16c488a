/**
 * The other process of the transport benchmark: receives messages over the transport on one port and
 * over a plain socket on another, and answers those that ask for it. Says its ports on the first line.
 */
import * as Net from "node:net"
import { NodeRuntime } from "@effect/platform-node"
import { Context, Effect, Layer, Result } from "effect"
import { decodeClusterMessage, encodeClusterMessage } from "../src/domain/codec/ClusterMessageCodec.ts"
import * as Frame from "../src/domain/codec/Frame.ts"
import type { ClusterMessage } from "../src/domain/wire/ClusterMessage.ts"
import * as TransportTcp from "../src/layers/TransportTcp.ts"
import { Transport } from "../src/services/Transport.ts"

/** A heartbeat of time 0 asks for an answer. */
export const question: ClusterMessage = {
  type: "HEARTBEAT",
  senderId: "node-a",
  timestampMs: 0,
  membersViewVersion: 7,
  suspectedNodes: []
}

const asksForAnswer = (message: ClusterMessage): boolean => message.type === "HEARTBEAT" && message.timestampMs === 0

/** What a program without the transport would write: the same framing and codec on a plain socket. */
const servePlain = (socket: Net.Socket): void => {
  let splitter = Frame.empty
  socket.setNoDelay(true)
  socket.on("error", () => socket.destroy())
  socket.on("data", (chunk) => {
    const split = Result.getOrThrow(Frame.push(splitter, chunk))
    splitter = split.splitter
    for (const frame of split.frames) {
      const message = Result.getOrThrow(decodeClusterMessage(frame))
      if (asksForAnswer(message)) socket.write(Frame.encode(encodeClusterMessage(message)))
    }
  })
}

const listenPlain = Effect.callback<number>((resume) => {
  const server = Net.createServer(servePlain)
  server.listen(0, "127.0.0.1", () => {
    const bound = server.address()
    resume(Effect.succeed(typeof bound === "object" && bound !== null ? bound.port : 0))
  })
})

const program = Effect.gen(function* () {
  const context = yield* Layer.build(TransportTcp.layer({ host: "127.0.0.1", port: 0 }))
  const transport = Context.get(context, Transport)
  const plainPort = yield* listenPlain
  process.stdout.write(`${JSON.stringify({ transport: transport.localAddress, plain: `127.0.0.1:${plainPort}` })}\n`)
  // Ends with the process that started it.
  process.stdin.on("close", () => process.exit(0)).resume()
  while (true) {
    for (const event of yield* transport.receive) {
      if (event._tag === "Accepted") yield* transport.identify(event.connection)
      if (event._tag !== "Received" || !asksForAnswer(event.message)) continue
      yield* transport.send(event.connection, event.message)
    }
  }
}).pipe(Effect.scoped)

if (import.meta.main) NodeRuntime.runMain(program)
