/**
 * The transport of one process over the simulator's network: delays, cuts and losses from a seed, in virtual time.
 * It keeps the contract: order, one message of an unidentified connection, bounds, and backpressure: a message takes
 * room in its sender's outbox until it has arrived. No message overtakes another.
 */
import { Effect, Latch, Layer } from "effect"
import { FrameTooLarge } from "../../domain/codec/Frame.ts"
import type { ConnectionId } from "../../domain/protocol/MeshState.ts"
import type { ClusterMessage } from "../../domain/wire/ClusterMessage.ts"
import * as Counters from "../../layers/transport/Counters.ts"
import * as Inbox from "../../layers/transport/Inbox.ts"
import { TooManyDials, Transport, type TransportEvent } from "../../services/Transport.ts"
import { TransportLimits } from "../../services/TransportLimits.ts"
import { Violation } from "../simulation/Violation.ts"

/** What one end of a connection has sent and the other has not received. */
class Outbox {
  private messages = 0
  private readonly room = Latch.makeUnsafe(true)
  private readonly max: number

  constructor(max: number) {
    this.max = max
  }
  get isFull(): boolean {
    return this.messages >= this.max
  }
  get awaitRoom(): Effect.Effect<void> {
    return this.room.isOpen() ? Effect.void : this.room.await
  }
  add(): void {
    if (++this.messages > this.max / 2) this.room.closeUnsafe()
  }
  remove(): void {
    if (--this.messages <= this.max / 4) this.room.openUnsafe()
  }
  /** The connection has ended: nobody waits any more. */
  end(): void {
    this.room.openUnsafe()
  }
}

/** A message as it travels: the value, or its bytes. */
export interface Parcel {
  readonly body: ClusterMessage | Uint8Array
  readonly outbox: Outbox
}

/** What a process can ask of the network. */
export interface Wire {
  readonly dial: (address: string) => void
  readonly send: (connection: ConnectionId, parcel: Parcel) => void
  readonly close: (connection: ConnectionId) => void
  /** As the process's release writes it. */
  readonly pack: (message: ClusterMessage) => ClusterMessage | Uint8Array
  readonly later: (delayMs: number, run: () => void) => void
}

/** An accepted connection that nobody has identified: what came after its first message waits. */
interface Stranger {
  hasSpoken: boolean
  readonly held: Array<TransportEvent>
}

/** Events of one process that nobody takes, at most: its driver takes them within the instant. */
const maxUntaken = 100_000

export class SimulatedTransport {
  private readonly limits: TransportLimits
  private readonly counters = Counters.make()
  private readonly inbox: Inbox.Inbox
  private readonly strangers = new Map<ConnectionId, Stranger>()
  private readonly open = new Map<ConnectionId, Outbox>()
  private readonly address: string
  private readonly wire: Wire
  private dials = 0

  constructor(address: string, wire: Wire, limits: Partial<TransportLimits>) {
    this.address = address
    this.wire = wire
    this.limits = { ...TransportLimits.defaults, ...limits }
    this.inbox = Inbox.make({ maxInboxEvents: maxUntaken, maxInboxBytes: Number.POSITIVE_INFINITY })
  }

  // ---- what happens -------------------------------------------------------------------------------------

  accepted(connection: ConnectionId): void {
    this.counters.accepted++
    this.opens(connection)
    this.counters.unidentified++
    this.strangers.set(connection, { hasSpoken: false, held: [] })
    this.wire.later(this.limits.identifyTimeoutMs, () => {
      if (!this.strangers.has(connection)) return
      this.counters.identifyTimeout++
      this.wire.close(connection)
      this.ends(connection, {
        cause: "identifyTimeout",
        detail: `not identified within ${this.limits.identifyTimeoutMs} ms`
      })
    })
    // A port of the dialling side that nobody listens on.
    this.add({ _tag: "Accepted", connection, remoteAddress: `127.0.0.1:${40_000 + (connection % 20_000)}` })
  }
  dialled(connection: ConnectionId, address: string): void {
    this.dials--
    this.counters.dialled++
    this.opens(connection)
    this.add({ _tag: "Dialled", connection, address })
  }
  dialFailed(address: string, refused: boolean): void {
    this.dials--
    this.counters.dialsFailed++
    const reason = refused ? `connection refused by ${address}` : `no answer from ${address}`
    this.add({ _tag: "DialFailed", address, refused, reason })
  }
  received(connection: ConnectionId, message: ClusterMessage, payloadBytes: number): void {
    this.counters.framesIn++
    this.counters.bytesIn += payloadBytes
    const event: TransportEvent = { _tag: "Received", connection, message, payloadBytes }
    const stranger = this.strangers.get(connection)
    if (stranger?.hasSpoken === true) {
      stranger.held.push(event)
      return
    }
    if (stranger !== undefined) stranger.hasSpoken = true
    this.add(event)
  }
  /** The other side closed, or the connection broke. */
  closed(connection: ConnectionId): void {
    this.ends(connection, { cause: "reset", detail: "the connection has ended" })
  }

  private opens(connection: ConnectionId): void {
    this.open.set(connection, new Outbox(this.limits.maxOutboxMessages))
    this.counters.connections++
  }
  private ends(connection: ConnectionId, how: Pick<Extract<TransportEvent, { _tag: "Closed" }>, "cause" | "detail">) {
    const outbox = this.open.get(connection)
    if (outbox === undefined) return
    this.open.delete(connection)
    outbox.end()
    this.counters.connections--
    if (this.strangers.delete(connection)) this.counters.unidentified--
    this.add({ _tag: "Closed", connection, ...how })
  }
  private add(event: TransportEvent): void {
    if (!this.inbox.hasRoom())
      throw new Violation(`${maxUntaken} events wait at ${this.address}, and nobody takes them`)
    this.inbox.add(event)
  }

  // ---- what is asked ------------------------------------------------------------------------------------

  private sendNow(connection: ConnectionId, message: ClusterMessage): Effect.Effect<void, FrameTooLarge> {
    const outbox = this.open.get(connection)
    if (outbox === undefined) {
      this.counters.dropped++
      return Effect.void
    }
    const body = this.wire.pack(message)
    const size = body instanceof Uint8Array ? body.length : 0
    if (size > this.limits.maxFrameBytes) {
      return Effect.fail(new FrameTooLarge({ size, limit: this.limits.maxFrameBytes }))
    }
    if (outbox.isFull) {
      this.counters.outboxFull++
      this.wire.close(connection)
      const detail = `${this.limits.maxOutboxMessages} messages wait to be sent, more are not allowed`
      this.ends(connection, { cause: "outboxFull", detail })
      return Effect.void
    }
    this.counters.framesOut++
    this.counters.bytesOut += size
    outbox.add()
    this.wire.send(connection, { body, outbox })
    return Effect.void
  }

  get service(): Transport["Service"] {
    return {
      localAddress: this.address,
      receive: this.inbox.receive,
      receiveUrgent: this.inbox.receiveUrgent,
      counters: Effect.sync(() => ({ ...this.counters })),
      dial: (address) =>
        Effect.suspend(() => {
          const limit = this.limits.maxConcurrentDials
          if (this.dials >= limit) return Effect.fail(new TooManyDials({ address, limit }))
          this.dials++
          this.wire.dial(address)
          return Effect.void
        }),
      send: (connection, message) => Effect.suspend(() => this.sendNow(connection, message)),
      awaitRoom: (connection) => Effect.suspend(() => this.open.get(connection)?.awaitRoom ?? Effect.void),
      identify: (connection) =>
        Effect.sync(() => {
          const stranger = this.strangers.get(connection)
          if (stranger === undefined) return
          this.strangers.delete(connection)
          this.counters.unidentified--
          for (const event of stranger.held) this.add(event)
        }),
      close: (connection) =>
        Effect.sync(() => {
          if (!this.open.has(connection)) return
          this.wire.close(connection)
          this.ends(connection, { cause: "local", detail: "closed by this node" })
        })
    }
  }

  get layer(): Layer.Layer<Transport> {
    return Layer.succeed(Transport, this.service)
  }
}
