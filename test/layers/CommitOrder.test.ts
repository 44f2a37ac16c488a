/** What a driver promises to fibers that commit side by side, whatever comes between the steps of a fiber. */
import { assert, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { transition } from "../../src/domain/protocol/Transition.ts"
import { ClusterChannelReceivers, ClusterDriver } from "../../src/index.ts"
import { SimulatedCluster } from "../../src/testing.ts"

it("commands are executed in the order of the commits", () => {
  const numbers = Array.from({ length: 40 }, (_, i) => i)
  for (let seed = 1; seed <= 10; seed++) {
    const committed: Array<number> = []
    const published: Array<number> = []
    const program = Effect.gen(function* () {
      const driver = yield* ClusterDriver
      const { clusterEvents } = yield* ClusterChannelReceivers
      const read = Stream.runForEach(clusterEvents, (change) =>
        Effect.sync(() => {
          if (change._tag === "PartitionLost") published.push(change.partitionId)
        })
      )
      yield* Effect.forkScoped(read)
      yield* Effect.sleep("1 second")
      const commit = (partitionId: number) =>
        driver.commit(
          transition((step) => {
            committed.push(partitionId)
            step.publish([{ _tag: "PartitionLost", partitionId, lastOwner: "nobody" }])
          })
        )
      yield* Effect.forEach(numbers, commit, { concurrency: "unbounded", discard: true })
      yield* Effect.sleep("1 second")
    })
    const options = { seed, nodes: 1, profile: "calm", virtualMs: 3000, faults: [] } as const
    assert.isUndefined(SimulatedCluster.run(() => ({ program: () => program, completes: true }), options).violation)
    assert.lengthOf(published, numbers.length)
    assert.deepStrictEqual(published, committed, `seed ${seed}`)
  }
})
