/** Peers without manners: plain sockets that say exactly what a test tells them to. */
import { once } from "node:events"
import * as Net from "node:net"
import { Effect, Result } from "effect"
import { decodeClusterMessage } from "../../src/domain/codec/ClusterMessageCodec.ts"
import * as Frame from "../../src/domain/codec/Frame.ts"
import { type Address, parseAddress } from "../../src/domain/model/Address.ts"
import type { ClusterMessage } from "../../src/domain/wire/ClusterMessage.ts"

/** A connected socket that reads nothing until it is told to; destroyed when the scope ends. */
export const connectRaw = (address: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const { host, port }: Address = Result.getOrThrow(parseAddress(address))
      const socket = Net.connect({ host, port, noDelay: true })
      await once(socket, "connect")
      socket.pause()
      socket.on("error", () => {})
      return socket
    }),
    (socket) => Effect.sync(() => socket.destroy())
  )

/** A listener that hands its first connection on; both are closed when the scope ends. */
export const listenRaw = Effect.acquireRelease(
  Effect.promise(async () => {
    const server = Net.createServer({ noDelay: true, pauseOnConnect: true })
    const accepted = new Promise<Net.Socket>((resolve) => server.once("connection", resolve))
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    const bound = server.address()
    if (bound === null || typeof bound === "string") throw new Error("a TCP server has a port")
    return { server, accepted, address: `127.0.0.1:${bound.port}` }
  }),
  ({ server }) => Effect.sync(() => server.close())
).pipe(
  Effect.map(({ accepted, address }) => ({
    address,
    socket: Effect.acquireRelease(
      Effect.promise(async () => {
        const socket = await accepted
        socket.on("error", () => {})
        return socket
      }),
      (socket) => Effect.sync(() => socket.destroy())
    )
  }))
)

/** Waits until the socket is closed, dropping what it still receives. */
export const closed = (socket: Net.Socket) =>
  Effect.promise(async () => {
    socket.resume()
    if (!socket.closed) await once(socket, "close")
  })

/** Reads until `count` messages have come in; also counts the chunks they came in. */
export const readMessages = (socket: Net.Socket, count: number) =>
  Effect.callback<{ readonly messages: ReadonlyArray<ClusterMessage>; readonly chunks: number }>((resume) => {
    const messages: Array<ClusterMessage> = []
    let splitter = Frame.empty
    let chunks = 0
    const onData = (chunk: Buffer) => {
      chunks += 1
      const split = Result.getOrThrow(Frame.push(splitter, chunk))
      splitter = split.splitter
      for (const frame of split.frames) messages.push(Result.getOrThrow(decodeClusterMessage(frame)))
      if (messages.length >= count) {
        socket.off("data", onData)
        socket.pause()
        resume(Effect.succeed({ messages, chunks }))
      }
    }
    socket.on("data", onData)
    socket.resume()
    return Effect.sync(() => socket.off("data", onData))
  })
