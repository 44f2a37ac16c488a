/** One process of the virtual world that runs the protocol: its state, its failure detector and its clocks. */
import { PhiAccrualConfig } from "../../domain/detection/PhiAccrual.ts"
import type { ClusterCommand, StopReason } from "../../domain/protocol/ClusterCommand.ts"
import { type ClusterState, isActing, type Joined } from "../../domain/protocol/ClusterState.ts"
import * as Inbound from "../../domain/protocol/Inbound.ts"
import type { ConnectionId } from "../../domain/protocol/MeshState.ts"
import { tick } from "../../domain/protocol/Tick.ts"
import { begin, type Step } from "../../domain/protocol/Transition.ts"
import type { ClusterMessage } from "../../domain/wire/ClusterMessage.ts"
import { Arrivals } from "./Arrivals.ts"
import { VirtualProcess } from "./VirtualProcess.ts"

/**
 * Replaces the outcome of every transition: how a spec plants a bug, to see the simulator find it. A pure
 * function of the states before and after.
 */
export type Tamper = (after: ClusterState, before: ClusterState) => ClusterState

/** A process may run fast or slow, and counts from any origin. */
export interface ProcessClock {
  readonly offsetMs: number
  readonly rate: number
}

export interface ProcessOptions {
  readonly host: string
  readonly address: string
  /** Processes started before it in this world, and itself. */
  readonly number: number
  readonly clock: ProcessClock
  readonly state: ClusterState
  readonly tamper: Tamper | undefined
}

export class Process extends VirtualProcess {
  readonly number: number
  state: ClusterState
  stopped: StopReason | undefined
  private readonly clock: ProcessClock
  private readonly tamper: Tamper | undefined
  private readonly arrivals: Arrivals
  /** For so long nobody who has been heard was ever suspected. */
  private patienceMs = Number.POSITIVE_INFINITY

  constructor(options: ProcessOptions) {
    const { state } = options
    super(options.host, options.address)
    this.number = options.number
    this.clock = options.clock
    this.state = state
    this.tamper = options.tamper
    this.arrivals = new Arrivals(PhiAccrualConfig.fromClusterConfig(state.config))
  }

  get id(): string {
    return this.state.self.nodeId
  }
  /** Id and incarnation: a process that rejoins has another name from then on. */
  get name(): string {
    return `${this.state.self.nodeId}@${this.state.self.incarnation}`
  }
  get incarnation(): number {
    return this.state.self.incarnation
  }
  get joined(): Joined | undefined {
    return this.state.phase._tag === "Joined" ? this.state.phase : undefined
  }
  get isActing(): boolean {
    return this.joined !== undefined && isActing(this.state, this.joined)
  }
  /** Milliseconds of the world between two ticks. */
  get tickMs(): number {
    return this.state.timing.tickIntervalMs / this.clock.rate
  }

  /** Reading of its monotonic clock. */
  monotonicMs(worldMs: number): number {
    return this.clock.offsetMs + worldMs * this.clock.rate
  }
  /** One transition. Gives its commands. */
  commit(worldMs: number, run: (step: Step) => void): ReadonlyArray<ClusterCommand> {
    const step = begin(this.state, this.monotonicMs(worldMs))
    run(step)
    return this.end(step)
  }
  tick(worldMs: number): ReadonlyArray<ClusterCommand> {
    const step = begin(this.state, this.monotonicMs(worldMs))
    const judge = (peer: string): boolean => !this.arrivals.isAlive(peer, step.nowMs)
    tick(step, judge, this.patienceMs)
    return this.end(step)
  }
  receive(worldMs: number, id: ConnectionId, message: ClusterMessage): ReadonlyArray<ClusterCommand> {
    const step = begin(this.state, this.monotonicMs(worldMs))
    Inbound.receive(step, id, message)
    return this.end(step)
  }
  private end(step: Step): ReadonlyArray<ClusterCommand> {
    this.state = this.tamper === undefined ? step.state : this.tamper(step.state, this.state)
    return step.commands
  }

  detectorHeard(nodeId: string, atMs: number): void {
    this.arrivals.heard(nodeId, atMs)
    this.patienceMs = Math.min(this.patienceMs, this.arrivals.leastSilenceMs(nodeId))
  }
  detectorForgets(nodeId: string): void {
    this.arrivals.forget(nodeId)
  }
}
