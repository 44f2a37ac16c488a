/**
 * The services together, over the in-memory transport and virtual time; and each of them swapped for
 * a hand-written fake, which is what makes an application on top testable.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Option, Result, Schedule, type Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Cluster from "../../src/layers/Cluster.ts"
import * as TransportMemory from "../../src/layers/TransportMemory.ts"
import {
  AssignmentPlanner,
  ClusterConfig,
  ClusterPartitionService,
  ClusterPartitionTable,
  ClusterService,
  FailureDetector,
  MembershipService,
  MigrationService,
  NodeConfig,
  SplitBrainPolicy,
  Transport
} from "../../src/index.ts"
import * as TestCluster from "../../src/testing/TestCluster.ts"

const seeds = ["127.0.0.1:9001", "127.0.0.1:9002", "127.0.0.1:9003"]

/** Runs an effect while virtual time passes, in steps of a tick. */
const whileTimePasses = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(effect)
    const clock = yield* Effect.forkChild(Effect.forever(TestClock.adjust("50 millis")))
    const result = yield* Fiber.join(fiber)
    yield* Fiber.interrupt(clock)
    return result
  })

/** A test body with all its layers: time passes while they are built, used and closed. */
const inVirtualTime = <A, E>(body: Effect.Effect<A, E, Scope.Scope>): Effect.Effect<A, E> =>
  whileTimePasses(Effect.scoped(body))

const everyTick = Schedule.spaced("50 millis")

/** Waits, in virtual time, until a condition holds; at most a virtual minute. */
const until = (condition: Effect.Effect<boolean>): Effect.Effect<void> =>
  Effect.suspend(() => condition).pipe(
    Effect.repeat({ until: (holds: boolean) => holds, schedule: everyTick }),
    Effect.timeoutOrElse({ duration: "1 minute", orElse: () => Effect.die("the condition did not come true") }),
    Effect.asVoid
  )

const three = Effect.gen(function* () {
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

type Node = Context.Context<TestCluster.TestServices>

const membersOf = (node: Node) =>
  Effect.map(Context.get(node, MembershipService).activeMembers, (members) =>
    members.map((member) => member.nodeId).toSorted()
  )

const holds = (node: Node, ids: ReadonlyArray<string>) =>
  Effect.map(membersOf(node), (members) => members.join() === ids.join())

describe("a cluster in memory", () => {
  it.effect("three nodes that start at once found one cluster and share the partitions evenly", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { nodes } = yield* three
        const cluster = nodes.map((node) => Context.get(node, ClusterService))
        yield* until(
          Effect.map(Effect.all(nodes.map((node) => Context.get(node, ClusterPartitionService).version)), (versions) =>
            versions.every((version) => version > 0 && version === versions[0])
          )
        )
        assert.deepStrictEqual(yield* Effect.all(cluster.map((one) => one.isMaster)), [true, false, false])
        const counts = yield* Effect.forEach(["n1", "n2", "n3"], (id) =>
          Effect.map(Context.get(nodes[2], ClusterPartitionService).partitionsForNode(id), (owned) => owned.length)
        )
        assert.deepStrictEqual(
          counts.toSorted((a, b) => a - b),
          [90, 90, 91]
        )
        assert.deepStrictEqual(yield* membersOf(nodes[1]), ["n1", "n2", "n3"])
      })
    )
  )

  it.effect("a killed node is declared dead by proof, and its partitions are promoted at once", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { network, nodes } = yield* three
        yield* until(Effect.map(Context.get(nodes[1], ClusterPartitionService).version, (version) => version > 0))
        const before = yield* Context.get(nodes[0], ClusterService).partitionTable
        const changes = yield* Effect.forkChild(
          Context.get(nodes[1], ClusterService).subscribeChanges.pipe(
            Stream.filter((change) => change._tag === "MemberUpdated" && change.member.state === "dead"),
            Stream.runHead
          )
        )
        yield* Effect.sleep("100 millis")
        yield* network.kill("127.0.0.1:9003")
        yield* until(holds(nodes[1], ["n1", "n2"]))
        yield* until(
          Effect.map(Context.get(nodes[1], ClusterPartitionService).partitionsForNode("n3"), (ids) => ids.length === 0)
        )
        const change = yield* Fiber.join(changes)
        assert.strictEqual(Option.getOrThrow(change)._tag, "MemberUpdated")
        const after = yield* Context.get(nodes[1], ClusterService).partitionTable
        for (const row of ClusterPartitionTable.assignments(before).filter((old) => old.owner !== "n3")) {
          const now = ClusterPartitionTable.getPartition(after, row.partitionId)
          assert.strictEqual(now?.owner, row.owner, "only the dead node's partitions move")
        }
      })
    )
  )

  it.effect("a node that closes its scope leaves, and nobody calls it dead", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { nodes, network } = yield* three
        const fourth = TestCluster.node(network, {
          nodeId: "n4",
          clusterPort: 9004,
          config: { seedAddresses: seeds }
        })
        const seen = yield* Effect.forkChild(
          Context.get(nodes[0], ClusterService).subscribeChanges.pipe(
            Stream.filter((change) => change._tag === "MemberRemoved"),
            Stream.runHead
          )
        )
        yield* Effect.sleep("100 millis")
        yield* Effect.provide(
          Effect.flatMap(ClusterService, (cluster) => cluster.health).pipe(
            Effect.tap((health) => Effect.sync(() => assert.isAtLeast(health.nodeCount, 4)))
          ),
          fourth
        )
        const removed = Option.getOrThrow(yield* Fiber.join(seen))
        assert.isTrue(removed._tag === "MemberRemoved" && removed.cause.includes("leaves"), JSON.stringify(removed))
        yield* until(holds(nodes[2], ["n1", "n2", "n3"]))
      })
    )
  )

  it.effect("a program that is interrupted leaves in good order too", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { nodes, network } = yield* three
        const fourth = TestCluster.node(network, { nodeId: "n4", clusterPort: 9004, config: { seedAddresses: seeds } })
        const causes: Array<string> = []
        yield* Effect.forkChild(
          Context.get(nodes[2], ClusterService).subscribeChanges.pipe(
            Stream.runForEach((change) =>
              Effect.sync(() => {
                if (change._tag === "MemberUpdated" || change._tag === "MemberRemoved") {
                  causes.push(`${change.member.nodeId}: ${change.cause}`)
                }
              })
            )
          )
        )
        const program = yield* Effect.forkChild(Effect.provide(Effect.never, fourth))
        yield* until(holds(nodes[0], ["n1", "n2", "n3", "n4"]))
        yield* Fiber.interrupt(program)
        yield* until(holds(nodes[2], ["n1", "n2", "n3"]))
        assert.include(causes.join(), "n4: n4 leaves", "a follower knows the master's cause")
        assert.notInclude(causes.join(), "dead")
      })
    )
  )

  it.effect("a node of another cluster id is refused with a hint", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const { network } = yield* three
        const stranger = Layer.build(
          TestCluster.node(network, {
            nodeId: "n9",
            clusterPort: 9009,
            config: { clusterId: "other", seedAddresses: seeds }
          })
        )
        const error = yield* Effect.flip(stranger)
        assert.strictEqual(error._tag, "JoinFailed")
        assert.include(error.message, 'this is cluster "", not "other"')
      })
    )
  )

  it.effect("a node whose seeds do not answer gives up and names them", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const network = yield* TransportMemory.makeNetwork
        const lonely = Layer.build(
          TestCluster.node(network, { nodeId: "n1", config: { seedAddresses: ["127.0.0.1:9999", "127.0.0.1:9998"] } })
        )
        const error = yield* Effect.flip(lonely)
        assert.include(error.message, "127.0.0.1:9999 refused the connection")
      })
    )
  )

  it.effect("nonsense in the configuration is a typed error that names the setting", () =>
    inVirtualTime(
      Effect.gen(function* () {
        const error = yield* Effect.flip(Layer.build(TestCluster.layer({ config: { maxSampleSize: 0 } })))
        assert.strictEqual(error.message, "maxSampleSize is 0, but must be 1…100000 samples")
      })
    )
  )
})

describe("the services of one node", () => {
  const alone = TestCluster.layer({ nodeId: "n1" })
  const provided = <A, E>(effect: Effect.Effect<A, E, TestCluster.TestServices>) =>
    whileTimePasses(Effect.provide(effect, alone))

  it.effect("partitions: ids out of range are a typed error, all others are owned by the only node", () =>
    provided(
      Effect.gen(function* () {
        const partitions = yield* ClusterPartitionService
        yield* Effect.repeat(partitions.version, { until: (version) => version > 0, schedule: everyTick })
        assert.deepStrictEqual(yield* partitions.getOwner(0), Option.some("n1"))
        assert.isTrue(yield* partitions.isLocalOwner(270))
        assert.isFalse(yield* partitions.isLocalBackup(270))
        assert.strictEqual(yield* partitions.getState(1), "active")
        const error = yield* Effect.flip(partitions.getOwner(271))
        assert.strictEqual(error.message, "there is no partition 271; ids are 0…270")
        assert.strictEqual(yield* partitions.hashToPartition(""), 199)
        assert.lengthOf((yield* partitions.getPartitionMap).partitions, 271)
        assert.deepStrictEqual(yield* partitions.rebalance, [])
      })
    )
  )

  it.effect("migration: tasks that do not fit are refused whole, and no migration is ever open", () =>
    provided(
      Effect.gen(function* () {
        const partitions = yield* ClusterPartitionService
        const migrations = yield* MigrationService
        yield* Effect.repeat(partitions.version, { until: (version) => version > 0, schedule: everyTick })
        const version = yield* partitions.version
        const task = { partitionId: 0, source: "n1", destination: "n2", newBackups: [] }
        const error = yield* Effect.flip(migrations.startMigrations([task]))
        assert.include(error.message, '"n2" is no active member')
        assert.strictEqual(yield* partitions.version, version)
        assert.isTrue(Result.isFailure(yield* Effect.result(migrations.cancelMigration(0))))
        assert.isFalse(yield* migrations.isMigrating(0))
      })
    )
  )

  it.effect("membership: a join request is answered when the view that admits it is settled", () =>
    provided(
      Effect.gen(function* () {
        const membership = yield* MembershipService
        const response = yield* membership.handleJoinRequest({
          nodeId: "n2",
          host: "127.0.0.1",
          clientPort: 1,
          clusterPort: 2,
          clusterId: "",
          protocolVersion: 1,
          authToken: Option.none(),
          incarnation: 7
        })
        assert.isTrue(response.accepted)
        assert.deepStrictEqual(
          Option.getOrThrow(response.membersView).members.map((member) => [member.nodeId, member.state]),
          [
            ["n1", "active"],
            ["n2", "joining"]
          ]
        )
        const unknown = yield* Effect.flip(membership.removeMember("nobody"))
        assert.strictEqual(unknown._tag, "UnknownMember")
      })
    )
  )
})

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
