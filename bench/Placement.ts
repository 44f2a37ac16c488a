/**
 * What a plan costs, from a small cluster to a million partitions on a thousand nodes, and what it moves
 * compared to the modulo assignment of the original.
 */
import { performance } from "node:perf_hooks"
import { pathToFileURL } from "node:url"
import type { PartitionAssignment } from "../src/domain/model/Partition.ts"
import { computeAssignment } from "../src/domain/placement/ComputeAssignment.ts"
import { planAssignment } from "../src/domain/placement/PlanAssignment.ts"
import { formatRows, type Row } from "./Harness.ts"

type Rows = ReadonlyArray<PartitionAssignment>

const names = (count: number): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, i) => `node-${String(i + 1).padStart(4, "0")}`)

const plan = (nodes: number, current: Rows, partitionCount: number, backupCount: number): Rows =>
  planAssignment({ members: names(nodes), current, partitionCount, backupCount }).target

const modulo = (nodes: number, partitionCount: number, backupCount: number): Rows =>
  computeAssignment(
    names(nodes).map((nodeId) => ({ nodeId, state: "active" })),
    partitionCount,
    backupCount
  )

/** Milliseconds of the quickest of some runs: what a plan costs when nothing else wants the machine. */
const leastMs = (runs: number, run: () => unknown): number => {
  let least = Infinity
  for (let i = 0; i < runs; i++) {
    const startMs = performance.now()
    run()
    least = Math.min(least, performance.now() - startMs)
  }
  return least
}

interface Size {
  readonly partitions: number
  readonly nodes: number
  readonly runs: number
  readonly coldTarget: string
  readonly joinTarget: string
}

const sizes: ReadonlyArray<Size> = [
  { partitions: 271, nodes: 4, runs: 400, coldTarget: "< 1 ms", joinTarget: "< 1 ms" },
  { partitions: 271, nodes: 100, runs: 400, coldTarget: "< 1 ms", joinTarget: "< 1 ms" },
  { partitions: 1_000_000, nodes: 1000, runs: 4, coldTarget: "≤ 2000 ms", joinTarget: "≤ 1000 ms" }
]

const planning = ({ partitions, nodes, runs, coldTarget, joinTarget }: Size): ReadonlyArray<Row> => {
  const cold = plan(nodes, [], partitions, 1)
  const row = (name: string, run: () => unknown, target: string): Row => ({
    group: "planAssignment, one backup",
    name: `${partitions.toLocaleString("en")} on ${nodes.toLocaleString("en")} nodes, ${name}`,
    value: leastMs(runs, run),
    unit: "ms",
    target
  })
  return [
    row("cold", () => plan(nodes, [], partitions, 1), coldTarget),
    row("one join", () => plan(nodes + 1, cold, partitions, 1), joinTarget)
  ]
}

const replicas = (row: PartitionAssignment): ReadonlyArray<string> => [row.owner, ...row.backups]

/** Owners changed, replicas copied, and partitions without a surviving replica, from one table to the next. */
const moved = (before: Rows, after: Rows): readonly [owners: number, copies: number, orphaned: number] => {
  const changes = after.map((row, partition) => {
    const old = before[partition]
    const held = old === undefined ? [] : replicas(old)
    const copied = replicas(row).filter((node) => !held.includes(node)).length
    return { owner: old?.owner === row.owner ? 0 : 1, copied, orphaned: copied === replicas(row).length ? 1 : 0 }
  })
  return [
    changes.reduce((sum, change) => sum + change.owner, 0),
    changes.reduce((sum, change) => sum + change.copied, 0),
    changes.reduce((sum, change) => sum + change.orphaned, 0)
  ]
}

/** How uneven replicas are: the most that a node has more than another. */
const spread = (nodes: number, rows: Rows): number => {
  const loads = new Map(names(nodes).map((node) => [node, 0]))
  for (const node of rows.flatMap(replicas)) loads.set(node, (loads.get(node) ?? 0) + 1)
  return Math.max(...loads.values()) - Math.min(...loads.values())
}

interface Growth {
  readonly partitions: number
  readonly nodes: number
  /** Owners, copies, orphaned and replica spread that are to be reached. */
  readonly targets: readonly [string, string, string, string]
}

const growths: ReadonlyArray<Growth> = [
  { partitions: 271, nodes: 3, targets: ["67", "135", "0", "1"] },
  { partitions: 271, nodes: 20, targets: ["12", "25", "0", "1"] },
  { partitions: 1000, nodes: 50, targets: ["19", "39", "0", "1"] }
]

const movement = ({ partitions, nodes, targets }: Growth): ReadonlyArray<Row> => {
  const before = plan(nodes, [], partitions, 1)
  const after = plan(nodes + 1, before, partitions, 1)
  const moduloAfter = modulo(nodes + 1, partitions, 1)
  const ours = [...moved(before, after), spread(nodes + 1, after)]
  const theirs = [...moved(modulo(nodes, partitions, 1), moduloAfter), spread(nodes + 1, moduloAfter)]
  const kinds = ["owners moved", "replicas copied", "partitions orphaned", "replica spread"]
  return kinds.flatMap((kind, index): ReadonlyArray<Row> => {
    const name = `${partitions} on ${nodes}→${nodes + 1}, ${kind}`
    const group = "movement of one join, one backup"
    return [
      { group, name, value: ours[index] ?? Number.NaN, unit: "", target: targets[index] ?? "" },
      { group, name: `${name}, modulo`, value: theirs[index] ?? Number.NaN, unit: "" }
    ]
  })
}

export const rows = (): ReadonlyArray<Row> => [...sizes.flatMap(planning), ...growths.flatMap(movement)]

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  console.log(formatRows(rows()))
}
