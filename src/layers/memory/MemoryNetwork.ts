/**
 * A network in memory for tests: nodes bound to addresses, connections between them, and what can go
 * wrong. Deterministic: without time (delivery is immediate) except for the deadlines of
 * `TransportLimits`, which run on the Effect clock.
 *
 * A cut behaves as lost packets do: connections stay open and silent, what is sent waits in the
 * outbox, dials time out; healing delivers everything. Killing a node resets its connections.
 */
import { Effect, Fiber, Scope } from "effect"
import type { ClusterMessage } from "../../domain/wire/ClusterMessage.ts"
import { type ConnectionId, type Priority, TooManyDials, Transport } from "../../services/Transport.ts"
import type { TransportLimits } from "../../services/TransportLimits.ts"
import * as Counters from "../transport/Counters.ts"
import * as Inbox from "../transport/Inbox.ts"
import { TransportBindError } from "../transport/TransportBindError.ts"
import * as Link from "./Link.ts"
import * as Node from "./MemoryNode.ts"

export interface MemoryNetwork {
  /** Binds a node to `host:port` until the scope ends. */
  readonly bind: (
    address: string,
    limits: TransportLimits
  ) => Effect.Effect<Transport["Service"], TransportBindError, Scope.Scope>
  /** Loses everything between two addresses. */
  readonly cut: (one: string, other: string) => Effect.Effect<void>
  /** Ends a cut; what waited goes through. */
  readonly heal: (one: string, other: string) => Effect.Effect<void>
  /** Ends a node as a crash of its process does; its address can be bound again. */
  readonly kill: (address: string) => Effect.Effect<void>
}

const pair = (one: string, other: string): string => (one < other ? `${one}|${other}` : `${other}|${one}`)

interface WaitingDial {
  readonly from: Node.MemoryNode
  readonly address: string
  readonly timer: Fiber.Fiber<void>
}

class Hub {
  readonly nodes = new Map<string, Node.MemoryNode>()
  readonly cuts = new Set<string>()
  /** Dials into a cut, in order. Bounded by each node's `maxConcurrentDials`. */
  readonly waitingDials = new Set<WaitingDial>()

  readonly isCut = (end: Link.LinkEnd): boolean => this.cuts.has(pair(end.node.address, end.remoteAddress))

  readonly deliver = (end: Link.LinkEnd | undefined): void => {
    if (end !== undefined) Node.deliver(end, this.isCut(end))
  }

  readonly finish = (end: Link.LinkEnd, ending: Link.Ending, graceful = false): void => {
    Node.finish(end, ending, graceful)
    this.deliver(end)
    this.deliver(end.peer)
  }
}

const connect = Effect.fnUntraced(function* (hub: Hub, from: Node.MemoryNode, address: string) {
  const to = hub.nodes.get(address)
  if (from.dead) return
  if (to === undefined) return Node.failDial(from, address, true, `connection refused by ${address}`)

  const near = Link.makeEnd({ node: from, remoteAddress: address, accepted: false })
  register(near)
  from.counters.dialled += 1
  if (to.counters.unidentified >= to.limits.maxUnidentifiedConnections) {
    to.counters.refused += 1
    near.remoteEnded = { cause: "fin", detail: "the peer closed the connection" }
    return hub.deliver(near)
  }
  const far = Link.makeEnd({ node: to, remoteAddress: from.address, accepted: true })
  register(far)
  to.counters.accepted += 1
  to.counters.unidentified += 1
  near.peer = far
  far.peer = near
  far.identifyTimer = yield* Effect.sleep(to.limits.identifyTimeoutMs).pipe(
    Effect.andThen(Effect.sync(() => identifyTimeout(hub, far))),
    Effect.forkIn(to.scope)
  )
  hub.deliver(near)
  hub.deliver(far)
})

const register = (end: Link.LinkEnd): void => {
  end.node.ends.set(end.id, end)
  end.node.counters.connections += 1
}

const identifyTimeout = (hub: Hub, end: Link.LinkEnd): void => {
  if (end.identified || end.ended !== undefined) return
  end.node.counters.identifyTimeout += 1
  const { identifyTimeoutMs } = end.node.limits
  hub.finish(end, { cause: "identifyTimeout", detail: `not identified within ${identifyTimeoutMs} ms` })
}

const dial = Effect.fnUntraced(function* (hub: Hub, from: Node.MemoryNode, address: string) {
  if (from.dead) return
  const limit = from.limits.maxConcurrentDials
  if (from.dials >= limit) return yield* new TooManyDials({ address, limit })
  from.dials += 1
  if (!hub.cuts.has(pair(from.address, address))) return yield* connect(hub, from, address)
  const timer = yield* Effect.sleep(from.limits.connectTimeoutMs).pipe(
    Effect.andThen(
      Effect.sync(() => {
        hub.waitingDials.delete(waiting)
        Node.failDial(from, address, false, `no answer within ${from.limits.connectTimeoutMs} ms`)
      })
    ),
    Effect.forkIn(from.scope)
  )
  const waiting: WaitingDial = { from, address, timer }
  hub.waitingDials.add(waiting)
})

const send = (hub: Hub, node: Node.MemoryNode, connection: ConnectionId, message: ClusterMessage, priority: Priority) =>
  Effect.sync(() => {
    const end = node.ends.get(connection)
    if (end === undefined || end.ended !== undefined || node.dead) {
      node.counters.dropped += 1
    } else if (Link.enqueue(end, message, priority)) {
      hub.deliver(end.peer)
    } else {
      node.counters.outboxFull += 1
      const detail = `${Link.queued(end)} messages wait to be sent, more are not allowed`
      hub.finish(end, { cause: "outboxFull", detail })
    }
  })

const transport = (hub: Hub, node: Node.MemoryNode): Transport["Service"] => ({
  localAddress: node.address,
  receive: node.inbox.receive,
  receiveUrgent: node.inbox.receiveUrgent,
  counters: Effect.sync(() => ({ ...node.counters })),
  dial: (address) => dial(hub, node, address),
  send: (connection, message, priority = "normal") => send(hub, node, connection, message, priority),
  awaitRoom: (connection) =>
    Effect.suspend(() => {
      const room = node.ends.get(connection)?.room
      return room === undefined || room.isOpen() ? Effect.void : Effect.andThen(room.await, Effect.yieldNow)
    }),
  identify: (connection) =>
    Effect.sync(() => {
      const end = node.ends.get(connection)
      if (end === undefined || end.identified || end.ended !== undefined) return
      end.identified = true
      end.identifyTimer?.interruptUnsafe()
      node.counters.unidentified -= 1
      hub.deliver(end)
    }),
  close: (connection) =>
    Effect.sync(() => {
      const end = node.ends.get(connection)
      if (end !== undefined) hub.finish(end, { cause: "local", detail: "closed by this node" }, true)
    })
})

/** Takes a node off the network; its peers see `fin` or `reset`. */
const unbind = (hub: Hub, node: Node.MemoryNode, graceful: boolean): void => {
  if (node.dead) return
  node.dead = true
  hub.nodes.delete(node.address)
  for (const waiting of hub.waitingDials) if (waiting.from === node) hub.waitingDials.delete(waiting)
  for (const end of node.ends.values()) hub.finish(end, { cause: "local", detail: "the node ended" }, graceful)
  node.ends.clear()
  node.counters.connections = 0
}

const bind = Effect.fnUntraced(function* (hub: Hub, address: string, limits: TransportLimits) {
  if (hub.nodes.has(address)) return yield* new TransportBindError({ address, code: "EADDRINUSE" })
  const node: Node.MemoryNode = {
    address,
    limits,
    scope: yield* Effect.scope,
    inbox: Inbox.make(limits, () => Node.deliverAll(node, hub.isCut)),
    counters: Counters.make(),
    ends: new Map(),
    failedDials: [],
    dials: 0,
    lastConnection: 0,
    dead: false
  }
  hub.nodes.set(address, node)
  yield* Effect.addFinalizer(() => Effect.sync(() => unbind(hub, node, true)))
  return transport(hub, node)
})

const heal = Effect.fnUntraced(function* (hub: Hub, one: string, other: string) {
  const healed = pair(one, other)
  hub.cuts.delete(healed)
  for (const waiting of hub.waitingDials) {
    if (pair(waiting.from.address, waiting.address) !== healed) continue
    hub.waitingDials.delete(waiting)
    yield* Fiber.interrupt(waiting.timer)
    yield* connect(hub, waiting.from, waiting.address)
  }
  for (const address of [one, other]) {
    const node = hub.nodes.get(address)
    if (node !== undefined) Node.deliverAll(node, hub.isCut)
  }
})

export const make: Effect.Effect<MemoryNetwork> = Effect.sync(() => {
  const hub = new Hub()
  return {
    bind: (address, limits) => bind(hub, address, limits),
    cut: (one, other) => Effect.sync(() => void hub.cuts.add(pair(one, other))),
    heal: (one, other) => heal(hub, one, other),
    kill: (address) =>
      Effect.sync(() => {
        const node = hub.nodes.get(address)
        if (node !== undefined) unbind(hub, node, false)
      })
  }
})
