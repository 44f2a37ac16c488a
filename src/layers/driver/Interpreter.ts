/** Acts on what transitions decide: sends, dials, tells the detector, publishes, logs. */
import { Clock, Deferred, Effect, FiberSet, Option, PubSub, Queue, Random, SubscriptionRef } from "effect"
import type { MembersView } from "../../domain/model/MembersView.ts"
import { type ClusterCommand, isUrgent, type StopReason } from "../../domain/protocol/ClusterCommand.ts"
import type { ClusterState } from "../../domain/protocol/ClusterState.ts"
import * as LinkEvents from "../../domain/protocol/LinkEvents.ts"
import { redialDelayMs } from "../../domain/protocol/Redial.ts"
import { type Transition, transition } from "../../domain/protocol/Transition.ts"
import type { ClusterMessage } from "../../domain/wire/ClusterMessage.ts"
import { ClusterChannels } from "../../services/ClusterChannels.ts"
import type { ForwardHandler } from "../../services/ClusterDriver.ts"
import { FailureDetector } from "../../services/FailureDetector.ts"
import type { Sight } from "../../domain/replication/Sight.ts"
import { Transport } from "../../services/Transport.ts"
import type { DataPlaneHook } from "./DataPlaneHook.ts"
import * as IgnoredInput from "./IgnoredInput.ts"

export interface Cell {
  readonly read: () => ClusterState
  readonly commit: <A>(transition: Transition<A>) => Effect.Effect<A>
  readonly stopped: Deferred.Deferred<StopReason>
  readonly ignore: (ignored: IgnoredInput.Ignored) => Effect.Effect<void>
  /** Of a node that keeps data. */
  readonly data: DataPlaneHook | undefined
  /** By the `clientId` of forwarded operations. */
  readonly forwards: ReadonlyMap<string, ForwardHandler>
}

/** What comes out of a commit, in its order: before its commands, that the node sees its cluster differently. */
export type Outgoing = ClusterCommand | { readonly _tag: "Seen"; readonly sight: Sight }

/** The view of a joined node, or the empty one. */
export const viewOf = ({ phase }: ClusterState): MembersView =>
  phase._tag === "Joined" ? { version: phase.view.version, members: phase.view.members } : { version: 0, members: [] }

// A node without a view is settled too: it has none. The version after an unsettled one is published when it settles.
const isSettled = ({ phase }: ClusterState): boolean => phase._tag === "Fresh" || phase.settled

/** The wall clock is read here, when a message leaves, and nowhere in the protocol. */
const stamp = (message: ClusterMessage, wallMs: number): ClusterMessage => {
  if (message.type === "HEARTBEAT") return { ...message, timestampMs: wallMs }
  if (message.type === "MEMBERS_UPDATE") return { ...message, clusterTimeMs: wallMs }
  return message
}

const log = (level: "debug" | "info" | "warn", text: string): Effect.Effect<void> => {
  switch (level) {
    case "debug":
      return Effect.logDebug(text)
    case "info":
      return Effect.logInfo(text)
    case "warn":
      return Effect.logWarning(text)
  }
}

const isForData = (message: ClusterMessage): boolean =>
  message.type === "OP_FORWARD" ? Option.isNone(message.clientId) : message.type.startsWith("MIGRATE_")

/** An interpreter of one node's commands. Commands are executed in order; none waits for the network. */
export const make = Effect.fnUntraced(function* (cell: Cell) {
  const transport = yield* Transport
  const detector = yield* FailureDetector
  const channels = yield* ClusterChannels
  // Waiting dials: at most as many as the protocol keeps books of.
  const dials = yield* FiberSet.make<void>()

  const dial = Effect.fnUntraced(function* (address: string, attempt: number) {
    if (attempt > 0) {
      const { redialMaxMs, redialMinMs } = cell.read().node
      const random = yield* Random.next
      yield* Effect.sleep(redialDelayMs(attempt - 1, random, { minMs: redialMinMs, maxMs: redialMaxMs }))
    }
    yield* transport
      .dial(address)
      .pipe(
        Effect.catchTag("TooManyDials", (error) =>
          cell.commit(transition((step) => LinkEvents.dialFailed(step, address, false, error.message)))
        )
      )
  })

  return Effect.fnUntraced(function* (command: Outgoing) {
    switch (command._tag) {
      case "Seen":
        return cell.data?.seen(command.sight)
      case "Send": {
        const wallMs = yield* Clock.currentTimeMillis
        const { message } = command
        return yield* transport
          .send(command.connection, stamp(message, wallMs), isUrgent(message) ? "urgent" : "normal")
          .pipe(
            Effect.catchTag("FrameTooLarge", (error) => Effect.logError(`${message.type} not sent: ${error.message}`))
          )
      }
      case "Dial":
        // Forked: it waits, and its failure commits again.
        return yield* FiberSet.run(dials, dial(command.address, command.attempt)).pipe(Effect.asVoid)
      case "Identify":
        return yield* transport.identify(command.connection)
      case "Close":
        yield* Effect.logDebug(`closes connection ${command.connection}: ${command.why}`)
        return yield* transport.close(command.connection)
      case "DetectorHeartbeat":
        return yield* detector.heartbeat(command.nodeId, command.atMs)
      case "DetectorRemove":
        return yield* detector.remove(command.nodeId)
      case "Publish":
        if (isSettled(cell.read())) yield* SubscriptionRef.set(channels.membershipChanges, viewOf(cell.read()))
        return yield* PubSub.publishAll(channels.clusterEvents, command.changes).pipe(Effect.asVoid)
      case "Deliver": {
        const { from, isMember, message } = command
        const forward = message.type === "OP_FORWARD" ? Option.getOrUndefined(message.clientId) : undefined
        const handler = forward === undefined ? undefined : cell.forwards.get(forward)
        if (message.type === "OP_FORWARD" && handler !== undefined) return handler(from, message, isMember)
        if (cell.data !== undefined && isForData(message)) {
          return cell.data.delivered(from, message)
        }
        if (!isMember) return yield* cell.ignore({ message: message.type, from, reason: "notMember" })
        return yield* Queue.offer(channels.inboundMessages, { senderNodeId: from, message }).pipe(Effect.asVoid)
      }
      case "Note":
        return yield* log(command.level, command.text)
      case "Ignored":
        return yield* cell.ignore(command)
      case "Stop":
        return yield* Deferred.succeed(cell.stopped, command.reason).pipe(Effect.asVoid)
    }
  })
})
