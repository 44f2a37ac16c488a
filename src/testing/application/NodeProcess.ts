/** A process of the virtual world that runs a node with all its layers, and a user's program on it. */
import {
  Cause,
  Clock,
  Context,
  Effect,
  Exit,
  type Fiber,
  Layer,
  Logger,
  Option,
  Random,
  Scheduler,
  type Scope
} from "effect"
import { ClusterConfig } from "../../domain/model/ClusterConfig.ts"
import { MembersView } from "../../domain/model/MembersView.ts"
import type { NodeConfig } from "../../domain/model/NodeConfig.ts"
import { hashToPartition } from "../../domain/placement/HashToPartition.ts"
import { initial } from "../../domain/protocol/ClusterState.ts"
import type { QuorumPolicy } from "../../domain/protocol/Quorum.ts"
import type { Topology } from "../../domain/protocol/Topology.ts"
import * as Cluster from "../../layers/Cluster.ts"
import { CommitObserver, type Observe } from "../../layers/driver/CommitObserver.ts"
import { PhiAccrualFailureDetector } from "../../layers/PhiAccrualFailureDetector.ts"
import { AssignmentPlanner } from "../../services/AssignmentPlanner.ts"
import { JoinFailed } from "../../services/ClusterErrors.ts"
import { ClusterService } from "../../services/ClusterService.ts"
import { MonitoringTopology } from "../../services/MonitoringTopology.ts"
import { SplitBrainPolicy } from "../../services/SplitBrainPolicy.ts"
import type { TransportLimits } from "../../services/TransportLimits.ts"
import { Process, type ProcessClock } from "../simulation/Process.ts"
import * as Seeded from "../simulation/Random.ts"
import type { TestDataServices, TestServices } from "../TestCluster.ts"
import type { Scenario, SimulatedNode } from "./Scenario.ts"
import { SimulatedTransport, type Wire } from "./TransportSimulated.ts"
import type { Turns } from "./Turns.ts"
import * as VirtualClock from "./VirtualClock.ts"

export interface NodeProcessOptions {
  readonly host: string
  readonly address: string
  readonly number: number
  readonly start: number
  readonly clock: ProcessClock
  readonly config: ClusterConfig
  readonly node: NodeConfig
  readonly policy: QuorumPolicy
  readonly topology: Topology
  readonly limits: Partial<TransportLimits>
}

/** What a process needs of the world around it. */
export interface Surroundings {
  readonly turns: Turns
  readonly nowMs: () => number
  readonly wallMs: () => number
  readonly later: (delayMs: number, run: () => void) => void
  readonly wireOf: (process: NodeProcess) => Wire
  /** Of everything that the process draws. */
  readonly seed: number
  readonly log: (process: NodeProcess, text: string) => void
  readonly observe: (process: NodeProcess, ...seen: Parameters<Observe>) => void
  readonly scenario: Scenario
  /** Why the process has ended: it left or gave up, or else what broke. */
  readonly ended: (process: NodeProcess, how: Ended) => void
}

export type Ended = { readonly _tag: "Gone"; readonly why: string } | { readonly _tag: "Broken"; readonly why: string }

/** What of a log entry a person wants to read in one line. */
const textOf = ({ cause, logLevel, message }: Logger.Options<unknown>): string => {
  const parts = (Array.isArray(message) ? message : [message]).map((part: unknown) =>
    typeof part === "string" ? part : JSON.stringify(part)
  )
  const level = logLevel === "Info" ? "" : `${logLevel.toUpperCase()} `
  return `${level}${parts.join(" ")}${cause.reasons.length === 0 ? "" : ` ${Cause.pretty(cause)}`}`
}

const endedBy = (exit: Exit.Exit<unknown, unknown>): Ended => {
  if (Exit.isSuccess(exit)) return { _tag: "Gone", why: "it has left" }
  if (Cause.hasInterruptsOnly(exit.cause)) return { _tag: "Gone", why: "it was asked to end" }
  const error = Option.getOrUndefined(Cause.findErrorOption(exit.cause))
  return error instanceof JoinFailed
    ? { _tag: "Gone", why: error.message }
    : { _tag: "Broken", why: Cause.pretty(exit.cause) }
}

export class NodeProcess extends Process implements SimulatedNode {
  readonly start: number
  readonly transport: SimulatedTransport
  isRunning = false
  /** Its program has completed. */
  isComplete = false
  /** It was asked to end. */
  isLeaving = false
  private readonly around: Surroundings
  private readonly options: NodeProcessOptions
  private readonly sleeps = { count: 0 }
  private fiber: Fiber.Fiber<unknown, unknown> | undefined

  constructor(options: NodeProcessOptions, around: Surroundings) {
    const { config, node, policy, topology } = options
    // Until the driver's first commit: then it is the driver's.
    const state = initial({ config, node, policy, topology, incarnation: 0, nowMs: 0 }, options.address)
    super({ ...options, state, tamper: undefined })
    this.options = options
    this.around = around
    this.start = options.start
    this.transport = new SimulatedTransport(options.address, around.wireOf(this), options.limits)
  }

  /** For a person: node and start, such as `n2#1`. */
  get title(): string {
    return `${this.nodeId}#${this.start}`
  }
  /** Some fiber of the program waits for a time. */
  get isAsleep(): boolean {
    return this.sleeps.count > 0
  }

  // ---- as a check sees it -------------------------------------------------------------------------------

  get nodeId(): string {
    return this.state.self.nodeId
  }
  get isMaster(): boolean {
    return this.isActing
  }
  get members(): ReadonlyArray<string> {
    const view = this.joined?.view
    return view === undefined ? [] : MembersView.activeMembers(view).map((member) => member.nodeId)
  }
  readonly ownerOf = (key: string): string | undefined =>
    this.joined?.table.rows[hashToPartition(key, this.state.node.partitionCount)]?.owner

  // ---- running ------------------------------------------------------------------------------------------

  private clockOf(sleeps: VirtualClock.Sleeps): Clock.Clock {
    const { later, nowMs, turns, wallMs } = this.around
    const turn = (run: () => void) => turns.add(this, run)
    return VirtualClock.make(this, this.options.clock, { nowMs, wallMs, later, turn }, sleeps)
  }

  private get references(): Context.Context<never> {
    const { around } = this
    const draws = Seeded.random(around.seed)
    const logger = Logger.make((entry) => around.log(this, textOf(entry)))
    const observe: Observe = (...seen) => around.observe(this, ...seen)
    return Context.empty().pipe(
      Context.add(Scheduler.Scheduler, around.turns.schedulerOf(this)),
      Context.add(Clock.Clock, this.clockOf({ count: 0 })),
      Context.add(Random.Random, {
        nextDoubleUnsafe: draws.next,
        nextIntUnsafe: () => draws.below(2 ** 32) - 2 ** 31
      }),
      Context.add(Logger.CurrentLoggers, new Set([logger])),
      Context.add(MonitoringTopology, this.options.topology),
      Context.add(CommitObserver, observe)
    )
  }

  // All below the node itself.
  private get parts() {
    const { config, policy } = this.options
    const { detector, planner } = this.around.scenario
    return this.transport.layer.pipe(
      Layer.provideMerge(detector ?? PhiAccrualFailureDetector.layerFor(config)),
      Layer.provideMerge(planner ?? AssignmentPlanner.layerMinimalMovement),
      Layer.provideMerge(Layer.succeed(SplitBrainPolicy, policy))
    )
  }

  private get main(): Effect.Effect<unknown, unknown> {
    const { around, nodeId, options, parts, start } = this
    const { scenario } = around
    if (scenario.store === undefined) {
      return this.mainOf<TestServices>(
        Cluster.layer(options).pipe(Layer.provideMerge(parts)),
        scenario.program({ nodeId, start })
      )
    }
    const node = Cluster.layerWithData({ ...options, settings: scenario.settings ?? {} }).pipe(
      Layer.provide(scenario.store({ nodeId, start })),
      Layer.provideMerge(parts)
    )
    return this.mainOf<TestDataServices>(node, scenario.program({ nodeId, start }))
  }

  // As a program's main: joins, runs, and ends when the node stops by itself.
  private mainOf<Services>(
    layer: Layer.Layer<Services | ClusterService, unknown>,
    program: Effect.Effect<unknown, unknown, Services | Scope.Scope>
  ): Effect.Effect<unknown, unknown> {
    const begins = Effect.sync(() => {
      this.isRunning = true
    })
    const completes = Effect.sync(() => {
      this.isComplete = true
    })
    return Effect.gen({ self: this }, function* () {
      const services = yield* Layer.build(layer)
      const runs = begins.pipe(
        Effect.andThen(Effect.scoped(program)),
        Effect.andThen(completes),
        Effect.andThen(Effect.never),
        // One of its own, so that its sleeps can be told from those of the layers below.
        Effect.provideService(Clock.Clock, this.clockOf(this.sleeps)),
        Effect.provideContext(services)
      )
      yield* Effect.raceFirst(runs, Context.get(services, ClusterService).stopped)
    }).pipe(Effect.scoped)
  }

  begin(): void {
    const fiber = Effect.runForkWith(this.references)(this.main)
    fiber.addObserver((exit) => this.around.ended(this, endedBy(exit)))
    this.fiber = fiber
  }
  /** As by a signal: the program is interrupted, its finalizers run, and the node leaves. */
  interrupt(): void {
    this.isLeaving = true
    this.whenAwake(() => this.around.turns.add(this, () => this.fiber?.interruptUnsafe()))
  }
}
