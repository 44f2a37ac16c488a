/** What the demo found, as figures: the object that `--json` prints, and the summary table. */
import { Schema } from "effect"
import type { NodeId } from "../../domain/model/Scalars.ts"
import { type Column, table } from "../terminal/Table.ts"
import type { WriteFigures } from "./Books.ts"

export interface StepResult {
  readonly name: string
  /** From the step's start until the nodes agree again, milliseconds. */
  readonly ms: number
  /** Partitions whose owner differs from before the step. */
  readonly ownersMoved: number
  /** Partitions of which no replica outlived the step's fault. */
  readonly withoutReplica: number
  /** From the fault until every survivor's table names living owners only; for steps with a fault. */
  readonly promotedMs: number | undefined
  readonly masterId: NodeId
  /** Partitions that each member owns. */
  readonly owned: ReadonlyArray<readonly [nodeId: NodeId, partitions: number]>
  /** Writes acknowledged in the step. */
  readonly acknowledged: number
  /** Of any partition: the longest time without an acknowledged write while one was wanted, milliseconds. */
  readonly gapMs: number
}

export interface WritesResult extends WriteFigures {
  /** Keys that were read in the end; none if it did not come to it. */
  readonly read: number | undefined
  /** Keys of which an acknowledged write was not found. */
  readonly lost: number | undefined
}

const Ms = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))

/** The object that `squadron demo --json` prints. */
export const DemoReport = Schema.Struct({
  ok: Schema.Boolean,
  steps: Schema.Array(
    Schema.Struct({
      name: Schema.String,
      ms: Schema.Int,
      ownersMoved: Schema.Int,
      withoutReplica: Schema.Int
    })
  ),
  /** From the first SIGKILL until every survivor's table names living owners only; null if it did not get there. */
  detectionMs: Schema.NullOr(Schema.Int),
  /** Members at the end. */
  members: Schema.Int,
  partitions: Schema.Int,
  /** Most minus fewest partitions owned by a member at the end. */
  spread: Schema.Int,
  writes: Schema.Struct({
    acknowledged: Schema.Int,
    /** Keys of which an acknowledged write was not found in the end; null if it did not come to it. */
    lost: Schema.NullOr(Schema.Int),
    /** Writes of which it is not known whether they have happened. */
    unknown: Schema.Int,
    /** How long acknowledged writes took, milliseconds. */
    p50Ms: Ms,
    p99Ms: Ms,
    maxMs: Ms,
    /** Of any partition: the longest time without an acknowledged write while one was wanted of a node that runs, milliseconds. */
    longestGapMs: Ms
  }),
  /** The step that failed, and why; absent if none did. */
  failure: Schema.optionalKey(Schema.Struct({ step: Schema.String, reason: Schema.String }))
})
export type DemoReport = typeof DemoReport.Type

/** One line of JSON. */
export const toJson: (report: DemoReport) => string = Schema.encodeSync(Schema.fromJsonString(DemoReport))

export const reportOf = (
  steps: ReadonlyArray<StepResult>,
  partitions: number,
  writes: WritesResult,
  failure?: { readonly step: string; readonly reason: string }
): DemoReport => {
  const owned = (steps.at(-1)?.owned ?? []).map(([, count]) => count)
  const detection = steps.find((step) => step.promotedMs !== undefined)?.promotedMs
  return {
    ok: failure === undefined,
    steps: steps.map(({ name, ms, ownersMoved, withoutReplica }) => ({
      name,
      ms: Math.round(ms),
      ownersMoved,
      withoutReplica
    })),
    detectionMs: detection === undefined ? null : Math.round(detection),
    members: owned.length,
    partitions,
    spread: owned.length === 0 ? 0 : Math.max(...owned) - Math.min(...owned),
    writes: {
      acknowledged: writes.acknowledged,
      lost: writes.lost ?? null,
      unknown: writes.unknown,
      p50Ms: hundredths(writes.p50Ms),
      p99Ms: hundredths(writes.p99Ms),
      maxMs: hundredths(writes.maxMs),
      longestGapMs: hundredths(writes.longestGapMs)
    },
    ...(failure === undefined ? {} : { failure })
  }
}

const hundredths = (ms: number): number => Math.round(ms * 100) / 100

/** `0.42 ms` below ten, `950 ms` below a second, else `1.42 s`. */
export const duration = (ms: number): string => {
  if (ms >= 999.5) return `${(ms / 1000).toFixed(2)} s`
  return ms === 0 || ms >= 9.995 ? `${Math.round(ms)} ms` : `${ms.toFixed(2)} ms`
}

/** `100,000`. */
export const grouped = (count: number): string => String(count).replace(/\B(?=(\d{3})+$)/g, ",")

const columns: ReadonlyArray<Column> = [
  { title: "step" },
  { title: "time", align: "right" },
  { title: "detected", align: "right" },
  { title: "moved", align: "right" },
  { title: "no replica", align: "right" },
  { title: "writes", align: "right" },
  { title: "gap", align: "right" }
]

/** The summary of the steps, as lines of at most 80 characters. */
export const summary = (steps: ReadonlyArray<StepResult>): ReadonlyArray<string> => [
  ...table(
    columns,
    steps.map((step) => [
      step.name,
      duration(step.ms),
      step.promotedMs === undefined ? "" : duration(step.promotedMs),
      String(step.ownersMoved),
      String(step.withoutReplica),
      grouped(step.acknowledged),
      duration(step.gapMs)
    ])
  ),
  "detected: from the fault until every survivor's table names living owners only",
  "moved: partitions with another owner than before the step",
  "no replica: partitions whose owner and backups were all lost in the step",
  "gap: the longest time in which a partition acknowledged none of its writes"
]

/** What became of the writes, as lines of at most 80 characters. */
export const writesSummary = (writes: WritesResult): ReadonlyArray<string> => {
  const { read } = writes
  const rows = [
    ["acknowledged", grouped(writes.acknowledged)],
    ["lost", writes.lost === undefined ? "not verified" : grouped(writes.lost)],
    ["outcome unknown", grouped(writes.unknown)],
    ["refused, and made again", grouped(writes.refusals)],
    ["latency p50", duration(writes.p50Ms)],
    ["latency p99", duration(writes.p99Ms)],
    ["latency max", duration(writes.maxMs)],
    [`longest write gap, partition ${writes.longestGapPartition}`, duration(writes.longestGapMs)],
    ["longest write gap, median of all partitions", duration(writes.medianGapMs)]
  ]
  return [
    ...table([{ title: "writes, on owner and backup" }, { title: "", align: "right" }], rows),
    read === undefined
      ? "The keys were not read back."
      : `${grouped(read)} keys were read back through random nodes and compared with the books.`
  ]
}
