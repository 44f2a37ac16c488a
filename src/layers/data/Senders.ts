/**
 * What the data plane sends, by connection: bulk data, which waits for room in the connection's outbox so that a slow
 * peer bounds what is kept for it, and which heartbeats overtake.
 */
import { Effect, FiberSet, MutableList, Option } from "effect"
import type { ByteFields } from "../../domain/codec/ClusterMessageCodec.ts"
import type { NodeId } from "../../domain/model/Scalars.ts"
import type { ConnectionId } from "../../domain/protocol/MeshState.ts"
import { type DataMessage, encodeBundle, isSameEnvelope } from "../../domain/replication/DataMessage.ts"
import type { ClusterMessage } from "../../domain/wire/ClusterMessage.ts"
import type { Transport } from "../../services/Transport.ts"

/**
 * Bytes that may wait for room on one connection. Beyond, what is sent again anyway is dropped, and a value that was
 * asked for is answered with "overloaded". Default 16 MiB.
 */
export const maxSendingBytes = 16 * 2 ** 20
/** Bytes handed to the transport before room is asked for again. */
const burstBytes = 256 * 1024
/** Messages of data planes that share a frame: what one is asked for costs more in a frame than in itself. */
const maxShared = 128
const maxSharedBytes = 32 * 1024

/** A message of the data plane, or one of the reference's. Bytes are about what it takes. */
type Parcel = { readonly bytes: number; readonly byteFields: ByteFields } & (
  | { readonly _tag: "Tell"; readonly partitionId: number; readonly message: DataMessage }
  | { readonly _tag: "Plain"; readonly message: ClusterMessage }
)

interface Sender {
  readonly connection: ConnectionId
  readonly parcels: MutableList.MutableList<Parcel>
  bytes: number
  isRunning: boolean
}

export interface Senders {
  readonly send: (connection: ConnectionId, parcel: Parcel) => void
  /** No more should be sent now than must. */
  readonly isFull: (connection: ConnectionId) => boolean
  /** Bytes that wait, on all connections. */
  readonly bytes: () => number
  /** Lets go out what has been sent. */
  readonly flush: () => void
}

/** What leaves in one frame next. */
const nextFrame = (
  self: NodeId,
  parcels: MutableList.MutableList<Parcel>
): [ClusterMessage, number, ByteFields] | undefined => {
  const first = MutableList.take(parcels)
  if (first === MutableList.Empty) return undefined
  if (first._tag === "Plain") return [first.message, first.bytes, first.byteFields]
  const shared = [first.message.body]
  let { bytes } = first
  while (shared.length < maxShared && bytes < maxSharedBytes) {
    const next = MutableList.take(parcels)
    if (next === MutableList.Empty) break
    const isOther = next._tag === "Plain" || next.byteFields !== first.byteFields
    if (isOther || !isSameEnvelope(first.message, next.message)) {
      MutableList.prepend(parcels, next)
      break
    }
    shared.push(next.message.body)
    bytes += next.bytes
  }
  const message = {
    type: "OP_FORWARD" as const,
    sourceNodeId: self,
    targetPartitionId: first.partitionId,
    clientId: Option.none(),
    payload: encodeBundle(first.message, shared)
  }
  return [message, bytes, first.byteFields]
}

export const make = Effect.fnUntraced(function* (self: NodeId, transport: Transport["Service"]) {
  const fork = yield* FiberSet.runtime(yield* FiberSet.make<void>())()
  const senders = new Map<ConnectionId, Sender>()
  const touched = new Set<Sender>()

  // Runs until nothing waits. When the connection has ended there is always room, and nothing is sent.
  const run = Effect.fnUntraced(function* (sender: Sender) {
    const { connection, parcels } = sender
    while (parcels.length > 0) {
      yield* transport.awaitRoom(connection)
      for (let left = burstBytes; left > 0;) {
        const frame = nextFrame(self, parcels)
        if (frame === undefined) break
        const [message, bytes, byteFields] = frame
        left -= bytes
        sender.bytes -= bytes
        yield* transport
          .send(connection, message, "normal", byteFields)
          .pipe(
            Effect.catchTag("FrameTooLarge", (error) => Effect.logError(`${message.type} not sent: ${error.message}`))
          )
      }
    }
    senders.delete(connection)
  })

  const senderOf = (connection: ConnectionId): Sender => {
    const known = senders.get(connection)
    if (known !== undefined) return known
    const made = { connection, parcels: MutableList.make<Parcel>(), bytes: 0, isRunning: false }
    senders.set(connection, made)
    return made
  }

  return {
    send: (connection, parcel) => {
      const sender = senderOf(connection)
      MutableList.append(sender.parcels, parcel)
      sender.bytes += parcel.bytes
      if (!sender.isRunning) touched.add(sender)
    },
    isFull: (connection) => (senders.get(connection)?.bytes ?? 0) >= maxSendingBytes,
    bytes: () => {
      let bytes = 0
      for (const sender of senders.values()) bytes += sender.bytes
      return bytes
    },
    flush: () => {
      for (const sender of touched) {
        sender.isRunning = true
        fork(run(sender))
      }
      touched.clear()
    }
  } satisfies Senders
})
