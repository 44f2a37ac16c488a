/**
 * What the data plane sends, by connection: bulk data, which waits for room in the connection's outbox so that a slow
 * peer bounds what is kept for it, and which heartbeats overtake.
 */
import { Effect, FiberSet, MutableList } from "effect"
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
  bytes: number
  isRunning: boolean
}

export interface Senders {
  readonly send: (connection: ConnectionId, message: ClusterMessage, bytes: number) => void
  /** No more should be sent now than must. */
  readonly isFull: (connection: ConnectionId) => boolean
  /** Lets go out what has been sent. */
  readonly flush: () => void
}

export const make = Effect.fnUntraced(function* (transport: Transport["Service"]) {
  const fork = yield* FiberSet.runtime(yield* FiberSet.make<void>())()
  const senders = new Map<ConnectionId, Sender>()
  const touched = new Set<Sender>()

  // Runs until nothing waits. When the connection has ended there is always room, and nothing is sent.
  const run = Effect.fnUntraced(function* (sender: Sender) {
    const { connection, parcels } = sender
    while (parcels.length > 0) {
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
    send: (connection, message, bytes) => {
      const sender = senderOf(connection)
      MutableList.append(sender.parcels, { message, bytes })
      sender.bytes += bytes
      if (!sender.isRunning) touched.add(sender)
    },
    isFull: (connection) => (senders.get(connection)?.bytes ?? 0) >= maxSendingBytes,
    flush: () => {
      for (const sender of touched) {
        sender.isRunning = true
        fork(run(sender))
      }
      touched.clear()
    }
  } satisfies Senders
})
