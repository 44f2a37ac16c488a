/**
 * Node processes on this host and what they report, as one observable value. Every process is killed
 * when the fleet's scope closes.
 */
import { Clock, Effect, Option, Schema, Scope, Stream, SubscriptionRef } from "effect"
import { ChildProcessSpawner } from "effect/process"
import { formatAddress } from "../../domain/model/Address.ts"
import type { NodeId } from "../../domain/model/Scalars.ts"
import { type Answer, fromLine } from "../DriveLine.ts"
import { NodeReport } from "../NodeReport.ts"
import * as FleetState from "./FleetState.ts"
import { readable } from "./LogLine.ts"
import * as NodeProcess from "./NodeProcess.ts"

/** A condition did not come true in time, or could not any more. */
export class Unmet extends Schema.TaggedError<Unmet>()("Unmet", {
  /** What was missing at the end, in words. */
  missing: Schema.Array(Schema.String),
  withinMs: Schema.Number
}) {
  override get message(): string {
    return this.missing.join("; ")
  }
}

export interface FleetOptions {
  /** What each process runs; the arguments of `node` are added to it. */
  readonly program: NodeProcess.Program
  readonly host: string
  /** Cluster port of each node, and with it the fleet's nodes. */
  readonly ports: ReadonlyMap<NodeId, number>
  /** Further arguments of `squadron node` for all nodes. */
  readonly args: ReadonlyArray<string>
}

/** Of nodes that are driven: what they have answered; that a process has ended, after all its answers. */
export type Driven =
  | { readonly _tag: "Answered"; readonly pid: number; readonly answers: ReadonlyArray<Answer> }
  | { readonly _tag: "Ended"; readonly pid: number }

export interface Fleet {
  /** Starts a node that does not run; a restarted one gets its former port. */
  readonly start: (nodeId: NodeId) => Effect.Effect<void, NodeProcess.SpawnFailed>
  /** SIGKILL. The effect's value is the reading of the monotonic clock right before it. */
  readonly kill: (nodeId: NodeId) => Effect.Effect<number>
  /** SIGTERM; completes when the process has ended. */
  readonly leave: (nodeId: NodeId) => Effect.Effect<void>
  /** SIGSTOP, and SIGCONT. The value of the first is the reading of the monotonic clock right before it. */
  readonly freeze: (nodeId: NodeId) => Effect.Effect<number>
  readonly thaw: (nodeId: NodeId) => Effect.Effect<void>
  /** Writes a line to the stdin of this process. False if it is gone or too much waits: then nothing is written. */
  readonly send: (pid: number, line: string) => boolean
  /** Tells the one who drives the nodes; of calls the last counts. */
  readonly onDriven: (listener: (driven: Driven) => Effect.Effect<void>) => void
  readonly state: Effect.Effect<FleetState.FleetState>
  readonly changes: Stream.Stream<FleetState.FleetState>
  /**
   * The first state, this one or a later one, in which nothing is missing. Fails as soon as a process
   * ends that should not, and after `withinMs`.
   */
  readonly until: (
    missing: (state: FleetState.FleetState) => ReadonlyArray<string>,
    withinMs: number
  ) => Effect.Effect<FleetState.FleetState, Unmet>
}

/** Reading of the monotonic clock, milliseconds. */
export const nowMs: Effect.Effect<number> = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)

const nobody = (_driven: Driven): Effect.Effect<void> => Effect.void

const describeCrash = (node: FleetState.NodeSeen): string =>
  `${node.nodeId} ended by itself (${FleetState.describeEnd(node.end)})`

/** A fleet without running nodes. */
export const make = Effect.fnUntraced(function* (
  options: FleetOptions
): Effect.fn.Return<Fleet, never, Scope.Scope | ChildProcessSpawner.ChildProcessSpawner> {
  const scope = yield* Effect.scope
  const spawner = yield* ChildProcessSpawner.ChildProcessSpawner
  const ref = yield* SubscriptionRef.make(FleetState.empty)
  const processes = new Map<NodeId, NodeProcess.NodeProcess>()
  const byPid = new Map<number, NodeProcess.NodeProcess>()
  let tell = nobody
  const seeds = [...options.ports.values()].map((port) => formatAddress(options.host, port)).join(",")

  const update = (
    node: Pick<FleetState.NodeSeen, "nodeId" | "pid">,
    change: (node: FleetState.NodeSeen) => FleetState.NodeSeen
  ): Effect.Effect<void> =>
    Effect.flatMap(nowMs, (atMs) =>
      SubscriptionRef.update(ref, (state) => FleetState.change(state, atMs, node, change))
    )

  const start = Effect.fnUntraced(function* (nodeId: NodeId) {
    const port = options.ports.get(nodeId) ?? 0
    const child = yield* NodeProcess.spawn(options.program, [
      "node",
      `--node-id=${nodeId}`,
      `--host=${options.host}`,
      `--cluster-port=${port}`,
      `--seeds=${seeds}`,
      "--report",
      "--stop-with-stdin",
      ...options.args
    ])
    const identity = { nodeId, pid: child.pid }
    processes.set(nodeId, child)
    byPid.set(child.pid, child)
    const atMs = yield* nowMs
    yield* SubscriptionRef.update(ref, (state) => FleetState.started(state, atMs, nodeId, child.pid))
    yield* child.listen({
      onOutput: (line) => {
        const driven = fromLine(line)
        if (Option.isSome(driven)) {
          const said = driven.value
          if ("answers" in said) return tell({ _tag: "Answered", pid: child.pid, answers: said.answers })
          if ("progress" in said) return update(identity, (node) => FleetState.progressed(node, said.progress))
          return Effect.void
        }
        return Option.match(NodeReport.fromLine(line), {
          onNone: () => update(identity, (node) => FleetState.logged(node, line)),
          onSome: (report) => update(identity, (node) => FleetState.reported(node, report))
        })
      },
      onLog: (line) => update(identity, (node) => FleetState.logged(node, readable(line))),
      onEnd: (code) =>
        update(identity, (node) =>
          FleetState.ended(
            node,
            Option.getOrElse(code, () => "signal")
          )
        ).pipe(
          Effect.andThen(Effect.sync(() => byPid.delete(child.pid))),
          Effect.andThen(tell({ _tag: "Ended", pid: child.pid }))
        )
    })
  })

  // The process gets its signal after everyone knows what will come of it.
  const give = Effect.fnUntraced(function* (
    nodeId: NodeId,
    status: "killed" | "leaving" | "frozen",
    signal: (child: NodeProcess.NodeProcess) => Effect.Effect<void>
  ) {
    const child = processes.get(nodeId)
    if (child === undefined) return yield* nowMs
    yield* update({ nodeId, pid: child.pid }, (node) => ({ ...node, status }))
    const atMs = yield* nowMs
    yield* signal(child)
    return atMs
  })

  const thaw = Effect.fnUntraced(function* (nodeId: NodeId) {
    const child = processes.get(nodeId)
    if (child === undefined) return
    yield* update({ nodeId, pid: child.pid }, (node) => ({ ...node, status: "running" }))
    yield* child.thaw
  })

  const changes = SubscriptionRef.changes(ref)

  const until: Fleet["until"] = (missing, withinMs) =>
    changes.pipe(
      Stream.changesWith(FleetState.isSameSeen),
      Stream.mapEffect((state) => {
        const crashes = FleetState.crashed(state).map(describeCrash)
        if (crashes.length > 0) return Effect.fail(new Unmet({ missing: crashes, withinMs }))
        return Effect.succeed(missing(state).length === 0 ? Option.some(state) : Option.none())
      }),
      Stream.filter(Option.isSome),
      Stream.runHead,
      Effect.map((found) => Option.flatten(found)),
      Effect.timeoutOption(withinMs),
      Effect.flatMap((found) => {
        const state = Option.flatten(found)
        return Option.isSome(state)
          ? Effect.succeed(state.value)
          : Effect.flatMap(SubscriptionRef.get(ref), (last) =>
              Effect.fail(new Unmet({ missing: missing(last), withinMs }))
            )
      })
    )

  return {
    start: (nodeId) =>
      Effect.provideService(start(nodeId), ChildProcessSpawner.ChildProcessSpawner, spawner).pipe(
        Effect.provideService(Scope.Scope, scope)
      ),
    kill: (nodeId) => give(nodeId, "killed", (child) => child.kill),
    leave: (nodeId) => Effect.asVoid(give(nodeId, "leaving", (child) => child.terminate)),
    freeze: (nodeId) => give(nodeId, "frozen", (child) => child.freeze),
    thaw,
    send: (pid, line) => byPid.get(pid)?.send(line) ?? false,
    onDriven: (listener) => {
      tell = listener
    },
    state: SubscriptionRef.get(ref),
    changes,
    until
  }
})
