/** At least one value of each of the original's modules, made with the flat API and nothing else. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Option, PubSub, Queue, Result, Schema, SubscriptionRef } from "effect"
import * as Squadron from "../../src/index.ts"

const member = (nodeId: string, state: Squadron.NodeState, joinVersion: number): Squadron.MemberInfo => ({
  nodeId,
  host: "127.0.0.1",
  clientPort: 8080,
  clusterPort: 9090,
  state,
  joinVersion
})

describe("types", () => {
  it("states, phases and the structs that use them", () => {
    const meta: Squadron.PartitionMeta = {
      partitionId: 1,
      owner: "a",
      backups: ["b"],
      state: "active" satisfies Squadron.PartitionState,
      version: 0
    }
    const task: Squadron.MigrationTask = { partitionId: 1, source: "a", destination: "b", newBackups: [] }
    const migration: Squadron.ActiveMigration = {
      migrationId: "m",
      ...task,
      state: "replicating" satisfies Squadron.MigrationPhase,
      startedAtMs: 1
    }
    const assignment: Squadron.PartitionAssignment = { partitionId: 1, owner: "a", backups: [] }
    const health: Squadron.ClusterHealth = {
      nodeCount: 1,
      activeNodes: 1,
      suspectNodes: 0,
      partitionTableVersion: 0,
      activeMigrations: 0,
      isMaster: true,
      masterNodeId: Option.some("a")
    }
    assert.isTrue(Schema.is(Squadron.PartitionMeta)(meta))
    assert.isTrue(Schema.is(Squadron.ActiveMigration)(migration))
    assert.isTrue(Schema.is(Squadron.PartitionAssignment)(assignment))
    assert.isTrue(Schema.is(Squadron.ClusterHealth)(health))
  })

  it("the view knows its master, its active members and each of them", () => {
    const view: Squadron.MembersView = {
      version: 3,
      members: [member("b", "active", 2), member("a", "active", 1), member("c", "suspect", 0)]
    }
    assert.strictEqual(Squadron.MembersView.master(view)?.nodeId, "a")
    assert.isTrue(Squadron.MembersView.isMaster(view, "a"))
    assert.lengthOf(Squadron.MembersView.activeMembers(view), 2)
    assert.strictEqual(Squadron.MembersView.getMember(view, "c")?.state, "suspect")
    assert.isUndefined(Squadron.MembersView.getMember(view, "d"))
  })

  it("the original's configuration has its defaults, and nonsense is a typed error", () => {
    assert.deepStrictEqual(Squadron.ClusterConfig.defaults, {
      clusterId: "",
      seedAddresses: [],
      heartbeatIntervalMs: 1000,
      phiThreshold: 8,
      maxSampleSize: 200,
      minStdDevMs: 100,
      maxNoHeartbeatMs: 5000,
      suspicionTimeoutMs: 10_000,
      backupCount: 1,
      maxParallelMigrations: 2,
      splitBrainCheckIntervalMs: 30_000
    })
    const checked = Squadron.ClusterConfig.validate({ ...Squadron.ClusterConfig.defaults, seedAddresses: ["here"] })
    assert.isTrue(Result.isFailure(checked) && checked.failure.message.startsWith('seedAddresses is ["here"]'))
    assert.isTrue(Result.isSuccess(Squadron.NodeConfig.validate(Squadron.NodeConfig.of({ nodeId: "a" }))))
    const nonsense = [
      Squadron.NodeConfig.of({ nodeId: "\ud800" }),
      Squadron.NodeConfig.of({ nodeId: "a", clusterPort: 1.5 }),
      Squadron.NodeConfig.of({ nodeId: "a", partitionCount: -1 }),
      Squadron.NodeConfig.of({ nodeId: "a", advertiseHost: "0.0.0.0" })
    ]
    for (const config of nonsense) assert.isTrue(Result.isFailure(Squadron.NodeConfig.validate(config)))
    const long = { ...Squadron.ClusterConfig.defaults, clusterId: "c".repeat(256) }
    assert.isTrue(Result.isFailure(Squadron.ClusterConfig.validate(long)))
    const secret = Squadron.NodeConfig.validate(Squadron.NodeConfig.of({ nodeId: "a", authToken: "s".repeat(300) }))
    assert.isTrue(Result.isFailure(secret) && !secret.failure.message.includes("sss"), "a secret reaches no log")
  })
})

describe("messages", () => {
  it("a message with only the reference's fields is a whole value, and survives the wire", () => {
    const heartbeat: Squadron.ClusterMessage = {
      type: "HEARTBEAT",
      senderId: "a",
      timestampMs: 1,
      membersViewVersion: 2,
      suspectedNodes: ["b"]
    }
    const chunk: Squadron.MapStateChunk = {
      mapName: "m",
      data: Uint8Array.of(1, 200),
      mapType: "lww" satisfies Squadron.MapType
    }
    const delta: Squadron.DeltaOp = { mapName: "m", key: "k", entry: new Uint8Array() }
    const data: Squadron.ClusterMessage = {
      type: "MIGRATE_DATA",
      partitionId: 1,
      mapStates: [chunk],
      deltaOps: [delta],
      sourceVersion: 0
    }
    for (const message of [heartbeat, data]) {
      const decoded = Squadron.decodeClusterMessage(Squadron.encodeClusterMessage(message))
      assert.deepStrictEqual(Result.getOrThrow(decoded), message)
    }
    const malformed = Squadron.decodeClusterMessage(Uint8Array.of(0xc1))
    assert.isTrue(Result.isFailure(malformed) && malformed.failure._tag === "MalformedMessage")
  })

  it("every payload is a schema of its own, without the tag", () => {
    const payloads: ReadonlyArray<readonly [Schema.Top, unknown]> = [
      [Squadron.LeaveRequestPayload, { nodeId: "a", reason: Option.none() }],
      [
        Squadron.HeartbeatComplaintPayload,
        { complainerId: "a", complainerViewVersion: 1, suspectId: "b", suspectViewVersion: 1 }
      ],
      [Squadron.ExplicitSuspicionPayload, { suspectId: "b", reason: "silent", masterViewVersion: 1 }],
      [Squadron.PartitionTableUpdatePayload, { assignments: [], version: 1, completedMigrations: [] }],
      [Squadron.MigrateStartPayload, { migrationId: "m", partitionId: 1, destinationNodeId: "b" }],
      [Squadron.MigrateReadyPayload, { migrationId: "m", partitionId: 1, sourceNodeId: "a" }],
      [Squadron.MigrateFinalizePayload, { migrationId: "m", partitionId: 1, newOwner: "b" }],
      [Squadron.MigrateCancelPayload, { migrationId: "m", partitionId: 1, reason: "late" }],
      [Squadron.MergeRequestPayload, { sourceClusterId: "", sourceMembers: [], sourceViewVersion: 1 }],
      [
        Squadron.OpForwardPayload,
        { sourceNodeId: "a", targetPartitionId: 1, clientId: Option.none(), payload: new Uint8Array() }
      ]
    ]
    for (const [schema, value] of payloads) assert.isTrue(Schema.is(schema)(value))
  })
})

describe("state", () => {
  it("the table is a value, and the change and command types are tagged", () => {
    const table = Squadron.ClusterPartitionTable.setOwner(Squadron.ClusterPartitionTable.make(4), 1, "a", ["b"])
    assert.deepStrictEqual(Squadron.ClusterPartitionTable.partitionsForNode(table, "a"), [1])
    const change: Squadron.ClusterChange = { _tag: "PartitionMoved", partitionId: 1, oldOwner: "a", newOwner: "b" }
    const command: Squadron.MigrationCommand = { _tag: "CancelAll" }
    const inbound: Squadron.InboundClusterMessage = { senderNodeId: "a", message: { type: "FETCH_PARTITION_TABLE" } }
    assert.isTrue(Schema.is(Squadron.ClusterChange)(change))
    assert.isTrue(Schema.is(Squadron.MigrationCommand)(command))
    assert.isTrue(Schema.is(Squadron.InboundClusterMessage)(inbound))
  })

  it.effect("channels have both halves", () =>
    Effect.gen(function* () {
      const membershipChanges = yield* SubscriptionRef.make<Squadron.MembersView>({ version: 0, members: [] })
      const clusterEvents = yield* PubSub.sliding<Squadron.ClusterChange>(4)
      const migrationCommands = yield* Queue.bounded<Squadron.MigrationCommand>(4)
      const inboundMessages = yield* Queue.bounded<Squadron.InboundClusterMessage>(4)
      const channels = Context.make(Squadron.ClusterChannels, {
        membershipChanges,
        clusterEvents,
        migrationCommands,
        inboundMessages
      })
      yield* Effect.provide(
        Effect.flatMap(Squadron.ClusterChannels, (one) => Queue.offer(one.migrationCommands, { _tag: "CancelAll" })),
        channels
      )
      assert.deepStrictEqual(yield* Queue.take(migrationCommands), { _tag: "CancelAll" })
    })
  )
})

const silentFor = (ms: number) =>
  Effect.gen(function* () {
    const detector = yield* Squadron.FailureDetector
    for (let now = 0; now <= 10_000; now += 1000) yield* detector.heartbeat("a", now)
    return yield* detector.isAlive("a", 10_000 + ms)
  })

describe("detectors", () => {
  it.effect("both are layers of one service", () =>
    Effect.gen(function* () {
      const config = Squadron.PhiAccrualConfig.defaults
      const phi = Squadron.PhiAccrualFailureDetector.layer(config)
      const deadline = Squadron.DeadlineFailureDetector.layer(config)
      assert.isTrue(yield* Effect.provide(silentFor(1000), phi))
      assert.isFalse(yield* Effect.provide(silentFor(3000), phi))
      assert.isTrue(yield* Effect.provide(silentFor(3000), deadline))
      assert.isFalse(yield* Effect.provide(silentFor(5001), deadline))
    })
  )
})

describe("assignment", () => {
  it("compute, plan and order", () => {
    const members = [member("a", "active", 1), member("b", "active", 2)]
    const target = Squadron.computeAssignment(members, 4, 1)
    assert.deepStrictEqual(
      target.map((row) => row.owner),
      ["a", "b", "a", "b"]
    )
    const table = Squadron.ClusterPartitionTable.applyAssignments(
      Squadron.ClusterPartitionTable.make(4),
      Squadron.computeAssignment(members.slice(0, 1), 4, 1)
    )
    const tasks = Squadron.planRebalance(table, target)
    assert.deepStrictEqual(
      Squadron.orderMigrations(tasks, table).map((task) => task.partitionId),
      [1, 3]
    )
    assert.strictEqual(Squadron.hashToPartition("key2"), 6)
  })
})

describe("services", () => {
  it.effect("all five are there to be required", () =>
    Effect.gen(function* () {
      const services = Layer.mergeAll(
        Layer.mock(Squadron.ClusterService, { nodeId: "a" }),
        Layer.mock(Squadron.MembershipService, {}),
        Layer.mock(Squadron.ClusterPartitionService, {}),
        Layer.mock(Squadron.MigrationService, {}),
        Squadron.FailureDetector.layerTrusting
      )
      const nodeId = yield* Effect.provide(
        Effect.gen(function* () {
          yield* Squadron.MembershipService
          yield* Squadron.ClusterPartitionService
          yield* Squadron.MigrationService
          yield* Squadron.FailureDetector
          return (yield* Squadron.ClusterService).nodeId
        }),
        services
      )
      assert.strictEqual(nodeId, "a")
    })
  )
})
