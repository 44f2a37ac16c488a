/** What should not come: it is told as what it is, nothing that was acknowledged is lost, and the nodes stay up. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Effect, Layer, Option, Schema, Stream } from "effect"
import { DataBounds, MapStore, type MapStoreShape, PartitionStoreMemory, StoreFailed } from "../../../src/index.ts"
import { PartitionedMaps } from "../../../src/maps.ts"
import { Epoch } from "../../../src/domain/data/Epoch.ts"
import { type Content, type DataBody, encodeBundle } from "../../../src/domain/replication/DataMessage.ts"
import { sightOf, stampOf } from "../../../src/domain/replication/Sight.ts"
import type { ClusterMessage } from "../../../src/domain/wire/ClusterMessage.ts"
import { transition } from "../../../src/domain/protocol/Transition.ts"
import * as Mesh from "../../../src/domain/protocol/Mesh.ts"
import * as TransportMemory from "../../../src/layers/TransportMemory.ts"
import { ClusterDriver } from "../../../src/services/ClusterDriver.ts"
import { inVirtualTime } from "../InVirtualTime.ts"
import * as InMemory from "./InMemory.ts"

const { at } = InMemory

const bytesOn = (node: InMemory.DataNode, name = "data") =>
  Context.get(node, PartitionedMaps).lww({ name, value: "bytes", timeoutMs: 2000 })
const year = 365 * 24 * 3_600_000

const broken = (operation: string) =>
  Effect.fail(new StoreFailed({ operation, reason: "unavailable", detail: "as the spec wants it" }))

/** A store in memory of which some methods can be made to fail. */
const moody = Effect.gen(function* () {
  const store = yield* PartitionStoreMemory.make()
  const mood: { write: "well" | "fails" | "dies"; apply: "well" | "fails" } = { write: "well", apply: "well" }
  const shape: MapStoreShape = {
    ...store,
    write: (...given) =>
      Effect.suspend(() =>
        mood.write === "well"
          ? store.write(...given)
          : mood.write === "dies"
            ? Effect.die(new Error("a bug of the store"))
            : broken("write")
      ),
    apply: (...given) => Effect.suspend(() => (mood.apply === "well" ? store.apply(...given) : broken("apply")))
  }
  return { mood, layer: Layer.succeed(MapStore, shape) }
})

/** The failure of an attempt, and its reason. */
const refusalOf = <A, E extends { readonly _tag: string; readonly reason?: unknown }>(attempt: Effect.Effect<A, E>) =>
  Effect.map(Effect.flip(attempt), ({ _tag, reason }) => [_tag, reason])

/** Bytes that are no records, where records should be. */
const garbage: ReadonlyArray<Content> = [
  { chunks: [{ mapName: "data", mapType: "lww", data: Uint8Array.of(0xc1, 0xff) }], deltas: [] },
  { chunks: [], deltas: [{ mapName: "data", key: "key 1", entry: Uint8Array.of(0xc1) }] },
  { chunks: [], deltas: [{ mapName: "data", key: "key 1", entry: new Uint8Array() }] }
]

describe("bad input", () => {
  it.effect("a key that is no Unicode text is invalid, whoever owns it", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { nodes } = yield* InMemory.nodes(2)
        const invalid = ["InvalidOperation", "notUnicode"]
        for (const node of nodes) {
          const registers = bytesOn(node)
          const sets = Context.get(node, PartitionedMaps).or({ name: "sets", value: Schema.String, timeoutMs: 2000 })
          for (const key of ["a\ud800b", "\udc00", "\ud83d"]) {
            assert.deepStrictEqual(yield* refusalOf(registers.put(key, Uint8Array.of(1))), invalid)
            assert.deepStrictEqual(yield* refusalOf(registers.get(key)), invalid)
            assert.deepStrictEqual(yield* refusalOf(registers.remove(key)), invalid)
            assert.deepStrictEqual(yield* refusalOf(sets.add(key, "v")), invalid)
          }
          assert.deepStrictEqual(yield* refusalOf(bytesOn(node, "\ud800").put("k", Uint8Array.of(1))), invalid)
        }
        yield* bytesOn(at(nodes, 0)).put("\u{1f600}", Uint8Array.of(7))
        assert.deepStrictEqual(Option.getOrThrow(yield* bytesOn(at(nodes, 1)).get("\u{1f600}")), Uint8Array.of(7))
      })
    )
  )

  it.effect("what is too large is invalid, and does not travel", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { nodes } = yield* InMemory.nodes(2)
        const map = bytesOn(at(nodes, 0))
        const reasonOf = (attempt: ReturnType<typeof map.put>) =>
          Effect.map(Effect.flip(attempt), (error) => (error._tag === "InvalidOperation" ? error.reason : error._tag))
        const tooLong = "k".repeat(DataBounds.maxKeyBytes + 1)
        assert.strictEqual(yield* reasonOf(map.put("k", new Uint8Array(DataBounds.maxValueBytes + 1))), "valueLength")
        assert.strictEqual(yield* reasonOf(map.put(tooLong, new Uint8Array(1))), "keyLength")
        assert.strictEqual(yield* reasonOf(bytesOn(at(nodes, 0), "").put("k", new Uint8Array(1))), "mapNameLength")
        yield* map.put("k", new Uint8Array(DataBounds.maxValueBytes))
        const largest = Option.getOrThrow(yield* bytesOn(at(nodes, 1)).get("k"))
        assert.lengthOf(largest, DataBounds.maxValueBytes)
      })
    )
  )

  it.effect("a key with as many values as it may have takes no more, and says so", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { nodes } = yield* InMemory.nodes(2)
        const tags = Context.get(at(nodes, 0), PartitionedMaps).or({ name: "tags", value: Schema.Int })
        yield* Effect.forEach(
          Array.from({ length: DataBounds.maxTagsPerKey }, (_, i) => i),
          (i) => tags.add("k", i),
          { concurrency: 50, discard: true }
        )
        const error = yield* Effect.flip(tags.add("k", -1))
        assert.strictEqual(error._tag === "InvalidOperation" ? error.reason : error._tag, "tooManyTags")
        assert.lengthOf(yield* tags.get("k"), DataBounds.maxTagsPerKey)
      })
    )
  )

  it.effect("a map that nobody has written is empty", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { nodes } = yield* InMemory.nodes(2)
        const map = bytesOn(at(nodes, 1), "never written")
        assert.deepStrictEqual(yield* map.get("k"), Option.none())
        assert.lengthOf(yield* Stream.runCollect(map.entries()), 0)
        yield* map.remove("k")
      })
    )
  )

  it.effect("a value that is none of the schema's is told with its bytes, by get and by entries", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { nodes } = yield* InMemory.nodes(2)
        yield* bytesOn(at(nodes, 0)).put("k", Uint8Array.of(0xc1, 1, 2))
        const typed = Context.get(at(nodes, 1), PartitionedMaps).lww({
          name: "data",
          value: Schema.Struct({ n: Schema.Int })
        })
        const error = yield* Effect.flip(typed.get("k"))
        assert.deepStrictEqual(error._tag === "UndecodableValue" ? [...error.bytes] : error, [0xc1, 1, 2])
        assert.strictEqual((yield* Effect.flip(Stream.runDrain(typed.entries())))._tag, "UndecodableValue")
      })
    )
  )

  it.effect("bytes that are no message of a data plane are ignored, and the node goes on", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { nodes } = yield* InMemory.nodes(2)
        const garbage = {
          type: "OP_FORWARD" as const,
          sourceNodeId: "n1",
          targetPartitionId: 0,
          clientId: Option.none(),
          payload: Uint8Array.of(1, 2, 3)
        }
        const { commit } = Context.get(at(nodes, 0), ClusterDriver)
        yield* commit(transition((step) => Mesh.sendTo(step, "n2", garbage)))
        for (const key of ["a", "b", "c", "d"])
          yield* bytesOn(at(nodes, 0)).put(key, Uint8Array.of(7), { minCopies: 2 })
      })
    )
  )

  it.effect("records that are none, in messages that are, change nothing and end nobody", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { network, nodes } = yield* InMemory.nodes(2)
        const keys = Array.from({ length: 12 }, (_, i) => `key ${i}`)
        const put = (key: string, value: number) =>
          bytesOn(at(nodes, 0)).put(key, Uint8Array.of(value), { minCopies: 2 })
        yield* Effect.forEach(keys, (key) => put(key, 1))
        const driver = Context.get(at(nodes, 0), ClusterDriver)
        const sight = sightOf(yield* driver.state)
        const to = sight.view?.members.find(({ nodeId }) => nodeId === "n2")?.incarnation ?? 0
        for (let partitionId = 0; partitionId < InMemory.partitionCount; partitionId++) {
          for (const content of garbage) {
            const bodies: ReadonlyArray<DataBody> = [
              { type: "replicate", partitionId, writeId: 1, content },
              { type: "offer", partitionId, batch: 1, content, epoch: Epoch.none, touch: { ageMs: 0 } },
              { type: "differences", partitionId, wanted: [], content },
              { type: "fill", partitionId, keys: [], content },
              {
                type: "request",
                id: 1_000_000 + partitionId,
                partitionId,
                ack: "backups",
                minCopies: 1,
                ttlMs: 1000,
                work: { type: "stamped", deltas: content.deltas }
              }
            ]
            const payload = encodeBundle({ from: sight.self.incarnation, to, stamp: stampOf(sight) }, bodies)
            const messages: ReadonlyArray<ClusterMessage> = [
              {
                type: "OP_FORWARD",
                sourceNodeId: "n1",
                targetPartitionId: partitionId,
                clientId: Option.none(),
                payload
              },
              {
                type: "MIGRATE_DATA",
                partitionId,
                mapStates: content.chunks,
                deltaOps: content.deltas,
                sourceVersion: 0,
                migrationId: `${sight.table.version}-1000`
              }
            ]
            for (const message of messages) yield* driver.commit(transition((step) => Mesh.sendTo(step, "n2", message)))
          }
        }
        yield* Effect.sleep("1 second")
        for (const node of nodes) {
          for (const key of keys) assert.deepStrictEqual(yield* bytesOn(node).get(key), Option.some(Uint8Array.of(1)))
        }
        yield* Effect.forEach(keys, (key) => put(key, 2))
        yield* network.kill("127.0.0.1:9001")
        for (const key of keys) {
          const value = bytesOn(at(nodes, 1)).get(key, { timeoutMs: 30_000 })
          assert.deepStrictEqual(yield* value, Option.some(Uint8Array.of(2)))
        }
      })
    )
  )

  it.effect("a store that fails, or dies of a bug, is told to who asked; what it held it holds", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const stores = [yield* moody, yield* moody] as const
        const { nodes } = yield* InMemory.nodes(2, { store: (index) => (stores[index - 1] ?? stores[0]).layer })
        const map = bytesOn(at(nodes, 0))
        yield* map.put("k", Uint8Array.of(1), { minCopies: 2 })
        for (const write of ["fails", "dies"] as const) {
          for (const { mood } of stores) mood.write = write
          assert.strictEqual((yield* Effect.flip(map.put("k", Uint8Array.of(2))))._tag, "OwnerStoreFailed")
          for (const { mood } of stores) mood.write = "well"
          assert.deepStrictEqual(yield* map.get("k"), Option.some(Uint8Array.of(1)))
        }
        yield* map.put("k", Uint8Array.of(3), { minCopies: 2 })
        assert.deepStrictEqual(yield* map.get("k"), Option.some(Uint8Array.of(3)))
      })
    )
  )

  it.effect("a backup that cannot store leaves the outcome unknown, and has the write once it can", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const stores = [yield* moody, yield* moody] as const
        const { network, nodes } = yield* InMemory.nodes(2, {
          store: (index) => (stores[index - 1] ?? stores[0]).layer
        })
        const owner = yield* InMemory.ownerOf(nodes, "k")
        for (const { mood } of stores) mood.apply = "fails"
        const error = yield* Effect.flip(bytesOn(at(nodes, 0)).put("k", Uint8Array.of(1), { minCopies: 2 }))
        assert.strictEqual(error._tag, "OutcomeUnknown")
        for (const { mood } of stores) mood.apply = "well"
        // Comparing digests brings what is missing.
        yield* Effect.sleep("25 seconds")
        yield* network.kill(`127.0.0.1:${9001 + owner}`)
        const survivor = at(nodes, 1 - owner)
        const value = bytesOn(survivor).get("k", { timeoutMs: 30_000 })
        assert.deepStrictEqual(yield* value, Option.some(Uint8Array.of(1)))
      })
    )
  )

  it.effect("stores that are full refuse, and lose nothing of what they have acknowledged", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { nodes } = yield* InMemory.nodes(2, { store: () => PartitionStoreMemory.layer({ maxBytes: 20_000 }) })
        const map = bytesOn(at(nodes, 0))
        const told = yield* Effect.forEach(
          Array.from({ length: 60 }, (_, i) => `key ${i}`),
          (key) =>
            Effect.match(map.put(key, new Uint8Array(500).fill(9), { minCopies: 2 }), {
              onSuccess: () => [key, "done"] as const,
              onFailure: (error) => [key, error._tag === "OwnerStoreFailed" ? error.reason : error._tag] as const
            }),
          { concurrency: 5 }
        )
        const done = told.filter(([, outcome]) => outcome === "done").map(([key]) => key)
        assert.isAbove(done.length, 10)
        assert.isTrue(told.some(([, outcome]) => outcome === "full"))
        for (const node of nodes) {
          for (const key of done) assert.lengthOf(Option.getOrThrow(yield* bytesOn(node).get(key)), 500)
        }
      })
    )
  )

  it.effect("what a node with a clock a year ahead has written is replaced by what is written after", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const network = yield* TransportMemory.makeNetwork
        const clock = yield* Clock.Clock
        const ahead: Clock.Clock = {
          currentTimeNanosUnsafe: () => clock.currentTimeNanosUnsafe() + BigInt(year) * 1_000_000n,
          currentTimeNanos: Effect.map(clock.currentTimeNanos, (nanos) => nanos + BigInt(year) * 1_000_000n),
          monotonicTimeNanosUnsafe: () => clock.monotonicTimeNanosUnsafe(),
          monotonicTimeNanos: clock.monotonicTimeNanos,
          sleep: (duration) => clock.sleep(duration),
          currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + year,
          currentTimeMillis: Effect.map(clock.currentTimeMillis, (ms) => ms + year)
        }
        const nodes = yield* Effect.all(
          [
            InMemory.build(network, 1),
            InMemory.build(network, 2),
            InMemory.build(network, 3).pipe(Effect.provideService(Clock.Clock, ahead))
          ],
          { concurrency: 3 }
        )
        yield* InMemory.settled(nodes)
        const keys = Array.from({ length: 20 }, (_, i) => `key ${i}`)
        const others = nodes.slice(0, 2)
        yield* Effect.forEach(keys, (key) => bytesOn(at(nodes, 2)).put(key, Uint8Array.of(1), { minCopies: 2 }))
        yield* network.kill("127.0.0.1:9003")
        yield* InMemory.settled(others)
        yield* Effect.forEach(keys, (key) => bytesOn(at(nodes, 0)).put(key, Uint8Array.of(2), { minCopies: 2 }))
        for (const node of others) {
          for (const key of keys) assert.deepStrictEqual(yield* bytesOn(node).get(key), Option.some(Uint8Array.of(2)))
        }
      })
    )
  )

  it.effect("more than may be under way is overloaded, and nothing of that has happened", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { nodes } = yield* InMemory.nodes(2, { settings: { maxRequests: 100 } })
        const map = bytesOn(at(nodes, 0))
        const told = yield* Effect.forEach(
          Array.from({ length: 300 }, (_, i) => `key ${i}`),
          (key) =>
            Effect.match(map.put(key, Uint8Array.of(1)), {
              onSuccess: () => [key, "done"] as const,
              onFailure: ({ _tag }) => [key, _tag] as const
            }),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(new Set(told.map(([, outcome]) => outcome)), new Set(["done", "Overloaded"]))
        for (const [key, outcome] of told) {
          assert.strictEqual(Option.isSome(yield* map.get(key)), outcome === "done")
        }
      })
    )
  )
})
