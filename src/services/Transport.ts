/**
 * Connections to peers, and the messages on them. The transport knows no nodes: a connection is a
 * number, which of them belongs to which member is the protocol's business. What happens comes back
 * as events, in two bounded lanes; every method returns at once.
 *
 * **Order.** Events of one connection come in the order in which they happened: `Accepted` or
 * `Dialled` first, `Closed` last, once. Messages of one priority arrive in the order in which they
 * were sent, as long as the connection lives; urgent ones overtake normal ones, on their way out and when they wait to
 * be received. Nothing is sent twice. What was sent and not yet written when a connection ends is lost.
 *
 * **Unidentified connections.** An accepted connection may send one small message and is then not
 * read until {@link Transport} `identify` says that the message names an acceptable peer. It is closed
 * when that takes too long; the number of such connections is bounded. A dialled connection is one
 * that this node wanted: it counts as identified.
 *
 * **Backpressure.** When nobody receives, the readers stop and the peers' writes stall. A reader stops only at a message
 * for which its lane has no room. A peer that
 * reads too slowly fills the outbox of its connection, which is then closed: a sender of bulk data
 * waits for `awaitRoom` before each message.
 */
import { Context, type Array as Arr, type Effect, Schema } from "effect"
import type { ByteFields } from "../domain/codec/ClusterMessageCodec.ts"
import type { FrameTooLarge } from "../domain/codec/Frame.ts"
import type { MalformedMessage } from "../domain/codec/MalformedMessage.ts"
import type { ClusterMessage } from "../domain/wire/ClusterMessage.ts"

/** A connection of this transport; counts up from 1, never reused while the transport lives. */
export type ConnectionId = number

/**
 * How a connection ended.
 *
 * By this side: `local` (closed by a call), `outboxFull` (the peer reads too slowly), `malformed`,
 * `frameTooLarge`, `identifyTimeout`, `halfFrameTimeout`. By the other: `fin` (it closed), `reset`
 * (its process or its host refused the connection's existence), `writeError` and `readError` (the
 * network, or a reset found while writing).
 */
export type CloseCause =
  | "local"
  | "fin"
  | "reset"
  | "readError"
  | "writeError"
  | "frameTooLarge"
  | "malformed"
  | "identifyTimeout"
  | "halfFrameTimeout"
  | "outboxFull"

export type TransportEvent =
  /** A peer has dialled this node. `remoteAddress` is where its socket is, not where it listens. */
  | { readonly _tag: "Accepted"; readonly connection: ConnectionId; readonly remoteAddress: string }
  | { readonly _tag: "Dialled"; readonly connection: ConnectionId; readonly address: string }
  /** `refused`: the host is up and nobody listens there. That, and only that, says that a process is gone. */
  | { readonly _tag: "DialFailed"; readonly address: string; readonly refused: boolean; readonly reason: string }
  /** `payloadBytes` is the size on the wire without the header; 0 where messages travel as values. */
  | {
      readonly _tag: "Received"
      readonly connection: ConnectionId
      readonly message: ClusterMessage
      readonly payloadBytes: number
    }
  /** A payload is no message. `Closed` with cause `malformed` follows. */
  | { readonly _tag: "Malformed"; readonly connection: ConnectionId; readonly error: MalformedMessage }
  | { readonly _tag: "Closed"; readonly connection: ConnectionId; readonly cause: CloseCause; readonly detail: string }

/** `urgent` is for membership: see `isUrgent`. */
export type Priority = "urgent" | "normal"

/** `maxConcurrentDials` are in progress. Nothing was started and no event follows: dial again later. */
export class TooManyDials extends Schema.TaggedError<TooManyDials>()("TooManyDials", {
  address: Schema.String,
  limit: Schema.Int
}) {
  override get message(): string {
    return `cannot dial ${this.address} now: ${this.limit} dials are in progress`
  }
}

/** Totals since the start, except for the two gauges. Bytes count headers too. */
export interface TransportCounters {
  readonly framesIn: number
  readonly framesOut: number
  readonly bytesIn: number
  readonly bytesOut: number
  /** Calls that handed bytes to sockets; `framesOut / writes` is how well writes are coalesced. */
  readonly writes: number
  readonly accepted: number
  readonly dialled: number
  readonly dialsFailed: number
  /** Accepted connections closed at once, because too many waited for identification. */
  readonly refused: number
  readonly malformed: number
  readonly frameTooLarge: number
  readonly identifyTimeout: number
  readonly halfFrameTimeout: number
  readonly outboxFull: number
  /** Messages sent on a connection that had ended. */
  readonly dropped: number
  /** Gauge: open connections. */
  readonly connections: number
  /** Gauge: accepted connections that wait for identification. */
  readonly unidentified: number
}

export class Transport extends Context.Service<
  Transport,
  {
    /**
     * Starts one attempt to connect to `host:port`; `Dialled` or `DialFailed` follows. Whether and
     * when to try again is the caller's decision (`redialDelayMs`).
     */
    readonly dial: (address: string) => Effect.Effect<void, TooManyDials>
    /**
     * Queues a message (default `normal`). Fails if it is larger than a frame may be; on a connection that
     * has ended it is counted as dropped. A message that its schema forbids is a defect. `byteFields` (default `array`)
     * is `bin` only towards a peer that takes it, as every node does that keeps data.
     */
    readonly send: (
      connection: ConnectionId,
      message: ClusterMessage,
      priority?: Priority,
      byteFields?: ByteFields
    ) => Effect.Effect<void, FrameTooLarge>
    /**
     * Waits for room: once more than half of the connection's outbox is taken, until no more than a
     * quarter is, or the connection has ended.
     */
    readonly awaitRoom: (connection: ConnectionId) => Effect.Effect<void>
    /** Lifts the limits of an accepted connection. Nothing happens to any other. */
    readonly identify: (connection: ConnectionId) => Effect.Effect<void>
    /** Sends what is queued, within `lingerMs`, and closes; `Closed` (`local`) follows. */
    readonly close: (connection: ConnectionId) => Effect.Effect<void>
    /**
     * Events that wait, at least one: what opens connections and what is urgent first, all of it, then some of the
     * others. For one consumer, together with `receiveUrgent`.
     */
    readonly receive: Effect.Effect<Arr.NonEmptyReadonlyArray<TransportEvent>>
    /**
     * Only events that open connections and urgent messages, for a consumer that can take no others now; perhaps none
     * once `until` has ended.
     */
    readonly receiveUrgent: (until: Effect.Effect<void>) => Effect.Effect<ReadonlyArray<TransportEvent>>
    /** `host:port` where this transport listens, with the port that was really bound. */
    readonly localAddress: string
    readonly counters: Effect.Effect<TransportCounters>
  }
>()("effect-squadron/Transport") {}
