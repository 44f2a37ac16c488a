/**
 * The transport over TCP, on Effect's sockets for Node. Bounds are those of `TransportLimits`; the
 * work of one connection is in `tcp/Connection.ts`.
 */
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as NodeSocketServer from "@effect/platform-node/NodeSocketServer"
import { Deferred, Effect, Exit, FiberSet, Layer, Option, Result } from "effect"
import * as NetAddress from "effect/net/NetAddress"
import * as Socket from "effect/socket/Socket"
import type { SocketServerError } from "effect/socket/SocketServer"
import { formatAddress, parseAddress } from "../domain/model/Address.ts"
import type { ByteFields } from "../domain/codec/ClusterMessageCodec.ts"
import type { InvalidConfig } from "../domain/model/InvalidConfig.ts"
import type { ClusterMessage } from "../domain/wire/ClusterMessage.ts"
import { type ConnectionId, type Priority, TooManyDials, Transport } from "../services/Transport.ts"
import { TransportLimits } from "../services/TransportLimits.ts"
import * as Connection from "./tcp/Connection.ts"
import { codeOf, detailOf, isRefused } from "./tcp/Ending.ts"
import { noPieces } from "./tcp/FrameMemory.ts"
import * as Outbox from "./tcp/Outbox.ts"
import * as Counters from "./transport/Counters.ts"
import * as Inbox from "./transport/Inbox.ts"
import { TransportBindError } from "./transport/TransportBindError.ts"

export interface TransportTcpOptions extends Partial<TransportLimits> {
  /** Address to listen on: an IP address, a name, `0.0.0.0` or `::` for all. */
  readonly host: string
  /** 0 takes a free port; see `localAddress`. */
  readonly port: number
}

interface State extends Connection.Shared {
  readonly connections: Map<ConnectionId, Connection.Connection>
  /** Dials, and the connections that they lead to. */
  readonly dialling: FiberSet.FiberSet<void, never>
  lastConnection: ConnectionId
  /** Dials whose outcome is not in the inbox yet. */
  dials: number
  stopping: boolean
}

/** Registers an open connection, announces it, and runs it until it is over. */
const serve = Effect.fnUntraced(function* (
  state: State,
  opening: { readonly accepted: string } | { readonly dialled: string },
  socket: Connection.OpenSocket
) {
  const { counters, inbox } = state
  const connection = Connection.make((state.lastConnection += 1), "dialled" in opening, state)
  state.connections.set(connection.id, connection)
  counters.connections += 1
  if ("accepted" in opening) {
    counters.accepted += 1
    counters.unidentified += 1
    yield* inbox.offer([{ _tag: "Accepted", connection: connection.id, remoteAddress: opening.accepted }])
  } else {
    counters.dialled += 1
    yield* inbox.offer([{ _tag: "Dialled", connection: connection.id, address: opening.dialled }])
    state.dials -= 1
  }
  const ending = yield* Connection.run(state, connection, socket)
  state.connections.delete(connection.id)
  counters.connections -= 1
  if (ending.cause === "identifyTimeout" || ending.cause === "halfFrameTimeout") counters[ending.cause] += 1
  yield* inbox.offer([{ _tag: "Closed", connection: connection.id, ...ending }])
  // Only now, so that connections which nobody takes notice of stay bounded.
  if (!connection.identified.isOpen()) counters.unidentified -= 1
})

/** A peer has connected. It is turned away when too many others wait for identification. */
const accept = Effect.fnUntraced(
  function* (state: State, socket: Socket.Socket) {
    const pull = yield* Socket.readerBytes(socket)
    if (state.stopping || state.counters.unidentified >= state.limits.maxUnidentifiedConnections) {
      state.counters.refused += 1
      return yield* Connection.destroy((yield* socket.writer).write)
    }
    const accepted = Option.match(yield* Effect.serviceOption(NodeSocket.NetSocket), {
      onNone: () => "unknown:0",
      onSome: ({ remoteAddress, remotePort }) => formatAddress(remoteAddress ?? "unknown", remotePort ?? 0)
    })
    yield* serve(state, { accepted }, { pull, writer: socket.writer })
  },
  Effect.scoped,
  // The peer was gone before its connection was taken up: nobody has heard of it, so nobody is told.
  Effect.catchTag("SocketError", () => Effect.void)
)

/** One attempt to connect; the connection then runs in the same fiber. */
const connect = Effect.fnUntraced(function* (state: State, address: string) {
  const { limits } = state
  const parsed = parseAddress(address)
  if (Result.isFailure(parsed)) return yield* failDial(state, address, false, parsed.failure.message)
  const { host, port } = parsed.success
  const socket = yield* NodeSocket.makeNet({ host, port, noDelay: true, openTimeout: limits.connectTimeoutMs })
  const opened = yield* Effect.result(Socket.readerBytes(socket))
  if (Result.isFailure(opened)) {
    return yield* failDial(state, address, isRefused(opened.failure), reasonOf(opened.failure, limits))
  }
  yield* serve(state, { dialled: address }, { pull: opened.success, writer: socket.writer })
}, Effect.scoped)

const failDial = (state: State, address: string, refused: boolean, reason: string): Effect.Effect<void> =>
  Effect.suspend(() => {
    state.counters.dialsFailed += 1
    return Effect.andThen(
      state.inbox.offer([{ _tag: "DialFailed", address, refused, reason }]),
      Effect.sync(() => {
        state.dials -= 1
      })
    )
  })

const reasonOf = ({ reason }: Socket.SocketError, { connectTimeoutMs }: TransportLimits): string =>
  reason._tag === "SocketOpenError" && reason.kind === "Timeout"
    ? `no answer within ${connectTimeoutMs} ms`
    : detailOf("cause" in reason ? reason.cause : reason)

const dial = (state: State, address: string): Effect.Effect<void, TooManyDials> =>
  Effect.suspend(() => {
    const limit = state.limits.maxConcurrentDials
    if (state.dials >= limit) return Effect.fail(new TooManyDials({ address, limit }))
    state.dials += 1
    return Effect.asVoid(FiberSet.run(state.dialling, connect(state, address)))
  })

const send = (state: State, id: ConnectionId, message: ClusterMessage, priority: Priority, byteFields: ByteFields) =>
  Effect.suspend(() => {
    const connection = state.connections.get(id)
    if (connection === undefined || connection.closing.isOpen()) {
      state.counters.dropped += 1
      return Effect.void
    }
    const outcome = Outbox.add(connection.outbox, message, priority, byteFields)
    if (outcome === "added") return Effect.void
    if (outcome !== "full") return Effect.fail(outcome)
    const { bytes, frames } = connection.outbox
    const detail = `${frames} messages of ${bytes} bytes wait to be sent, more are not allowed`
    const first = Deferred.doneUnsafe(connection.aborted, Exit.succeed({ cause: "outboxFull", detail }))
    state.counters[first ? "outboxFull" : "dropped"] += 1
    return Effect.void
  })

const withConnection = (
  state: State,
  id: ConnectionId,
  use: (connection: Connection.Connection) => Effect.Effect<void>
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const connection = state.connections.get(id)
    return connection === undefined ? Effect.void : use(connection)
  })

const identify = (state: State, id: ConnectionId): Effect.Effect<void> =>
  withConnection(state, id, ({ identified }) =>
    Effect.map(identified.open, (opened) => {
      if (opened) state.counters.unidentified -= 1
    })
  )

/** Closes every connection as a local close does, all at once, and gives up the dials. */
const shutdown = Effect.fnUntraced(function* (state: State) {
  state.stopping = true
  state.inbox.shutdown()
  const connections = [...state.connections.values()]
  yield* Effect.forEach(connections, Connection.close, { discard: true })
  yield* Effect.forEach(connections, ({ ended }) => ended.await, { concurrency: "unbounded", discard: true })
})

const bindError = (address: string, { reason }: SocketServerError): TransportBindError =>
  new TransportBindError({ address, code: codeOf(reason.cause) ?? detailOf(reason.cause) })

const make = Effect.fnUntraced(function* ({ host, port, ...changed }: TransportTcpOptions) {
  const limits = yield* Effect.fromResult(TransportLimits.validate({ ...TransportLimits.defaults, ...changed }))
  const server = yield* NodeSocketServer.make({ host, port, noDelay: true }).pipe(
    Effect.mapError((error) => bindError(formatAddress(host, port), error))
  )
  const state: State = {
    limits,
    inbox: Inbox.make(limits),
    counters: Counters.make(),
    connections: new Map(),
    free: noPieces(),
    dialling: yield* FiberSet.make<void, never>(),
    lastConnection: 0,
    dials: 0,
    stopping: false
  }
  yield* Effect.forkScoped(server.run((socket) => accept(state, socket)))
  yield* Effect.addFinalizer(() => shutdown(state))
  return Transport.of({
    localAddress: formatAddress(host, NetAddress.isInetAddress(server.address) ? server.address.port : port),
    receive: state.inbox.receive,
    receiveUrgent: state.inbox.receiveUrgent,
    counters: Effect.sync(() => ({ ...state.counters })),
    dial: (address) => dial(state, address),
    send: (connection, message, priority = "normal", byteFields = "array") =>
      send(state, connection, message, priority, byteFields),
    awaitRoom: (connection) => withConnection(state, connection, Connection.awaitRoom),
    identify: (connection) => identify(state, connection),
    close: (connection) => withConnection(state, connection, Connection.close)
  })
})

/** Listens on `host:port` while the layer lives; when it goes, connections close after what is queued. */
export const layer = (options: TransportTcpOptions): Layer.Layer<Transport, TransportBindError | InvalidConfig> =>
  Layer.effect(Transport, make(options))
