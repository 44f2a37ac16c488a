/** Messages to the owner of a key, and work that goes where its partition goes. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { transition } from "../../src/domain/protocol/Transition.ts"
import { ClusterPartitionService, ClusterService, MigrationService, PartitionRouter } from "../../src/index.ts"
import { ClusterDriver } from "../../src/services/ClusterDriver.ts"
import { SimulatedCluster, TestCluster } from "../../src/testing.ts"
import { inVirtualTime, type Node, three, until } from "./InVirtualTime.ts"

const greetings = PartitionRouter.route("greetings", {
  request: Schema.Struct({ name: Schema.String }),
  reply: Schema.Struct({ text: Schema.String, by: Schema.String })
})

const handlesOn = (node: Node, nodeId: string) =>
  Layer.build(greetings.layer(({ payload }) => Effect.succeed({ text: `hello ${payload.name}`, by: nodeId }))).pipe(
    Effect.provideContext(node)
  )

const ownerOf = (node: Node, key: string) =>
  Effect.gen(function* () {
    const service = Context.get(node, ClusterPartitionService)
    const partitionId = yield* service.hashToPartition(key)
    const map = yield* service.getPartitionMap
    const row = map.partitions.find((one) => one.partitionId === partitionId)
    return { partitionId, owner: row?.ownerNodeId ?? "", backups: row?.backupNodeIds ?? [] }
  }).pipe(Effect.orDie)

const hasTable = (nodes: ReadonlyArray<Node>) =>
  until(
    Effect.map(Effect.all(nodes.map((node) => Context.get(node, ClusterPartitionService).version)), (versions) =>
      versions.every((version) => version > 0 && version === versions[0])
    )
  )

/** Every node works for a key while it owns its partition. */
const scenario = (): SimulatedCluster.Scenario => {
  const working = new Set<string>()
  return {
    program: ({ nodeId, start }) =>
      Effect.gen(function* () {
        const name = `${nodeId}#${start}`
        const { hashToPartition } = yield* ClusterPartitionService
        const job = Effect.acquireRelease(
          Effect.sync(() => working.add(name)),
          () => Effect.sync(() => working.delete(name))
        ).pipe(Effect.andThen(Effect.never))
        yield* (yield* PartitionRouter).whileOwner(yield* hashToPartition("the job"), job)
      }),
    invariants: {
      "whoever knows of another owner has stopped": SimulatedCluster.lasting(1000, ({ nodes }) => {
        const late = nodes.find(
          (node) =>
            working.has(`${node.nodeId}#${node.start}`) && !node.isFrozen && node.ownerOf("the job") !== node.nodeId
        )
        return late && `${late.nodeId} goes on`
      })
    },
    eventually: {
      "the owner works": ({ nodes }) => {
        const owner = nodes.find((node) => node.ownerOf("the job") === node.nodeId)
        return owner !== undefined && working.has(`${owner.nodeId}#${owner.start}`) ? undefined : "nobody works"
      }
    }
  }
}

describe("PartitionRouter", () => {
  it.effect("every node reaches the owner of a key, and gets the reply of its handler", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { nodes } = yield* three
        yield* hasTable(nodes)
        yield* Effect.forEach(nodes, (node, index) => handlesOn(node, `n${index + 1}`))
        for (const node of nodes) {
          for (const key of ["a", "b", "c", "d", "e"]) {
            const reply = yield* greetings.send(key, { name: key }).pipe(Effect.provideContext(node))
            assert.deepStrictEqual(reply, { text: `hello ${key}`, by: (yield* ownerOf(node, key)).owner })
          }
        }
      })
    )
  )

  it.effect("what cannot be handled is told as what it is", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { nodes } = yield* three
        yield* hasTable(nodes)
        const send = (name: string) =>
          greetings.send("key", { name }, { timeoutMs: 500 }).pipe(Effect.provideContext(nodes[0]), Effect.flip)
        assert.strictEqual((yield* send("nobody"))._tag, "NoHandler")
        assert.strictEqual((yield* send("x".repeat(2 ** 21)))._tag, "MessageTooLarge")
        for (const key of ["a\ud800", "k".repeat(5000)]) {
          for (const node of nodes) {
            const broken = yield* greetings.send(key, { name: "n" }).pipe(Effect.provideContext(node), Effect.flip)
            assert.strictEqual(broken._tag, "UndecodableMessage")
          }
        }
        const others = PartitionRouter.route("greetings", { request: Schema.Int, reply: Schema.Int })
        yield* Effect.forEach(nodes, (node, index) => handlesOn(node, `n${index + 1}`))
        const wrong = yield* others.send("key", 7).pipe(Effect.provideContext(nodes[1]), Effect.flip)
        assert.strictEqual(wrong._tag, "UndecodableMessage")
        const twice = yield* Effect.flip(handlesOn(nodes[0], "n1"))
        assert.strictEqual(twice._tag, "DuplicateRoute")
      })
    )
  )

  it.effect("a handler that dies leaves the outcome unknown, and the node up", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { nodes } = yield* three
        yield* hasTable(nodes)
        const dies = greetings.layer(({ payload }) =>
          payload.name === "die" ? Effect.die("as it was told") : Effect.succeed({ text: payload.name, by: "" })
        )
        yield* Effect.forEach(nodes, (node) => Layer.build(dies).pipe(Effect.provideContext(node)))
        for (const node of nodes) {
          const send = (name: string) => greetings.send("key", { name }).pipe(Effect.provideContext(node))
          assert.strictEqual((yield* Effect.flip(send("die")))._tag, "OutcomeUnknown")
          assert.strictEqual((yield* send("live")).text, "live")
        }
      })
    )
  )

  it.effect("a message is sent again when it comes from or to a node before the view that has it", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { nodes } = yield* three
        yield* hasTable(nodes)
        yield* Effect.forEach(nodes, (node, index) => handlesOn(node, `n${index + 1}`))
        const { owner } = yield* ownerOf(nodes[0], "key")
        const at = Number(owner.slice(1)) - 1
        const [own, other] = [nodes[at], nodes[(at + 1) % 3]]
        const otherId = `n${((at + 1) % 3) + 1}`
        if (own === undefined || other === undefined) return assert.fail("there is no owner")
        // First the owner does not know who asks, then who asks is out of its own view.
        for (const unaware of [own, other]) {
          const driver = Context.get(unaware, ClusterDriver)
          const { phase } = yield* driver.state
          if (phase._tag !== "Joined") return assert.fail("the node has no view")
          const { members } = phase.view
          const setMembers = (some: typeof members) =>
            driver.commit(
              transition((step) => step.joined && step.setJoined({ view: { ...step.joined.view, members: some } }))
            )
          yield* setMembers(members.filter(({ nodeId }) => nodeId !== otherId))
          const sent = yield* greetings
            .send("key", { name: "you" })
            .pipe(Effect.provideContext(other), Effect.forkChild)
          yield* Effect.sleep(90)
          yield* setMembers(members)
          assert.strictEqual((yield* Fiber.join(sent)).by, owner)
        }
      })
    )
  )

  it.effect("work for a partition is interrupted when it moves, and begins where it has gone to", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { nodes } = yield* three
        yield* hasTable(nodes)
        const { backups, owner, partitionId } = yield* ownerOf(nodes[0], "the job")
        const story: Array<string> = []
        for (const [index, node] of nodes.entries()) {
          const name = `n${index + 1}`
          const job = Effect.acquireRelease(
            Effect.sync(() => story.push(`${name} begins`)),
            () => Effect.sync(() => story.push(`${name} ends`))
          ).pipe(Effect.andThen(Effect.never))
          yield* Context.get(node, PartitionRouter).whileOwner(partitionId, job).pipe(Effect.forkScoped)
        }
        yield* until(Effect.sync(() => story.length === 1))
        const destination = backups[0] ?? ""
        yield* Context.get(nodes[0], MigrationService).startMigrations([
          { partitionId, source: owner, destination, newBackups: [owner] }
        ])
        yield* until(Effect.sync(() => story.length === 3))
        assert.deepStrictEqual(
          story.toSorted(),
          [`${destination} begins`, `${owner} begins`, `${owner} ends`].toSorted()
        )
        assert.strictEqual(story[0], `${owner} begins`)
      })
    )
  )

  it.effect("work ends in the moment in which its node loses its quorum, and begins again in which it is back", () =>
    Effect.gen(function* () {
      const node = yield* Layer.build(TestCluster.layer({ nodeId: "n1" }))
      const ready = yield* Effect.forkChild(Context.get(node, ClusterService).ready)
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(ready)
      let working = 0
      const job = Effect.acquireRelease(
        Effect.sync(() => working++),
        () => Effect.sync(() => working--)
      ).pipe(Effect.andThen(Effect.never))
      yield* Context.get(node, PartitionRouter).whileOwner(7, job).pipe(Effect.forkScoped)
      const driver = Context.get(node, ClusterDriver)
      const halt = (haltedSinceMs: number | undefined) =>
        driver.commit(transition((step) => step.set({ split: { ...step.state.split, haltedSinceMs } })))
      // No time passes.
      const settled = Effect.forEach(Array.from({ length: 20 }), () => Effect.yieldNow, { discard: true })
      const seen: Array<number> = []
      for (const change of [Effect.void, halt(0), halt(undefined), halt(1)]) {
        yield* change
        yield* settled
        seen.push(working)
      }
      assert.deepStrictEqual(seen, [1, 0, 1, 0])
    })
  )

  it.effect("a node is ready when it has a table: then every partition has an owner", () =>
    Effect.gen(function* () {
      const node = yield* Layer.build(TestCluster.layer({ nodeId: "n1" }))
      const { nodeId, ready } = Context.get(node, ClusterService)
      const owned = yield* Effect.forkChild(
        Effect.andThen(ready, Context.get(node, ClusterPartitionService).partitionsForNode(nodeId))
      )
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual((yield* Fiber.join(owned)).length, 271)
    })
  )

  it("under the simulator, whoever knows of another owner has stopped", () => {
    const { violations } = SimulatedCluster.check(scenario, { nodes: 3, seeds: 3, virtualMs: 15_000 })
    assert.strictEqual(violations, 0)
  }, 60_000)
})
