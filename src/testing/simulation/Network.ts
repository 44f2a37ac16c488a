/**
 * Connections as TCP gives them: each direction delivers in order, after random delays. What is sent into a
 * cut waits and arrives when the cut ends, unless the connection has timed out by then; then both ends
 * learn that it ended, and what was on its way is lost.
 */
import type { ConnectionId } from "../../domain/protocol/MeshState.ts"
import type { Random } from "./Random.ts"

/** What the network has to know of a process. */
export interface Endpoint {
  readonly host: string
  readonly address: string
  readonly isAlive: boolean
  /** The machine answers: without a process on it, it refuses connections at once. */
  readonly isHostUp: boolean
  readonly isFrozen: boolean
  /** Runs now, or after a thaw; never in a dead process. */
  whenAwake(run: () => void): void
}

/** One end of a connection. Items are on their way *to* an end. */
export interface End<Item, Process extends Endpoint> {
  readonly process: Process
  readonly id: ConnectionId
  readonly wire: Wire<Item, Process>
  isOpen: boolean
  lastArrivalMs: number
  /** Sent into a cut, oldest first; absent while nothing is. An item `undefined`: the other end has closed. */
  held: Array<Item | undefined> | undefined
}

interface Wire<Item, Process extends Endpoint> {
  /** Of who has dialled. */
  dialler: End<Item, Process> | undefined
  /** Of who has accepted. */
  acceptor: End<Item, Process> | undefined
  /** Counts up when everything that is on its way gets lost. */
  epoch: number
  timeouts: number
}

const otherEnd = <Item, Process extends Endpoint>(end: End<Item, Process>): End<Item, Process> | undefined => {
  const { acceptor, dialler } = end.wire
  return dialler === end ? acceptor : dialler
}

const endsOf = <Item, Process extends Endpoint>({
  acceptor,
  dialler
}: Wire<Item, Process>): ReadonlyArray<End<Item, Process>> =>
  dialler === undefined || acceptor === undefined ? [] : [dialler, acceptor]

/** What the network asks of the world around it. */
export interface Surroundings<Item, Process extends Endpoint> {
  readonly nowMs: () => number
  /** Calls {@link Network.arrive} at that time. `item` `undefined`: the end of the stream. */
  readonly arriveAt: (atMs: number, to: End<Item, Process>, epoch: number, item: Item | undefined) => void
  readonly later: (delayMs: number, run: () => void) => void
  readonly accepted: (process: Process, id: ConnectionId) => void
  readonly dialled: (process: Process, id: ConnectionId, address: string) => void
  readonly dialFailed: (process: Process, address: string, refused: boolean) => void
  readonly received: (process: Process, id: ConnectionId, item: Item, from: Process) => void
  readonly closed: (process: Process, id: ConnectionId) => void
}

export interface DelayRange {
  readonly minMs: number
  readonly maxMs: number
}

/** What is lost is sent again after this, and after twice as long when it is lost again (RFC 6298). */
const retransmitMs = 200
const maxRetransmits = 6
/** An address that does not answer fails after this. */
const dialTimeoutMs = 2000
/** Data that nobody acknowledges ends a connection after a time in this range. */
const unacknowledgedMs = { minMs: 800, maxMs: 8000 }

export class Network<Item, Process extends Endpoint> {
  delay: DelayRange
  /** Milliseconds by which everything from a host takes longer. */
  readonly slow = new Map<string, number>()
  /** Share of what a host sends that is lost and sent again, 0…1. */
  readonly loss = new Map<string, number>()
  private readonly random: Random
  private readonly around: Surroundings<Item, Process>
  /** By their ids, which count up; `undefined` where one is closed. */
  private readonly ends: Array<End<Item, Process> | undefined> = []
  private readonly listeners = new Map<string, Process>()
  /** For each host those that it cannot reach. */
  private readonly cuts = new Map<string, Set<string>>()
  private connections = 0

  constructor(random: Random, delay: DelayRange, around: Surroundings<Item, Process>) {
    this.random = random
    this.delay = delay
    this.around = around
  }

  listen(process: Process): void {
    this.listeners.set(process.address, process)
  }

  // ---- cuts -----------------------------------------------------------------------------------------

  private isCut(from: string, to: string): boolean {
    return this.cuts.size > 0 && this.cuts.get(from)?.has(to) === true
  }
  /** Nothing passes from one host to another, in this direction. */
  cut(from: string, to: string): void {
    const targets = this.cuts.get(from)
    if (targets === undefined) this.cuts.set(from, new Set([to]))
    else targets.add(to)
  }
  /** The given cuts end. */
  mend(cuts: Iterable<readonly [from: string, to: string]>): void {
    for (const [from, to] of cuts) this.cuts.get(from)?.delete(to)
    this.flushAll()
  }
  mendAll(): void {
    this.cuts.clear()
    this.flushAll()
  }
  private flushAll(): void {
    for (const end of this.open()) this.flush(end)
  }
  private open(): ReadonlyArray<End<Item, Process>> {
    return this.ends.filter((end) => end !== undefined)
  }
  private isBlocked(from: Process, to: Process): boolean {
    return !from.isHostUp || !to.isHostUp || this.isCut(from.host, to.host)
  }

  // ---- connections ------------------------------------------------------------------------------------

  dial(from: Process, address: string): void {
    this.around.later(this.delayMs(from) + this.delayMs(from), () => {
      if (!from.isAlive) return
      const to = this.listeners.get(address)
      const isReached =
        to !== undefined && to.isHostUp && !this.isCut(from.host, to.host) && !this.isCut(to.host, from.host)
      if (to === undefined || (isReached && !to.isAlive)) {
        from.whenAwake(() => this.around.dialFailed(from, address, true))
      } else if (isReached) this.connect(from, to, address)
      else {
        this.around.later(dialTimeoutMs, () => from.whenAwake(() => this.around.dialFailed(from, address, false)))
      }
    })
  }

  private connect(from: Process, to: Process, address: string): void {
    const wire: Wire<Item, Process> = { dialler: undefined, acceptor: undefined, epoch: 0, timeouts: 0 }
    const open = (process: Process): End<Item, Process> => {
      const end = { process, id: ++this.connections, wire, isOpen: true, lastArrivalMs: 0, held: undefined }
      this.ends[end.id] = end
      return end
    }
    const own = open(from)
    const other = open(to)
    wire.dialler = own
    wire.acceptor = other
    to.whenAwake(() => this.around.accepted(to, other.id))
    from.whenAwake(() => this.around.dialled(from, own.id, address))
  }

  send(id: ConnectionId, item: Item): void {
    const own = this.ends[id]
    if (own?.isOpen === true) this.carry(own, item)
  }

  /** The process closes its end: the other learns it after everything that was sent before. */
  close(id: ConnectionId): void {
    const own = this.ends[id]
    if (own === undefined) return
    own.isOpen = false
    this.ends[id] = undefined
    this.carry(own, undefined)
  }

  /** A process has ended, and its connections with it; `withLoss`: what it had not sent out yet is lost. */
  closeAll(process: Process, withLoss: boolean): void {
    for (const end of this.open()) {
      if (end.process !== process) continue
      if (withLoss) end.wire.epoch++
      this.close(end.id)
    }
  }

  /** The connections between two hosts are reset. */
  reset(hostA: string, hostB: string): void {
    const wires = new Set(this.open().map((end) => end.wire))
    for (const wire of wires) {
      const hosts = new Set(endsOf(wire).map((end) => end.process.host))
      if (hosts.has(hostA) && hosts.has(hostB)) this.breakWire(wire)
    }
  }

  private learnEnd(end: End<Item, Process>): void {
    if (!end.isOpen) return
    end.isOpen = false
    this.ends[end.id] = undefined
    this.around.closed(end.process, end.id)
  }

  private breakWire(wire: Wire<Item, Process>): void {
    wire.epoch++
    for (const end of endsOf(wire)) {
      end.held = undefined
      if (end.isOpen) {
        this.around.later(this.delayMs(end.process), () => end.process.whenAwake(() => this.learnEnd(end)))
      }
    }
  }

  // ---- carrying ---------------------------------------------------------------------------------------

  private delayMs(from: Process): number {
    const { maxMs, minMs } = this.delay
    const ms = this.random.between(minMs, maxMs)
    if (this.slow.size === 0 && this.loss.size === 0) return ms
    return ms + (this.slow.get(from.host) ?? 0) + this.retransmittedMs(this.loss.get(from.host) ?? 0)
  }
  private retransmittedMs(share: number): number {
    if (share === 0) return 0
    let ms = 0
    for (let i = 0; i < maxRetransmits; i++) {
      if (!this.random.chance(share)) break
      ms += retransmitMs * 2 ** i
    }
    return ms
  }

  private carry(own: End<Item, Process>, item: Item | undefined): void {
    const to = otherEnd(own)
    if (to === undefined) return
    if (this.isBlocked(own.process, to.process)) {
      if (to.held === undefined) {
        to.held = []
        this.startTimeout(own.wire)
      }
      to.held.push(item)
      return
    }
    to.lastArrivalMs = Math.max(this.around.nowMs() + this.delayMs(own.process), to.lastArrivalMs)
    this.around.arriveAt(to.lastArrivalMs, to, own.wire.epoch, item)
  }

  /** An item has reached the host of an end. */
  arrive(to: End<Item, Process>, epoch: number, item: Item | undefined): void {
    if (to.wire.epoch !== epoch || !to.process.isAlive) return
    if (to.process.isFrozen) to.process.whenAwake(() => this.handle(to, item))
    else this.handle(to, item)
  }
  private handle(to: End<Item, Process>, item: Item | undefined): void {
    if (item === undefined) this.learnEnd(to)
    else if (to.isOpen) {
      const from = otherEnd(to)
      if (from !== undefined) this.around.received(to.process, to.id, item, from.process)
    }
  }
  /** An id for a connection that no process of the world holds the other end of. */
  strangerId(): ConnectionId {
    return ++this.connections
  }

  // What waits for this end.
  private flush(to: End<Item, Process>): void {
    if (to.held === undefined) return
    const from = otherEnd(to)
    if (from === undefined || this.isBlocked(from.process, to.process)) return
    const items = to.held
    to.held = undefined
    for (const item of items) this.carry(from, item)
  }

  private startTimeout(wire: Wire<Item, Process>): void {
    const number = ++wire.timeouts
    this.around.later(this.random.between(unacknowledgedMs.minMs, unacknowledgedMs.maxMs), () => {
      if (wire.timeouts === number && endsOf(wire).some((end) => end.held !== undefined)) this.breakWire(wire)
    })
  }
}
