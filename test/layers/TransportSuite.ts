/**
 * The contract of `Transport`, run against every layer that implements it. Time is virtual in all of
 * these tests, also where sockets are real: a deadline passes only when a test moves the clock.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, type Scope } from "effect"
import { TestClock } from "effect/testing"
import type { ClusterMessage } from "../../src/domain/wire/ClusterMessage.ts"
import { type ConnectionId, TooManyDials, type Transport, type TransportEvent } from "../../src/services/Transport.ts"
import { TransportLimits } from "../../src/services/TransportLimits.ts"

export type TransportShape = Transport["Service"]

/** Starts a transport for the time of the scope. */
export type Start = (limits?: Partial<TransportLimits>) => Effect.Effect<TransportShape, unknown, Scope.Scope>

/** A transport whose events can be waited for one kind at a time. */
export interface Probe {
  readonly transport: TransportShape
  /** Everything received so far and not asked for, in order. */
  readonly pending: Array<TransportEvent>
  /** Waits for the next event of a kind, keeping the others. */
  readonly next: <Tag extends TransportEvent["_tag"]>(
    tag: Tag,
    connection?: ConnectionId
  ) => Effect.Effect<Extract<TransportEvent, { readonly _tag: Tag }>>
}

const isOf = <Tag extends TransportEvent["_tag"]>(
  event: TransportEvent,
  tag: Tag
): event is Extract<TransportEvent, { readonly _tag: Tag }> => event._tag === tag

export const makeProbe = (transport: TransportShape): Probe => {
  const pending: Array<TransportEvent> = []
  const next: Probe["next"] = (tag, connection) =>
    Effect.gen(function* () {
      while (true) {
        for (const [index, event] of pending.entries()) {
          if (!isOf(event, tag)) continue
          if (connection !== undefined && (!("connection" in event) || event.connection !== connection)) continue
          pending.splice(index, 1)
          return event
        }
        pending.push(...(yield* transport.receive))
      }
    })
  return { transport, pending, next }
}

export const heartbeat = (sequence: number, suspectedNodes: ReadonlyArray<string> = []): ClusterMessage => ({
  type: "HEARTBEAT",
  senderId: "a",
  timestampMs: sequence,
  membersViewVersion: 1,
  suspectedNodes
})

export const sequenceOf = (message: ClusterMessage): number =>
  message.type === "HEARTBEAT" ? message.timestampMs : Number.NaN

/** Waits until a condition on a transport holds. Other fibers and I/O go on meanwhile; the test's time limit ends it. */
export const until = (condition: Effect.Effect<boolean>): Effect.Effect<void> =>
  condition.pipe(Effect.flatMap((holds) => (holds ? Effect.void : Effect.andThen(nextTurn, until(condition)))))

/** Lets all I/O and fibers that are ready go on. */
export const nextTurn = Effect.callback<void>((resume) => {
  const immediate = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(immediate))
})

/** Two connected transports, `a` having dialled `b`. */
const connected = Effect.fnUntraced(function* (
  start: Start,
  limits: { readonly a?: Partial<TransportLimits>; readonly b?: Partial<TransportLimits> } = {}
) {
  const a = makeProbe(yield* start(limits.a))
  const b = makeProbe(yield* start(limits.b))
  yield* a.transport.dial(b.transport.localAddress)
  const near = (yield* a.next("Dialled")).connection
  const far = (yield* b.next("Accepted")).connection
  return { a, b, near, far }
})

/** The same, after the first message, which identifies the dialling side. */
export const identified = Effect.fnUntraced(function* (
  start: Start,
  limits: { readonly a?: Partial<TransportLimits>; readonly b?: Partial<TransportLimits> } = {}
) {
  const both = yield* connected(start, limits)
  yield* both.a.transport.send(both.near, heartbeat(0))
  yield* both.b.next("Received")
  yield* both.b.transport.identify(both.far)
  return both
})

export const transportSuite = (name: string, start: Start): void => {
  describe(`the contract of Transport, by ${name}`, () => {
    it.effect("a dial is reported on both sides, with addresses", () =>
      Effect.gen(function* () {
        const a = makeProbe(yield* start())
        const b = makeProbe(yield* start())
        yield* a.transport.dial(b.transport.localAddress)
        assert.strictEqual((yield* a.next("Dialled")).address, b.transport.localAddress)
        assert.match((yield* b.next("Accepted")).remoteAddress, /^.+:\d+$/)
        assert.strictEqual((yield* a.transport.counters).dialled, 1)
        assert.strictEqual((yield* b.transport.counters).accepted, 1)
      }).pipe(Effect.scoped)
    )

    it.effect("messages arrive whole and in order, in both directions", () =>
      Effect.gen(function* () {
        const { a, b, near, far } = yield* identified(start)
        for (let sequence = 0; sequence < 1000; sequence++) {
          yield* a.transport.send(near, heartbeat(sequence, ["ü", "b"]))
          yield* b.transport.send(far, heartbeat(10_000 + sequence))
        }
        for (let sequence = 0; sequence < 1000; sequence++) {
          assert.deepStrictEqual((yield* b.next("Received")).message, heartbeat(sequence, ["ü", "b"]))
          assert.strictEqual(sequenceOf((yield* a.next("Received")).message), 10_000 + sequence)
        }
      }).pipe(Effect.scoped)
    )

    it.effect("each priority keeps its order when both are mixed", () =>
      Effect.gen(function* () {
        const { a, b, near } = yield* identified(start)
        for (let sequence = 0; sequence < 500; sequence++) {
          yield* a.transport.send(near, heartbeat(sequence), sequence % 3 === 0 ? "urgent" : "normal")
        }
        const received: Array<number> = []
        while (received.length < 500) received.push(sequenceOf((yield* b.next("Received")).message))
        const urgent = received.filter((sequence) => sequence % 3 === 0)
        const normal = received.filter((sequence) => sequence % 3 !== 0)
        assert.deepStrictEqual(
          urgent,
          urgent.toSorted((x, y) => x - y)
        )
        assert.deepStrictEqual(
          normal,
          normal.toSorted((x, y) => x - y)
        )
        assert.strictEqual(new Set(received).size, 500)
      }).pipe(Effect.scoped)
    )

    it.effect("a dial to an address where nobody listens is refused", () =>
      Effect.gen(function* () {
        const a = makeProbe(yield* start())
        const gone = yield* Effect.scoped(Effect.map(start(), (transport) => transport.localAddress))
        yield* a.transport.dial(gone)
        const failed = yield* a.next("DialFailed")
        assert.deepInclude(failed, { address: gone, refused: true })
        assert.strictEqual((yield* a.transport.counters).dialsFailed, 1)
      }).pipe(Effect.scoped)
    )

    it.effect("a local close sends what is queued, then ends both sides", () =>
      Effect.gen(function* () {
        const { a, b, near, far } = yield* identified(start)
        for (let sequence = 0; sequence < 2000; sequence++) yield* a.transport.send(near, heartbeat(sequence))
        yield* a.transport.close(near)
        for (let sequence = 0; sequence < 2000; sequence++) {
          assert.strictEqual(sequenceOf((yield* b.next("Received")).message), sequence)
        }
        assert.strictEqual((yield* b.next("Closed", far)).cause, "fin")
        assert.strictEqual((yield* a.next("Closed", near)).cause, "local")
        assert.strictEqual((yield* a.transport.counters).connections, 0)
        assert.strictEqual((yield* b.transport.counters).connections, 0)
      }).pipe(Effect.scoped)
    )

    it.effect("a connection ends once, whatever follows", () =>
      Effect.gen(function* () {
        const { a, b, near, far } = yield* identified(start)
        yield* a.transport.close(near)
        yield* a.transport.close(near)
        yield* b.transport.close(far)
        yield* a.next("Closed", near)
        yield* b.next("Closed", far)
        yield* a.transport.send(near, heartbeat(1))
        yield* a.transport.close(near)
        yield* a.transport.identify(near)
        yield* a.transport.awaitRoom(near)
        assert.strictEqual((yield* a.transport.counters).dropped, 1)
        // A further connection's events come after anything that the calls above could have caused.
        yield* a.transport.dial(b.transport.localAddress)
        assert.isAbove((yield* a.next("Dialled")).connection, near)
        assert.deepStrictEqual(a.pending, [])
      }).pipe(Effect.scoped)
    )

    it.effect("when a transport ends, its peers get what was queued, and then see fin", () =>
      Effect.gen(function* () {
        const a = makeProbe(yield* start())
        const connection = yield* Effect.scoped(
          Effect.gen(function* () {
            const b = makeProbe(yield* start())
            yield* a.transport.dial(b.transport.localAddress)
            const far = (yield* b.next("Accepted")).connection
            for (let sequence = 0; sequence < 1000; sequence++) yield* b.transport.send(far, heartbeat(sequence))
            return (yield* a.next("Dialled")).connection
          })
        )
        for (let sequence = 0; sequence < 1000; sequence++) {
          assert.strictEqual(sequenceOf((yield* a.next("Received", connection)).message), sequence)
        }
        assert.strictEqual((yield* a.next("Closed", connection)).cause, "fin")
      }).pipe(Effect.scoped)
    )

    it.effect("an unidentified connection gets one message through, the rest after identification", () =>
      Effect.gen(function* () {
        const { a, b, near, far } = yield* connected(start)
        for (let sequence = 0; sequence < 10; sequence++) yield* a.transport.send(near, heartbeat(sequence))
        assert.strictEqual(sequenceOf((yield* b.next("Received")).message), 0)
        yield* until(Effect.map(a.transport.counters, (counters) => counters.framesOut > 0))
        assert.deepStrictEqual(b.pending, [])
        assert.strictEqual((yield* b.transport.counters).framesIn, 1)
        assert.strictEqual((yield* b.transport.counters).unidentified, 1)
        yield* b.transport.identify(far)
        for (let sequence = 1; sequence < 10; sequence++) {
          assert.strictEqual(sequenceOf((yield* b.next("Received")).message), sequence)
        }
        assert.strictEqual((yield* b.transport.counters).unidentified, 0)
      }).pipe(Effect.scoped)
    )

    it.effect("an accepted connection that is never identified is closed at its deadline", () =>
      Effect.gen(function* () {
        const { a, b, near, far } = yield* connected(start)
        yield* TestClock.adjust(TransportLimits.defaults.identifyTimeoutMs - 1)
        assert.strictEqual((yield* b.transport.counters).connections, 1)
        yield* TestClock.adjust(1)
        assert.strictEqual((yield* b.next("Closed", far)).cause, "identifyTimeout")
        yield* a.next("Closed", near)
        assert.deepInclude(yield* b.transport.counters, { identifyTimeout: 1, unidentified: 0, connections: 0 })
      }).pipe(Effect.scoped)
    )

    it.effect("an identified connection lives on past the deadline, and so does a silent dialled one", () =>
      Effect.gen(function* () {
        const { a, b, near, far } = yield* identified(start)
        yield* TestClock.adjust("1 hour")
        yield* b.transport.send(far, heartbeat(7))
        assert.strictEqual(sequenceOf((yield* a.next("Received", near)).message), 7)
        yield* a.transport.send(near, heartbeat(8))
        assert.strictEqual(sequenceOf((yield* b.next("Received", far)).message), 8)
      }).pipe(Effect.scoped)
    )

    it.effect("too many unidentified connections: a further one is closed at once, and counted", () =>
      Effect.gen(function* () {
        const a = makeProbe(yield* start())
        const b = makeProbe(yield* start({ maxUnidentifiedConnections: 2 }))
        const dial = Effect.gen(function* () {
          yield* a.transport.dial(b.transport.localAddress)
          return (yield* a.next("Dialled")).connection
        })
        yield* dial
        const first = yield* b.next("Accepted")
        yield* dial
        yield* b.next("Accepted")
        const third = yield* dial
        yield* a.next("Closed", third)
        assert.deepInclude(yield* b.transport.counters, { refused: 1, accepted: 2, unidentified: 2 })
        yield* b.transport.identify(first.connection)
        yield* dial
        yield* b.next("Accepted")
        assert.deepInclude(yield* b.transport.counters, { refused: 1, accepted: 3, unidentified: 2 })
      }).pipe(Effect.scoped)
    )

    it.effect("an outbox that is full closes the connection, and is counted", () =>
      Effect.gen(function* () {
        const { a, near } = yield* identified(start, { a: { maxOutboxMessages: 100 }, b: { maxInboxEvents: 10 } })
        for (let sequence = 0; sequence < 200; sequence++) yield* a.transport.send(near, heartbeat(sequence))
        const { cause, detail } = yield* a.next("Closed", near)
        assert.strictEqual(cause, "outboxFull")
        assert.match(detail, /^100 messages/)
        const counters = yield* a.transport.counters
        assert.deepInclude(counters, { outboxFull: 1, connections: 0 })
        assert.isAtLeast(counters.dropped, 80)
      }).pipe(Effect.scoped)
    )

    it.effect("a sender that waits for room is never cut off, however slowly the peer reads", () =>
      Effect.gen(function* () {
        const { a, b, near } = yield* identified(start, { a: { maxOutboxMessages: 20 }, b: { maxInboxEvents: 5 } })
        const count = 3000
        const sender = yield* Effect.forkChild(
          Effect.gen(function* () {
            for (let sequence = 0; sequence < count; sequence++) {
              yield* a.transport.awaitRoom(near)
              yield* a.transport.send(near, heartbeat(sequence))
            }
          })
        )
        for (let sequence = 0; sequence < count; sequence++) {
          assert.strictEqual(sequenceOf((yield* b.next("Received")).message), sequence)
        }
        yield* Fiber.join(sender)
        assert.strictEqual((yield* a.transport.counters).outboxFull, 0)
      }).pipe(Effect.scoped)
    )

    it.effect("dials in progress are bounded", () =>
      Effect.gen(function* () {
        const a = makeProbe(yield* start({ maxConcurrentDials: 2, maxInboxEvents: 1 }))
        const b = makeProbe(yield* start())
        // The outcomes find room for one event only: the others hold their places.
        const dial = a.transport.dial(b.transport.localAddress)
        const outcome = yield* Effect.forEach(Array.from({ length: 4 }), () => Effect.result(dial)).pipe(
          Effect.map((results) => results.filter((result) => result._tag === "Failure"))
        )
        assert.isAtLeast(outcome.length, 1)
        assert.instanceOf(outcome[0]?.failure, TooManyDials)
        yield* a.next("Dialled")
        yield* a.next("Dialled")
        yield* until(Effect.map(Effect.result(dial), (result) => result._tag === "Success"))
        yield* a.next("Dialled")
      }).pipe(Effect.scoped)
    )
  })
}
