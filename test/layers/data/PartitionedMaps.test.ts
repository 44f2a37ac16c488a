/** Maps on several nodes in memory: what is acknowledged is there, whoever asks and whoever dies. */
import { assert, describe, it } from "@effect/vitest"
import { Context, DateTime, Effect, Option, Schema, Stream } from "effect"
import { PartitionedMaps } from "../../../src/maps.ts"
import { inVirtualTime, until } from "../InVirtualTime.ts"
import * as InMemory from "./InMemory.ts"

const { at } = InMemory

const Session = Schema.Struct({ user: Schema.String, visits: Schema.Int })
const sessionsOn = (node: InMemory.DataNode) =>
  Context.get(node, PartitionedMaps).lww({ name: "sessions", value: Session })
const keys = Array.from({ length: 40 }, (_, i) => `key ${i}`)

describe("PartitionedMaps", () => {
  it.effect("what one node puts every node gets, and what one removes nobody does", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { nodes } = yield* InMemory.nodes(3)
        const maps = nodes.map(sessionsOn)
        yield* Effect.forEach(keys, (key, i) => at(maps, i % 3).put(key, { user: key, visits: i }), { concurrency: 10 })
        for (const map of maps) {
          for (const [i, key] of keys.entries()) {
            assert.deepStrictEqual(yield* map.get(key), Option.some({ user: key, visits: i }))
          }
        }
        yield* at(maps, 1).remove("key 3")
        for (const map of maps) assert.deepStrictEqual(yield* map.get("key 3"), Option.none())
        const all = yield* Stream.runCollect(at(maps, 2).entries())
        assert.deepStrictEqual(all.map(([key]) => key).toSorted(), keys.filter((key) => key !== "key 3").toSorted())
      })
    )
  )

  it.effect("a write that two nodes have confirmed survives the death of its owner", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { network, nodes } = yield* InMemory.nodes(3)
        const owner = yield* InMemory.ownerOf(nodes, "precious")
        const others = nodes.filter((_, index) => index !== owner)
        yield* sessionsOn(at(others, 0)).put("precious", { user: "u", visits: 1 }, { minCopies: 2 })
        yield* network.kill(`127.0.0.1:${9001 + owner}`)
        yield* InMemory.settled(others)
        for (const node of others) {
          assert.deepStrictEqual(yield* sessionsOn(node).get("precious"), Option.some({ user: "u", visits: 1 }))
        }
      })
    )
  )

  it.effect("an observed-remove map keeps what a removal has not seen, and each value once", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { nodes } = yield* InMemory.nodes(3)
        const carts = nodes.map((node) =>
          Context.get(node, PartitionedMaps).or({ name: "carts", value: Schema.String })
        )
        for (const item of ["bread", "milk", "bread"]) yield* at(carts, 0).add("k", item)
        assert.deepStrictEqual(yield* at(carts, 1).get("k"), ["milk", "bread"])
        yield* at(carts, 2).remove("k", "bread")
        yield* at(carts, 1).add("k", "eggs")
        assert.deepStrictEqual(yield* at(carts, 0).get("k"), ["milk", "eggs"])
        assert.sameDeepMembers(yield* Stream.runCollect(at(carts, 2).entries()), [
          ["k", "milk"],
          ["k", "eggs"]
        ])
        yield* at(carts, 0).removeAll("k")
        assert.deepStrictEqual(yield* at(carts, 1).get("k"), [])
      })
    )
  )

  it.effect("keys and values of schemas that have no MessagePack form come back as they were", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { nodes } = yield* InMemory.nodes(2)
        const days = Context.get(at(nodes, 0), PartitionedMaps).lww({
          name: "days",
          key: Schema.NumberFromString,
          value: Schema.Record(Schema.String, Schema.DateTimeUtcFromString)
        })
        const value = { noon: DateTime.makeUnsafe("2026-01-01T12:00:00Z") }
        yield* days.put(7, value)
        assert.deepStrictEqual(yield* days.get(7), Option.some(value))
        assert.deepStrictEqual(yield* Stream.runCollect(days.entries()), [[7, value]])
      })
    )
  )

  it.effect("a change is told once by the owner, and by a backup to who asks for what it holds", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { nodes } = yield* InMemory.nodes(3)
        const told: Array<string> = []
        for (const [index, node] of nodes.entries()) {
          for (const of of ["owned", "held"] as const) {
            yield* sessionsOn(node)
              .changes({ of })
              .pipe(
                Stream.runForEach(({ _tag, key }) => Effect.sync(() => told.push(`${index} ${of} ${_tag} ${key}`))),
                Effect.forkScoped({ startImmediately: true })
              )
          }
        }
        const owner = yield* InMemory.ownerOf(nodes, "k")
        yield* sessionsOn(at(nodes, 0)).put("k", { user: "u", visits: 1 })
        yield* sessionsOn(at(nodes, 0)).remove("k")
        yield* until(Effect.sync(() => told.length >= 6))
        const owned = told.filter((line) => line.includes("owned"))
        assert.deepStrictEqual(owned, [`${owner} owned Put k`, `${owner} owned Removed k`])
        assert.lengthOf(told, 6)
      })
    )
  )

  it.effect("pages of a large map are read one by one, and all of them", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { nodes } = yield* InMemory.nodes(2)
        const map = Context.get(at(nodes, 0), PartitionedMaps).lww({ name: "large", value: "bytes" })
        const names = Array.from({ length: 150 }, (_, i) => `key ${i}`)
        yield* Effect.forEach(names, (key) => map.put(key, new Uint8Array(10_000)), { concurrency: 20 })
        const found = yield* Stream.runCollect(
          Context.get(at(nodes, 1), PartitionedMaps).lww({ name: "large", value: "bytes" }).entries()
        )
        assert.deepStrictEqual(found.map(([key]) => key).toSorted(), names.toSorted())
      })
    )
  )
})
