/** Maps on several nodes in memory: what is acknowledged is there, whoever asks and whoever dies. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Option, Schema, Stream } from "effect"
import { PartitionedMaps } from "../../../src/maps.ts"
import { inVirtualTime } from "../InVirtualTime.ts"
import * as InMemory from "./InMemory.ts"

const Session = Schema.Struct({ user: Schema.String, visits: Schema.Int })
const sessionsOn = (node: InMemory.DataNode) =>
  Context.get(node, PartitionedMaps).lww({ name: "sessions", value: Session })
const at = <A>(all: ReadonlyArray<A>, index: number): A => {
  const found = all[index]
  if (found === undefined) throw new RangeError(`there is no ${index}`)
  return found
}
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
})
