/** What programs see of the simulated network: cuts, delays and losses through their nodes, and room on a connection. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Queue } from "effect"
import {
  ClusterChannelReceivers,
  ClusterDriver,
  type ClusterMessage,
  ClusterService,
  Transport
} from "../../../src/index.ts"
import { SimulatedCluster, type Simulation } from "../../../src/testing.ts"
import { ticking } from "./Programs.ts"

const quick = { nodes: 3, profile: "calm", virtualMs: 12_000 } as const
const none: ReadonlyArray<Simulation.Fault> = []

/** How many active members each node sees, ten times a second. */
const seen = (faults: ReadonlyArray<Simulation.Fault>) => {
  const told = new Map<string, Set<number>>()
  const scenario = ticking(({ nodeId }) =>
    Effect.gen(function* () {
      const { members } = yield* (yield* ClusterService).membersView
      const counts = told.get(nodeId) ?? new Set()
      told.set(nodeId, counts.add(members.filter(({ state }) => state === "active").length))
    })
  )
  const config = { suspicionTimeoutMs: 2500, splitBrainCheckIntervalMs: 5000 }
  const outcome = SimulatedCluster.run(scenario, { ...quick, virtualMs: 30_000, seed: 2, faults, config })
  return { outcome, least: (nodeId: string) => Math.min(...(told.get(nodeId) ?? [])) }
}

describe("the network", () => {
  it.each([
    { what: "nothing", faults: none, isSplit: false },
    {
      what: "a partition both ways",
      faults: [{ _tag: "Partition", atMs: 8000, side: ["n3"], oneWay: false, forMs: 60_000 }],
      isSplit: true
    },
    {
      what: "a partition one way",
      faults: [{ _tag: "Partition", atMs: 8000, side: ["n3"], oneWay: true, forMs: 60_000 }],
      isSplit: true
    },
    {
      what: "one cut link, which removes nobody",
      faults: [{ _tag: "Cut", atMs: 8000, from: "n2", to: "n3", oneWay: false, forMs: 60_000 }],
      isSplit: false
    },
    {
      what: "a slow node, reset connections and lost packets",
      faults: [
        { _tag: "SlowNode", atMs: 8000, node: "n3", extraMs: 300, forMs: 5000 },
        { _tag: "Loss", atMs: 8000, node: "n2", share: 0.1, forMs: 5000 },
        { _tag: "BreakLink", atMs: 9000, from: "n1", to: "n2" }
      ],
      isSplit: false
    }
  ] satisfies ReadonlyArray<{
    what: string
    faults: ReadonlyArray<Simulation.Fault>
    isSplit: boolean
  }>)("is seen by programs through their nodes: $what", ({ faults, isSplit }) => {
    const { least, outcome } = seen(faults)
    assert.isUndefined(outcome.violation)
    assert.strictEqual(least("n1"), isSplit ? 2 : 3)
    assert.strictEqual(least("n3") < 3, isSplit)
  })
})

describe("a sender of many messages", () => {
  const message: ClusterMessage = {
    type: "OP_FORWARD",
    sourceNodeId: "n1",
    targetPartitionId: 1,
    clientId: Option.none(),
    payload: new Uint8Array([1])
  }
  const send = (isPolite: boolean) => {
    const told = { arrived: 0, full: 0 }
    const sends = Effect.gen(function* () {
      const transport = yield* Transport
      yield* Effect.sleep("4 seconds")
      const { mesh } = yield* (yield* ClusterDriver).state
      const link = mesh.links.get("n2")?.at(-1) ?? -1
      for (let i = 0; i < 200; i++) {
        if (isPolite) yield* transport.awaitRoom(link)
        yield* transport.send(link, message)
      }
      told.full = (yield* transport.counters).outboxFull
    })
    const receives = Effect.gen(function* () {
      const { inboundMessages } = yield* ClusterChannelReceivers
      yield* Effect.forever(Effect.map(Queue.take(inboundMessages), () => told.arrived++))
    })
    const scenario = { program: ({ nodeId }: SimulatedCluster.NodeStart) => (nodeId === "n1" ? sends : receives) }
    const faults: ReadonlyArray<Simulation.Fault> = [{ _tag: "Stall", atMs: 4000, node: "n2", forMs: 1000 }]
    const limits = { maxOutboxMessages: 16 }
    const options = { ...quick, nodes: 2, seed: 2, faults, limits }
    assert.isUndefined(SimulatedCluster.run(() => scenario, options).violation)
    return told
  }

  it("who waits for room gets them all through", () => {
    assert.deepStrictEqual(send(true), { arrived: 200, full: 0 })
  })

  it("who does not loses the connection at the bound", () => {
    const { arrived, full } = send(false)
    assert.strictEqual(full, 1)
    assert.isBelow(arrived, 20)
  })
})
