/** In which order the requests of a partition are answered, by a store that answers at once and by one that is waited for. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { StoreRequest } from "../../../src/domain/replication/DataCommand.ts"
import * as StoreLanes from "../../../src/layers/data/StoreLanes.ts"
import * as PartitionStoreMemory from "../../../src/layers/PartitionStoreMemory.ts"
import * as AtOnce from "../../../src/layers/store/AtOnce.ts"
import type { MapStoreShape } from "../../../src/services/MapStore.ts"

const put = (key: string): StoreRequest => ({
  _tag: "Write",
  operations: [{ type: "put", mapName: "m", key, value: Uint8Array.of(1) }],
  reading: { wallMs: 1, counter: 0, node: "a#1" }
})

/** Lanes of this store, and what they have answered. */
const lanesOf = Effect.fnUntraced(function* (store: MapStoreShape) {
  const answers: Array<string> = []
  const access = {
    store,
    readings: new Map(),
    scans: new Map(),
    isWatched: () => false,
    changed: () => Effect.void
  }
  const lanes = yield* StoreLanes.make(access, (token, result) => answers.push(`${token} ${result._tag}`))
  return { lanes, answers }
})

describe("lanes of a store", () => {
  it.effect("what is answered at once is answered in the same turn, and not before what was asked earlier", () =>
    Effect.gen(function* () {
      const { answers, lanes } = yield* lanesOf(yield* PartitionStoreMemory.make())
      lanes.add(1, 1, put("a"))
      lanes.add(1, 2, { _tag: "Size" })
      lanes.add(1, 3, put("b"))
      lanes.add(2, 4, put("c"))
      lanes.start()
      assert.deepStrictEqual(
        answers.filter((answer) => answer.startsWith("4") || answer.startsWith("1")),
        ["1 Written", "4 Written"]
      )
      yield* Effect.yieldNow
      assert.deepStrictEqual(
        answers.filter((answer) => !answer.startsWith("4")),
        ["1 Written", "2 Size", "3 Written"]
      )
    }).pipe(Effect.scoped)
  )

  it.effect("whoever wraps a store is asked himself", () =>
    Effect.gen(function* () {
      const store = yield* PartitionStoreMemory.make()
      const asked: Array<number> = []
      const { answers, lanes } = yield* lanesOf({
        ...store,
        write: (partitionId, operations, reading) => {
          asked.push(partitionId)
          return store.write(partitionId, operations, reading)
        }
      })
      lanes.add(7, 1, put("a"))
      lanes.start()
      yield* Effect.yieldNow
      assert.deepStrictEqual([asked, answers], [[7], ["1 Written"]])
    }).pipe(Effect.scoped)
  )

  it.effect("a store that dies of a request has failed, and answers the next", () =>
    Effect.gen(function* () {
      const store = yield* PartitionStoreMemory.make()
      const sound = AtOnce.of(store)
      if (sound === undefined) return assert.fail("a store in memory answers at once")
      const unsound = AtOnce.offer(
        { ...store },
        {
          ...sound,
          write: (partitionId, operations, reading) => {
            if (operations[0]?.key === "bug") throw new TypeError("a bug")
            return sound.write(partitionId, operations, reading)
          }
        }
      )
      const { answers, lanes } = yield* lanesOf(unsound)
      lanes.add(1, 1, put("bug"))
      lanes.add(1, 2, put("a"))
      lanes.start()
      assert.deepStrictEqual(answers, ["1 Failed", "2 Written"])
    }).pipe(Effect.scoped)
  )
})
