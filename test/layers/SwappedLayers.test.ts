/** Any one layer of a node can be swapped for a hand-written fake, which is what makes an application on top testable. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Option } from "effect"
import * as Cluster from "../../src/layers/Cluster.ts"
import * as TransportMemory from "../../src/layers/TransportMemory.ts"
import {
  AssignmentPlanner,
  ClusterConfig,
  ClusterDriver,
  ClusterPartitionService,
  ClusterService,
  FailureDetector,
  MembershipService,
  MigrationService,
  MonitoringTopology,
  NodeConfig,
  SplitBrainPolicy,
  Transport
} from "../../src/index.ts"
import * as TestCluster from "../../src/testing/TestCluster.ts"

import { everyTick, inVirtualTime, until, whileTimePasses } from "./InVirtualTime.ts"

/** The topology of a node that is given this layer. */
const topologyWith = (layer: Layer.Layer<never>) =>
  Effect.provide(
    Effect.flatMap(ClusterDriver, ({ state }) => Effect.map(state, ({ topology }) => topology.name)),
    TestCluster.layer().pipe(Layer.provide(layer))
  )

describe("any one layer can be swapped", () => {
  const config = ClusterConfig.defaults
  const node = NodeConfig.of({ nodeId: "n1", clusterPort: 9001 })
  const transport = Layer.unwrap(
    Effect.map(TransportMemory.makeNetwork, (network) => TransportMemory.layer(network, "127.0.0.1:9001"))
  )
  const kernel = Cluster.layer({ config, node })

  it.effect("transport: a hand-written one that only records", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const dialled: Array<string> = []
        const fake = Layer.succeed(Transport, {
          dial: (address) => Effect.sync(() => void dialled.push(address)),
          send: () => Effect.void,
          awaitRoom: () => Effect.void,
          identify: () => Effect.void,
          close: () => Effect.void,
          receive: Effect.never,
          receiveUrgent: () => Effect.never,
          localAddress: "127.0.0.1:9001",
          counters: Effect.die("no counters")
        })
        const lonely = Cluster.layer({
          config: { ...config, seedAddresses: ["10.0.0.9:1"] },
          node,
          awaitJoin: false
        }).pipe(
          Layer.provide([fake, FailureDetector.layerTrusting]),
          Layer.provide([AssignmentPlanner.layerMinimalMovement, SplitBrainPolicy.layerAvailable])
        )
        yield* Effect.provide(
          Effect.sync(() => dialled.length).pipe(Effect.repeat({ until: (count) => count > 0, schedule: everyTick })),
          lonely
        )
        assert.deepStrictEqual([...new Set(dialled)], ["10.0.0.9:1"])
      })
    )
  )

  it.effect("a defect of a part stops the node, instead of leaving it half alive", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const broken = Layer.succeed(AssignmentPlanner, {
          plan: () => {
            throw new Error("the planner has a bug")
          }
        })
        const failing = kernel.pipe(
          Layer.provide([transport, FailureDetector.layerTrusting, broken, SplitBrainPolicy.layerAvailable])
        )
        const built = yield* Layer.build(failing)
        const exit = yield* Effect.exit(Context.get(built, ClusterService).stopped)
        assert.isTrue(Exit.isFailure(exit) && String(exit.cause).includes("the planner has a bug"))
      })
    )
  )

  it.effect("planner: one that gives everything to the first member", () =>
    whileTimePasses(
      Effect.provide(
        Effect.gen(function* () {
          const partitions = yield* ClusterPartitionService
          yield* Effect.repeat(partitions.version, { until: (version) => version > 0, schedule: everyTick })
          assert.deepStrictEqual(yield* partitions.partitionsForNode("n1"), [0])
        }),
        kernel.pipe(
          Layer.provide(
            Layer.succeed(AssignmentPlanner, {
              plan: ({ members }) => {
                const [first] = members
                const owner = typeof first === "string" ? first : "nobody"
                return { promotions: [], target: [{ partitionId: 0, owner, backups: [] }] }
              }
            })
          ),
          Layer.provide([transport, FailureDetector.layerTrusting, SplitBrainPolicy.layerAvailable])
        )
      )
    )
  )

  it.effect("policy: one that nobody can satisfy never settles a view", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const impossible = Layer.succeed(SplitBrainPolicy, {
          name: "impossible",
          quorum: () => false,
          accuse: () => false,
          forks: false
        })
        const node1 = kernel.pipe(
          Layer.provide([transport, FailureDetector.layerTrusting, AssignmentPlanner.layerMinimalMovement, impossible])
        )
        assert.isTrue(Option.isNone(yield* Effect.timeoutOption(Layer.build(node1), "20 seconds")))
      })
    )
  )

  it.effect("topology: the one that a layer gives, or rings above 100 members", () =>
    whileTimePasses(
      Effect.gen(function* () {
        assert.strictEqual(yield* topologyWith(MonitoringTopology.layerRings({ k: 5, above: 0 })), "rings:5")
        assert.strictEqual(yield* topologyWith(MonitoringTopology.layerAllToAll), "all")
        assert.strictEqual(yield* topologyWith(Layer.empty), "rings:8 above 100")
      })
    )
  )

  it.effect("detector: one that suspects a member makes it suspect, though it beats", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const network = yield* TransportMemory.makeNetwork
        const paranoid = Layer.succeed(FailureDetector, {
          heartbeat: () => Effect.void,
          isAlive: (nodeId) => Effect.succeed(nodeId !== "n2"),
          lastHeartbeat: () => Effect.succeed(Option.none()),
          suspicionLevel: () => Effect.succeed(99),
          remove: () => Effect.void,
          reset: Effect.void
        })
        const first = Cluster.layer({ config, node }).pipe(
          Layer.provide(TransportMemory.layer(network, "127.0.0.1:9001")),
          Layer.provide([paranoid, AssignmentPlanner.layerMinimalMovement, SplitBrainPolicy.layerAvailable])
        )
        const second = TestCluster.node(network, {
          nodeId: "n2",
          clusterPort: 9002,
          config: { seedAddresses: ["127.0.0.1:9001"] }
        })
        const node1 = yield* Layer.build(first)
        yield* Layer.build(second)
        yield* until(Effect.map(Context.get(node1, ClusterService).health, (health) => health.suspectNodes === 1))
      })
    )
  )

  it.effect("cluster, membership, partition and migration services: an application sees only its fakes", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const whoOwns = Effect.fn("whoOwns")(function* (key: string) {
          const partitions = yield* ClusterPartitionService
          const membership = yield* MembershipService
          const cluster = yield* ClusterService
          const migrations = yield* MigrationService
          const partition = yield* partitions.hashToPartition(key)
          const owner = yield* partitions.getOwner(partition)
          const members = yield* membership.activeMembers
          return {
            owner: Option.getOrElse(owner, () => "nobody"),
            members: members.length,
            master: yield* cluster.isMaster,
            moving: yield* migrations.isMigrating(partition)
          }
        })
        const fakes = Layer.mergeAll(
          Layer.mock(ClusterPartitionService, {
            hashToPartition: () => Effect.succeed(5),
            getOwner: (partitionId) => Effect.succeed(Option.some(`owner-of-${partitionId}`))
          }),
          Layer.mock(MembershipService, { activeMembers: Effect.succeed([]) }),
          Layer.mock(ClusterService, { isMaster: Effect.succeed(true), nodeId: "fake" }),
          Layer.mock(MigrationService, { isMigrating: (partitionId) => Effect.succeed(partitionId === 5) })
        )
        const answer = yield* Effect.provide(whoOwns("a key"), fakes)
        assert.deepStrictEqual(answer, { owner: "owner-of-5", members: 0, master: true, moving: true })
      })
    )
  )
})
