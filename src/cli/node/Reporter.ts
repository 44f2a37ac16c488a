/** Prints what a node sees, as a line of JSON on stdout, whenever it changes. */
import { Clock, Console, Effect, Option, Schedule, Stream } from "effect"
import type { MembersView } from "../../domain/model/MembersView.ts"
import type { ClusterPartitionTable } from "../../domain/placement/ClusterPartitionTable.ts"
import { ClusterDriver } from "../../services/ClusterDriver.ts"
import { ClusterService } from "../../services/ClusterService.ts"
import { NodeReport } from "../NodeReport.ts"

/** Changes are announced; looking again this often catches what is no announced change, such as a view's version alone. */
const recheckMs = 100

/**
 * While partitions are copied the table changes all the time, and each report tells all of it: this many changes in
 * a row are reported at once, then one for each `recheckMs`.
 */
const maxBurst = 8

interface Seen {
  readonly view: MembersView
  readonly table: ClusterPartitionTable
  readonly masterId: Option.Option<string>
  readonly isMaster: boolean
  readonly lineage: string
  readonly settled: boolean
}

// A change announces itself up to once per partition: comparing identities answers most of them at once.
const isIdentical = (a: Seen, b: Seen): boolean =>
  a.view.version === b.view.version &&
  a.lineage === b.lineage &&
  a.settled === b.settled &&
  a.isMaster === b.isMaster &&
  a.view.members === b.view.members &&
  a.table.version === b.table.version &&
  a.table.rows === b.table.rows &&
  Option.getOrUndefined(a.masterId) === Option.getOrUndefined(b.masterId)

/** Reports until it is interrupted, first what the node sees now. */
export const run: Effect.Effect<void, never, ClusterService | ClusterDriver> = Effect.gen(function* () {
  const cluster = yield* ClusterService
  const driver = yield* ClusterDriver
  let seen: Seen | undefined
  let last: NodeReport | undefined
  let burst = maxBurst
  let earnedAtMs = 0

  const look = Effect.gen(function* () {
    const { phase } = yield* driver.state
    const now = yield* Effect.all({
      view: cluster.membersView,
      table: cluster.partitionTable,
      masterId: cluster.masterId,
      isMaster: cluster.isMaster,
      lineage: Effect.succeed(phase._tag === "Joined" ? phase.view.lineage : ""),
      settled: Effect.succeed(phase._tag === "Joined" && phase.settled)
    })
    if (seen !== undefined && isIdentical(seen, now)) return
    const nowMs = Number(yield* Clock.monotonicTimeNanos) / 1e6
    const earned = Math.floor((nowMs - earnedAtMs) / recheckMs)
    if (burst === 0 && earned === 0) return
    if (earned > 0) earnedAtMs = nowMs
    burst = Math.min(maxBurst, burst + earned) - 1
    seen = now
    const report = NodeReport.of({ ...now, nodeId: cluster.nodeId, atMs: yield* Clock.currentTimeMillis })
    if (last !== undefined && NodeReport.isSame(last, report)) return
    last = report
    yield* Console.log(NodeReport.toLine(report))
  })

  const hints = Stream.merge(cluster.subscribeChanges, Stream.fromSchedule(Schedule.spaced(recheckMs)))
  yield* look
  yield* Stream.runForEach(hints, () => look)
})
