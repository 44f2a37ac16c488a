/**
 * What the data plane sends, by connection: bulk data, which waits for room in the connection's outbox so that a slow
 * peer bounds what is kept for it, and which heartbeats overtake.
 */
import { Effect, FiberSet, Latch, MutableList } from "effect"
import type { ConnectionId } from "../../domain/protocol/MeshState.ts"
import type { ClusterMessage } from "../../domain/wire/ClusterMessage.ts"
import type { Transport } from "../../services/Transport.ts"

/**
 * Bytes that may wait for room on one connection. Beyond, what is sent again anyway is dropped, and a value that was
 * asked for is answered with "overloaded". Default 16 MiB.
 */
export const maxSendingBytes = 16 * 2 ** 20
/** Messages and bytes handed to the transport before room is asked for again. */
const burstMessages = 256
const burstBytes = 256 * 1024

interface Parcel {
  readonly message: ClusterMessage
  readonly bytes: number
}

interface Sender {
  readonly connection: ConnectionId
  readonly parcels: MutableList.MutableList<Parcel>
  readonly filled: Latch.Latch
  bytes: number
  /** The connection has ended. */
  isOver: boolean
}

export interface Senders {
  readonly send: (connection: ConnectionId, message: ClusterMessage, bytes: number) => void
  /** No more should be sent now than must. */
  readonly isFull: (connection: ConnectionId) => boolean
  /** Lets go out what has been sent. */
  readonly flush: () => void
  /** Only these connections are left. */
  readonly keep: (connections: ReadonlySet<ConnectionId>) => void
}

export const make = Effect.fnUntraced(function* (transport: Transport["Service"]) {
  const fork = yield* FiberSet.runtime(yield* FiberSet.make<void>())()
  const senders = new Map<ConnectionId, Sender>()
  const touched = new Set<Sender>()

  const run = Effect.fnUntraced(function* (sender: Sender) {
    const { connection, filled, parcels } = sender
    while (!sender.isOver) {
      if (parcels.length === 0) {
        filled.closeUnsafe()
        yield* filled.await
      }
      yield* transport.awaitRoom(connection)
      let bytes = 0
      for (let count = 0; count < burstMessages && bytes < burstBytes; count++) {
        const parcel = MutableList.take(parcels)
        if (parcel === MutableList.Empty) break
        bytes += parcel.bytes
        sender.bytes -= parcel.bytes
        yield* transport
          .send(connection, parcel.message, "normal")
          .pipe(
            Effect.catchTag("FrameTooLarge", (error) =>
              Effect.logError(`${parcel.message.type} not sent: ${error.message}`)
            )
          )
      }
    }
  })

  const senderOf = (connection: ConnectionId): Sender => {
    const known = senders.get(connection)
    if (known !== undefined) return known
    const made = {
      connection,
      parcels: MutableList.make<Parcel>(),
      filled: Latch.makeUnsafe(false),
      bytes: 0,
      isOver: false
    }
    senders.set(connection, made)
    fork(run(made))
    return made
  }

  return {
    send: (connection, message, bytes) => {
      const sender = senderOf(connection)
      MutableList.append(sender.parcels, { message, bytes })
      sender.bytes += bytes
      touched.add(sender)
    },
    isFull: (connection) => (senders.get(connection)?.bytes ?? 0) >= maxSendingBytes,
    flush: () => {
      for (const { filled } of touched) filled.openUnsafe()
      touched.clear()
    },
    keep: (connections) => {
      for (const [connection, sender] of senders) {
        if (connections.has(connection)) continue
        sender.isOver = true
        MutableList.clear(sender.parcels)
        sender.filled.openUnsafe()
        senders.delete(connection)
      }
    }
  } satisfies Senders
})
