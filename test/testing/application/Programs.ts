/** Scenarios for specs of the simulator of programs. */
import { Clock, Effect, Fiber, PubSub, Stream } from "effect"
import { ClusterPartitionService, ClusterService } from "../../../src/index.ts"
import { SimulatedCluster } from "../../../src/testing.ts"

export const idle = (): SimulatedCluster.Scenario => ({ program: () => Effect.void })

/** Programs of one fiber that tell something ten times a second. */
export const ticking =
  (tick: (node: SimulatedCluster.NodeStart) => Effect.Effect<unknown, never, ClusterService>) =>
  (): SimulatedCluster.Scenario => ({
    program: (node) => Effect.forever(Effect.andThen(tick(node), Effect.sleep("100 millis")))
  })

export const monotonicMs = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)

const key = "the nightly report"

/**
 * A singleton on the owner of a key with a planted bug: it starts when its node gets the key, and does not stop when
 * another node does. While no ownership moves there is nothing to see.
 */
export const forgetful = (): SimulatedCluster.Scenario => {
  const working = new Set<string>()
  return {
    program: ({ nodeId, start }) =>
      Effect.gen(function* () {
        const cluster = yield* ClusterService
        const partitions = yield* ClusterPartitionService
        const isOwner = Effect.flatMap(partitions.hashToPartition(key), partitions.isLocalOwner)
        yield* Stream.merge(cluster.subscribeChanges, Stream.tick("1 second")).pipe(
          Stream.mapEffect(() => isOwner),
          Stream.filter((mine) => mine),
          Stream.runForEach(() => Effect.sync(() => working.add(`${nodeId}#${start}`)))
        )
      }),
    invariants: {
      "whoever knows of another owner has stopped": SimulatedCluster.lasting(2000, ({ nodes }) => {
        const late = nodes.find(
          ({ isFrozen, nodeId, ownerOf, start }) =>
            !isFrozen && working.has(`${nodeId}#${start}`) && ownerOf(key) !== nodeId
        )
        return late && `${late.nodeId} goes on`
      })
    }
  }
}

/**
 * Publishes when the subscriber has had its turn, or so it thinks: right where fibers take turns in the order in which
 * they became ready. A subscriber that comes later waits for ever.
 */
export const hasty = (): SimulatedCluster.Scenario => ({
  program: () =>
    Effect.gen(function* () {
      const news = yield* PubSub.unbounded<string>()
      const reader = Effect.flatMap(PubSub.subscribe(news), PubSub.take)
      const reading = yield* Effect.forkChild(Effect.scoped(reader))
      yield* Effect.yieldNow
      yield* PubSub.publish(news, "late")
      yield* Fiber.join(reading)
    }),
  completes: true
})
