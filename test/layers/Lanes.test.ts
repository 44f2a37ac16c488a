/** Membership has a lane of its own: whatever a node has to do with data, it goes on hearing its peers. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Latch, Layer, Option } from "effect"
import { ClusterService, FailureDetector } from "../../src/index.ts"
import { DataPlaneHook } from "../../src/layers/driver/DataPlaneHook.ts"
import * as TransportMemory from "../../src/layers/TransportMemory.ts"
import { ClusterDriver } from "../../src/services/ClusterDriver.ts"
import { transition } from "../../src/domain/protocol/Transition.ts"
import * as TestCluster from "../../src/testing/TestCluster.ts"
import { inVirtualTime, until } from "./InVirtualTime.ts"

const config = { seedAddresses: ["127.0.0.1:9001"] }

describe("a node whose data plane can take no more", () => {
  it.effect("hears heartbeats all the same, and takes the data when it can", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const room = Latch.makeUnsafe(true)
        let delivered = 0
        const hook: DataPlaneHook = {
          run: () => Effect.succeed(Effect.never),
          seen: () => undefined,
          delivered: (_, { type }) => {
            if (type === "OP_FORWARD") delivered++
          },
          hasRoom: () => room.isOpen(),
          room: room.await
        }
        const network = yield* TransportMemory.makeNetwork
        const build = (index: number) =>
          Layer.build(
            TestCluster.node(network, { nodeId: `n${index}`, clusterPort: 9000 + index, config }).pipe(
              Layer.provide(Layer.succeed(DataPlaneHook, hook))
            )
          )
        const first = yield* build(1)
        const second = yield* build(2)
        const view = Context.get(second, ClusterService).membersView
        yield* until(Effect.map(view, ({ members }) => members.filter(({ state }) => state === "active").length === 2))
        const heard = Context.get(second, FailureDetector).lastHeartbeat("n1")
        yield* until(Effect.map(heard, Option.isSome))
        room.closeUnsafe()
        delivered = 0
        const sender = Context.get(first, ClusterDriver)
        const forward = {
          type: "OP_FORWARD" as const,
          sourceNodeId: "n1",
          targetPartitionId: 0,
          clientId: Option.none(),
          payload: new Uint8Array(100)
        }
        for (let i = 0; i < 1000; i++) {
          yield* sender.commit(
            transition((step) => {
              const connection = step.state.mesh.links.get("n2")?.at(-1) ?? 0
              step.run({ _tag: "Send", connection, message: forward })
            })
          )
        }
        const before = Option.getOrThrow(yield* heard)
        yield* Effect.sleep("20 seconds")
        assert.isAtLeast(Option.getOrThrow(yield* heard) - before, 18_000)
        // Of what had come in when there was no room any more.
        assert.isBelow(delivered, 300)
        room.openUnsafe()
        yield* until(Effect.sync(() => delivered === 1000))
      })
    )
  )
})
