/** What waits to be received: urgent events are never behind others. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Option } from "effect"
import * as Inbox from "../../src/layers/transport/Inbox.ts"
import type { TransportEvent } from "../../src/services/Transport.ts"
import { heartbeat } from "./TransportSuite.ts"

const limits = { maxInboxEvents: 1000, maxInboxBytes: 1_000_000 }

const urgent = (sequence: number): TransportEvent => ({
  _tag: "Received",
  connection: 1,
  message: heartbeat(sequence),
  payloadBytes: 100
})
const bulk = (sequence: number, payloadBytes = 100): TransportEvent => ({
  _tag: "Received",
  connection: 1,
  message: { type: "MIGRATE_FINALIZE", migrationId: `${sequence}`, partitionId: 0, newOwner: "a" },
  payloadBytes
})
const welcome: TransportEvent = {
  _tag: "Received",
  connection: 1,
  message: {
    type: "JOIN_RESPONSE",
    accepted: true,
    rejectReason: Option.none(),
    rejectCode: Option.none(),
    responderNodeId: Option.some("a"),
    membersView: Option.none(),
    partitionAssignments: Option.none()
  },
  payloadBytes: 100
}
const closed: TransportEvent = { _tag: "Closed", connection: 1, cause: "fin", detail: "" }
const accepted: TransportEvent = { _tag: "Accepted", connection: 2, remoteAddress: "127.0.0.1:1" }

describe("an inbox", () => {
  it.effect("gives what is urgent first, each lane in its order, and of the rest no more than a turn", () =>
    Effect.gen(function* () {
      const inbox = Inbox.make(limits)
      const many = Array.from({ length: Inbox.maxTaken + 10 }, (_, i) => bulk(i))
      yield* inbox.offer([...many, urgent(1), accepted, closed, urgent(2)])
      const taken = yield* inbox.receive
      assert.deepStrictEqual(taken, [urgent(1), accepted, urgent(2), ...many.slice(0, Inbox.maxTaken)])
      yield* inbox.offer([urgent(3)])
      assert.deepStrictEqual(yield* inbox.receive, [urgent(3), ...many.slice(Inbox.maxTaken), closed])
    })
  )

  it.effect("lets nothing of membership overtake another: a heartbeat tells of the view that came before it", () =>
    Effect.gen(function* () {
      const inbox = Inbox.make(limits)
      const events = [bulk(1), welcome, urgent(1), bulk(2)]
      yield* inbox.offer(events)
      assert.deepStrictEqual(yield* inbox.receive, [welcome, urgent(1), bulk(1), bulk(2)])
    })
  )

  it.effect("takes a heartbeat although it is full of bulk data, and whoever has no use for that gets it alone", () =>
    Effect.gen(function* () {
      const inbox = Inbox.make(limits)
      yield* inbox.offer([bulk(1, limits.maxInboxBytes)])
      assert.isFalse(inbox.hasRoom())
      const waiting = yield* Effect.forkChild(inbox.offer([bulk(2)]), { startImmediately: true })
      yield* inbox.offer([urgent(1)])
      assert.deepStrictEqual(yield* inbox.receiveUrgent(Effect.never), [urgent(1)])
      assert.isUndefined(waiting.pollUnsafe())
      const next = yield* Effect.forkChild(inbox.receiveUrgent(Effect.never), { startImmediately: true })
      yield* inbox.offer([urgent(2)])
      assert.deepStrictEqual(yield* Fiber.join(next), [urgent(2)])
      assert.deepStrictEqual(yield* inbox.receiveUrgent(Effect.void), [])
      assert.deepStrictEqual(yield* inbox.receive, [bulk(1, limits.maxInboxBytes)])
      yield* Fiber.join(waiting)
      assert.deepStrictEqual(yield* inbox.receive, [bulk(2)])
    })
  )
})
