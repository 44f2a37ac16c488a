/**
 * One end of a connection in memory. Messages wait in the outbox of the end that sent them until the
 * other end's inbox has room and the network carries them: the bounds and the backpressure of a
 * socket, without bytes.
 */
import { type Fiber, Latch, MutableList } from "effect"
import type { ClusterMessage } from "../../domain/wire/ClusterMessage.ts"
import type { CloseCause, ConnectionId, Priority, TransportEvent } from "../../services/Transport.ts"
import type { MemoryNode } from "./MemoryNode.ts"

export interface Ending {
  readonly cause: CloseCause
  readonly detail: string
}

interface Outbox {
  readonly urgent: MutableList.MutableList<ClusterMessage>
  readonly normal: MutableList.MutableList<ClusterMessage>
}

export interface LinkEnd {
  readonly id: ConnectionId
  readonly node: MemoryNode
  readonly remoteAddress: string
  /** The event that announces this end. */
  readonly opening: TransportEvent
  readonly outbox: Outbox
  readonly room: Latch.Latch
  /** The other end; undefined before both are made, and when the other side has refused it. */
  peer: LinkEnd | undefined
  announced: boolean
  identified: boolean
  /** Messages that this end has received. */
  received: number
  /** This end is over; nothing is received on it or sent any more. */
  ended: Ending | undefined
  /** The other end is over, which this end sees behind the messages sent before. */
  remoteEnded: Ending | undefined
  identifyTimer: Fiber.Fiber<void> | undefined
}

export const makeEnd = (options: {
  readonly node: MemoryNode
  readonly remoteAddress: string
  readonly accepted: boolean
}): LinkEnd => {
  const { accepted, node, remoteAddress } = options
  const connection = (node.lastConnection += 1)
  return {
    id: connection,
    node,
    remoteAddress,
    opening: accepted
      ? { _tag: "Accepted", connection, remoteAddress }
      : { _tag: "Dialled", connection, address: remoteAddress },
    outbox: { urgent: MutableList.make(), normal: MutableList.make() },
    room: Latch.makeUnsafe(true),
    peer: undefined,
    announced: false,
    identified: !accepted,
    received: 0,
    ended: undefined,
    remoteEnded: undefined,
    identifyTimer: undefined
  }
}

export const queued = (end: LinkEnd): number => end.outbox.urgent.length + end.outbox.normal.length

const updateRoom = (end: LinkEnd): void => {
  const taken = queued(end) / end.node.limits.maxOutboxMessages
  if (end.ended !== undefined || taken <= 0.25) end.room.openUnsafe()
  else if (taken > 0.5) end.room.closeUnsafe()
}

/** Queues a message to be sent; false when the outbox is full. */
export const enqueue = (end: LinkEnd, message: ClusterMessage, priority: Priority): boolean => {
  if (queued(end) >= end.node.limits.maxOutboxMessages) return false
  MutableList.append(end.outbox[priority], message)
  updateRoom(end)
  return true
}

/** Takes the next message that this end has sent, urgent ones first. */
export const dequeue = (end: LinkEnd): ClusterMessage | undefined => {
  const message = MutableList.take(end.outbox.urgent.length > 0 ? end.outbox.urgent : end.outbox.normal)
  if (message === MutableList.Empty) return undefined
  updateRoom(end)
  return message
}

export const discard = (end: LinkEnd): void => {
  MutableList.clear(end.outbox.urgent)
  MutableList.clear(end.outbox.normal)
  updateRoom(end)
}

/** This end may be read: an accepted connection says one message before it is identified. */
export const isReadable = (end: LinkEnd): boolean => end.ended === undefined && (end.identified || end.received === 0)
