import { assert, it } from "@effect/vitest"
import { Effect, Option, PubSub, Ref, Stream } from "effect"
import { TestClock, TestConsole } from "effect/testing"
import { run } from "../../../src/cli/node/Reporter.ts"
import { NodeReport } from "../../../src/cli/NodeReport.ts"
import type { ClusterChange } from "../../../src/domain/model/ClusterChange.ts"
import type { MembersView } from "../../../src/domain/model/MembersView.ts"
import { ClusterPartitionTable } from "../../../src/domain/placement/ClusterPartitionTable.ts"
import { ClusterDriver } from "../../../src/services/ClusterDriver.ts"
import { ClusterConfig } from "../../../src/domain/model/ClusterConfig.ts"
import { NodeConfig } from "../../../src/domain/model/NodeConfig.ts"
import { initial } from "../../../src/domain/protocol/ClusterState.ts"
import { available } from "../../../src/domain/protocol/Quorum.ts"
import { ClusterService } from "../../../src/services/ClusterService.ts"

interface Seen {
  readonly view: MembersView
  readonly table: ClusterPartitionTable
}

const moved: ClusterChange = { _tag: "PartitionMoved", partitionId: 0, oldOwner: "", newOwner: "a" }

/** A node that holds no view yet. */
const fresh = initial(
  {
    config: ClusterConfig.defaults,
    node: NodeConfig.of({ nodeId: "a" }),
    policy: available,
    incarnation: 1,
    nowMs: 0
  },
  "127.0.0.1:1"
)
const stillDriver = ClusterDriver.of({
  state: Effect.succeed(fresh),
  commit: () => Effect.never,
  onForward: () => Effect.void,
  onChange: () => Effect.void,
  stopped: Effect.never
})

/** Runs the reporter on a hand-written cluster; `body` changes what is seen and announces it. */
const reporting = (
  body: (
    see: (change: Partial<Seen>) => Effect.Effect<void>,
    announce: (times: number) => Effect.Effect<void>
  ) => Effect.Effect<void>
) =>
  Effect.gen(function* () {
    const events = yield* PubSub.unbounded<ClusterChange>()
    const seen = yield* Ref.make<Seen>({ view: { version: 1, members: [] }, table: ClusterPartitionTable.make(2) })
    const health = {
      nodeCount: 0,
      activeNodes: 0,
      suspectNodes: 0,
      partitionTableVersion: 0,
      activeMigrations: 0,
      isMaster: false,
      masterNodeId: Option.none()
    }
    const fake = ClusterService.of({
      nodeId: "a",
      isMaster: Effect.succeed(false),
      masterId: Effect.succeed(Option.none()),
      membersView: Effect.map(Ref.get(seen), ({ view }) => view),
      partitionTable: Effect.map(Ref.get(seen), ({ table }) => table),
      subscribeChanges: Stream.fromPubSub(events),
      health: Effect.succeed(health),
      ready: Effect.never,
      leave: Effect.void,
      stopped: Effect.never
    })
    const report = run.pipe(
      Effect.provideService(ClusterService, fake),
      Effect.provideService(ClusterDriver, stillDriver)
    )
    yield* Effect.forkScoped(report)
    yield* TestClock.adjust("10 millis")
    yield* body(
      (change) => Ref.update(seen, (before) => ({ ...before, ...change })),
      (times) =>
        Effect.andThen(
          PubSub.publishAll(
            events,
            Array.from({ length: times }, () => moved)
          ),
          TestClock.adjust("1 millis")
        )
    )
    const lines = yield* TestConsole.logLines
    return lines.map((line) => Option.getOrThrow(NodeReport.fromLine(line)))
  }).pipe(Effect.scoped, Effect.provide(TestConsole.layer))

const owned = (version: number) =>
  ClusterPartitionTable.withVersion(ClusterPartitionTable.setOwner(ClusterPartitionTable.make(2), 0, "a", []), version)

it.effect("the first report comes without any change", () =>
  Effect.gen(function* () {
    const reports = yield* reporting(() => Effect.void)
    assert.deepStrictEqual(
      reports.map(({ view }) => view.version),
      [1]
    )
  })
)

it.effect("many announcements of one change make one report", () =>
  Effect.gen(function* () {
    const reports = yield* reporting((see, announce) => Effect.andThen(see({ table: owned(1) }), announce(271)))
    assert.deepStrictEqual(
      reports.map(({ tableVersion }) => tableVersion),
      [0, 1]
    )
  })
)

it.effect("an announcement without a change makes none, not even when equal values were made anew", () =>
  Effect.gen(function* () {
    const reports = yield* reporting((see, announce) =>
      see({ view: { version: 1, members: [] }, table: ClusterPartitionTable.make(2) }).pipe(Effect.andThen(announce(3)))
    )
    assert.strictEqual(reports.length, 1)
  })
)

it.effect("a change that nobody announces is reported within 100 ms", () =>
  Effect.gen(function* () {
    const reports = yield* reporting((see) =>
      Effect.andThen(see({ view: { version: 2, members: [] } }), TestClock.adjust("100 millis"))
    )
    assert.deepStrictEqual(
      reports.map(({ view }) => view.version),
      [1, 2]
    )
  })
)

it.effect("many changes in a row share reports, and the last of them is reported within 100 ms", () =>
  Effect.gen(function* () {
    const reports = yield* reporting((see, announce) =>
      Effect.forEach(
        Array.from({ length: 40 }, (_, i) => i + 1),
        (version) => Effect.andThen(see({ table: owned(version) }), announce(1))
      ).pipe(Effect.andThen(TestClock.adjust("100 millis")))
    )
    assert.isAtMost(reports.length, 10)
    assert.strictEqual(reports.at(-1)?.tableVersion, 40)
  })
)
