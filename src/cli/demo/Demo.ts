/**
 * The demo: four nodes as processes of their own form a cluster, lose a member and the master to
 * SIGKILL, get both back, are joined by a fifth, lose one that stands still for a while, and see one leave, while
 * entries are written through all of them. Every step ends when the nodes' own reports agree, and
 * fails when they do not in time; in the end all entries are read back.
 */
import { Effect, Fiber, Option, Ref, Schema, type Scope } from "effect"
import type { ChildProcessSpawner } from "effect/process"
import { NodeId } from "../../domain/model/Scalars.ts"
import { NodeReport, type Placement } from "../NodeReport.ts"
import { commonMaster, type Expected, unpromoted, unsettled } from "./Agreement.ts"
import { duration, grouped, type StepResult, type WritesResult } from "./DemoResult.ts"
import type { Display } from "./Display.ts"
import * as Fleet from "./Fleet.ts"
import * as FleetState from "./FleetState.ts"
import { ownedCounts, ownersMoved, promotedBackups, withoutReplica } from "./Movement.ts"
import * as Writer from "./Writer.ts"

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
  /** The node that joins them later. */
  readonly joiner: NodeId
  readonly partitionCount: number
  readonly backupCount: number
  readonly suspicionTimeoutMs: number
  /** Entries that are written. */
  readonly writes: number
  /** Milliseconds over which they are spread, about: as long as all steps but the first take. */
  readonly writingMs: number
  /** Milliseconds for the first start of all nodes together. */
  readonly formWithinMs: number
  /** Milliseconds for each later step. */
  readonly stepWithinMs: number
  /** Milliseconds for the writes that are left after the last step, and for reading all back. */
  readonly finishWithinMs: number
}

export const defaults: DemoOptions = {
  nodes: ["n1", "n2", "n3", "n4"],
  joiner: "n5",
  partitionCount: 271,
  backupCount: 1,
  suspicionTimeoutMs: 2500,
  writes: 100_000,
  writingMs: 13_000,
  formWithinMs: 60_000,
  stepWithinMs: 60_000,
  finishWithinMs: 60_000
}

/** All nodes that the demo ever starts. */
export const allNodes = ({ joiner, nodes }: DemoOptions): ReadonlyArray<NodeId> => [...nodes, joiner]

/** Writes through the nodes of the fleet, as many as the demo wants. */
export const writerFor = (
  { partitionCount, writes, writingMs }: DemoOptions,
  fleet: Fleet.Fleet
): Effect.Effect<Writer.Writer> =>
  Writer.make({ writes, partitionCount, writesPerSecond: (writes * 1000) / writingMs }, fleet)

/** Share of the writes that each step still to come is sure of, if those before take longer than expected. */
const reservedShare = 0.04

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
const without = (nodes: ReadonlyArray<NodeId>, nodeId: NodeId): ReadonlyArray<NodeId> =>
  nodes.filter((other) => other !== nodeId)
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
  /** What became of the writes so far. */
  readonly writes: Effect.Effect<WritesResult>
  /** All steps; for one run. */
  readonly play: Effect.Effect<void, StepFailed>
  /** The current step, failed for this reason. */
  readonly failure: (reason: string) => Effect.Effect<StepFailed>
}

/** The demo on a fleet without running nodes, shown on a display. */
export const make = Effect.fnUntraced(function* (
  options: DemoOptions,
  fleet: Fleet.Fleet,
  writer: Writer.Writer,
  display: Display
) {
  const { books } = writer
  const verdict = yield* Ref.make<Writer.Verdict | undefined>(undefined)
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
    const acknowledgedBefore = books.acknowledged()
    books.takeGapMs(startMs)
    const expected: Expected = { live: step.live, partitionCount, backupCount }
    const remaining = Effect.map(Fleet.nowMs, (nowMs) => Math.max(1, startMs + step.withinMs - nowMs))
    const faultMs = yield* step.act
    const owners = yield* fleet.until((state) => unpromoted(FleetState.reports(state), expected), yield* remaining)
    const settled = yield* fleet.until((state) => unsettled(FleetState.reports(state), expected), yield* remaining)

    const reports = FleetState.reports(settled)
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
      masterId: Option.getOrElse(commonMaster(reports, step.live), () => ""),
      owned: ownedCounts(placement, step.live).map((count, i) => [step.live[i] ?? "", count] as const),
      acknowledged: books.acknowledged() - acknowledgedBefore,
      gapMs: books.takeGapMs(yield* Fleet.nowMs)
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

  const all = allNodes(options)

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
    live: without(options.nodes, victim),
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

  const join: Step = {
    name: "join",
    title: `starts ${options.joiner}`,
    withinMs: options.stepWithinMs,
    live: all,
    act: fleet.start(options.joiner).pipe(noFault),
    tell: ({ result }) =>
      `${options.joiner} is a member; ${result.ownersMoved} partitions moved with their entries: ${spreadOf(result)}`
  }

  const freeze = (victim: NodeId): Step => ({
    name: "freeze",
    title: `SIGSTOP to ${victim}: it stands still`,
    withinMs: options.stepWithinMs,
    live: without(all, victim),
    act: Effect.map(fleet.freeze(victim), isFault),
    tell: ({ before, result }) => {
      const stuck = before.filter((row) => row?.owner === victim).length
      const after = duration(result.promotedMs ?? 0)
      return `${victim} was silent and put out: its ${stuck} partitions have living owners after ${after}; ${spreadOf(result)}`
    }
  })

  const thaw = (nodeId: NodeId): Step => ({
    name: "thaw",
    title: `SIGCONT to ${nodeId}: it finds out, and joins again`,
    withinMs: options.stepWithinMs,
    live: all,
    act: fleet.thaw(nodeId).pipe(noFault),
    tell: ({ result }) =>
      `${nodeId} is a member again, ${result.masterId} is master; ${result.ownersMoved} partitions moved: ${spreadOf(result)}`
  })

  const leave = (leaver: NodeId): Step => ({
    name: "leave",
    title: `SIGTERM to ${leaver}: it leaves in good order`,
    withinMs: options.stepWithinMs,
    live: without(all, leaver),
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

  const [first = "", last = first] = [options.nodes[0], options.nodes.at(-1)]
  const lastBut = (nodeId: NodeId): NodeId => without(options.nodes, nodeId).at(-1) ?? last
  const firstBut = (nodeId: NodeId): NodeId => without(options.nodes, nodeId)[0] ?? first

  // So that there is something to write in every step, however long the others take.
  let stepsToCome = 8
  const next = (step: Step) =>
    writer.upTo(Math.ceil(options.writes * (1 - reservedShare * --stepsToCome))).pipe(Effect.andThen(play(step)))

  const verify = Effect.gen(function* () {
    yield* Ref.set(current, "verify")
    yield* display.started("verify", "writes what is left, and reads every key back through random nodes")
    const startMs = yield* Fleet.nowMs
    yield* writer.finish(options.finishWithinMs)
    const left = options.writes - books.acknowledged() - books.unknown()
    if (left > 0) return yield* yield* failure(`${left} writes got no outcome`)
    const found = yield* writer.verify(options.finishWithinMs)
    yield* Ref.set(verdict, found)
    const examples = found.examples.map((example) => `; ${example}`).join("")
    if (found.lost > 0) {
      return yield* yield* failure(`an acknowledged write was not found under ${found.lost} keys${examples}`)
    }
    if (found.unread > 0) return yield* yield* failure(`${found.unread} keys could not be read${examples}`)
    yield* display.finished(
      { name: "verify", ms: (yield* Fleet.nowMs) - startMs },
      `${grouped(books.acknowledged())} writes were acknowledged; under ${grouped(found.read)} keys none of them is missing`
    )
  })

  const run: DemoRun = {
    results: Ref.get(results),
    writes: Effect.gen(function* () {
      const found = yield* Ref.get(verdict)
      return { ...books.figures(yield* Fleet.nowMs), read: found?.read, lost: found?.lost }
    }),
    failure,
    play: Effect.gen(function* () {
      const formed = yield* play(form)
      const writing = yield* Effect.forkChild(writer.write)
      const victim = lastBut(formed.masterId)
      yield* next(kill("kill", "a member", victim))
      const rejoined = yield* next(restart("rejoin", victim))
      const master = rejoined.masterId
      const took = yield* next(kill("kill-master", "the master", master))
      yield* Ref.set(current, "kill-master")
      if (took.masterId === master) return yield* yield* failure(`${master} is still taken for the master`)
      yield* next(restart("rejoin-master", master))
      const joined = yield* next(join)
      const still = firstBut(joined.masterId)
      yield* next(freeze(still))
      const back = yield* next(thaw(still))
      yield* next(leave(lastBut(back.masterId)))
      yield* verify
      yield* Fiber.interrupt(writing)
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
    ports: new Map(allNodes(options).map((nodeId, i) => [nodeId, given.ports[i] ?? 0])),
    args: [
      "--cluster-id=squadron-demo",
      `--partition-count=${options.partitionCount}`,
      `--backup-count=${options.backupCount}`,
      `--suspicion-timeout-ms=${options.suspicionTimeoutMs}`,
      "--drive"
    ]
  })
