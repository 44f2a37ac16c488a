/**
 * Cores, a network and a clock in one plain loop, without fibers: the smallest world in which the real
 * transitions run. Everything comes from one seed. Every step can be checked by an observer.
 */
import { Result } from "effect"
import { decodeClusterMessage, encodeClusterMessage } from "../../domain/codec/ClusterMessageCodec.ts"
import { formatAddress } from "../../domain/model/Address.ts"
import { ClusterConfig } from "../../domain/model/ClusterConfig.ts"
import { NodeConfig } from "../../domain/model/NodeConfig.ts"
import type { ClusterCommand } from "../../domain/protocol/ClusterCommand.ts"
import { type ClusterState, initial } from "../../domain/protocol/ClusterState.ts"
import * as Inbound from "../../domain/protocol/Inbound.ts"
import * as Leaving from "../../domain/protocol/Leaving.ts"
import * as LinkEvents from "../../domain/protocol/LinkEvents.ts"
import type { QuorumPolicy } from "../../domain/protocol/Quorum.ts"
import { redialDelayMs } from "../../domain/protocol/Redial.ts"
import type { Step } from "../../domain/protocol/Transition.ts"
import type { ClusterMessage } from "../../domain/wire/ClusterMessage.ts"
import { EventQueue, type Timed } from "./EventQueue.ts"
import { type DelayRange, type End, Network } from "./Network.ts"
import { Process, type Tamper } from "./Process.ts"
import { type Random, random } from "./Random.ts"
import { describeMessage, Transcript } from "./Transcript.ts"
import { Violation } from "./Violation.ts"

export interface WorldOptions {
  readonly seed: number
  readonly nodes: ReadonlyArray<string>
  readonly policy: QuorumPolicy
  readonly config: Partial<ClusterConfig>
  readonly partitionCount: number
  readonly delay: DelayRange
  /** Every message is encoded when it is sent and decoded when it arrives. */
  readonly codec: boolean
  readonly transcript: Transcript | undefined
  readonly tamper: Tamper | undefined
  readonly observe: (process: Process, before: ClusterState) => void
}

/** A message as it travels: the value, or its bytes. */
type Parcel = ClusterMessage | Uint8Array

type Event = Timed &
  (
    | { readonly kind: "tick"; readonly process: Process }
    | {
        readonly kind: "arrival"
        readonly to: End<Parcel>
        readonly epoch: number
        readonly item: Parcel | undefined
      }
    | { readonly kind: "call"; readonly run: () => void }
  )

const firstPort = 9000
/** Seeds in every node's list: the oldest names of the fleet. */
const maxSeeds = 16
/** The wall clock at the start of every run, milliseconds since 1970. */
const epochMs = 1_750_000_000_000

// What a step was, for the trace.
const stepKind = { tick: 0, accepted: 1, dialled: 2, dialFailed: 3, closed: 4, received: 5, leave: 6 } as const

export class World {
  readonly nodes: ReadonlyArray<string>
  readonly network: Network<Parcel>
  /** The latest process of each node. */
  readonly processes = new Map<string, Process>()
  /** Milliseconds by which a node's wall clock is off. */
  readonly wallOffsets = new Map<string, number>()
  /** Of every step: when, whose, of which kind, with what outcome. */
  traceHash = 0
  steps = 0
  private readonly queue = new EventQueue<Event>()
  private readonly options: WorldOptions
  private readonly random: Random
  private started = 0

  constructor(options: WorldOptions) {
    this.options = options
    this.nodes = options.nodes
    this.random = random(options.seed)
    this.network = new Network(this.random, options.delay, {
      nowMs: () => this.queue.nowMs,
      arriveAt: (atMs, to, epoch, item) => this.queue.push({ kind: "arrival", to, epoch, item, atMs, order: 0 }),
      later: (delayMs, run) => this.later(delayMs, run),
      accepted: (process, id) => this.step(process, stepKind.accepted, (step) => LinkEvents.accepted(step, id)),
      dialled: (process, id, address) =>
        this.step(process, stepKind.dialled, (step) => LinkEvents.dialled(step, id, address)),
      dialFailed: (process, address, refused) =>
        this.step(process, stepKind.dialFailed, (step) =>
          LinkEvents.dialFailed(step, address, refused, refused ? "refused the connection" : "timed out")
        ),
      closed: (process, id) => this.step(process, stepKind.closed, (step) => LinkEvents.closed(step, id)),
      received: (process, id, item) => {
        const message = item instanceof Uint8Array ? this.decode(process, item) : item
        if (this.options.transcript !== undefined && message.type !== "HEARTBEAT") {
          this.note(`${process.name} receives ${describeMessage(message)}`)
        }
        this.step(process, stepKind.received, (step) => Inbound.receive(step, id, message))
      }
    })
  }

  get nowMs(): number {
    return this.queue.nowMs
  }
  get living(): ReadonlyArray<Process> {
    return [...this.processes.values()].filter((process) => process.isAlive)
  }

  // ---- time -------------------------------------------------------------------------------------------

  run(ms: number): void {
    const untilMs = this.nowMs + ms
    for (let event = this.queue.pop(untilMs); event !== undefined; event = this.queue.pop(untilMs)) {
      if (event.kind === "arrival") this.network.arrive(event.to, event.epoch, event.item)
      else if (event.kind === "tick") this.tick(event)
      else event.run()
    }
  }
  later(delayMs: number, run: () => void): void {
    this.queue.push({ kind: "call", run, atMs: this.nowMs + delayMs, order: 0 })
  }

  // ---- processes ----------------------------------------------------------------------------------------

  /** Starts a process of a node, unless one runs. */
  start(nodeId: string): void {
    const index = this.nodes.indexOf(nodeId)
    if (index < 0) throw new RangeError(`${nodeId} is no node of this run`)
    if (this.processes.get(nodeId)?.isAlive === true) return
    const { config, partitionCount, policy, tamper, transcript } = this.options
    const addressOf = (i: number): string => formatAddress("127.0.0.1", firstPort + i)
    const clock = { offsetMs: Math.floor(this.random.between(0, 1e6)), rate: this.random.between(0.995, 1.005) }
    const number = ++this.started
    const state = initial(
      {
        config: {
          ...ClusterConfig.defaults,
          seedAddresses: this.nodes.slice(0, maxSeeds).map((_, i) => addressOf(i)),
          ...config
        },
        node: NodeConfig.of({ nodeId, clusterPort: firstPort + index, clientPort: 1, partitionCount }),
        policy,
        incarnation: number * 1000,
        nowMs: clock.offsetMs + this.nowMs * clock.rate
      },
      addressOf(index)
    )
    const process = new Process({ host: nodeId, address: addressOf(index), number, clock, state, tamper })
    this.processes.set(nodeId, process)
    this.network.listen(process)
    if (transcript !== undefined) this.note(`${process.name} starts`)
    const { tickMs } = process
    this.queue.push({ kind: "tick", process, atMs: this.nowMs + this.random.between(0, tickMs), order: 0 })
  }

  get(nodeId: string): Process | undefined {
    const process = this.processes.get(nodeId)
    return process?.isAlive === true ? process : undefined
  }
  kill(process: Process, withHost: boolean): void {
    process.isAlive = false
    process.isHostUp = !withHost
    this.network.closeAll(process, this.random.chance(0.5))
  }
  leave(process: Process): void {
    process.whenAwake(() => this.step(process, stepKind.leave, Leaving.begin))
  }

  // ---- steps --------------------------------------------------------------------------------------------

  private tick(event: Extract<Event, { readonly kind: "tick" }>): void {
    const { process } = event
    // A frozen process misses ticks, it does not collect them.
    process.whenAwake(() => {
      const before = process.state
      this.finish(process, stepKind.tick, before, process.tick(this.nowMs))
      event.atMs = this.nowMs + process.tickMs
      this.queue.push(event)
    })
  }
  private step(process: Process, kind: number, run: (step: Step) => void): void {
    if (!process.isAlive) return
    const before = process.state
    this.finish(process, kind, before, process.commit(this.nowMs, run))
  }
  private finish(process: Process, kind: number, before: ClusterState, commands: ReadonlyArray<ClusterCommand>): void {
    this.steps++
    this.mix(Math.round(this.nowMs * 1000))
    this.mix(process.number * 8 + kind)
    this.mix(process.joined?.view.version ?? 0)
    this.mix(commands.length)
    this.options.observe(process, before)
    for (const command of commands) if (process.isAlive) this.execute(process, command)
  }
  // Both halves of a number count.
  private mix(value: number): void {
    const high = Math.floor(value / 2 ** 32)
    this.traceHash = Math.imul(this.traceHash ^ (value | 0), 0x01000193) ^ Math.imul(high + 1, 0x85ebca6b)
    this.traceHash = Math.imul(this.traceHash ^ (this.traceHash >>> 15), 0x2c1b3c6d) >>> 0
  }

  private execute(process: Process, command: ClusterCommand): void {
    switch (command._tag) {
      case "Send":
        return this.network.send(command.connection, this.pack(process, command.message))
      case "DetectorHeartbeat":
        return process.detectorHeard(command.nodeId, command.atMs)
      case "DetectorRemove":
        return process.detectorForgets(command.nodeId)
      case "Dial": {
        const { redialMaxMs, redialMinMs } = process.state.node
        const bounds = { minMs: redialMinMs, maxMs: redialMaxMs }
        const delayMs = command.attempt === 0 ? 0 : redialDelayMs(command.attempt - 1, this.random.next(), bounds)
        return this.later(delayMs, () => this.network.dial(process, command.address))
      }
      case "Close":
        return this.network.close(command.connection)
      case "Note":
        if (this.options.transcript !== undefined) this.note(`${process.name} ${command.text}`)
        return
      case "Stop":
        if (this.options.transcript !== undefined) this.note(`${process.name} stops: ${command.reason._tag}`)
        process.stopped = command.reason
        process.isAlive = false
        return this.network.closeAll(process, false)
      case "Ignored":
      case "Publish":
      case "Identify":
      case "Deliver":
        return
    }
  }

  // ---- messages -----------------------------------------------------------------------------------------

  // Stamped with the sender's wall clock when it leaves, as by the interpreter of a real node.
  private pack(process: Process, message: ClusterMessage): Parcel {
    const wallMs = epochMs + Math.floor(this.nowMs) + (this.wallOffsets.get(process.host) ?? 0)
    const stamped =
      message.type === "HEARTBEAT"
        ? { ...message, timestampMs: wallMs }
        : message.type === "MEMBERS_UPDATE"
          ? { ...message, clusterTimeMs: wallMs }
          : message
    return this.options.codec ? encodeClusterMessage(stamped) : stamped
  }
  private decode(process: Process, bytes: Uint8Array): ClusterMessage {
    const decoded = decodeClusterMessage(bytes)
    if (Result.isSuccess(decoded)) return decoded.success
    throw new Violation(`${process.name} cannot decode what a node has sent: ${decoded.failure.message}`)
  }

  note(text: string): void {
    this.options.transcript?.add(this.nowMs, text)
  }
}
