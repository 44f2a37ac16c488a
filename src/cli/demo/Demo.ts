/**
 * The demo: four nodes as processes of their own form a cluster, lose a member and the master to
 * SIGKILL, get both back, and see one leave. Every step ends when the nodes' own reports agree, and
 * fails when they do not in time.
 */
import { Effect, Option, Ref, Schema, type Scope } from "effect"
import type { ChildProcessSpawner } from "effect/process"
import { NodeId } from "../../domain/model/Scalars.ts"
import { NodeReport, type Placement } from "../NodeReport.ts"
import { commonMaster, type Expected, unpromoted, unsettled } from "./Agreement.ts"
import { duration, type StepResult } from "./DemoResult.ts"
import type { Display } from "./Display.ts"
import * as Fleet from "./Fleet.ts"
import * as FleetState from "./FleetState.ts"
import { ownedCounts, ownersMoved, promotedBackups, withoutReplica } from "./Movement.ts"

/** A step did not end as it should. */
export class StepFailed extends Schema.TaggedError<StepFailed>()("StepFailed", {
  step: Schema.String,
  reason: Schema.String,
  /** The last log lines of the nodes concerned. */
  logs: Schema.Array(Schema.Struct({ nodeId: NodeId, lines: Schema.Array(Schema.String) }))
}) {
  override get message(): string {
    return `step "${this.step}": ${this.reason}`
  }
}

export interface DemoOptions {
  readonly nodes: ReadonlyArray<NodeId>
  readonly partitionCount: number
  readonly backupCount: number
  /** Milliseconds for the first start of all nodes together. */
  readonly formWithinMs: number
  /** Milliseconds for each later step. */
  readonly stepWithinMs: number
}

export const defaults: DemoOptions = {
  nodes: ["n1", "n2", "n3", "n4"],
  partitionCount: 271,
  backupCount: 1,
  formWithinMs: 20_000,
  stepWithinMs: 10_000
}

interface Step {
  readonly name: string
  readonly title: string
  readonly withinMs: number
  /** Nodes that run at the end of the step. */
  readonly live: ReadonlyArray<NodeId>
  /** Brings the change about; the value is when the fault happened, if it is one. */
  readonly act: Effect.Effect<Option.Option<number>, Fleet.Unmet | { readonly message: string }>
  /** A line about the step's outcome. */
  readonly tell: (outcome: Outcome) => string
}

interface Outcome {
  readonly result: StepResult
  readonly before: Placement
  /** The table right after the promotion of backups. */
  readonly promoted: Placement
}

const placementIn = (state: FleetState.FleetState, live: ReadonlyArray<NodeId>): Placement => {
  const reports = FleetState.reports(state)
  const report = live.flatMap((nodeId) => reports.get(nodeId) ?? [])[0]
  return report === undefined ? [] : NodeReport.placement(report)
}

const isFault = (atMs: number): Option.Option<number> => Option.some(atMs)
const noFault = Effect.as(Option.none<number>())

const spreadOf = ({ owned }: StepResult): string => owned.map(([nodeId, count]) => `${nodeId} ${count}`).join(", ")

/** Log lines shown of each node that a failed step concerns. */
const shownLogLines = 8

// The nodes that ended by themselves, else those that the reason names, else all.
const concerned = (state: FleetState.FleetState, reason: string): ReadonlyArray<FleetState.NodeSeen> => {
  const all = [...state.nodes.values()]
  const crashed = FleetState.crashed(state)
  if (crashed.length > 0) return crashed
  const words = new Set(reason.split(/[^\w-]+/))
  const named = all.filter((node) => words.has(node.nodeId))
  return named.length > 0 ? named : all
}

export interface DemoRun {
  /** Results of the steps that have succeeded so far. */
  readonly results: Effect.Effect<ReadonlyArray<StepResult>>
  /** All steps; for one run. */
  readonly play: Effect.Effect<void, StepFailed>
  /** The current step, failed for this reason. */
  readonly failure: (reason: string) => Effect.Effect<StepFailed>
}

/** The demo on a fleet without running nodes, shown on a display. */
export const make = Effect.fnUntraced(function* (options: DemoOptions, fleet: Fleet.Fleet, display: Display) {
  const results = yield* Ref.make<ReadonlyArray<StepResult>>([])
  const current = yield* Ref.make("start")
  const { backupCount, partitionCount } = options

  const failure = Effect.fnUntraced(function* (reason: string) {
    const step = yield* Ref.get(current)
    const nodes = concerned(yield* fleet.state, reason)
    return new StepFailed({
      step,
      reason,
      logs: nodes.map(({ log, nodeId }) => ({ nodeId, lines: log.slice(-shownLogLines) }))
    })
  })

  const settle = Effect.fnUntraced(function* (step: Step, before: FleetState.FleetState, startMs: number) {
    const expected: Expected = { live: step.live, partitionCount, backupCount }
    const remaining = Effect.map(Fleet.nowMs, (nowMs) => Math.max(1, startMs + step.withinMs - nowMs))
    const faultMs = yield* step.act
    const owners = yield* fleet.until((state) => unpromoted(FleetState.reports(state), expected), yield* remaining)
    const settled = yield* fleet.until((state) => unsettled(FleetState.reports(state), expected), yield* remaining)

    const reports = FleetState.reports(settled)
    const report = reports.get(step.live[0] ?? "")
    const placement = placementIn(settled, step.live)
    const previous = placementIn(before, FleetState.live(before))
    // A node that was started again is another process: its replicas are gone.
    const isSurvivor = (nodeId: NodeId): boolean =>
      step.live.includes(nodeId) && before.nodes.get(nodeId)?.pid === settled.nodes.get(nodeId)?.pid
    const result: StepResult = {
      name: step.name,
      ms: settled.atMs - startMs,
      ownersMoved: ownersMoved(previous, placement),
      withoutReplica: withoutReplica(previous, isSurvivor),
      promotedMs: Option.getOrUndefined(Option.map(faultMs, (atMs) => Math.max(0, owners.atMs - atMs))),
      viewVersion: report?.view.version ?? 0,
      masterId: Option.getOrElse(commonMaster(reports, step.live), () => ""),
      owned: ownedCounts(placement, step.live).map((count, i) => [step.live[i] ?? "", count] as const)
    }
    return { result, before: previous, promoted: placementIn(owners, step.live) }
  })

  const play = Effect.fnUntraced(function* (step: Step) {
    yield* Ref.set(current, step.name)
    yield* display.started(step.name, step.title)
    const before = yield* fleet.state
    const startMs = yield* Fleet.nowMs
    const outcome = yield* settle(step, before, startMs).pipe(
      Effect.catch((error) => Effect.flatMap(failure(error.message), Effect.fail))
    )
    yield* Ref.update(results, (done) => [...done, outcome.result])
    yield* display.finished(outcome.result, step.tell(outcome))
    return outcome.result
  })

  const others = (nodeId: NodeId) => options.nodes.filter((other) => other !== nodeId)

  const form: Step = {
    name: "form",
    title: `starts ${options.nodes.length} nodes as processes`,
    withinMs: options.formWithinMs,
    live: options.nodes,
    act: Effect.forEach(options.nodes, fleet.start, { discard: true }).pipe(noFault),
    tell: ({ result }) =>
      `one cluster, ${result.masterId} is master; ${partitionCount} partitions owned by ${spreadOf(result)}`
  }

  const kill = (name: string, what: string, victim: NodeId): Step => ({
    name,
    title: `kill -9 ${victim}, ${what}`,
    withinMs: options.stepWithinMs,
    live: others(victim),
    act: Effect.map(fleet.kill(victim), isFault),
    tell: ({ before, promoted, result }) => {
      const lost = before.filter((row) => row?.owner === victim).length
      const kept = promotedBackups(before, promoted, victim)
      const after = duration(result.promotedMs ?? 0)
      return (
        `${victim} is gone: its ${lost} partitions have living owners after ${after}, ${kept} of them a former backup; ` +
        `${result.masterId} is master; ${spreadOf(result)}`
      )
    }
  })

  const restart = (name: string, nodeId: NodeId): Step => ({
    name,
    title: `starts ${nodeId} again`,
    withinMs: options.stepWithinMs,
    live: options.nodes,
    act: fleet.start(nodeId).pipe(noFault),
    tell: ({ result }) =>
      `${nodeId} is a member again, ${result.masterId} is master; ${result.ownersMoved} partitions moved: ${spreadOf(result)}`
  })

  const leave = (leaver: NodeId): Step => ({
    name: "leave",
    title: `SIGTERM to ${leaver}: it leaves in good order`,
    withinMs: options.stepWithinMs,
    live: others(leaver),
    act: Effect.gen(function* () {
      yield* Effect.timeoutOption(fleet.leave(leaver), options.stepWithinMs)
      const exited = (state: FleetState.FleetState): ReadonlyArray<string> => {
        const node = state.nodes.get(leaver)
        return node?.end === 0
          ? []
          : [`${leaver} should have left with exit code 0: ${FleetState.describeEnd(node?.end)}`]
      }
      yield* fleet.until(exited, options.stepWithinMs)
      return Option.none<number>()
    }),
    tell: ({ result }) => `${leaver} left with exit code 0; ${spreadOf(result)}`
  })

  const lastBut = (nodeId: NodeId): NodeId => others(nodeId).at(-1) ?? nodeId

  const run: DemoRun = {
    results: Ref.get(results),
    failure,
    play: Effect.gen(function* () {
      const formed = yield* play(form)
      const victim = lastBut(formed.masterId)
      yield* play(kill("kill", "a member", victim))
      const rejoined = yield* play(restart("rejoin", victim))
      const master = rejoined.masterId
      const took = yield* play(kill("kill-master", "the master", master))
      yield* Ref.set(current, "kill-master")
      if (took.masterId === master) return yield* yield* failure(`${master} is still taken for the master`)
      const back = yield* play(restart("rejoin-master", master))
      yield* play(leave(lastBut(back.masterId)))
    })
  }
  return run
})

/** The nodes' ports and processes for the demo. */
export const fleetFor = (
  options: DemoOptions,
  given: Pick<Fleet.FleetOptions, "program" | "host"> & { readonly ports: ReadonlyArray<number> }
): Effect.Effect<Fleet.Fleet, never, Scope.Scope | ChildProcessSpawner.ChildProcessSpawner> =>
  Fleet.make({
    program: given.program,
    host: given.host,
    ports: new Map(options.nodes.map((nodeId, i) => [nodeId, given.ports[i] ?? 0])),
    args: [
      "--cluster-id=squadron-demo",
      `--partition-count=${options.partitionCount}`,
      `--backup-count=${options.backupCount}`
    ]
  })
