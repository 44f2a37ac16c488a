/** The life of one node as a process: join, serve, leave. */
import { Effect, Fiber, Layer, Option, type Scope, Stdio, Stream } from "effect"
import type { ClusterConfig } from "../../domain/model/ClusterConfig.ts"
import type { InvalidConfig } from "../../domain/model/InvalidConfig.ts"
import type { NodeConfig } from "../../domain/model/NodeConfig.ts"
import type { StopReason } from "../../domain/protocol/ClusterCommand.ts"
import type { QuorumPolicy } from "../../domain/protocol/Quorum.ts"
import type { ClusterServices } from "../../layers/Cluster.ts"
import * as HeapGrowth from "../../layers/HeapGrowth.ts"
import * as NodeCluster from "../../layers/NodeCluster.ts"
import * as PartitionStoreMemory from "../../layers/PartitionStoreMemory.ts"
import type { TransportBindError } from "../../layers/transport/TransportBindError.ts"
import type { JoinFailed } from "../../services/ClusterErrors.ts"
import type { MapStore } from "../../services/MapStore.ts"
import { ClusterService } from "../../services/ClusterService.ts"
import { Transport } from "../../services/Transport.ts"
import { CommandFailed } from "../Failure.ts"
import { exitCodeOf, Signals } from "../Signals.ts"
import * as Driven from "./Driven.ts"
import * as Logs from "./Logs.ts"
import * as Reporter from "./Reporter.ts"

/** Where a node keeps the data of its partitions. */
export type NodeStore = Layer.Layer<MapStore, CommandFailed>

export interface NodeProgram {
  readonly config: ClusterConfig
  readonly node: NodeConfig
  readonly policy: QuorumPolicy
  /** Without one the node keeps no data. */
  readonly store: NodeStore | undefined
  readonly copyBytesPerSecond: number
  readonly report: boolean
  readonly stopWithStdin: boolean
  /** Carries out operations that come in on stdin; without a store it keeps their data in memory. */
  readonly drive: boolean
}

const failureOf = (nodeId: string, reason: StopReason): Effect.Effect<void, CommandFailed> => {
  const fail = (why: string) => Effect.fail(new CommandFailed({ message: `"${nodeId}" stops: ${why}`, exitCode: 1 }))
  switch (reason._tag) {
    case "Left":
      return Effect.void
    case "JoinRefused":
      return fail(`${reason.by} refuses it: ${reason.reason}`)
    case "NoClusterFound":
      return fail(`it found no cluster: ${reason.reason}`)
  }
}

const stdinEnds = Effect.gen(function* () {
  const { stdin } = yield* Stdio.Stdio
  // An input that breaks has ended too.
  yield* Effect.exit(Stream.runDrain(stdin))
})

// Whoever asks twice does not want to wait for the good leave.
const leaveAtOnce = Effect.gen(function* () {
  const signal = yield* (yield* Signals).next
  yield* Effect.logWarning(`${signal} again: ends at once, without leaving`)
  yield* Effect.sync(() => process.exit(exitCodeOf(signal)))
})

/** Completes when a signal, or the end of stdin, asks the node to go. */
const asked = (
  program: NodeProgram,
  stdinEnds: Effect.Effect<void, never, Stdio.Stdio>
): Effect.Effect<void, never, Signals | Stdio.Stdio> =>
  Effect.gen(function* () {
    const signals = yield* Signals
    const why = yield* program.stopWithStdin
      ? Effect.raceFirst(signals.next, Effect.as(stdinEnds, "stdin has ended"))
      : signals.next
    yield* Effect.logInfo(`${why}: leaves`)
    yield* Effect.forkDetach(leaveAtOnce)
  })

// Serves until the node stops by itself or has left because it was asked to.
const serve = Effect.fnUntraced(function* <R>(
  program: NodeProgram,
  stop: Effect.Effect<void>,
  also: Effect.Effect<void, never, R>
) {
  const { nodeId } = program.node
  const cluster = yield* ClusterService
  const { localAddress } = yield* Transport
  const view = yield* cluster.membersView
  yield* Effect.logInfo(`"${nodeId}" listens on ${localAddress}, in a cluster of ${view.members.length}`)
  if (program.report) yield* Effect.forkScoped(Reporter.run)
  yield* Effect.forkScoped(also)
  // The leave runs to its end in here: closing the layer while it is interrupted would not wait for it.
  yield* Effect.forkScoped(Effect.andThen(stop, cluster.leave))
  const reason = yield* cluster.stopped
  yield* failureOf(nodeId, reason)
})

type Failure = InvalidConfig | JoinFailed | TransportBindError

const runWith = Effect.fnUntraced(function* <R, E>(
  program: NodeProgram,
  stdinEnds: Effect.Effect<void, never, Stdio.Stdio>,
  layer: Layer.Layer<ClusterServices | Transport | R, E>,
  also: Effect.Effect<void, never, R | ClusterServices>
) {
  const stop = Fiber.join(yield* Effect.forkScoped(asked(program, stdinEnds)))
  // Asked while it still looks for a cluster, there is nothing to leave.
  const built = yield* Effect.raceFirst(Effect.asSome(Layer.build(layer)), Effect.as(stop, Option.none()))
  if (Option.isSome(built)) yield* Effect.provideContext(serve(program, stop, also), built.value)
})

const start = (
  program: NodeProgram
): Effect.Effect<void, CommandFailed | Failure, Signals | Stdio.Stdio | Scope.Scope> => {
  const { config, copyBytesPerSecond, drive, node, policy } = program
  const settings = { config, node, policy }
  if (program.store === undefined && !drive) {
    return runWith(program, stdinEnds, NodeCluster.layer(settings), Effect.void)
  }
  const store = program.store ?? PartitionStoreMemory.layer()
  const layer = NodeCluster.layer({ ...settings, store, settings: { copyBytesPerSecond } })
  if (!drive) return runWith(program, stdinEnds, layer, Effect.void)
  return Effect.flatMap(Driven.read, (input) =>
    // The same layer is built once: who drives the node looks into the store that the node has.
    runWith(program, input.ended, Layer.merge(layer, store), Driven.run(input))
  )
}

/** Runs the node until it is asked to stop; completes when it has left, fails when it cannot join or go on. */
export const runNode = (program: NodeProgram): Effect.Effect<void, CommandFailed | Failure, Signals | Stdio.Stdio> =>
  start(program).pipe(Effect.scoped, Effect.provide(Layer.merge(Logs.layer(program.node.nodeId), HeapGrowth.layer())))
