import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import * as TransportMemory from "../../src/layers/TransportMemory.ts"
import { Transport } from "../../src/services/Transport.ts"
import type { TransportLimits } from "../../src/services/TransportLimits.ts"
import { heartbeat, identified, makeProbe, sequenceOf, type Start, transportSuite } from "./TransportSuite.ts"

/** Starts nodes of one network at n1:1, n2:2, … */
const makeStart = (network: TransportMemory.MemoryNetwork): Start => {
  let nodes = 0
  return (limits: Partial<TransportLimits> = {}) =>
    Effect.suspend(() => {
      nodes += 1
      return Layer.build(TransportMemory.layer(network, `n${nodes}:${nodes}`, limits))
    }).pipe(Effect.map((context) => Context.get(context, Transport)))
}

transportSuite("TransportMemory", makeStart(Effect.runSync(TransportMemory.makeNetwork)))

const onNetwork = Effect.gen(function* () {
  const network = yield* TransportMemory.makeNetwork
  return { network, start: makeStart(network) }
})

describe("TransportMemory", () => {
  it.effect("a cut is silent; healing it delivers what was sent, in order", () =>
    Effect.gen(function* () {
      const { network, start } = yield* onNetwork
      const { a, b, near } = yield* identified(start)
      yield* network.cut("n2:2", "n1:1")
      for (let sequence = 0; sequence < 5; sequence++) yield* a.transport.send(near, heartbeat(sequence))
      yield* TestClock.adjust("1 hour")
      assert.strictEqual((yield* b.transport.counters).framesIn, 1)
      assert.strictEqual((yield* a.transport.counters).connections, 1)
      yield* network.heal("n1:1", "n2:2")
      for (let sequence = 0; sequence < 5; sequence++) {
        assert.strictEqual(sequenceOf((yield* b.next("Received")).message), sequence)
      }
    }).pipe(Effect.scoped)
  )

  it.effect("a dial into a cut times out, which is no refusal; one that outlives the cut succeeds", () =>
    Effect.gen(function* () {
      const { network, start } = yield* onNetwork
      const a = makeProbe(yield* start({ connectTimeoutMs: 2000 }))
      const b = yield* start()
      yield* network.cut("n1:1", "n2:2")
      yield* a.transport.dial(b.localAddress)
      yield* TestClock.adjust(2000)
      assert.deepInclude(yield* a.next("DialFailed"), { address: "n2:2", refused: false })
      yield* a.transport.dial(b.localAddress)
      yield* TestClock.adjust(1999)
      yield* network.heal("n1:1", "n2:2")
      assert.strictEqual((yield* a.next("Dialled")).address, "n2:2")
      yield* TestClock.adjust(4999)
      assert.strictEqual((yield* a.transport.counters).dialsFailed, 1)
    }).pipe(Effect.scoped)
  )

  it.effect("a killed node resets its connections and refuses dials, until its address is bound again", () =>
    Effect.gen(function* () {
      const { network, start } = yield* onNetwork
      const { a, b, near } = yield* identified(start)
      yield* a.transport.send(near, heartbeat(1))
      yield* network.kill("n2:2")
      assert.strictEqual((yield* a.next("Closed", near)).cause, "reset")
      yield* a.transport.dial("n2:2")
      assert.isTrue((yield* a.next("DialFailed")).refused)
      yield* b.transport.dial("n1:1")
      assert.strictEqual((yield* a.transport.counters).accepted, 0)
      yield* Layer.build(TransportMemory.layer(network, "n2:2"))
      yield* a.transport.dial("n2:2")
      yield* a.next("Dialled")
    }).pipe(Effect.scoped)
  )

  it.effect("a death behind a cut shows when the cut heals", () =>
    Effect.gen(function* () {
      const { network, start } = yield* onNetwork
      const { a, near } = yield* identified(start)
      yield* network.cut("n1:1", "n2:2")
      yield* network.kill("n2:2")
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* a.transport.counters).connections, 1)
      yield* network.heal("n1:1", "n2:2")
      assert.strictEqual((yield* a.next("Closed", near)).cause, "reset")
    }).pipe(Effect.scoped)
  )

  it.effect("two nodes cannot bind one address", () =>
    Effect.gen(function* () {
      const { network, start } = yield* onNetwork
      yield* start()
      const error = yield* Effect.flip(Effect.scoped(Layer.build(TransportMemory.layer(network, "n1:1"))))
      assert.strictEqual(error._tag, "TransportBindError")
    }).pipe(Effect.scoped)
  )

  it.effect("urgent messages overtake normal ones that wait", () =>
    Effect.gen(function* () {
      const { start, network } = yield* onNetwork
      const { a, b, near } = yield* identified(start)
      yield* network.cut("n1:1", "n2:2")
      for (const sequence of [1, 2, 3]) yield* a.transport.send(near, heartbeat(sequence))
      yield* a.transport.send(near, heartbeat(99), "urgent")
      yield* network.heal("n1:1", "n2:2")
      const received: Array<number> = []
      while (received.length < 4) received.push(sequenceOf((yield* b.next("Received")).message))
      assert.deepStrictEqual(received, [99, 1, 2, 3])
    }).pipe(Effect.scoped)
  )

  it.effect("the inbox never holds more than its bound; what does not fit waits with its sender", () =>
    Effect.gen(function* () {
      const { start } = yield* onNetwork
      const { a, b, near } = yield* identified(start, { b: { maxInboxEvents: 10 } })
      for (let sequence = 0; sequence < 100; sequence++) yield* a.transport.send(near, heartbeat(sequence))
      const sizes: Array<number> = []
      let received = 0
      while (received < 100) {
        const events = yield* b.transport.receive
        sizes.push(events.length)
        received += events.length
      }
      assert.isAtMost(Math.max(...sizes), 10)
    }).pipe(Effect.scoped)
  )

  it.effect("limits with which no transport can work are refused", () =>
    Effect.gen(function* () {
      const { start } = yield* onNetwork
      const error = yield* Effect.flip(Effect.scoped(start({ maxOutboxBytes: 1000 })))
      assert.match(String(error), /maxOutboxBytes is 1000, but must be at least maxFrameBytes/)
    })
  )
})
