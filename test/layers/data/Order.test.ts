/** In which order the data plane gets its events, and the store its requests: faults at random do not show it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option } from "effect"
import { transition } from "../../../src/domain/protocol/Transition.ts"
import { ClusterDriver, PartitionStoreMemory } from "../../../src/index.ts"
import * as StoreLanes from "../../../src/layers/data/StoreLanes.ts"
import { DataPlaneHook } from "../../../src/layers/driver/DataPlaneHook.ts"
import * as TestCluster from "../../../src/testing/TestCluster.ts"
import { inVirtualTime, until } from "../InVirtualTime.ts"

describe("order", () => {
  it.effect("the data plane sees what a commit has changed before it gets the messages of that commit", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const told: Array<string> = []
        const hook: DataPlaneHook = {
          run: () => Effect.succeed(Effect.never),
          seen: () => void told.push("seen"),
          delivered: (from) => void told.push(from),
          hasRoom: () => true,
          room: Effect.void
        }
        const node = TestCluster.layer().pipe(Layer.provide(Layer.succeed(DataPlaneHook, hook)))
        yield* Effect.gen(function* () {
          const { commit } = yield* ClusterDriver
          const message = {
            type: "OP_FORWARD" as const,
            sourceNodeId: "test-1",
            targetPartitionId: 0,
            clientId: Option.none(),
            payload: new Uint8Array()
          }
          yield* until(Effect.sync(() => told.length > 0))
          told.length = 0
          yield* commit(
            transition((step) => {
              step.run({ _tag: "Deliver", from: "first", message, isMember: true })
              step.set({ self: { ...step.self } })
              step.run({ _tag: "Deliver", from: "second", message, isMember: true })
            })
          )
          yield* until(Effect.sync(() => told.length >= 3))
          assert.deepStrictEqual(told.slice(0, 3), ["seen", "first", "second"])
        }).pipe(Effect.provide(node))
      })
    )
  )

  it.effect("requests of one partition are carried out one after another, those of different ones side by side", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const store = yield* PartitionStoreMemory.make()
        const busy = new Map<number, number>()
        const done: Array<number> = []
        let widest = 0
        // The first request of a lane takes the longest, so that a later one would overtake it.
        const size = (partitionId: number) =>
          Effect.gen(function* () {
            busy.set(partitionId, (busy.get(partitionId) ?? 0) + 1)
            assert.strictEqual(busy.get(partitionId), 1, `two requests of partition ${partitionId} at a time`)
            widest = Math.max(widest, [...busy.values()].filter((count) => count > 0).length)
            yield* Effect.sleep(1000 / (1 + done.length))
            busy.set(partitionId, 0)
            return { partitionId, records: 0, bytes: 0, version: 0 }
          })
        const access = {
          store: { ...store, size },
          readings: new Map(),
          scans: new Map(),
          isWatched: () => false,
          changed: () => Effect.void
        }
        const lanes = yield* StoreLanes.make(access, (token: number) => done.push(token))
        const partitions = StoreLanes.maxActiveLanes + 20
        for (let i = 0; i < 3 * partitions; i++) lanes.add(i % partitions, i, { _tag: "Size" })
        lanes.start()
        yield* until(Effect.sync(() => done.length === 3 * partitions))
        assert.strictEqual(widest, StoreLanes.maxActiveLanes)
        for (let partition = 0; partition < partitions; partition++) {
          const order = done.filter((token) => token % partitions === partition)
          assert.deepStrictEqual(order, [partition, partition + partitions, partition + 2 * partitions])
        }
      })
    )
  )
})
