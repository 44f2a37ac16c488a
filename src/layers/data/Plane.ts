/**
 * The interpreter of a node's data plane: one queue of events, one fiber that handles them, and what their commands
 * ask for. The fiber never waits for anything but events: the store works in lanes, messages wait for room in senders,
 * and what goes to the kernel goes there by itself. So a batch of events is handled without an effect for each.
 */
import { Clock, Effect, FiberSet, Latch, Result, Schedule } from "effect"
import type { ByteFields } from "../../domain/codec/ClusterMessageCodec.ts"
import { memberOf } from "../../domain/protocol/ClusterView.ts"
import * as Draining from "../../domain/protocol/Draining.ts"
import * as Inbound from "../../domain/protocol/Inbound.ts"
import * as Migrating from "../../domain/protocol/Migrating.ts"
import { transition } from "../../domain/protocol/Transition.ts"
import type { DataCommand, DataEvent, Outcome, StoreResult } from "../../domain/replication/DataCommand.ts"
import { bytesOf, type DataMessage, decodeBundle, type Work } from "../../domain/replication/DataMessage.ts"
import * as DataPlane from "../../domain/replication/DataPlane.ts"
import { type DataSettings, dataSettingsOf } from "../../domain/replication/DataSettings.ts"
import { type DataState, initialData } from "../../domain/replication/DataState.ts"
import { type Sight, sightOf } from "../../domain/replication/Sight.ts"
import type { ClusterMessage } from "../../domain/wire/ClusterMessage.ts"
import type { NodeId } from "../../domain/model/Scalars.ts"
import type { Question } from "../../services/PartitionData.ts"
import type { Transport } from "../../services/Transport.ts"
import type { DataPlaneHook, Kernel } from "../driver/DataPlaneHook.ts"
import { changeOf } from "./Changes.ts"
import * as Senders from "./Senders.ts"
import * as StoreLanes from "./StoreLanes.ts"
import { closeAll, type StoreAccess, storedPartitions } from "./StoreRequests.ts"

/**
 * Events that wait. Beyond, the driver receives only what is urgent, and a client's request is refused as overloaded;
 * what it has received already comes on top. Default 16,384.
 */
export const maxWaitingEvents = 16_384
/** Bytes in the requests of this node's clients that have no answer yet; beyond, they are overloaded. Default 32 MiB. */
export const maxAskedBytes = 32 * 2 ** 20
/** Words to the kernel that wait; further ones are dropped, because they are repeated. */
export const maxWaitingWords = 1024
/** Events handled together, and how many times what has come of them is handled before other fibers have a turn. */
const batch = 256
const maxRounds = 4
/** How often the data plane is told the time. */
const tickMs = 50
/** How long until a store that cannot be read at the start is tried again. */
const reopenMs = 1000

export interface PlaneOptions {
  /** What differs from the defaults. */
  readonly settings: Partial<DataSettings>
  readonly transport: Transport["Service"]
  readonly access: StoreAccess
}

export interface Plane {
  readonly hook: DataPlaneHook
  readonly ask: (question: Question) => Effect.Effect<Outcome>
  /** `undefined` before the driver runs. */
  readonly read: () => DataState | undefined
  /** Bytes that wait for room on connections. */
  readonly sendingBytes: () => number
}

interface Asker {
  readonly answer: (outcome: Outcome) => void
  readonly bytes: number
}

const overloaded = (detail: string): Outcome => ({ _tag: "Refused", reason: "overloaded", detail, copies: 0 })

const bytesOfWork = (work: Work): number => {
  if (work.type === "stamped") return bytesOf({ chunks: [], deltas: work.deltas })
  if (work.type !== "write") return 64
  let bytes = 0
  for (const operation of work.operations) {
    const value = "value" in operation ? operation.value : undefined
    bytes += 64 + operation.key.length + (value?.length ?? 0)
  }
  return bytes
}

/** About what a message takes: its records, and all else. */
const bytesOfMessage = ({ body }: DataMessage): number => {
  switch (body.type) {
    case "request":
      return 128 + bytesOfWork(body.work)
    case "reply":
      return 128 + ("deltas" in body.reply ? bytesOf({ chunks: [], deltas: body.reply.deltas }) : 0)
    case "replicate":
    case "offer":
    case "differences":
    case "fill":
      return 128 + bytesOf(body.content)
    case "nodes":
      return 128 + 8 * body.nodes.length
    case "keys":
      return 128 + 64 * body.keys.length
    default:
      return 128
  }
}

/** Whether a message may be dropped when its connection has no room: it, or the like, is sent again. */
const isRepeated = ({ body: { type } }: DataMessage): boolean => {
  switch (type) {
    case "replicate":
    case "offer":
    case "digests":
    case "nodes":
    case "descend":
    case "keys":
    case "differences":
    case "fill":
      return true
    default:
      return false
  }
}

const sizeOf = (message: ClusterMessage): number =>
  message.type === "MIGRATE_DATA" ? 64 + bytesOf({ chunks: message.mapStates, deltas: message.deltaOps }) : 64

export const make = ({ access, settings, transport }: PlaneOptions): Plane => {
  let events: Array<DataEvent> = []
  let state: DataState | undefined
  let sending: Senders.Senders | undefined
  let lastId = 0
  let askedBytes = 0
  const askers = new Map<number, Asker>()
  // Set when the driver runs, before anything is handed over.
  let onMalformed: ((from: NodeId, detail: string) => void) | undefined
  const filled = Latch.makeUnsafe(false)
  const room = Latch.makeUnsafe(true)

  const feed = (event: DataEvent): void => {
    events.push(event)
    if (events.length >= maxWaitingEvents) room.closeUnsafe()
    filled.openUnsafe()
  }

  const take = (): ReadonlyArray<DataEvent> => {
    const taken = events.length > batch ? events.slice(0, batch) : events
    events = events.length > batch ? events.slice(batch) : []
    return taken
  }

  const ask = (question: Question): Effect.Effect<Outcome> =>
    Effect.callback<Outcome>((resume) => {
      const bytes = bytesOfWork(question.work)
      if (events.length >= maxWaitingEvents || (askedBytes > 0 && askedBytes + bytes > maxAskedBytes)) {
        return resume(Effect.succeed(overloaded(`requests of ${askedBytes} bytes wait for their answers`)))
      }
      const id = ++lastId
      askedBytes += bytes
      askers.set(id, { answer: (outcome) => resume(Effect.succeed(outcome)), bytes })
      feed({ _tag: "Asked", id, ...question })
      return Effect.sync(() => forget(id))
    })

  const forget = (id: number): Asker | undefined => {
    const asker = askers.get(id)
    if (asker === undefined) return undefined
    askers.delete(id)
    askedBytes -= asker.bytes
    return asker
  }

  const run = Effect.fnUntraced(function* (kernel: Kernel) {
    const clock = yield* Clock.Clock
    const nowMs = () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
    const self = kernel.state.self.nodeId
    const current = initialData(dataSettingsOf(kernel.state.config, settings), sightOf(kernel.state), nowMs())
    state = current
    const senders = yield* Senders.make(self, transport)
    sending = senders
    const lanes = yield* StoreLanes.make(access, (token: number, result: StoreResult) =>
      feed({ _tag: "Stored", token, result })
    )
    yield* Effect.addFinalizer(() => closeAll(access))

    // ---- what waits, in fibers of its own -------------------------------------------------------------

    let words: Array<Effect.Effect<unknown>> = []
    const spoken = Latch.makeUnsafe(false)
    const say = (word: Effect.Effect<unknown>): void => {
      if (words.length < maxWaitingWords) words.push(word)
      spoken.openUnsafe()
    }
    const speak = Effect.suspend(() => {
      const taken = words
      words = []
      spoken.closeUnsafe()
      return Effect.forEach(taken, (word) => word, { discard: true })
    })
    yield* spoken.await.pipe(Effect.andThen(speak), Effect.forever, Effect.forkScoped)
    yield* storedPartitions(access.store).pipe(
      Effect.tapError((error) => Effect.logError(`the store cannot be read: ${error.message}`)),
      Effect.retry(Schedule.spaced(reopenMs)),
      Effect.map((partitions) => feed({ _tag: "Opened", partitions })),
      Effect.orDie,
      Effect.forkScoped
    )
    yield* Effect.sync(() => feed({ _tag: "Tick" })).pipe(Effect.repeat(Schedule.fixed(tickMs)), Effect.forkScoped)

    // The data plane asks for one at a time, and for an earlier one now and then.
    const later = yield* FiberSet.runtime(yield* FiberSet.make<void>())()
    const feedWoken = Effect.sync(() => feed({ _tag: "Woken" }))

    // ---- commands -------------------------------------------------------------------------------------

    /** Whoever keeps data takes byte fields as they are; others may be of the reference. */
    const byteFieldsFor = (nodeId: NodeId): ByteFields => {
      const { view } = current.sight
      return view !== undefined && memberOf(view, nodeId)?.carriesData === true ? "bin" : "array"
    }

    const tell = ({ connection, message, partitionId, to }: Extract<DataCommand, { readonly _tag: "Tell" }>): void => {
      let told = message
      if (senders.isFull(connection)) {
        if (isRepeated(message)) return
        const { body } = message
        if (body.type === "reply" && body.reply.type === "value") {
          told = { ...message, body: { ...body, reply: { type: "refused", reason: "overloaded" } } }
        }
      }
      const bytes = bytesOfMessage(told)
      senders.send(connection, { _tag: "Tell", partitionId, message: told, bytes, byteFields: byteFieldsFor(to) })
    }

    const execute = (command: DataCommand): void => {
      switch (command._tag) {
        case "Store":
          return lanes.add(command.partitionId, command.token, command.request)
        case "Tell":
          return tell(command)
        case "Send":
          return senders.send(command.connection, {
            _tag: "Plain",
            message: command.message,
            bytes: sizeOf(command.message),
            byteFields: byteFieldsFor(command.to)
          })
        case "ToMaster":
          return say(kernel.commit(transition((step) => Inbound.onMigration(step, self, command.message))))
        case "Recovered": {
          const { empty, from, partitionIds } = command
          return say(kernel.commit(transition((step) => Migrating.recovered(step, from, partitionIds, empty))))
        }
        case "Holds":
          return say(kernel.commit(transition((step) => Draining.keepsStrays(step, command.strays))))
        case "Answer":
          return forget(command.id)?.answer(command.outcome)
        case "Note":
          return say(
            command.level === "warn"
              ? Effect.logWarning(command.text)
              : command.level === "info"
                ? Effect.logInfo(command.text)
                : Effect.logDebug(command.text)
          )
        case "Wake":
          return void later(Effect.andThen(Effect.sleep(command.afterMs), feedWoken))
        case "Changed":
          return say(kernel.publish(changeOf(self, command.change)))
      }
    }

    // What a store answers at once, and what clients ask for upon an answer, goes out with what it belongs to.
    const handle = (): void => {
      const now = nowMs()
      const wallMs = clock.currentTimeMillisUnsafe()
      for (let round = 0; round < maxRounds && events.length > 0; round++) {
        for (const command of DataPlane.handleAll(current, take(), now, wallMs)) execute(command)
        lanes.start()
      }
      senders.flush()
    }

    onMalformed = (from, detail) => say(kernel.ignore({ message: "OP_FORWARD", from, reason: "malformedData", detail }))

    return Effect.gen(function* () {
      while (true) {
        if (events.length === 0) {
          filled.closeUnsafe()
          yield* filled.await
        }
        // What is added in this turn of the event loop comes along.
        yield* Effect.yieldNow
        handle()
        if (events.length < maxWaitingEvents / 2) room.openUnsafe()
      }
    })
  })

  const delivered = (from: NodeId, message: ClusterMessage): void => {
    if (message.type !== "OP_FORWARD") return feed({ _tag: "Received", from, message })
    const decoded = decodeBundle(message.payload)
    if (Result.isFailure(decoded)) return onMalformed?.(from, decoded.failure.message)
    for (const told of decoded.success) feed({ _tag: "Told", from, message: told })
  }

  return {
    ask,
    read: () => state,
    sendingBytes: () => sending?.bytes() ?? 0,
    hook: {
      run,
      seen: (sight: Sight) => feed({ _tag: "Seen", sight }),
      delivered,
      hasRoom: () => room.isOpen(),
      room: Effect.suspend(() => (room.isOpen() ? Effect.void : room.await))
    }
  }
}
