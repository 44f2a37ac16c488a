/** The demo's live view as lines of text: pure, from what is known of the fleet at a moment. */
import { Option } from "effect"
import type { NodeId } from "../../domain/model/Scalars.ts"
import { NodeReport, type Placement } from "../NodeReport.ts"
import { line, type Span, span, type Style } from "../terminal/Paint.ts"
import { padEnd, padStart } from "../terminal/Table.ts"
import { grouped } from "./DemoResult.ts"
import * as FleetState from "./FleetState.ts"
import { ownedCounts } from "./Movement.ts"

/** How far the writes are. */
export interface WriteProgress {
  readonly writes: number
  readonly acknowledged: number
  readonly unknown: number
}

interface CurrentStep {
  readonly name: string
  readonly title: string
  readonly elapsedMs: number
  /** Copies of partitions that were finished before it. */
  readonly finishedBefore: number
}

export interface Moment {
  /** What is under way; none between steps. */
  readonly step: CurrentStep | undefined
  readonly writes: WriteProgress
  readonly nodes: ReadonlyArray<NodeId>
  readonly partitionCount: number
  readonly state: FleetState.FleetState
  /** Counts the frames drawn; turns the spinner. */
  readonly frame: number
}

const spinner = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"]

/** Columns of a bar: at most, and left for the rest of its line, of a node and of what goes on. */
const maxBarColumns = 48
const besideBar = 43
const besideProgress = 52

/** The report made last of those that run: what the cluster looks like now. */
const newest = (state: FleetState.FleetState): NodeReport | undefined =>
  [...FleetState.reports(state).values()].reduce<NodeReport | undefined>(
    (latest, report) => (latest === undefined || report.at > latest.at ? report : latest),
    undefined
  )

/** A bar of `columns` cells that is full when a node owns twice its even share. */
export const bar = (owned: number, partitionCount: number, nodeCount: number, columns: number): string => {
  const full = Math.max(1, (2 * partitionCount) / Math.max(1, nodeCount))
  const cells = Math.min(columns, Math.round((owned / full) * columns))
  return "█".repeat(cells) + "░".repeat(columns - cells)
}

// A process that runs is shown as the cluster sees it.
const stateOf = (node: FleetState.NodeSeen | undefined, report: NodeReport | undefined): readonly [string, Style] => {
  if (node === undefined) return ["", "dim"]
  switch (node.status) {
    case "starting":
      return ["starting", "yellow"]
    case "running": {
      const member = report?.view.members.find((member) => member.nodeId === node.nodeId)
      return member?.state === "active" ? ["active", "green"] : [member?.state ?? "alone", "yellow"]
    }
    case "frozen":
      return ["frozen", "cyan"]
    case "leaving":
      return ["leaving", "yellow"]
    case "left":
      return ["left", "dim"]
    case "killed":
      return ["killed", "red"]
    case "crashed":
      return ["crashed", "red"]
  }
}

const backedUp = (placement: Placement, nodeId: NodeId): number =>
  placement.filter((row) => row?.backups.includes(nodeId)).length

const nodeLine = (moment: Moment, nodeId: NodeId, columns: number): ReadonlyArray<Span> => {
  const report = newest(moment.state)
  const placement = report === undefined ? [] : NodeReport.placement(report)
  const node = moment.state.nodes.get(nodeId)
  const [state, style] = stateOf(node, report)
  const [owned = 0] = ownedCounts(placement, [nodeId])
  const isMaster = report !== undefined && Option.contains(report.masterId, nodeId)
  const width = Math.max(0, Math.min(maxBarColumns, columns - besideBar))
  return [
    span(`  ${padEnd(nodeId, 4)}`, "bold"),
    span(isMaster ? "★ " : "  ", "yellow"),
    span(padEnd(state, 9), style),
    span(bar(owned, moment.partitionCount, moment.nodes.length, width), style),
    span(padStart(String(owned), 5)),
    span(` owned ${padStart(String(backedUp(placement, nodeId)), 4)} backed up`, "dim")
  ]
}

/** A bar of `columns` cells, filled by the share of `done` in `all`. */
export const progressBar = (done: number, all: number, columns: number): string => {
  const cells = all === 0 ? 0 : Math.min(columns, Math.floor((done / all) * columns))
  return "█".repeat(cells) + "░".repeat(columns - cells)
}

const labelled = (label: string, bar: string, style: Style, text: string): ReadonlyArray<Span> => [
  span(`  ${padEnd(label, 15)}`, "bold"),
  span(bar, style),
  span(` ${text}`)
]

const progressLines = ({ state, step, writes }: Moment, columns: number): ReadonlyArray<ReadonlyArray<Span>> => {
  const width = Math.max(0, Math.min(maxBarColumns, columns - besideProgress))
  const { acknowledged, unknown } = writes
  const told = `${grouped(acknowledged)} of ${grouped(writes.writes)}${unknown === 0 ? "" : `, ${grouped(unknown)} unknown`}`
  const { bytes, finished, open, queued } = FleetState.migrations(state)
  const done = Math.max(0, finished - (step?.finishedBefore ?? finished))
  const all = done + open + queued
  const copied = `${(bytes / 1e6).toFixed(1)} MB`
  const copies = all === 0 ? `none, ${copied} so far` : `${done} of ${all}, ${copied}`
  return [
    labelled("writes", progressBar(acknowledged, writes.writes, width), "cyan", told),
    labelled("migrations", progressBar(done, all, width), "cyan", copies)
  ]
}

/** The lines of a moment, for a terminal of `columns`. */
export const frame = (moment: Moment, columns: number, canColor: boolean): ReadonlyArray<string> => {
  const { step } = moment
  const turn = spinner[moment.frame % spinner.length] ?? ""
  const heading =
    step === undefined
      ? [span("  ✔ in agreement", "green")]
      : [
          span(`  ${turn} `, "cyan"),
          span(step.name, "bold"),
          span(` ${step.title} `),
          span(`${(step.elapsedMs / 1000).toFixed(1)} s`, "dim")
        ]
  const nodes = moment.nodes.map((nodeId) => nodeLine(moment, nodeId, columns))
  return [[], heading, ...nodes, ...progressLines(moment, columns)].map((spans) => line(spans, columns, canColor))
}
