/** What the demo found, as figures: the object that `--json` prints, and the summary table. */
import { Schema } from "effect"
import type { NodeId } from "../../domain/model/Scalars.ts"
import { type Column, table } from "../terminal/Table.ts"

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
  /** Version of the view that the nodes agree on. */
  readonly viewVersion: number
  readonly masterId: NodeId
  /** Partitions that each member owns. */
  readonly owned: ReadonlyArray<readonly [nodeId: NodeId, partitions: number]>
}

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
  /** The step that failed, and why; absent if none did. */
  failure: Schema.optionalKey(Schema.Struct({ step: Schema.String, reason: Schema.String }))
})
export type DemoReport = typeof DemoReport.Type

/** One line of JSON. */
export const toJson: (report: DemoReport) => string = Schema.encodeSync(Schema.fromJsonString(DemoReport))

export const reportOf = (
  steps: ReadonlyArray<StepResult>,
  partitions: number,
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
    ...(failure === undefined ? {} : { failure })
  }
}

/** A version as its two halves, `term.counter`. */
const halves = (version: number): string => `${Math.floor(version / 2 ** 32)}.${version % 2 ** 32}`

/** `950 ms` below a second, else `1.42 s`. */
export const duration = (ms: number): string => (ms < 999.5 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(2)} s`)

const columns: ReadonlyArray<Column> = [
  { title: "step" },
  { title: "time", align: "right" },
  { title: "detected", align: "right" },
  { title: "owners moved", align: "right" },
  { title: "no replica left", align: "right" },
  { title: "view", align: "right" }
]

/** The summary, as lines of at most 80 characters. */
export const summary = (steps: ReadonlyArray<StepResult>): ReadonlyArray<string> => [
  ...table(
    columns,
    steps.map((step) => [
      step.name,
      duration(step.ms),
      step.promotedMs === undefined ? "" : duration(step.promotedMs),
      String(step.ownersMoved),
      String(step.withoutReplica),
      halves(step.viewVersion)
    ])
  ),
  "detected: from the SIGKILL until every survivor's table names living owners only",
  "no replica left: partitions whose owner and backups were all lost in the step",
  "view: the version that all nodes agree on, as term.counter"
]
