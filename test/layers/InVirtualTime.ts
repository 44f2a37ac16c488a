/** Clusters in memory for specs: time passes while a body runs, and conditions are waited for in virtual time. */
import { Context, Effect, Fiber, Layer, Schedule, type Scope } from "effect"
import { TestClock } from "effect/testing"
import { MembershipService } from "../../src/index.ts"
import * as TransportMemory from "../../src/layers/TransportMemory.ts"
import * as TestCluster from "../../src/testing/TestCluster.ts"

export const seeds = ["127.0.0.1:9001", "127.0.0.1:9002", "127.0.0.1:9003"]

/** Runs an effect while virtual time passes, in steps of a tick. */
export const whileTimePasses = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(effect)
    const clock = yield* Effect.forkChild(Effect.forever(TestClock.adjust("50 millis")))
    const result = yield* Fiber.join(fiber)
    yield* Fiber.interrupt(clock)
    return result
  })

/** A test body with all its layers: time passes while they are built, used and closed. */
export const inVirtualTime = <A, E>(body: Effect.Effect<A, E, Scope.Scope>): Effect.Effect<A, E> =>
  whileTimePasses(Effect.scoped(body))

export const everyTick = Schedule.spaced("50 millis")

/** Waits, in virtual time, until a condition holds; at most a virtual minute. */
export const until = (condition: Effect.Effect<boolean>): Effect.Effect<void> =>
  Effect.suspend(() => condition).pipe(
    Effect.repeat({ until: (holds: boolean) => holds, schedule: everyTick }),
    Effect.timeoutOrElse({ duration: "1 minute", orElse: () => Effect.die("the condition did not come true") }),
    Effect.asVoid
  )

export const three = Effect.gen(function* () {
  const network = yield* TransportMemory.makeNetwork
  const build = (index: number) =>
    Layer.build(
      TestCluster.node(network, {
        nodeId: `n${index}`,
        clusterPort: 9000 + index,
        config: { seedAddresses: seeds }
      })
    )
  const nodes = yield* Effect.all([build(1), build(2), build(3)], { concurrency: 3 })
  return { network, nodes }
})

export type Node = Context.Context<TestCluster.TestServices>

export const membersOf = (node: Node) =>
  Effect.map(Context.get(node, MembershipService).activeMembers, (members) =>
    members.map((member) => member.nodeId).toSorted()
  )

export const holds = (node: Node, ids: ReadonlyArray<string>) =>
  Effect.map(membersOf(node), (members) => members.join() === ids.join())
