/**
 * The driver: one cell with the protocol state, one outbox that acts on commits in their order, and
 * three fibers that feed it (what the transport reports, the tick, the outbox itself).
 */
import { Cause, Clock, Deferred, Effect, Fiber, Layer, Option, PubSub, Queue, Random, Schedule } from "effect"
import { formatAddress } from "../domain/model/Address.ts"
import type { ClusterChange } from "../domain/model/ClusterChange.ts"
import type { ClusterConfig } from "../domain/model/ClusterConfig.ts"
import type { NodeConfig } from "../domain/model/NodeConfig.ts"
import * as AwakeClock from "../domain/protocol/AwakeClock.ts"
import type { StopReason } from "../domain/protocol/ClusterCommand.ts"
import { type ClusterState, initial } from "../domain/protocol/ClusterState.ts"
import * as Inbound from "../domain/protocol/Inbound.ts"
import * as Leaving from "../domain/protocol/Leaving.ts"
import * as LinkEvents from "../domain/protocol/LinkEvents.ts"
import { tick } from "../domain/protocol/Tick.ts"
import { type Transition, transition } from "../domain/protocol/Transition.ts"
import { isSameSight, sightOf } from "../domain/replication/Sight.ts"
import { AssignmentPlanner } from "../services/AssignmentPlanner.ts"
import { ClusterChannels } from "../services/ClusterChannels.ts"
import { ClusterDriver, type ForwardHandler } from "../services/ClusterDriver.ts"
import { FailureDetector } from "../services/FailureDetector.ts"
import { MonitoringTopology } from "../services/MonitoringTopology.ts"
import { SplitBrainPolicy } from "../services/SplitBrainPolicy.ts"
import { type CloseCause, type ConnectionId, Transport, type TransportEvent } from "../services/Transport.ts"
import { CommitObserver } from "./driver/CommitObserver.ts"
import { DataPlaneHook } from "./driver/DataPlaneHook.ts"
import * as IgnoredInput from "./driver/IgnoredInput.ts"
import * as Interpreter from "./driver/Interpreter.ts"

/** Commits whose commands wait to be executed; then whoever commits waits. */
export const maxWaitingCommits = 16_384

export interface ClusterDriverOptions {
  readonly config: ClusterConfig
  readonly node: NodeConfig
}

const monotonicMs = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6

// Never used before under this node id: the time of the start, and a random part for starts in one millisecond.
const freshIncarnation = Effect.gen(function* () {
  const wallMs = yield* Clock.currentTimeMillis
  const random = yield* Random.nextIntBetween(0, 1024)
  return Math.floor(wallMs) * 1024 + random
})

type LinkEvent = Exclude<TransportEvent, { readonly _tag: "Malformed" }>

const onEvent = (event: LinkEvent): Transition<unknown> =>
  transition((step) => {
    switch (event._tag) {
      case "Accepted":
        return LinkEvents.accepted(step, event.connection)
      case "Dialled":
        return LinkEvents.dialled(step, event.connection, event.address)
      case "DialFailed":
        return LinkEvents.dialFailed(
          step,
          event.address,
          event.refused,
          event.refused ? "refused the connection" : `cannot be reached: ${event.reason}`
        )
      case "Received":
        return Inbound.receive(step, event.connection, event.message)
      case "Closed":
        // What this side closed has left the books already.
        return event.cause === "local" ? undefined : LinkEvents.closed(step, event.connection)
    }
  })

/** Endings that the other side brought about by what it sent, or did not send or read. */
const peerFaults: ReadonlySet<CloseCause> = new Set([
  "frameTooLarge",
  "identifyTimeout",
  "halfFrameTimeout",
  "outboxFull"
])

/** Does a node see its cluster, its own place in it, and who can be reached as before? */
const isSameOutlook = (a: ClusterState, b: ClusterState): boolean =>
  a.phase === b.phase && a.split === b.split && a.self === b.self && a.mesh.links === b.mesh.links

/** Runs the node while the layer lives; at its end the node leaves in good order. */
export const layer = (
  options: ClusterDriverOptions
): Layer.Layer<
  ClusterDriver,
  never,
  Transport | FailureDetector | ClusterChannels | AssignmentPlanner | SplitBrainPolicy
> =>
  Layer.effect(
    ClusterDriver,
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      const transport = yield* Transport
      const detector = yield* FailureDetector
      const observe = yield* CommitObserver
      const data = yield* DataPlaneHook
      const { clusterEvents } = yield* ClusterChannels
      const { node } = options
      let state: ClusterState = initial(
        {
          config: options.config,
          node,
          policy: yield* SplitBrainPolicy,
          topology: yield* MonitoringTopology,
          planner: (yield* AssignmentPlanner).plan,
          carriesData: data !== undefined,
          incarnation: yield* freshIncarnation,
          nowMs: monotonicMs(clock)
        },
        formatAddress(node.advertiseHost, node.clusterPort)
      )
      const outbox = yield* Queue.bounded<ReadonlyArray<Interpreter.Outgoing>>(maxWaitingCommits)
      const stopped = yield* Deferred.make<StopReason>()

      const watchers = new Set<(state: ClusterState) => void>()
      // Commits whose commands have not all been executed.
      let unexecuted = 0
      const commit = <A>(change: Transition<A>): Effect.Effect<A> =>
        Effect.uninterruptible(
          Effect.suspend(() => {
            const before = state
            const [next, answer, decided] = change(before, monotonicMs(clock))
            state = next
            observe?.(before, next, decided.length)
            const isSeen = data === undefined || isSameSight(before, next)
            const commands: ReadonlyArray<Interpreter.Outgoing> = isSeen
              ? decided
              : [{ _tag: "Seen", sight: sightOf(next) }, ...decided]
            // After the commands have their place: whoever watches may commit himself.
            const answered = (): A => {
              if (!isSameOutlook(before, next)) for (const watch of watchers) watch(state)
              return answer
            }
            if (commands.length === 0) return Effect.succeed(answered())
            unexecuted++
            // In the same turn: a fiber may be made to wait between any two steps, and the next commit comes first.
            return Queue.offerUnsafe(outbox, commands)
              ? Effect.succeed(answered())
              : Effect.map(Queue.offer(outbox, commands), answered)
          })
        )

      const forwards = new Map<string, ForwardHandler>()
      const ignore = IgnoredInput.make()
      const execute = yield* Interpreter.make({ read: () => state, commit, stopped, ignore, data, forwards })
      // Where accepted connections came from, to name a peer that misbehaves; as many as are open.
      const remotes = new Map<ConnectionId, string>()
      const remoteOf = (connection: ConnectionId): string => remotes.get(connection) ?? "a dialled node"
      const receive = Effect.fnUntraced(function* (event: TransportEvent) {
        switch (event._tag) {
          case "Accepted":
            remotes.set(event.connection, event.remoteAddress)
            return yield* commit(onEvent(event))
          case "Malformed":
            return yield* ignore({
              message: "malformed",
              from: remoteOf(event.connection),
              reason: "malformed",
              detail: event.error.message
            })
          case "Closed":
            if (peerFaults.has(event.cause)) {
              yield* ignore({
                message: "connection",
                from: remoteOf(event.connection),
                reason: event.cause,
                detail: event.detail
              })
            }
            remotes.delete(event.connection)
            return yield* commit(onEvent(event))
          default:
            return yield* commit(onEvent(event))
        }
      })
      // A defect in one of the driver's fibers is a bug: the node must stop, not go on half alive.
      const forkVital = <R>(work: Effect.Effect<unknown, never, R>) =>
        work.pipe(
          Effect.onError((cause) =>
            Cause.hasInterruptsOnly(cause)
              ? Effect.void
              : Effect.andThen(Effect.logError("the driver failed", cause), Deferred.failCause(stopped, cause))
          ),
          Effect.forkScoped
        )
      if (data !== undefined) {
        const publish = (change: ClusterChange) => Effect.asVoid(PubSub.publish(clusterEvents, change))
        yield* forkVital(yield* data.run({ state, commit, ignore, publish }))
      }
      const executeAll = Effect.fnUntraced(function* (commits: ReadonlyArray<ReadonlyArray<Interpreter.Outgoing>>) {
        for (const commands of commits) {
          for (const command of commands) yield* execute(command)
          unexecuted--
        }
      })
      yield* Queue.takeAll(outbox).pipe(Effect.flatMap(executeAll), Effect.forever, forkVital)
      // What is forwarded to the data plane changes nothing here. It must not overtake what this node has just learned.
      const isHandedOver = (event: TransportEvent): boolean => {
        if (data === undefined || unexecuted > 0) return false
        if (event._tag !== "Received" || event.message.type !== "OP_FORWARD") return false
        if (Option.isSome(event.message.clientId)) return false
        const from = Inbound.forwarder(state, event.connection, event.message)
        if (from === undefined) return false
        data.delivered(from, event.message)
        return true
      }
      const receiveAll = Effect.fnUntraced(function* (events: ReadonlyArray<TransportEvent>) {
        for (const event of events) if (!isHandedOver(event)) yield* receive(event)
      })
      // Heartbeats are heard also while the data plane has more than enough to do.
      const next = Effect.suspend((): Effect.Effect<ReadonlyArray<TransportEvent>> =>
        data === undefined || data.hasRoom() ? transport.receive : transport.receiveUrgent(data.room)
      )
      yield* next.pipe(Effect.flatMap(receiveAll), Effect.forever, forkVital)

      // The detector is asked on the clock that the protocol will read: without this process's stalls.
      const judge = Effect.suspend(() => {
        const { phase, timing } = state
        const [{ awakeMs }] = AwakeClock.advance(state.clock, monotonicMs(clock), timing.tickIntervalMs)
        const members = phase._tag === "Joined" ? phase.view.members : []
        return Effect.filter(members, (member) =>
          Effect.map(detector.isAlive(member.nodeId, awakeMs), (alive) => !alive)
        )
      })
      const beat = Effect.flatMap(judge, (silent) => {
        const suspects = new Set(silent.map((member) => member.nodeId))
        return commit(transition((step) => tick(step, (nodeId) => suspects.has(nodeId))))
      })
      yield* beat.pipe(Effect.repeat(Schedule.fixed(state.timing.tickIntervalMs)), forkVital)

      const leaveMs = node.leaveTimeoutMs + (data === undefined ? 0 : node.drainTimeoutMs)
      yield* Effect.addFinalizer(() =>
        commit(transition(Leaving.begin)).pipe(
          // In a fiber of its own: here the timeout could not end the wait, and an interruption of the scope's
          // fiber would. A driver that failed has been reported already.
          Effect.andThen(Effect.forkDetach(Effect.timeoutOption(Deferred.await(stopped), leaveMs))),
          Effect.flatMap(Fiber.await)
        )
      )
      return ClusterDriver.of({
        state: Effect.sync(() => state),
        commit,
        onForward: (clientId, handler) =>
          Effect.asVoid(
            Effect.acquireRelease(
              Effect.sync(() => forwards.set(clientId, handler)),
              () => Effect.sync(() => forwards.delete(clientId))
            )
          ),
        onChange: (listener) =>
          Effect.asVoid(
            Effect.acquireRelease(
              Effect.sync(() => watchers.add(listener)),
              () => Effect.sync(() => watchers.delete(listener))
            )
          ),
        stopped: Deferred.await(stopped)
      })
    })
  )
