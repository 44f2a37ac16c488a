/** The services together, over the in-memory transport and virtual time. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Option, Result, Stream } from "effect"
import {
  ClusterPartitionService,
  ClusterPartitionTable,
  ClusterService,
  MembershipService,
  MigrationService
} from "../../src/index.ts"
import * as TransportMemory from "../../src/layers/TransportMemory.ts"
import * as TestCluster from "../../src/testing/TestCluster.ts"
import { everyTick, holds, inVirtualTime, membersOf, seeds, three, until, whileTimePasses } from "./InVirtualTime.ts"

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
          ),
          { startImmediately: true }
        )
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
          ),
          { startImmediately: true }
        )
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
        const alive = yield* Effect.flip(membership.forget(["n1"]))
        assert.deepStrictEqual([alive.reason, alive.nodeId], ["StillHeard", "n1"])
        assert.include(alive.message, "stop it before it is forgotten")
      })
    )
  )
})
