/**
 * Whole nodes with users' programs, a network and a clock in one synchronous loop: take all turns of all fibers, then
 * let time pass to what comes next. Everything comes from one seed.
 */
import { Result } from "effect"
import { decodeClusterMessage, encodeClusterMessage } from "../../domain/codec/ClusterMessageCodec.ts"
import { ClusterConfig } from "../../domain/model/ClusterConfig.ts"
import { NodeConfig } from "../../domain/model/NodeConfig.ts"
import type { ClusterState } from "../../domain/protocol/ClusterState.ts"
import type { ConnectionId } from "../../domain/protocol/MeshState.ts"
import type { QuorumPolicy } from "../../domain/protocol/Quorum.ts"
import type { Topology } from "../../domain/protocol/Topology.ts"
import type { ClusterMessage } from "../../domain/wire/ClusterMessage.ts"
import type { TransportLimits } from "../../services/TransportLimits.ts"
import type { Arena } from "../simulation/Arena.ts"
import { EventQueue } from "../simulation/EventQueue.ts"
import { type DelayRange, type End, Network } from "../simulation/Network.ts"
import { older, withUnknownField } from "../simulation/OlderRelease.ts"
import type { Process } from "../simulation/Process.ts"
import { type Random, random } from "../simulation/Random.ts"
import { Residences } from "../simulation/Residence.ts"
import { Safety } from "../simulation/Safety.ts"
import { TraceHash } from "../simulation/TraceHash.ts"
import { describeMessage, type Transcript } from "../simulation/Transcript.ts"
import { Violation } from "../simulation/Violation.ts"
import { epochMs } from "../simulation/World.ts"
import { type Ended, NodeProcess } from "./NodeProcess.ts"
import type { Check, Scenario, SimulatedWorld } from "./Scenario.ts"
import type { Parcel, Wire } from "./TransportSimulated.ts"
import { Turns } from "./Turns.ts"

export interface ProgramWorldOptions {
  readonly seed: number
  readonly policy: QuorumPolicy
  readonly topology: Topology
  readonly limits: Partial<TransportLimits>
  readonly delay: DelayRange
  /** Every message is encoded when it is sent and decoded when it arrives. */
  readonly codec: boolean
  readonly transcript: Transcript | undefined
  /** The transcript tells of messages too. */
  readonly messages: boolean
  readonly scenario: Scenario
}

type Event =
  | {
      readonly kind: "arrival"
      readonly to: End<Parcel, Process>
      readonly epoch: number
      readonly item: Parcel | undefined
    }
  | { readonly kind: "call"; readonly run: () => void }

const checksOf = (named: Readonly<Record<string, Check>> | undefined) => Object.entries(named ?? {})

export class ProgramWorld implements Arena, SimulatedWorld {
  readonly residences = new Residences()
  readonly network: Network<Parcel, Process>
  readonly processes = new Map<string, NodeProcess>()
  readonly wallOffsets = new Map<string, number>()
  readonly older = new Set<string>()
  readonly watchers = new Set<(process: Process, before: ClusterState) => void>()
  readonly trace = new TraceHash()
  readonly turns: Turns
  /** Commits of all drivers. */
  steps = 0
  isHealed = false
  hasSameSeeds = true
  hasRestarted = false
  hasMoved = false
  private readonly queue = new EventQueue<Event>()
  private readonly options: ProgramWorldOptions
  private readonly random: Random
  private readonly safety: Safety
  private readonly invariants: ReadonlyArray<readonly [string, Check]>
  private readonly starts = new Map<string, number>()
  /** What broke within a fiber's turn; told at its end. */
  private broken: unknown
  private started = 0

  constructor(options: ProgramWorldOptions) {
    this.options = options
    this.random = random(options.seed)
    this.turns = new Turns(random(options.seed ^ 0x5bd1e995))
    this.safety = new Safety(() => this)
    this.invariants = checksOf(options.scenario.invariants)
    const on = (process: Process) => this.machineOf(process)
    this.network = new Network(this.random, options.delay, {
      nowMs: () => this.queue.nowMs,
      arriveAt: (atMs, to, epoch, item) => this.queue.push({ kind: "arrival", to, epoch, item }, atMs),
      later: this.later,
      accepted: (process, id) => on(process).transport.accepted(id),
      dialled: (process, id, address) => on(process).transport.dialled(id, address),
      dialFailed: (process, address, refused) => on(process).transport.dialFailed(address, refused),
      closed: (process, id) => on(process).transport.closed(id),
      received: (process, id, item, from) => {
        const { body, outbox } = item
        outbox.remove()
        const message = body instanceof Uint8Array ? this.decode(process, body) : body
        if (message.type === "HEARTBEAT") this.safety.heard(process, from)
        else if (options.messages) this.note(`${on(process).title} receives ${describeMessage(message)}`)
        on(process).transport.received(id, message, body instanceof Uint8Array ? body.length : 0)
      }
    })
  }

  get nowMs(): number {
    return this.queue.nowMs
  }
  get mayFoundAgain(): boolean {
    return this.hasRestarted || !this.hasSameSeeds
  }
  get hasForgotten(): boolean {
    return this.options.scenario.forgets === true
  }
  get mayLoseNodes(): boolean {
    return this.options.policy.forks
  }
  get living(): ReadonlyArray<NodeProcess> {
    return [...this.processes.values()].filter((process) => process.isAlive)
  }
  get nodes(): ReadonlyArray<NodeProcess> {
    return this.living
  }
  private machineOf(process: Process): NodeProcess {
    const machine = this.processes.get(process.host)
    if (machine !== process) throw new RangeError(`${process.name} is gone`)
    return machine
  }

  // ---- time -------------------------------------------------------------------------------------------

  run(ms: number): void {
    const untilMs = this.nowMs + ms
    this.takeTurns()
    for (let event = this.queue.pop(untilMs); event !== undefined; event = this.queue.pop(untilMs)) {
      // What is due at one instant has no order: first all of it, then whose turn it is.
      for (let due: Event | undefined = event; due !== undefined; due = this.queue.pop(this.nowMs)) this.happen(due)
      this.takeTurns()
    }
  }
  readonly later = (delayMs: number, run: () => void): void => {
    this.queue.push({ kind: "call", run }, this.nowMs + delayMs)
  }
  private happen(event: Event): void {
    if (event.kind === "arrival") this.network.arrive(event.to, event.epoch, event.item)
    else event.run()
  }
  private takeTurns(): void {
    this.turns.takeAll((process) => {
      this.trace.mix(process.number)
      if (this.broken !== undefined) throw this.broken
      for (const [name, check] of this.invariants) {
        const fault = check(this)
        if (fault !== undefined) throw new Violation(`"${name}" does not hold: ${fault}`)
      }
    })
  }

  // ---- processes --------------------------------------------------------------------------------------

  start(host: string): void {
    const residence = this.residences.at(host)
    if (residence === undefined) throw new RangeError(`nothing lives at ${host}`)
    if (this.processes.get(host)?.isAlive === true) return
    const { config, node, nodeId, port, seeds } = residence
    const number = ++this.started
    const start = (this.starts.get(nodeId) ?? 0) + 1
    this.starts.set(nodeId, start)
    const clock = { offsetMs: Math.floor(this.random.between(0, 1e6)), rate: this.random.between(0.995, 1.005) }
    const process = new NodeProcess(
      {
        host,
        address: this.residences.addressAt(host),
        number,
        start,
        clock,
        config: { ...ClusterConfig.defaults, seedAddresses: this.residences.addressesOf(seeds), ...config },
        node: NodeConfig.of({ nodeId, clusterPort: port, clientPort: port + 1000, ...node }),
        policy: this.options.policy,
        topology: this.options.topology,
        limits: this.options.limits
      },
      {
        turns: this.turns,
        nowMs: () => this.nowMs,
        wallMs: () => epochMs + Math.floor(this.nowMs) + (this.wallOffsets.get(host) ?? 0),
        later: this.later,
        wireOf: (of) => this.wireOf(of),
        seed: this.options.seed * 1000 + number,
        scenario: this.options.scenario,
        log: (of, text) => this.note(`${of.title} ${text}`),
        observe: (of, before, after, commands) => this.observe(of, before, after, commands),
        ended: (of, how) => this.ended(of, how)
      }
    )
    this.processes.set(host, process)
    this.network.listen(process)
    this.note(`${process.title} starts`)
    process.begin()
  }
  get(host: string): NodeProcess | undefined {
    const process = this.processes.get(host)
    return process?.isAlive === true ? process : undefined
  }
  kill(process: Process, withHost: boolean): void {
    this.hasRestarted = true
    process.isAlive = false
    process.isHostUp = !withHost
    this.network.closeAll(process, this.random.chance(0.5))
  }
  leave(process: Process): void {
    this.hasRestarted = true
    this.machineOf(process).interrupt()
  }
  intrude(process: Process, messages: ReadonlyArray<ClusterMessage>): void {
    const id = this.network.strangerId()
    const { transport } = this.machineOf(process)
    process.whenAwake(() => transport.accepted(id))
    for (const message of messages) process.whenAwake(() => transport.received(id, message, 0))
    process.whenAwake(() => transport.closed(id))
  }
  private ended(process: NodeProcess, how: Ended): void {
    if (!process.isAlive) return
    if (how._tag === "Broken") {
      this.broken ??= new Violation(`the program of ${process.title} failed: ${how.why}`)
      return
    }
    this.note(`${process.title} ends: ${how.why}`)
    this.hasRestarted = true
    process.isAlive = false
    this.network.closeAll(process, false)
  }

  // ---- steps ------------------------------------------------------------------------------------------

  // Within a fiber: what is thrown here would be a defect of the driver.
  private observe(process: NodeProcess, before: ClusterState, after: ClusterState, commands: number): void {
    process.state = after
    this.steps++
    this.trace.mix(Math.round(this.nowMs * 1000))
    this.trace.mix(process.joined?.view.version ?? 0)
    this.trace.mix(commands)
    try {
      this.safety.stepped(process, before)
      for (const watch of this.watchers) watch(process, before)
    } catch (error) {
      this.broken ??= error
    }
  }

  // ---- messages ---------------------------------------------------------------------------------------

  private wireOf(process: NodeProcess): Wire {
    return {
      dial: (address) => this.network.dial(process, address),
      send: (connection: ConnectionId, parcel) => this.network.send(connection, parcel),
      close: (connection) => this.network.close(connection),
      later: this.later,
      pack: (message) => {
        if (!this.older.has(process.host)) return this.options.codec ? encodeClusterMessage(message) : message
        return this.options.codec ? withUnknownField(encodeClusterMessage(older(message))) : older(message)
      }
    }
  }
  private decode(process: Process, bytes: Uint8Array): ClusterMessage {
    const decoded = decodeClusterMessage(bytes)
    if (Result.isSuccess(decoded)) return decoded.success
    throw new Violation(`${process.name} cannot decode what a node has sent: ${decoded.failure.message}`)
  }

  // ---- afterwards -------------------------------------------------------------------------------------

  /** Why the scenario has not come to where it should after the faults; `undefined` when it has. */
  unfinished(): string | undefined {
    const { completes, eventually } = this.options.scenario
    const hanging = this.living.find((process) => process.isLeaving)
    if (hanging !== undefined) return `${hanging.title} was asked to leave, and its finalizers have not come to an end`
    const absent = this.living.find((process) => !process.isRunning)
    if (absent !== undefined) return `the program of ${absent.title} has not begun`
    for (const [name, check] of checksOf(eventually)) {
      const fault = check(this)
      if (fault !== undefined) return `"${name}" does not hold: ${fault}`
    }
    const waiting = completes === true ? this.living.find((process) => !process.isComplete) : undefined
    if (waiting === undefined) return undefined
    const does = waiting.isAsleep
      ? "sleeps"
      : "waits, and no timer of its own will wake it: a deadlock, a promise, or a change of the cluster that does not come"
    return `the program of ${waiting.title} has not completed: it ${does}`
  }

  note(text: string): void {
    this.options.transcript?.add(this.nowMs, text)
  }
}
