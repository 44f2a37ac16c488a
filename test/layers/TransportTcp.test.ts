import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { encodeClusterMessage } from "../../src/domain/codec/ClusterMessageCodec.ts"
import * as Frame from "../../src/domain/codec/Frame.ts"
import type { ClusterMessage } from "../../src/domain/wire/ClusterMessage.ts"
import * as TransportTcp from "../../src/layers/TransportTcp.ts"
import { Transport } from "../../src/services/Transport.ts"
import type { TransportLimits } from "../../src/services/TransportLimits.ts"
import { closed, connectRaw, listenRaw, readMessages } from "./RawPeer.ts"
import {
  heartbeat,
  identified,
  makeProbe,
  nextTurn,
  sequenceOf,
  type Start,
  transportSuite,
  until
} from "./TransportSuite.ts"

const start: Start = (limits = {}) =>
  Layer.build(TransportTcp.layer({ host: "127.0.0.1", port: 0, ...limits })).pipe(
    Effect.map((context) => Context.get(context, Transport))
  )

transportSuite("TransportTcp", start)

const frameOf = (message: ClusterMessage): Uint8Array => Frame.encode(encodeClusterMessage(message))

/** A heartbeat of about `bytes` bytes. */
const padded = (sequence: number, bytes: number) => heartbeat(sequence, ["x".repeat(bytes - 100)])

/** A heartbeat whose payload has exactly `bytes` bytes. */
const sized = (sequence: number, bytes: number) =>
  padded(sequence, 2 * bytes - encodeClusterMessage(padded(sequence, bytes)).length)

/** A transport and a plain socket that has dialled it; identified by a first message unless told otherwise. */
const withRawDialler = Effect.fnUntraced(function* (limits: Partial<TransportLimits> = {}, identify = true) {
  const probe = makeProbe(yield* start(limits))
  const raw = yield* connectRaw(probe.transport.localAddress)
  const { connection } = yield* probe.next("Accepted")
  if (identify) {
    raw.write(frameOf(heartbeat(0)))
    yield* probe.next("Received", connection)
    yield* probe.transport.identify(connection)
  }
  return { probe, raw, connection, transport: probe.transport }
})

/** A transport that has dialled a plain socket, which does not read. */
const withRawListener = Effect.fnUntraced(function* (limits: Partial<TransportLimits> = {}) {
  const probe = makeProbe(yield* start(limits))
  const listener = yield* listenRaw
  yield* probe.transport.dial(listener.address)
  const { connection } = yield* probe.next("Dialled")
  return { probe, raw: yield* listener.socket, connection, transport: probe.transport }
})

/** Stops this process, as a debugger or a long garbage collection does. */
const standStill = (ms: number): void => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)

describe("TransportTcp: bytes", () => {
  it.effect("a message arrives whole however it is cut, byte by byte too", () =>
    Effect.gen(function* () {
      const { probe, raw } = yield* withRawDialler()
      raw.setNoDelay(true)
      for (const byte of frameOf(padded(7, 300))) raw.write(Uint8Array.of(byte))
      raw.write(Frame.encodeMany([encodeClusterMessage(heartbeat(8)), encodeClusterMessage(heartbeat(9))]))
      for (const sequence of [7, 8, 9]) {
        assert.strictEqual(sequenceOf((yield* probe.next("Received")).message), sequence)
      }
    }).pipe(Effect.scoped)
  )

  it.effect("messages sent together leave together", () =>
    Effect.gen(function* () {
      const { connection, raw, transport } = yield* withRawListener()
      for (let sequence = 0; sequence < 1000; sequence++) yield* transport.send(connection, heartbeat(sequence))
      const { chunks, messages } = yield* readMessages(raw, 1000)
      assert.deepStrictEqual(
        messages.map(sequenceOf),
        Array.from({ length: 1000 }, (_, index) => index)
      )
      const { framesOut, writes } = yield* transport.counters
      assert.strictEqual(framesOut, 1000)
      assert.isAtMost(writes, 10)
      assert.isAtMost(chunks, 20)
    }).pipe(Effect.scoped)
  )

  it.effect("messages of every size arrive as they were sent, in order", () =>
    Effect.gen(function* () {
      const { a, b, near } = yield* identified(start)
      const sizes = [200, 5000, 9000, 70_000, 150, 300_000, 64_000, 8200, 8000, 2_000_000, 1000]
      const sent = [...sizes, ...sizes].map((bytes, sequence) => padded(sequence, bytes))
      for (const message of sent) yield* a.transport.send(near, message)
      for (const message of sent) {
        const received = yield* b.next("Received")
        assert.deepStrictEqual(received.message, message)
        assert.strictEqual(received.payloadBytes, encodeClusterMessage(message).length)
      }
    }).pipe(Effect.scoped)
  )

  it.effect("a message larger than a frame fails its send, and the connection goes on", () =>
    Effect.gen(function* () {
      const { a, b, near } = yield* identified(start, { a: { maxFrameBytes: 10_000 } })
      const error = yield* Effect.flip(a.transport.send(near, padded(1, 12_000)))
      assert.strictEqual(error.limit, 10_000)
      assert.strictEqual(error.size, encodeClusterMessage(padded(1, 12_000)).length)
      yield* a.transport.send(near, heartbeat(2))
      assert.strictEqual(sequenceOf((yield* b.next("Received")).message), 2)
    }).pipe(Effect.scoped)
  )

  it.effect("a value that the schema forbids is a defect of its sender, and leaves nothing in the stream", () =>
    Effect.gen(function* () {
      const { a, b, near } = yield* identified(start)
      yield* a.transport.send(near, heartbeat(1))
      assert.isTrue(Exit.hasDies(yield* Effect.exit(a.transport.send(near, heartbeat(-1)))))
      yield* a.transport.send(near, heartbeat(2))
      assert.strictEqual(sequenceOf((yield* b.next("Received")).message), 1)
      assert.strictEqual(sequenceOf((yield* b.next("Received")).message), 2)
    }).pipe(Effect.scoped)
  )

  it.effect("counts frames and bytes with their headers", () =>
    Effect.gen(function* () {
      const { a, b } = yield* identified(start)
      const bytes = frameOf(heartbeat(0)).length
      assert.deepInclude(yield* a.transport.counters, { framesOut: 1, bytesOut: bytes, writes: 1 })
      assert.deepInclude(yield* b.transport.counters, { framesIn: 1, bytesIn: bytes })
    }).pipe(Effect.scoped)
  )
})

describe("TransportTcp: peers that misbehave", () => {
  it.effect("garbage is reported, closes that connection, and no other", () =>
    Effect.gen(function* () {
      const { connection, probe, raw, transport } = yield* withRawDialler()
      const other = yield* connectRaw(transport.localAddress)
      const second = (yield* probe.next("Accepted")).connection
      raw.write(Frame.encodeMany([encodeClusterMessage(heartbeat(1)), Uint8Array.of(0xc1, 2, 3)]))
      assert.strictEqual(sequenceOf((yield* probe.next("Received", connection)).message), 1)
      assert.strictEqual((yield* probe.next("Malformed", connection)).error._tag, "MalformedMessage")
      assert.strictEqual((yield* probe.next("Closed", connection)).cause, "malformed")
      yield* closed(raw)
      assert.deepInclude(yield* transport.counters, { malformed: 1, connections: 1 })
      other.write(frameOf(heartbeat(2)))
      assert.strictEqual(sequenceOf((yield* probe.next("Received", second)).message), 2)
    }).pipe(Effect.scoped)
  )

  it.effect("a frame of no bytes is malformed", () =>
    Effect.gen(function* () {
      const { connection, probe, raw } = yield* withRawDialler({}, false)
      raw.write(Frame.encode(new Uint8Array(0)))
      yield* probe.next("Malformed", connection)
      assert.strictEqual((yield* probe.next("Closed", connection)).cause, "malformed")
    }).pipe(Effect.scoped)
  )

  it.effect("before identification a frame may have 4 KiB, and its header alone decides", () =>
    Effect.gen(function* () {
      const { connection, probe, raw, transport } = yield* withRawDialler({}, false)
      const header = new Uint8Array(4)
      Frame.writeHeader(4097, header, 0)
      raw.write(header)
      const end = yield* probe.next("Closed", connection)
      assert.strictEqual(end.cause, "frameTooLarge")
      assert.strictEqual(end.detail, "a frame of 4097 bytes exceeds the limit of 4096")
      yield* closed(raw)
      assert.strictEqual((yield* transport.counters).frameTooLarge, 1)
    }).pipe(Effect.scoped)
  )

  it.effect("a frame of 4 KiB passes before identification, a larger one behind it after", () =>
    Effect.gen(function* () {
      const { connection, probe, raw, transport } = yield* withRawDialler({}, false)
      assert.strictEqual(encodeClusterMessage(sized(1, 4096)).length, 4096)
      raw.write(Frame.encodeMany([encodeClusterMessage(sized(1, 4096)), encodeClusterMessage(sized(2, 100_000))]))
      assert.strictEqual((yield* probe.next("Received", connection)).payloadBytes, 4096)
      yield* transport.identify(connection)
      assert.strictEqual((yield* probe.next("Received", connection)).payloadBytes, 100_000)
    }).pipe(Effect.scoped)
  )

  it.effect("a dialled connection has the normal limit from the start: a seed's first frame is large", () =>
    Effect.gen(function* () {
      const { connection, probe, raw } = yield* withRawListener()
      raw.write(frameOf(padded(1, 12_000)))
      assert.strictEqual(sequenceOf((yield* probe.next("Received", connection)).message), 1)
    }).pipe(Effect.scoped)
  )

  it.effect("half a frame has a deadline that single bytes do not move", () =>
    Effect.gen(function* () {
      const { connection, probe, raw, transport } = yield* withRawDialler({ halfFrameTimeoutMs: 10_000 })
      const frame = frameOf(heartbeat(1))
      const before = (yield* transport.counters).bytesIn
      for (let sent = 1; sent <= 10; sent++) {
        raw.write(frame.subarray(sent - 1, sent))
        yield* until(Effect.map(transport.counters, ({ bytesIn }) => bytesIn === before + sent))
        if (sent < 10) yield* TestClock.adjust(1000)
      }
      yield* TestClock.adjust(999)
      assert.strictEqual((yield* transport.counters).connections, 1)
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* probe.next("Closed", connection)).cause, "halfFrameTimeout")
      assert.strictEqual((yield* transport.counters).halfFrameTimeout, 1)
      yield* closed(raw)
    }).pipe(Effect.scoped)
  )

  it.effect("frames that each end in time are never late, though one is always half there", () =>
    Effect.gen(function* () {
      const { probe, raw, transport } = yield* withRawDialler({ halfFrameTimeoutMs: 10_000 })
      const frame = frameOf(heartbeat(1))
      const shifted = Uint8Array.from([...frame.subarray(10), ...frame.subarray(0, 10)])
      raw.write(frame.subarray(0, 10))
      let { bytesIn } = yield* transport.counters
      for (let turn = 0; turn < 10; turn++) {
        yield* TestClock.adjust(9000)
        bytesIn = (yield* transport.counters).bytesIn
        raw.write(shifted)
        yield* probe.next("Received")
        yield* until(Effect.map(transport.counters, (counters) => counters.bytesIn === bytesIn + shifted.length))
      }
      assert.strictEqual((yield* transport.counters).connections, 1)
    }).pipe(Effect.scoped)
  )

  it.effect("half a frame is not late while this side does not read", () =>
    Effect.gen(function* () {
      const { probe, raw, transport } = yield* withRawDialler({ halfFrameTimeoutMs: 10_000, maxInboxEvents: 1 })
      const { bytesIn } = yield* transport.counters
      const frames = Frame.encodeMany([1, 2].map((sequence) => encodeClusterMessage(heartbeat(sequence))))
      raw.write(frames)
      yield* until(Effect.map(transport.counters, (counters) => counters.bytesIn > bytesIn))
      // The inbox is full, so this part stays unread, however long.
      raw.write(frames.subarray(0, frames.length - 3))
      yield* TestClock.adjust("1 hour")
      yield* probe.next("Received")
      raw.write(frames.subarray(frames.length - 3))
      for (const sequence of [2, 1, 2]) {
        assert.strictEqual(sequenceOf((yield* probe.next("Received")).message), sequence)
      }
    }).pipe(Effect.scoped)
  )

  it.live("a standstill of this process is not the peer's: what came in meanwhile is still read", () =>
    Effect.gen(function* () {
      const { connection, probe, raw, transport } = yield* withRawDialler({ halfFrameTimeoutMs: 200 })
      const frame = frameOf(heartbeat(1))
      const { bytesIn } = yield* transport.counters
      raw.write(frame.subarray(0, 5))
      yield* until(Effect.map(transport.counters, (counters) => counters.bytesIn === bytesIn + 5))
      raw.write(frame.subarray(5))
      standStill(600)
      assert.strictEqual(sequenceOf((yield* probe.next("Received", connection)).message), 1)
      assert.strictEqual((yield* transport.counters).halfFrameTimeout, 0)
    }).pipe(Effect.scoped)
  )

  it.live("nor does a standstill count against the time to be identified", () =>
    Effect.gen(function* () {
      const { connection, probe, raw, transport } = yield* withRawDialler({ identifyTimeoutMs: 200 }, false)
      raw.write(frameOf(heartbeat(1)))
      standStill(600)
      yield* probe.next("Received", connection)
      yield* transport.identify(connection)
      raw.write(frameOf(heartbeat(2)))
      assert.strictEqual(sequenceOf((yield* probe.next("Received", connection)).message), 2)
    }).pipe(Effect.scoped)
  )

  it.effect("random bytes close their connection or wait for more; the transport serves on", () =>
    Effect.gen(function* () {
      const { a, b, near, far } = yield* identified(start, { b: { maxUnidentifiedConnections: 200 } })
      let random = 12_345
      const byte = () => ((random = (random * 1_103_515_245 + 12_345) & 0x7fff_ffff) >>> 16) & 0xff
      for (let round = 0; round < 100; round++) {
        const raw = yield* connectRaw(b.transport.localAddress)
        const noise = Uint8Array.from({ length: 1 + byte() }, byte)
        // Half of the rounds start with a plausible length, so that the decoder gets noise too.
        raw.write(round % 2 === 0 ? noise : Frame.encode(noise))
        raw.end()
      }
      for (let round = 0; round < 100; round++) {
        const { cause } = yield* b.next("Closed")
        assert.include(["fin", "reset", "malformed", "frameTooLarge"], cause)
      }
      yield* a.transport.send(near, heartbeat(5))
      assert.strictEqual(sequenceOf((yield* b.next("Received", far)).message), 5)
      assert.deepInclude(yield* b.transport.counters, { connections: 1, unidentified: 0 })
    }).pipe(Effect.scoped)
  )
})

describe("TransportTcp: endings", () => {
  it.effect("fin, reset and refused are told apart", () =>
    Effect.gen(function* () {
      const { connection, probe, raw, transport } = yield* withRawDialler()
      raw.end()
      assert.strictEqual((yield* probe.next("Closed", connection)).cause, "fin")
      const second = yield* connectRaw(transport.localAddress)
      const accepted = (yield* probe.next("Accepted")).connection
      second.resetAndDestroy()
      assert.strictEqual((yield* probe.next("Closed", accepted)).cause, "reset")
      const gone = yield* Effect.scoped(Effect.map(listenRaw, ({ address }) => address))
      yield* transport.dial(gone)
      const failed = yield* probe.next("DialFailed")
      assert.isTrue(failed.refused)
      assert.include(failed.reason, "ECONNREFUSED")
    }).pipe(Effect.scoped)
  )

  it.effect("a dialled connection that is reset says so", () =>
    Effect.gen(function* () {
      const { connection, probe, raw } = yield* withRawListener()
      raw.resetAndDestroy()
      assert.strictEqual((yield* probe.next("Closed", connection)).cause, "reset")
    }).pipe(Effect.scoped)
  )

  it.effect("a name whose addresses all refuse is refused", () =>
    Effect.gen(function* () {
      const gone = yield* Effect.scoped(Effect.map(listenRaw, ({ address }) => address))
      const probe = makeProbe(yield* start())
      yield* probe.transport.dial(gone.replace("127.0.0.1", "localhost"))
      assert.isTrue((yield* probe.next("DialFailed")).refused)
    }).pipe(Effect.scoped)
  )

  it.effect("what is no address fails its dial, and is no refusal", () =>
    Effect.gen(function* () {
      const probe = makeProbe(yield* start())
      for (const address of ["nonsense", "127.0.0.1:99999", ""]) {
        yield* probe.transport.dial(address)
        const failed = yield* probe.next("DialFailed")
        assert.deepInclude(failed, { address, refused: false })
        assert.include(failed.reason, "is no address")
      }
    }).pipe(Effect.scoped)
  )

  it.effect("a port in use is a typed error that says what to do", () =>
    Effect.gen(function* () {
      const { address } = yield* listenRaw
      const port = Number(address.split(":")[1])
      const error = yield* Effect.flip(Effect.scoped(Layer.build(TransportTcp.layer({ host: "127.0.0.1", port }))))
      assert.deepInclude(error, { _tag: "TransportBindError", address, code: "EADDRINUSE" })
      assert.include(error.message, "choose another port")
    }).pipe(Effect.scoped)
  )

  it.live("a transport ends in time, though a peer never reads what is queued", () =>
    Effect.gen(function* () {
      const listener = yield* listenRaw
      const raw = yield* Effect.gen(function* () {
        const probe = makeProbe(yield* start({ lingerMs: 50 }))
        yield* probe.transport.dial(listener.address)
        const { connection } = yield* probe.next("Dialled")
        for (let sequence = 0; sequence < 20; sequence++) {
          yield* probe.transport.send(connection, padded(sequence, 1_000_000))
        }
        // The listener belongs to the outer scope, and so does its socket, which is read only afterwards.
        return listener.socket
      }).pipe(Effect.scoped, Effect.timeout(3000))
      yield* closed(yield* raw)
    }).pipe(Effect.scoped)
  )
})

describe("TransportTcp: backpressure", () => {
  it.effect("a node that does not receive stops its peers, and holds no more than its bounds", () =>
    Effect.gen(function* () {
      const limits = { maxInboxEvents: 100, maxInboxBytes: 1_000_000 }
      const { raw, transport } = yield* withRawDialler(limits)
      const { bytesIn: before } = yield* transport.counters
      const frame = frameOf(padded(1, 50_000))
      for (let sent = 0; sent < 1000; sent++) raw.write(frame)
      const read = Effect.map(transport.counters, ({ bytesIn }) => bytesIn - before)
      yield* until(Effect.map(read, (bytes) => bytes >= limits.maxInboxBytes))
      // If anything else were read, it would be in these turns.
      for (let turn = 0; turn < 100; turn++) yield* nextTurn
      assert.isAtMost(yield* read, limits.maxInboxBytes + 4 * 64 * 1024)
      assert.isAbove(raw.writableLength, 1_000_000)
      const received = yield* transport.receive
      assert.isAtMost(received.length, 30)
    }).pipe(Effect.scoped)
  )

  it.effect("a peer that does not read costs at most the outbox's bytes, then its connection", () =>
    Effect.gen(function* () {
      const maxOutboxBytes = 1_000_000
      const { connection, probe, transport } = yield* withRawListener({ maxFrameBytes: 100_000, maxOutboxBytes })
      const end = yield* Effect.forkChild(probe.next("Closed", connection))
      let sent = 0
      while (end.pollUnsafe() === undefined) {
        yield* transport.send(connection, padded(sent, 50_000))
        sent += 1
        yield* nextTurn
      }
      assert.strictEqual((yield* Fiber.join(end)).cause, "outboxFull")
      const { bytesOut, outboxFull } = yield* transport.counters
      assert.strictEqual(outboxFull, 1)
      // All that was accepted is in the kernel (written) or was in the outbox, or in the one write in progress.
      assert.isAtMost(sent * 50_000 - bytesOut, maxOutboxBytes + 4 * 64 * 1024)
    }).pipe(Effect.scoped)
  )

  it.effect("urgent messages overtake all bulk that is not yet in a write", () =>
    Effect.gen(function* () {
      const { connection, raw, transport } = yield* withRawListener({ maxOutboxBytes: 100_000_000 })
      const bulk = 40
      for (let sequence = 0; sequence < bulk; sequence++) yield* transport.send(connection, padded(sequence, 1_000_000))
      // The kernel's buffers and one write are full now, and the rest waits.
      let framesOut = -1
      yield* until(
        Effect.map(transport.counters, (counters) => {
          const stalled = counters.framesOut === framesOut
          framesOut = counters.framesOut
          return stalled && framesOut > 0
        })
      )
      yield* transport.send(connection, heartbeat(1000), "urgent")
      const { messages } = yield* readMessages(raw, bulk + 1)
      const place = messages.findIndex((message) => sequenceOf(message) === 1000)
      assert.isBelow(place, bulk)
      assert.isAtMost(place, framesOut + 2)
    }).pipe(Effect.scoped)
  )

  it.effect("hundreds of connections that came and went leave nothing behind", () =>
    Effect.gen(function* () {
      const probe = makeProbe(yield* start())
      for (let round = 0; round < 6; round++) {
        const sockets = yield* Effect.forEach(
          Array.from({ length: 50 }),
          () => connectRaw(probe.transport.localAddress),
          {
            concurrency: 50
          }
        )
        for (const [index, socket] of sockets.entries()) {
          if (index % 2 === 0) socket.end()
          else socket.resetAndDestroy()
        }
        for (let ended = 0; ended < 50; ended++) yield* probe.next("Closed")
      }
      assert.deepInclude(yield* probe.transport.counters, {
        accepted: 300,
        connections: 0,
        unidentified: 0,
        refused: 0
      })
    }).pipe(Effect.scoped)
  )
})
