/**
 * Cores, a network and a clock in one plain loop, without fibers: the smallest world in which the real
 * transitions run. Everything comes from one seed. Every step can be checked by an observer.
 */
import { Result } from "effect"
import { decodeClusterMessage, encodeClusterMessage } from "../../domain/codec/ClusterMessageCodec.ts"
import { ClusterConfig } from "../../domain/model/ClusterConfig.ts"
import { NodeConfig } from "../../domain/model/NodeConfig.ts"
import type { ClusterCommand } from "../../domain/protocol/ClusterCommand.ts"
import { type ClusterState, initial } from "../../domain/protocol/ClusterState.ts"
import * as Inbound from "../../domain/protocol/Inbound.ts"
import * as Leaving from "../../domain/protocol/Leaving.ts"
import * as LinkEvents from "../../domain/protocol/LinkEvents.ts"
import type { ConnectionId } from "../../domain/protocol/MeshState.ts"
import type { QuorumPolicy } from "../../domain/protocol/Quorum.ts"
import { redialDelayMs } from "../../domain/protocol/Redial.ts"
import type { Topology } from "../../domain/protocol/Topology.ts"
import type { Step } from "../../domain/protocol/Transition.ts"
import type { ClusterMessage } from "../../domain/wire/ClusterMessage.ts"
import { type DataObserver, type DataOptions, DataPlanes } from "./data/DataPlanes.ts"
import { EventQueue } from "./EventQueue.ts"
import { type DelayRange, type End, Network } from "./Network.ts"
import { older, withUnknownField } from "./OlderRelease.ts"
import { Process, type Tamper } from "./Process.ts"
import { type Random, random } from "./Random.ts"
import { ReferenceHosts } from "./reference/ReferenceHosts.ts"
import type { ReferenceEvent } from "./reference/ReferencePeer.ts"
import { ReferenceProcess } from "./reference/ReferenceProcess.ts"
import { Residences } from "./Residence.ts"
import { TraceHash } from "./TraceHash.ts"
import { describeMessage, Transcript } from "./Transcript.ts"
import { Violation } from "./Violation.ts"

export interface WorldOptions {
  readonly seed: number
  readonly policy: QuorumPolicy
  readonly topology?: Topology | undefined
  /** Clocks with random origins that run up to half a percent fast or slow. */
  readonly skewedClocks: boolean
  readonly delay: DelayRange
  /** Every message is encoded when it is sent and decoded when it arrives. */
  readonly codec: boolean
  readonly transcript: Transcript | undefined
  readonly tamper?: Tamper | undefined
  readonly observe: (process: Process, before: ClusterState) => void
  /** A heartbeat has been handled. */
  readonly heard: (listener: Process, speaker: Process) => void
  /** A command is about to be executed. */
  readonly executes?: (process: Process, command: ClusterCommand) => void
  /** The nodes keep data, and clients use it. */
  readonly data?: { readonly options: DataOptions; readonly observer: DataObserver } | undefined
}

/** A message as it travels: the value, or its bytes. */
type Parcel = ClusterMessage | Uint8Array

/** Of this kernel, or of the reference. */
type Living = Process | ReferenceProcess

type Event =
  | { readonly kind: "tick"; readonly process: Process }
  | {
      readonly kind: "arrival"
      readonly to: End<Parcel, Living>
      readonly epoch: number
      readonly item: Parcel | undefined
    }
  | { readonly kind: "call"; readonly run: () => void }

interface Packed {
  readonly message: ClusterMessage
  readonly wallMs: number
  readonly isOlder: boolean
  readonly parcel: Parcel
}

const stamp = (message: ClusterMessage, wallMs: number): ClusterMessage =>
  message.type === "HEARTBEAT"
    ? { ...message, timestampMs: wallMs }
    : message.type === "MEMBERS_UPDATE"
      ? { ...message, clusterTimeMs: wallMs }
      : message

/** The wall clock at the start of every run, milliseconds since 1970. */
export const epochMs = 1_750_000_000_000

// What a step was, for the trace.
const stepKind = { tick: 0, accepted: 1, dialled: 2, dialFailed: 3, closed: 4, received: 5, asked: 6 } as const

export class World {
  readonly residences = new Residences()
  readonly network: Network<Parcel, Living>
  readonly references: ReferenceHosts
  /** The latest process on each host. */
  readonly processes = new Map<string, Process>()
  /** Milliseconds by which a host's wall clock is off. */
  readonly wallOffsets = new Map<string, number>()
  /** Hosts whose processes speak as an earlier release. */
  readonly older = new Set<string>()
  /** Looks at every step, after the observer; for faults that wait for something. */
  readonly watchers = new Set<(process: Process, before: ClusterState) => void>()
  /** Of every step: when, whose, of which kind, with what outcome. */
  readonly trace = new TraceHash()
  steps = 0
  /** From now on nothing goes wrong, and what lies in wait does nothing any more. */
  isHealed = false
  /** The seeds of every node name all nodes. */
  hasSameSeeds = true
  /** A process has ended or left: what it knew is gone. */
  hasRestarted = false
  /** A node has moved to another address. */
  hasMoved = false
  private readonly queue = new EventQueue<Event>()
  private readonly options: WorldOptions
  readonly random: Random
  readonly planes: DataPlanes | undefined
  private started = 0
  private packed: Packed | undefined

  constructor(options: WorldOptions) {
    this.options = options
    this.random = random(options.seed)
    const { data } = options
    this.planes = data === undefined ? undefined : new DataPlanes(data.options, this, data.observer)
    this.network = new Network(this.random, options.delay, {
      nowMs: () => this.queue.nowMs,
      arriveAt: (atMs, to, epoch, item) => this.queue.push({ kind: "arrival", to, epoch, item }, atMs),
      later: (delayMs, run) => this.later(delayMs, run),
      accepted: (process, id) => {
        if (process instanceof ReferenceProcess) return this.refer(process, { _tag: "Accepted", connection: id })
        this.step(process, stepKind.accepted, (step) => LinkEvents.accepted(step, id))
      },
      dialled: (process, id, address) => {
        if (process instanceof ReferenceProcess)
          return this.refer(process, { _tag: "Dialled", connection: id, address })
        this.step(process, stepKind.dialled, (step) => LinkEvents.dialled(step, id, address))
      },
      dialFailed: (process, address, refused) => {
        if (process instanceof ReferenceProcess) return this.refer(process, { _tag: "DialFailed", address })
        this.step(process, stepKind.dialFailed, (step) =>
          LinkEvents.dialFailed(step, address, refused, refused ? "refused the connection" : "timed out")
        )
      },
      closed: (process, id) => {
        if (process instanceof ReferenceProcess) return this.refer(process, { _tag: "Closed", connection: id })
        this.step(process, stepKind.closed, (step) => LinkEvents.closed(step, id))
      },
      received: (process, id, item, from) => {
        const message = item instanceof Uint8Array ? this.decode(process.host, item) : item
        if (process instanceof ReferenceProcess)
          return this.refer(process, { _tag: "Received", connection: id, message })
        if (this.options.transcript !== undefined && message.type !== "HEARTBEAT") {
          this.note(`${process.name} receives ${describeMessage(message)}`)
        }
        if (!process.isAlive) return
        const before = process.state
        this.finish(process, stepKind.received, before, process.receive(this.queue.nowMs, id, message))
        if (message.type === "HEARTBEAT" && from instanceof Process) this.options.heard(process, from)
      }
    })
    this.references = new ReferenceHosts({
      wallMs: (host) => this.wallMs({ host }),
      later: (delayMs, run) => this.later(delayMs, run),
      listen: (process) => this.network.listen(process),
      dial: (process, address) => this.network.dial(process, address),
      send: (id, message) => this.network.send(id, this.options.codec ? encodeClusterMessage(message) : message),
      ended: (process) => this.network.closeAll(process, this.random.chance(0.5))
    })
  }

  get nowMs(): number {
    return this.queue.nowMs
  }
  /** An operator has told members to go on without others. */
  hasForgotten = false
  get mayFoundAgain(): boolean {
    return this.hasRestarted || !this.hasSameSeeds
  }
  /** May nodes go for good without proof? Under a policy with a quorum they would halt the others for ever. */
  get mayLoseNodes(): boolean {
    return this.options.policy.forks
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
    this.queue.push({ kind: "call", run }, this.nowMs + delayMs)
  }

  // ---- processes ----------------------------------------------------------------------------------------

  /** Starts what lives on a host, unless it runs. */
  start(host: string): void {
    const residence = this.residences.at(host)
    if (residence === undefined) throw new RangeError(`nothing lives at ${host}`)
    if (this.processes.get(host)?.isAlive === true) return
    const { policy, skewedClocks, tamper, topology, transcript } = this.options
    const { config, node, nodeId, port, seeds } = residence
    const clock = skewedClocks
      ? { offsetMs: Math.floor(this.random.between(0, 1e6)), rate: this.random.between(0.995, 1.005) }
      : { offsetMs: 0, rate: 1 }
    const address = this.residences.addressAt(host)
    const number = ++this.started
    const state = initial(
      {
        config: {
          ...ClusterConfig.defaults,
          seedAddresses: [...this.references.addressesOf(seeds), ...this.residences.addressesOf(seeds)],
          ...config
        },
        node: NodeConfig.of({ nodeId, clusterPort: port, clientPort: port + 1000, ...node }),
        policy,
        ...(topology === undefined ? {} : { topology }),
        carriesData: this.planes !== undefined,
        incarnation: number * 1000,
        nowMs: clock.offsetMs + this.nowMs * clock.rate
      },
      address
    )
    const process = new Process({ host, address, number, clock, state, tamper })
    this.processes.set(host, process)
    this.network.listen(process)
    if (transcript !== undefined) this.note(`${process.name} starts`)
    this.planes?.started(process)
    const { tickMs } = process
    this.queue.push({ kind: "tick", process }, this.nowMs + this.random.between(0, tickMs))
  }

  /** The living process on a host. */
  get(host: string): Process | undefined {
    const process = this.processes.get(host)
    return process?.isAlive === true ? process : undefined
  }
  kill(process: Process, withHost: boolean): void {
    this.hasRestarted = true
    process.isAlive = false
    process.isHostUp = !withHost
    this.network.closeAll(process, this.random.chance(0.5))
  }
  /** A stranger connects to the process, sends these messages, and goes. */
  intrude(process: Process, messages: ReadonlyArray<ClusterMessage>): void {
    const id = this.network.strangerId()
    process.whenAwake(() => this.step(process, stepKind.accepted, (step) => LinkEvents.accepted(step, id)))
    for (const message of messages) {
      process.whenAwake(() => this.step(process, stepKind.received, (step) => Inbound.receive(step, id, message)))
    }
    process.whenAwake(() => this.step(process, stepKind.closed, (step) => LinkEvents.closed(step, id)))
  }
  leave(process: Process): void {
    this.hasRestarted = true
    this.act(process, Leaving.begin)
  }
  /** A transition of a process that is awake. */
  ask(process: Process, run: (step: Step) => void): void {
    this.step(process, stepKind.asked, run)
  }
  /** What an operator asks of a process. */
  act(process: Process, run: (step: Step) => void): void {
    process.whenAwake(() => this.step(process, stepKind.asked, run))
  }

  // ---- steps --------------------------------------------------------------------------------------------

  private tick(event: Extract<Event, { readonly kind: "tick" }>): void {
    const { process } = event
    // A frozen process misses ticks, it does not collect them.
    if (process.isFrozen) process.whenAwake(() => this.tickNow(event))
    else if (process.isAlive) this.tickNow(event)
  }
  private tickNow(event: Extract<Event, { readonly kind: "tick" }>): void {
    const { process } = event
    const before = process.state
    this.finish(process, stepKind.tick, before, process.tick(this.nowMs))
    this.queue.push(event, this.nowMs + process.tickMs)
  }
  private step(process: Process, kind: number, run: (step: Step) => void): void {
    if (!process.isAlive) return
    const before = process.state
    this.finish(process, kind, before, process.commit(this.nowMs, run))
  }
  private finish(process: Process, kind: number, before: ClusterState, commands: ReadonlyArray<ClusterCommand>): void {
    this.steps++
    this.trace.mix(Math.round(this.nowMs * 1000))
    this.trace.mix(process.number * 8 + kind)
    this.trace.mix(process.joined?.view.version ?? 0)
    this.trace.mix(commands.length)
    this.options.observe(process, before)
    if (this.watchers.size > 0) for (const watch of this.watchers) watch(process, before)
    this.planes?.kernelStepped(process, before)
    for (const command of commands) if (process.isAlive) this.execute(process, command)
  }
  private execute(process: Process, command: ClusterCommand): void {
    this.options.executes?.(process, command)
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
      case "Deliver":
        return this.planes?.delivered(process, command)
      case "Ignored":
      case "Publish":
      case "Identify":
        return
    }
  }

  wallMs({ host }: Pick<Process, "host">): number {
    return epochMs + Math.floor(this.nowMs) + (this.wallOffsets.get(host) ?? 0)
  }
  private refer(process: ReferenceProcess, event: ReferenceEvent): void {
    if (event._tag === "Received" && this.options.transcript !== undefined && event.message.type !== "HEARTBEAT") {
      this.note(`${process.host} (reference) receives ${describeMessage(event.message)}`)
    }
    this.references.handle(process, event)
    this.trace.mix(Math.round(this.nowMs * 1000))
    this.trace.mix(process.state.view.version)
  }

  // ---- messages -----------------------------------------------------------------------------------------

  // Stamped with the sender's wall clock when it leaves, as by the interpreter of a real node.
  private pack(process: Process, message: ClusterMessage): Parcel {
    const wallMs = this.wallMs(process)
    const isOlder = this.older.has(process.host)
    // What goes to many at once is stamped and encoded once for all.
    const { packed } = this
    if (packed?.message === message && packed.wallMs === wallMs && packed.isOlder === isOlder) return packed.parcel
    const stamped = stamp(message, wallMs)
    const spoken = isOlder ? older(stamped) : stamped
    const parcel = this.options.codec ? encodeClusterMessage(spoken) : spoken
    const marked = isOlder && parcel instanceof Uint8Array ? withUnknownField(parcel) : parcel
    this.packed = { message, wallMs, isOlder, parcel: marked }
    return marked
  }
  private decode(reader: string, bytes: Uint8Array): ClusterMessage {
    const decoded = decodeClusterMessage(bytes)
    if (Result.isSuccess(decoded)) return decoded.success
    throw new Violation(`${reader} cannot decode what a node has sent: ${decoded.failure.message}`)
  }

  /** What a data plane sends. */
  transmit(process: Process, connection: ConnectionId, message: ClusterMessage): void {
    this.network.send(connection, this.pack(process, message))
  }
  note(text: string): void {
    this.options.transcript?.add(this.nowMs, text)
  }
}
