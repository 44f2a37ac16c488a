/** What is known of a fleet of node processes: pure, one value for every change. */
import type { NodeId } from "../../domain/model/Scalars.ts"
import type { Progress } from "../DriveLine.ts"
import type { NodeReport } from "../NodeReport.ts"

/** `starting` until the first report; `frozen` stands still; `crashed` is an end that nobody asked for. */
export type NodeStatus = "starting" | "running" | "frozen" | "killed" | "leaving" | "left" | "crashed"

export interface NodeSeen {
  readonly nodeId: NodeId
  readonly status: NodeStatus
  readonly pid: number
  /** The last report of this process. */
  readonly report: NodeReport | undefined
  /** What it said last of migrations. */
  readonly progress: Progress | undefined
  /** Its last log lines, oldest first. */
  readonly log: ReadonlyArray<string>
  /** How the process ended, if it has: its exit code, or `"signal"`. */
  readonly end: number | "signal" | undefined
}

export interface FleetState {
  /** Monotonic clock at the change that made this state, milliseconds. */
  readonly atMs: number
  readonly nodes: ReadonlyMap<NodeId, NodeSeen>
  /** Of migrations: what processes have done that were followed by others. */
  readonly past: Pick<Progress, "finished" | "bytes">
}

/** Log lines kept of each process; then the oldest is dropped. */
export const maxLogLines = 40

export const empty: FleetState = { atMs: 0, nodes: new Map(), past: { finished: 0, bytes: 0 } }

/** The state with one node changed; unchanged if the node is unknown or `pid` is no longer its process. */
export const change = (
  state: FleetState,
  atMs: number,
  { nodeId, pid }: Pick<NodeSeen, "nodeId" | "pid">,
  update: (node: NodeSeen) => NodeSeen
): FleetState => {
  const node = state.nodes.get(nodeId)
  return node === undefined || node.pid !== pid
    ? state
    : { ...state, atMs, nodes: new Map(state.nodes).set(nodeId, update(node)) }
}

export const started = (state: FleetState, atMs: number, nodeId: NodeId, pid: number): FleetState => {
  const { finished = 0, bytes = 0 } = state.nodes.get(nodeId)?.progress ?? {}
  return {
    atMs,
    past: { finished: state.past.finished + finished, bytes: state.past.bytes + bytes },
    nodes: new Map(state.nodes).set(nodeId, {
      nodeId,
      status: "starting",
      pid,
      report: undefined,
      progress: undefined,
      log: [],
      end: undefined
    })
  }
}

export const reported = (node: NodeSeen, report: NodeReport): NodeSeen => ({
  ...node,
  report,
  status: node.status === "starting" ? "running" : node.status
})

export const progressed = (node: NodeSeen, progress: Progress): NodeSeen => ({ ...node, progress })

export const logged = (node: NodeSeen, line: string): NodeSeen => ({
  ...node,
  log: [...node.log, line].slice(-maxLogLines)
})

export const ended = (node: NodeSeen, end: number | "signal"): NodeSeen => {
  const status = node.status === "leaving" ? "left" : node.status === "killed" ? "killed" : "crashed"
  return { ...node, status, end }
}

/** The last report of each node that runs. */
export const reports = (state: FleetState): ReadonlyMap<NodeId, NodeReport> => {
  const found = new Map<NodeId, NodeReport>()
  for (const { nodeId, report, status } of state.nodes.values()) {
    if (status === "running" && report !== undefined) found.set(nodeId, report)
  }
  return found
}

/** Do the two say the same of processes and what they report? Log lines and progress are left out. */
export const isSameSeen = (a: FleetState, b: FleetState): boolean =>
  a.nodes.size === b.nodes.size &&
  [...b.nodes.values()].every(({ end, nodeId, pid, report, status }) => {
    const known = a.nodes.get(nodeId)
    return known?.pid === pid && known.report === report && known.status === status && known.end === end
  })

/** Nodes whose process runs and does not stand still, in the order of their first start. */
export const live = (state: FleetState): ReadonlyArray<NodeId> =>
  [...state.nodes.values()].filter(({ status }) => status === "starting" || status === "running").map((n) => n.nodeId)

/** Nodes whose process ended without having been asked to. */
export const crashed = (state: FleetState): ReadonlyArray<NodeSeen> =>
  [...state.nodes.values()].filter(({ status }) => status === "crashed")

/** Migrations of all nodes: what is open by those that run, and what has been done by all that ever ran. */
export const migrations = (state: FleetState): Progress => {
  const sum = { open: 0, queued: 0, ...state.past }
  for (const { progress, status } of state.nodes.values()) {
    if (progress === undefined) continue
    sum.finished += progress.finished
    sum.bytes += progress.bytes
    if (status !== "running") continue
    sum.open += progress.open
    sum.queued += progress.queued
  }
  return sum
}

/** "exit code 1" or "by a signal". */
export const describeEnd = (end: NodeSeen["end"]): string =>
  end === undefined ? "it still runs" : end === "signal" ? "by a signal" : `exit code ${end}`
