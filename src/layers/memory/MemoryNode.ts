/** A node of the in-memory network: what its transport owns, and how messages get into its inbox. */
import type { Scope } from "effect"
import type { ConnectionId, TransportEvent } from "../../services/Transport.ts"
import type { TransportLimits } from "../../services/TransportLimits.ts"
import type { Counters } from "../transport/Counters.ts"
import type { Inbox } from "../transport/Inbox.ts"
import * as Link from "./Link.ts"

export interface MemoryNode {
  readonly address: string
  readonly limits: TransportLimits
  readonly scope: Scope.Scope
  readonly inbox: Inbox
  readonly counters: Counters
  readonly ends: Map<ConnectionId, Link.LinkEnd>
  /** Outcomes of failed dials that found no room in the inbox; each holds its place among the dials. */
  readonly failedDials: Array<TransportEvent>
  /** Dials whose outcome is not in the inbox yet. */
  dials: number
  lastConnection: ConnectionId
  /** The process is gone: nothing reaches it or leaves it. */
  dead: boolean
}

/** Gives up a dial; `DialFailed` follows when there is room. */
export const failDial = (node: MemoryNode, address: string, refused: boolean, reason: string): void => {
  node.counters.dialsFailed += 1
  node.failedDials.push({ _tag: "DialFailed", address, refused, reason })
  deliverFailedDials(node)
}

const deliverFailedDials = (node: MemoryNode): void => {
  while (node.inbox.hasRoom()) {
    const event = node.failedDials.shift()
    if (event === undefined) return
    node.dials -= 1
    node.inbox.add(event)
  }
}

/** Ends a connection at one end. A graceful ending leaves what was sent before it to be delivered. */
export const finish = (end: Link.LinkEnd, ending: Link.Ending, graceful = false): void => {
  if (end.ended !== undefined) return
  end.ended = ending
  end.identifyTimer?.interruptUnsafe()
  if (!end.identified) end.node.counters.unidentified -= 1
  if (!graceful) Link.discard(end)
  end.room.openUnsafe()
  if (end.peer !== undefined) {
    Link.discard(end.peer)
    end.peer.remoteEnded ??= graceful
      ? { cause: "fin", detail: "the peer closed the connection" }
      : { cause: "reset", detail: "the peer reset the connection" }
  }
}

/** Moves to an end's inbox what the network carries and the inbox has room for. */
export const deliver = (end: Link.LinkEnd, isCut: boolean): void => {
  const { counters, inbox } = end.node
  if (end.node.dead || !inbox.hasRoom()) return
  if (!end.announced) {
    end.announced = true
    if (end.opening._tag === "Dialled") end.node.dials -= 1
    inbox.add(end.opening)
  }
  if (!isCut) deliverMessages(end)
  if (end.ended !== undefined && inbox.hasRoom()) {
    end.node.ends.delete(end.id)
    counters.connections -= 1
    inbox.add({ _tag: "Closed", connection: end.id, ...end.ended })
  }
}

const deliverMessages = (end: Link.LinkEnd): void => {
  if (end.peer !== undefined) deliverFrom(end.peer, end)
  const allRead = end.peer === undefined || Link.queued(end.peer) === 0
  if (end.remoteEnded !== undefined && allRead) finish(end, end.remoteEnded)
}

const deliverFrom = (peer: Link.LinkEnd, end: Link.LinkEnd): void => {
  const { counters, inbox } = end.node
  while (inbox.hasRoom() && Link.isReadable(end)) {
    const message = Link.dequeue(peer)
    if (message === undefined) return
    end.received += 1
    peer.node.counters.framesOut += 1
    counters.framesIn += 1
    inbox.add({ _tag: "Received", connection: end.id, message, payloadBytes: 0 })
  }
}

/** Room has appeared in a node's inbox: all its connections get their turn, each time another one first. */
export const deliverAll = (node: MemoryNode, isCut: (end: Link.LinkEnd) => boolean): void => {
  deliverFailedDials(node)
  const ends = [...node.ends.values()]
  const first = node.counters.framesIn % Math.max(1, ends.length)
  for (const end of [...ends.slice(first), ...ends.slice(0, first)]) deliver(end, isCut(end))
}
