/**
 * A small cluster as a value: the states of a few nodes and what is on its way between them. An action gives the next
 * value, so that every order of deliveries, timeouts and faults can be tried from each.
 *
 * Times are the nodes' own: a tick moves the clock of one node only, so any relative speed of clocks is among the
 * orders. A failure detector is a set of suspects that an action adds to and a heartbeat takes from: any detector is
 * among the orders too. A message that is not delivered is as good as delayed, or as cut off.
 */
import { ClusterConfig } from "../../domain/model/ClusterConfig.ts"
import { NodeConfig } from "../../domain/model/NodeConfig.ts"
import type { ClusterCommand } from "../../domain/protocol/ClusterCommand.ts"
import { type ClusterState, initial } from "../../domain/protocol/ClusterState.ts"
import * as Inbound from "../../domain/protocol/Inbound.ts"
import * as Leaving from "../../domain/protocol/Leaving.ts"
import * as LinkEvents from "../../domain/protocol/LinkEvents.ts"
import type { ConnectionId } from "../../domain/protocol/MeshState.ts"
import type { QuorumPolicy } from "../../domain/protocol/Quorum.ts"
import { tick } from "../../domain/protocol/Tick.ts"
import { type Step, transition } from "../../domain/protocol/Transition.ts"
import type { ClusterMessage } from "../../domain/wire/ClusterMessage.ts"

export type Action =
  /** The oldest message on its way to this end of a connection arrives. */
  | { readonly _tag: "Deliver"; readonly end: ConnectionId }
  /** A node's clock ticks, so often; what it should do meanwhile it does. */
  | { readonly _tag: "Tick"; readonly node: number; readonly ticks: number }
  /** A node's detector suspects another node from now on, until it hears it; and its clock ticks. */
  | { readonly _tag: "Suspect"; readonly node: number; readonly peer: number }
  /** A connection breaks: what is on its way is lost, and both ends learn it. */
  | { readonly _tag: "Break"; readonly wire: number }
  /** A process ends, and its connections with it. */
  | { readonly _tag: "Crash"; readonly node: number }
  /** A process is started where one has ended. */
  | { readonly _tag: "Restart"; readonly node: number }
  /** A node is asked to leave. */
  | { readonly _tag: "Leave"; readonly node: number }

/** One process. */
export interface Core {
  readonly state: ClusterState
  readonly isAlive: boolean
  /** Ids of those that its detector suspects. */
  readonly suspects: ReadonlySet<string>
}

/** A connection: end `2 × number` has dialled, end `2 × number + 1` has accepted. */
export interface Wire {
  readonly number: number
  readonly dialler: number
  readonly acceptor: number
  /** On their way to the dialler and to the acceptor, oldest first. */
  readonly queues: readonly [ReadonlyArray<ClusterMessage>, ReadonlyArray<ClusterMessage>]
}

export interface Model {
  readonly cores: ReadonlyArray<Core>
  readonly wires: ReadonlyMap<number, Wire>
  readonly wiresMade: number
  readonly processesMade: number
}

export interface ModelOptions {
  /** 2…4. */
  readonly nodes: number
  readonly policy: QuorumPolicy
}

/** Every clock starts here: whatever is near it is a time. */
export const startMs = 1e9
/** Milliseconds of a tick: a heartbeat interval is four. */
export const tickMs = 10
const heartbeatIntervalMs = 4 * tickMs
/** Messages on their way to one end; a model with more is not followed further. */
export const maxQueue = 8

const firstPort = 9000
export const nameOf = (node: number): string => `n${node + 1}`
const addressOf = (node: number): string => `127.0.0.1:${firstPort + node}`

const newState = ({ nodes, policy }: ModelOptions, node: number, process: number): ClusterState =>
  initial(
    {
      config: {
        ...ClusterConfig.defaults,
        seedAddresses: Array.from({ length: nodes }, (_, i) => addressOf(i)),
        heartbeatIntervalMs,
        maxNoHeartbeatMs: heartbeatIntervalMs,
        // As soon as a quorum agrees a member is dead: whether it lasts is for the orders to try.
        suspicionTimeoutMs: 1,
        splitBrainCheckIntervalMs: 50 * heartbeatIntervalMs,
        backupCount: 1
      },
      node: NodeConfig.of({
        nodeId: nameOf(node),
        clusterPort: firstPort + node,
        clientPort: 1,
        partitionCount: 1,
        joinTimeoutMs: 1e6
      }),
      policy,
      incarnation: process * 1000,
      nowMs: startMs
    },
    addressOf(node)
  )

/** All nodes have just started. */
export const fresh = (options: ModelOptions): Model => ({
  cores: Array.from({ length: options.nodes }, (_, node) => ({
    state: newState(options, node, node + 1),
    isAlive: true,
    suspects: new Set<string>()
  })),
  wires: new Map(),
  wiresMade: 0,
  processesMade: options.nodes
})

const isSame = (a: ClusterMessage, b: ClusterMessage): boolean =>
  a.type === "HEARTBEAT" && b.type === "HEARTBEAT" && JSON.stringify(a) === JSON.stringify(b)

/** Applies one action, step by step; tells an observer of every transition. */
export class Execution {
  private readonly cores: Array<Core>
  private readonly wires: Map<number, Wire>
  private wiresMade: number
  private processesMade: number
  private readonly options: ModelOptions
  private readonly observe: (node: number, before: ClusterState, after: ClusterState) => void

  constructor(
    model: Model,
    options: ModelOptions,
    observe: (node: number, before: ClusterState, after: ClusterState) => void
  ) {
    this.cores = [...model.cores]
    this.wires = new Map(model.wires)
    this.wiresMade = model.wiresMade
    this.processesMade = model.processesMade
    this.options = options
    this.observe = observe
  }

  get model(): Model {
    const { cores, processesMade, wires, wiresMade } = this
    return { cores, wires, wiresMade, processesMade }
  }

  run(action: Action): void {
    switch (action._tag) {
      case "Deliver":
        return this.deliver(action.end)
      case "Tick":
        for (let i = 0; i < action.ticks; i++) this.tick(action.node)
        return
      case "Suspect": {
        const core = this.core(action.node)
        this.cores[action.node] = { ...core, suspects: new Set(core.suspects).add(nameOf(action.peer)) }
        // Silence has to have lasted for a detector to be asked.
        for (let i = 0; i < 4; i++) this.tick(action.node)
        return
      }
      case "Break": {
        const wire = this.wires.get(action.wire)
        if (wire === undefined) return
        this.end(wire, wire.dialler)
        return this.end(wire, wire.acceptor)
      }
      case "Crash":
        return this.crash(action.node)
      case "Restart": {
        const process = ++this.processesMade
        const state = newState(this.options, action.node, process)
        this.cores[action.node] = { state, isAlive: true, suspects: new Set() }
        return
      }
      case "Leave":
        return this.step(action.node, 0, Leaving.begin)
    }
  }

  private core(node: number): Core {
    const core = this.cores[node]
    if (core === undefined) throw new RangeError(`there is no node ${node}`)
    return core
  }

  private tick(node: number): void {
    const { suspects } = this.core(node)
    this.step(node, tickMs, (step) => tick(step, (peer) => suspects.has(peer)))
  }

  private deliver(end: ConnectionId): void {
    const wire = this.wires.get(Math.floor(end / 2))
    if (wire === undefined) return
    const side = end % 2 === 0 ? 0 : 1
    const [message, ...rest] = wire.queues[side]
    if (message === undefined) return
    const queues: Wire["queues"] = side === 0 ? [rest, wire.queues[1]] : [wire.queues[0], rest]
    this.wires.set(wire.number, { ...wire, queues })
    const node = side === 0 ? wire.dialler : wire.acceptor
    if (message.type === "HEARTBEAT") {
      const core = this.core(node)
      if (core.suspects.has(message.senderId)) {
        const suspects = new Set(core.suspects)
        suspects.delete(message.senderId)
        this.cores[node] = { ...core, suspects }
      }
    }
    this.step(node, 0, (step) => Inbound.receive(step, end, message))
  }

  private step(node: number, passedMs: number, run: (step: Step) => void): void {
    const core = this.core(node)
    if (!core.isAlive) return
    const before = core.state
    const [after, , commands] = transition(run)(before, before.clock.monotonicMs + passedMs)
    this.cores[node] = { ...core, state: after }
    this.observe(node, before, after)
    for (const command of commands) this.execute(node, command)
  }

  private execute(node: number, command: ClusterCommand): void {
    switch (command._tag) {
      case "Send":
        return this.send(command.connection, command.message)
      case "Dial":
        return this.dial(node, command.address)
      case "Close": {
        const wire = this.wires.get(Math.floor(command.connection / 2))
        if (wire !== undefined) this.end(wire, node === wire.dialler ? wire.acceptor : wire.dialler)
        return
      }
      case "Stop":
        return this.crash(node)
      default:
        return
    }
  }

  private send(from: ConnectionId, message: ClusterMessage): void {
    const wire = this.wires.get(Math.floor(from / 2))
    if (wire === undefined) return
    const [toDialler, toAcceptor] = wire.queues
    const queue = from % 2 === 0 ? toAcceptor : toDialler
    const last = queue.at(-1)
    // The same heartbeat again tells nobody anything.
    if (last !== undefined && isSame(last, message)) return
    const longer = [...queue, message]
    this.wires.set(wire.number, { ...wire, queues: from % 2 === 0 ? [toDialler, longer] : [longer, toAcceptor] })
  }

  private dial(node: number, address: string): void {
    const target = this.cores.findIndex((_, i) => addressOf(i) === address)
    if (target < 0 || !this.core(target).isAlive) {
      return this.step(node, 0, (step) => LinkEvents.dialFailed(step, address, true, "refused the connection"))
    }
    const number = this.wiresMade++
    this.wires.set(number, { number, dialler: node, acceptor: target, queues: [[], []] })
    this.step(target, 0, (step) => LinkEvents.accepted(step, 2 * number + 1))
    this.step(node, 0, (step) => LinkEvents.dialled(step, 2 * number, address))
  }

  // The node at one end of a connection learns that it has ended; the other end is gone, or has been told.
  private end(wire: Wire, node: number): void {
    this.wires.delete(wire.number)
    const id = 2 * wire.number + (node === wire.dialler ? 0 : 1)
    this.step(node, 0, (step) => LinkEvents.closed(step, id))
  }

  private crash(node: number): void {
    this.cores[node] = { ...this.core(node), isAlive: false, suspects: new Set() }
    const wires = [...this.wires.values()]
    for (const wire of wires) {
      if (wire.dialler === node) this.end(wire, wire.acceptor)
      else if (wire.acceptor === node) this.end(wire, wire.dialler)
    }
  }
}
