/**
 * Connections as TCP gives them: each direction delivers in order, with random delays. What is sent
 * into a cut is held and arrives after the cut heals, unless the connection has timed out by then;
 * then both ends learn that it ended, and what was held is lost.
 */
import type { ConnectionId } from "../../src/domain/protocol/MeshState.ts"
import type { ClusterMessage } from "../../src/domain/wire/ClusterMessage.ts"
import type { EventQueue } from "./EventQueue.ts"
import type { Random } from "./Random.ts"
import type { VirtualProcess } from "./VirtualProcess.ts"

interface End {
  readonly process: VirtualProcess
  readonly id: ConnectionId
  isOpen: boolean
  /** Frames on their way to this end. */
  lastArrivalMs: number
  held: Array<() => void>
}

interface Wire {
  readonly a: End
  readonly b: End
  /** Counts up when everything in flight is lost. */
  epoch: number
  times: number
}

/** What the network tells a process; each call is one event of its loop. */
export interface NetworkEvents {
  readonly accepted: (process: VirtualProcess, id: ConnectionId) => void
  readonly dialled: (process: VirtualProcess, id: ConnectionId, address: string) => void
  readonly dialFailed: (process: VirtualProcess, address: string, refused: boolean) => void
  readonly received: (process: VirtualProcess, id: ConnectionId, message: ClusterMessage, from: VirtualProcess) => void
  readonly closed: (process: VirtualProcess, id: ConnectionId) => void
}

export interface DelayRange {
  readonly minMs: number
  readonly maxMs: number
}

export class VirtualNetwork {
  delay: DelayRange
  private readonly queue: EventQueue
  private readonly random: Random
  private readonly events: NetworkEvents
  private readonly wires = new Map<ConnectionId, Wire>()
  private readonly listeners = new Map<string, VirtualProcess>()
  private readonly cuts = new Set<string>()
  private connections = 0

  constructor(queue: EventQueue, random: Random, delay: DelayRange, events: NetworkEvents) {
    this.queue = queue
    this.random = random
    this.delay = delay
    this.events = events
  }

  listen(process: VirtualProcess): void {
    this.listeners.set(process.address, process)
  }
  /** Is the address free to listen on? */
  isFree(address: string): boolean {
    return this.listeners.get(address)?.isAlive !== true
  }

  // ---- cuts ---------------------------------------------------------------------------------------

  isCut(from: string, to: string): boolean {
    return this.cuts.has(`${from}>${to}`)
  }
  /** Nothing passes from one host to another, in this direction. */
  cut(from: string, to: string): void {
    this.cuts.add(`${from}>${to}`)
  }
  mend(from: string, to: string): void {
    if (!this.cuts.delete(`${from}>${to}`)) return
    for (const wire of new Set(this.wires.values())) {
      this.flush(wire, wire.a, wire.b)
      this.flush(wire, wire.b, wire.a)
    }
  }
  mendAll(): void {
    this.cuts.clear()
    for (const wire of new Set(this.wires.values())) {
      this.flush(wire, wire.a, wire.b)
      this.flush(wire, wire.b, wire.a)
    }
  }
  private isBlocked(from: VirtualProcess, to: VirtualProcess): boolean {
    return !from.isHostUp || !to.isHostUp || this.isCut(from.host, to.host)
  }

  // ---- connections --------------------------------------------------------------------------------

  dial(from: VirtualProcess, address: string): void {
    this.queue.after(this.delayMs() + this.delayMs(), () => {
      if (!from.isAlive) return
      const to = this.listeners.get(address)
      const unreachable =
        to === undefined || !to.isHostUp || this.isCut(from.host, to.host) || this.isCut(to.host, from.host)
      if (to === undefined || (!unreachable && !to.isAlive)) {
        from.handle(() => this.events.dialFailed(from, address, true))
      } else if (unreachable) {
        this.queue.after(2000, () => from.handle(() => this.events.dialFailed(from, address, false)))
      } else this.connect(from, to, address)
    })
  }

  private connect(from: VirtualProcess, to: VirtualProcess, address: string): void {
    const end = (process: VirtualProcess): End => ({
      process,
      id: ++this.connections,
      isOpen: true,
      lastArrivalMs: 0,
      held: []
    })
    const wire: Wire = { a: end(from), b: end(to), epoch: 0, times: 0 }
    this.wires.set(wire.a.id, wire).set(wire.b.id, wire)
    to.handle(() => this.events.accepted(to, wire.b.id))
    from.handle(() => this.events.dialled(from, wire.a.id, address))
  }

  send(from: VirtualProcess, id: ConnectionId, message: ClusterMessage): void {
    const wire = this.wires.get(id)
    if (wire === undefined) return
    const [own, other] = wire.a.id === id ? [wire.a, wire.b] : [wire.b, wire.a]
    if (!own.isOpen) return
    this.carry(wire, own, other, () => {
      if (other.isOpen) this.events.received(other.process, other.id, message, from)
    })
  }

  /** The process closes its end. */
  close(id: ConnectionId): void {
    const wire = this.wires.get(id)
    if (wire === undefined) return
    const [own, other] = wire.a.id === id ? [wire.a, wire.b] : [wire.b, wire.a]
    this.endFrom(wire, own, other)
  }

  /** All connections of a dead process end; `withLoss`: what it had not yet sent out is lost. */
  closeAll(process: VirtualProcess, withLoss: boolean): void {
    for (const wire of new Set(this.wires.values())) {
      for (const [own, other] of [
        [wire.a, wire.b],
        [wire.b, wire.a]
      ] as const) {
        if (own.process !== process || !own.isOpen) continue
        if (withLoss) wire.epoch++
        this.endFrom(wire, own, other)
      }
    }
  }

  /** Connections between two hosts are reset: both ends learn it, and what was on its way is lost. */
  reset(hostA: string, hostB: string): void {
    for (const wire of new Set(this.wires.values())) {
      const hosts = new Set([wire.a.process.host, wire.b.process.host])
      if (hosts.has(hostA) && hosts.has(hostB)) this.breakWire(wire)
    }
  }

  private endFrom(wire: Wire, own: End, other: End): void {
    if (!own.isOpen) return
    own.isOpen = false
    this.wires.delete(own.id)
    this.carry(wire, own, other, () => this.learnEnd(other))
  }

  private learnEnd(end: End): void {
    if (!end.isOpen) return
    end.isOpen = false
    this.wires.delete(end.id)
    this.events.closed(end.process, end.id)
  }

  private breakWire(wire: Wire): void {
    wire.epoch++
    for (const end of [wire.a, wire.b]) {
      end.held = []
      if (end.isOpen) this.queue.after(this.delayMs(), () => end.process.handle(() => this.learnEnd(end)))
    }
  }

  // ---- carrying -----------------------------------------------------------------------------------

  private delayMs(): number {
    return this.random.between(this.delay.minMs, this.delay.maxMs)
  }

  /** One item on its way to `to`: after everything sent before it, or held at a cut. */
  private carry(wire: Wire, from: End, to: End, run: () => void): void {
    if (this.isBlocked(from.process, to.process)) {
      if (to.held.length === 0) this.startTimeout(wire)
      to.held.push(run)
      return
    }
    const { epoch } = wire
    to.lastArrivalMs = Math.max(this.queue.nowMs + this.delayMs(), to.lastArrivalMs)
    this.queue.at(to.lastArrivalMs, () => {
      if (wire.epoch === epoch) to.process.handle(run)
    })
  }

  private flush(wire: Wire, from: End, to: End): void {
    if (to.held.length === 0 || this.isBlocked(from.process, to.process)) return
    const items = to.held
    to.held = []
    for (const run of items) this.carry(wire, from, to, run)
  }

  /** Unacknowledged data ends a connection after a while. */
  private startTimeout(wire: Wire): void {
    const times = ++wire.times
    this.queue.after(this.random.between(800, 8000), () => {
      if (wire.times === times && (wire.a.held.length > 0 || wire.b.held.length > 0)) this.breakWire(wire)
    })
  }
}
