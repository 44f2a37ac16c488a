/** The service under the simulator: whatever breaks, a session that was opened is found everywhere until it is closed. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Random, Result, Schema } from "effect"
import { HttpRouter } from "effect/http"
import { PartitionStoreMemory } from "effect-squadron/maps"
import { SimulatedCluster, type Simulation, TestCluster, TransportMemory } from "effect-squadron/testing"
import { routes } from "./Http.ts"
import { Sessions } from "./Sessions.ts"

/** Made anew for every run: what the clients have been told. */
const scenario = (): SimulatedCluster.Scenario & { readonly open: ReadonlySet<string> } => {
  const open = new Set<string>()
  const closed = new Set<string>()
  /** What each node finds. */
  const seen = new Map<string, ReadonlySet<string>>()

  const client = Effect.gen(function* () {
    const sessions = yield* Sessions
    const opened = yield* Effect.result(sessions.open({ user: "ann" }))
    if (Result.isFailure(opened)) return
    const id = opened.success
    open.add(id)
    if ((yield* Random.next) < 0.5) return
    // From here on it may be gone, and once it is said to be closed it must be.
    open.delete(id)
    if (Result.isSuccess(yield* Effect.result(sessions.close(id)))) closed.add(id)
  })
  const look = (nodeId: string) =>
    Effect.gen(function* () {
      const sessions = yield* Sessions
      const found = yield* Effect.filter([...open, ...closed], (id) => Effect.map(sessions.find(id), Option.isSome))
      seen.set(nodeId, new Set(found))
    }).pipe(Effect.ignore)

  return {
    open,
    store: () => PartitionStoreMemory.layer(),
    program: ({ nodeId }) =>
      client.pipe(
        Effect.delay("200 millis"),
        Effect.repeat({ times: 60 }),
        Effect.andThen(Effect.forever(Effect.delay(look(nodeId), "2 seconds"))),
        Effect.provide(Sessions.layer(Effect.map(Random.nextInt, String)))
      ),
    eventually: {
      "every node finds every open session, and no closed one": ({ nodes }) => {
        for (const { nodeId } of nodes) {
          const found = seen.get(nodeId) ?? new Set()
          for (const id of open) if (!found.has(id)) return `${nodeId} does not find session ${id}`
          for (const id of closed) if (found.has(id)) return `${nodeId} finds session ${id}, which is closed`
        }
        return undefined
      }
    }
  }
}

describe("sessions", () => {
  it("outlive the machine of one node and the standstill of another", { timeout: 60_000 }, () => {
    const faults: ReadonlyArray<Simulation.Fault> = [
      { _tag: "Delay", atMs: 6000, minMs: 50, maxMs: 900, forMs: 3000 },
      { _tag: "Kill", atMs: 8000, node: "master", withHost: true },
      { _tag: "Freeze", atMs: 26_000, node: "n3", forMs: 15_000 }
    ]
    const runs: Array<ReturnType<typeof scenario>> = []
    const remembered = () => {
      const run = scenario()
      runs.push(run)
      return run
    }
    SimulatedCluster.check(remembered, { nodes: 4, faults, seeds: 3, virtualMs: 40_000 })
    for (const { open } of runs) assert.isAbove(open.size, 30)
  })
})

/** One of two nodes in this process, as a handler of web requests. */
const handler = Effect.gen(function* () {
  const network = yield* TransportMemory.makeNetwork
  const nodeOf = (nodeId: string, clusterPort: number) =>
    TestCluster.nodeWithData(network, {
      nodeId,
      clusterPort,
      config: clusterPort === 9001 ? {} : { seedAddresses: ["127.0.0.1:9001"] },
      store: PartitionStoreMemory.layer()
    })
  const first = yield* Layer.build(nodeOf("n1", 9001))
  yield* Layer.build(nodeOf("n2", 9002))
  const sessions = Sessions.layer(Effect.map(Random.nextInt, String)).pipe(Layer.provide(Layer.succeedContext(first)))
  const { dispose, handler } = HttpRouter.toWebHandler(routes.pipe(Layer.provideMerge(sessions)), {
    disableLogger: true
  })
  yield* Effect.addFinalizer(() => Effect.promise(dispose))
  return (method: string, path: string, body?: unknown) =>
    Effect.promise(async () => {
      const headers = { "content-type": "application/json" }
      const request = new Request(`http://test${path}`, {
        method,
        ...(body === undefined ? {} : { headers, body: JSON.stringify(body) })
      })
      const response = await handler(request)
      const text = await response.text()
      const json: unknown = text === "" ? undefined : JSON.parse(text)
      return { status: response.status, json }
    })
})

describe("sessions over HTTP", () => {
  it.live("are opened, found and closed, and a bad request is told what is wrong", () =>
    Effect.gen(function* () {
      const ask = yield* handler
      const opened = yield* ask("POST", "/sessions", { user: "ann" })
      assert.strictEqual(opened.status, 201)
      const { id } = Schema.decodeUnknownSync(Schema.Struct({ id: Schema.String }))(opened.json)
      assert.deepStrictEqual(yield* ask("GET", `/sessions/${id}`), { status: 200, json: { user: "ann" } })
      assert.strictEqual((yield* ask("DELETE", `/sessions/${id}`)).status, 204)
      assert.strictEqual((yield* ask("GET", `/sessions/${id}`)).status, 404)
      const bad = yield* ask("POST", "/sessions", { user: "" })
      assert.strictEqual(bad.status, 400)
      assert.include(JSON.stringify(bad.json), "user")
    })
  )
})
