/**
 * Our assignment, rebalance plan, migration order, mastership and partition table against what the
 * reference did, as recorded in `assignment.json` and `hash.json` of the conformance folder.
 */
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { isDeepStrictEqual } from "node:util"
import { Result, Schema } from "effect"
import type { MemberInfo } from "../../src/domain/model/MemberInfo.ts"
import { MembersView } from "../../src/domain/model/MembersView.ts"
import type { MigrationTask } from "../../src/domain/model/Migration.ts"
import { NodeState } from "../../src/domain/model/NodeState.ts"
import type { PartitionAssignment } from "../../src/domain/model/Partition.ts"
import { PartitionMapPayload } from "../../src/domain/model/PartitionMap.ts"
import { ClusterPartitionTable } from "../../src/domain/placement/ClusterPartitionTable.ts"
import { computeAssignment } from "../../src/domain/placement/ComputeAssignment.ts"
import { fnv1a32, hashToPartition } from "../../src/domain/placement/HashToPartition.ts"
import { orderMigrations } from "../../src/domain/placement/OrderMigrations.ts"
import { planRebalance } from "../../src/domain/placement/PlanRebalance.ts"
import type { Failure, Report } from "./Report.ts"

const AssignmentRow = Schema.Tuple([Schema.Number, Schema.String, Schema.Array(Schema.String)])
const TaskRow = Schema.Tuple([Schema.Number, Schema.String, Schema.String, Schema.Array(Schema.String)])
const MemberRow = Schema.Tuple([Schema.String, NodeState, Schema.Number])

/** An output: all its rows, or its first and last five with a hash over all. */
const output = <Row extends Schema.Top>(row: Row) =>
  Schema.Struct({
    count: Schema.Number,
    sha256: Schema.String,
    rows: Schema.optionalKey(Schema.Array(row)),
    first5: Schema.optionalKey(Schema.Array(row)),
    last5: Schema.optionalKey(Schema.Array(row))
  })

const parameters = { set: Schema.String, partitionCount: Schema.Number, backupCount: Schema.Number }
const TableSource = Schema.Union([Schema.Struct(parameters), Schema.Struct({ rows: Schema.Array(AssignmentRow) })])

const AssignmentCases = Schema.Struct({
  sets: Schema.Record(Schema.String, Schema.Array(MemberRow)),
  compute: Schema.Array(Schema.Struct({ name: Schema.String, ...parameters, ...output(AssignmentRow).fields })),
  rebalance: Schema.Array(
    Schema.Struct({
      name: Schema.String,
      current: TableSource,
      target: TableSource,
      plan: output(TaskRow),
      ordered: output(TaskRow)
    })
  ),
  orderMigrations: Schema.Array(
    Schema.Struct({
      name: Schema.String,
      table: Schema.Array(AssignmentRow),
      tasks: Schema.Array(TaskRow),
      ordered: Schema.Array(TaskRow)
    })
  ),
  master: Schema.Array(
    Schema.Struct({
      name: Schema.String,
      members: Schema.Array(MemberRow),
      master: Schema.NullOr(Schema.String),
      masterIndex: Schema.NullOr(Schema.Number),
      active: Schema.Array(Schema.String)
    })
  ),
  table: Schema.Struct({
    members: Schema.Array(
      Schema.Struct({
        nodeId: Schema.String,
        host: Schema.String,
        clientPort: Schema.Number,
        clusterPort: Schema.Number,
        state: NodeState,
        joinVersion: Schema.Number
      })
    ),
    versions: Schema.Array(Schema.Number),
    partitionMapWithoutGeneratedAt: Schema.Record(Schema.String, Schema.Unknown),
    partitionsForNodeA: Schema.Array(Schema.Number)
  })
})
type AssignmentCases = typeof AssignmentCases.Type

const HashCases = Schema.Array(Schema.Struct({ key: Schema.String, hash: Schema.Number, partition271: Schema.Number }))

const read = <S extends Schema.Decoder<unknown>>(schema: S, folder: string, file: string): S["Type"] =>
  Schema.decodeUnknownSync(schema)(JSON.parse(readFileSync(join(folder, file), "utf8")))

const member = ([nodeId, state, joinVersion]: typeof MemberRow.Type): MemberInfo => ({
  nodeId,
  host: "10.0.0.1",
  clientPort: 8080,
  clusterPort: 9090,
  state,
  joinVersion
})

const toAssignment = ([partitionId, owner, backups]: typeof AssignmentRow.Type): PartitionAssignment => ({
  partitionId,
  owner,
  backups
})
const toTask = ([partitionId, source, destination, newBackups]: typeof TaskRow.Type): MigrationTask => ({
  partitionId,
  source,
  destination,
  newBackups
})

/** The shapes in which the cases write rows, and the text over which they are hashed. */
const assignmentRow = (row: PartitionAssignment) => ({
  row: [row.partitionId, row.owner, row.backups],
  text: `${row.partitionId}:${row.owner}:${row.backups.join(",")}\n`
})
const taskRow = (task: MigrationTask) => ({
  row: [task.partitionId, task.source, task.destination, task.newBackups],
  text: `${task.partitionId}:${task.source}>${task.destination}:${task.newBackups.join(",")}\n`
})

type Written = ReturnType<typeof assignmentRow> | ReturnType<typeof taskRow>

interface ExpectedOutput {
  readonly count: number
  readonly sha256: string
  readonly rows?: ReadonlyArray<unknown>
  readonly first5?: ReadonlyArray<unknown>
  readonly last5?: ReadonlyArray<unknown>
}

const same = (part: ReadonlyArray<unknown>, recorded: ReadonlyArray<unknown> | undefined) =>
  recorded === undefined || isDeepStrictEqual(part, recorded)

/** What differs between an output and what was recorded, or `undefined`. */
const difference = (actual: ReadonlyArray<Written>, expected: ExpectedOutput): string | undefined => {
  const rows = actual.map(({ row }) => row)
  if (rows.length !== expected.count) return `${rows.length} rows instead of ${expected.count}`
  if (!same(rows, expected.rows)) return `rows ${JSON.stringify(rows)} instead of ${JSON.stringify(expected.rows)}`
  if (!same(rows.slice(0, 5), expected.first5)) return `starts with ${JSON.stringify(rows.slice(0, 5))}`
  if (!same(rows.slice(-5), expected.last5)) return `ends with ${JSON.stringify(rows.slice(-5))}`
  const hash = createHash("sha256")
    .update(actual.map(({ text }) => text).join(""))
    .digest("hex")
  return hash === expected.sha256 ? undefined : `sha256 ${hash} instead of ${expected.sha256}`
}

const unequal = (actual: unknown, expected: unknown): string | undefined =>
  isDeepStrictEqual(actual, expected) ? undefined : `${JSON.stringify(actual)} instead of ${JSON.stringify(expected)}`

/** Every case as a name and, where it fails, the reason. */
type Checked = readonly [name: string, reason: string | undefined]

const rowsOf = (cases: AssignmentCases, source: typeof TableSource.Type): ReadonlyArray<PartitionAssignment> => {
  if ("rows" in source) return source.rows.map(toAssignment)
  const members = cases.sets[source.set]
  if (members === undefined) throw new Error(`assignment.json has no set ${source.set}`)
  return computeAssignment(members.map(member), source.partitionCount, source.backupCount)
}

const tableWith = (rows: ReadonlyArray<PartitionAssignment>): ClusterPartitionTable =>
  ClusterPartitionTable.applyAssignments(ClusterPartitionTable.make(1000), rows)

const compute = (cases: AssignmentCases): ReadonlyArray<Checked> =>
  cases.compute.map((expected) => [
    `compute ${expected.name}`,
    difference(rowsOf(cases, expected).map(assignmentRow), expected)
  ])

const rebalance = (cases: AssignmentCases): ReadonlyArray<Checked> =>
  cases.rebalance.flatMap(({ name, current, target, plan, ordered }) => {
    const table = tableWith(rowsOf(cases, current))
    const tasks = planRebalance(table, rowsOf(cases, target))
    const sorted = orderMigrations(tasks, table)
    return [
      [`rebalance ${name}`, difference(tasks.map(taskRow), plan)],
      [`rebalance ${name}, ordered`, difference(sorted.map(taskRow), ordered)]
    ]
  })

const order = (cases: AssignmentCases): ReadonlyArray<Checked> =>
  cases.orderMigrations.map(({ name, table, tasks, ordered }) => [
    `orderMigrations ${name}`,
    unequal(
      orderMigrations(tasks.map(toTask), tableWith(table.map(toAssignment))).map((task) => taskRow(task).row),
      ordered
    )
  ])

const mastership = (cases: AssignmentCases): ReadonlyArray<Checked> =>
  cases.master.flatMap(({ name, members, master, masterIndex, active }) => {
    const view: MembersView = { version: 1, members: members.map(member) }
    const elected = MembersView.master(view)
    const index = elected === undefined ? null : view.members.indexOf(elected)
    const activeIds = MembersView.activeMembers(view).map(({ nodeId }) => nodeId)
    const rightful = members.filter(([nodeId]) => MembersView.isMaster(view, nodeId)).map(([nodeId]) => nodeId)
    return [
      [`master ${name}`, unequal([elected?.nodeId ?? null, index], [master, masterIndex])],
      [`master ${name}, active members`, unequal(activeIds, active)],
      [`master ${name}, isMaster`, unequal([...new Set(rightful)], master === null ? [] : [master])]
    ]
  })

/** The script that `table.note` tells: 3 rows, a row of an unknown owner, no row, an increment. */
const partitionTable = ({ table: expected }: AssignmentCases): ReadonlyArray<Checked> => {
  const { make, applyAssignments, incrementVersion, partitionsForNode, toPartitionMap } = ClusterPartitionTable
  const created = make(10)
  const three = applyAssignments(created, computeAssignment(expected.members, 3, 1))
  const unknown = applyAssignments(three, [{ partitionId: 7, owner: "zz", backups: ["a", "b"] }])
  const nothing = applyAssignments(unknown, [])
  const last = incrementVersion(nothing)
  const map = toPartitionMap(last, { version: 1, members: expected.members }, 0)
  const { generatedAt: _, ...encoded } = Schema.encodeSync(PartitionMapPayload)(map)
  return [
    ["table versions", unequal([created.version, three.version, nothing.version], expected.versions)],
    ["table partition map", unequal(encoded, expected.partitionMapWithoutGeneratedAt)],
    ["table partitionsForNode", unequal(partitionsForNode(last, "a"), expected.partitionsForNodeA)],
    [
      "table rows pass validation",
      Result.isSuccess(ClusterPartitionTable.validateAssignments(ClusterPartitionTable.assignments(last), 10))
        ? undefined
        : "rejected"
    ]
  ]
}

const hashes = (folder: string): ReadonlyArray<Checked> =>
  read(HashCases, folder, "hash.json").map(({ key, hash, partition271 }) => [
    `hash ${JSON.stringify(key)}`,
    unequal([fnv1a32(key), hashToPartition(key)], [hash, partition271])
  ])

/** Checks every case of `assignment.json` that placement decides, and of `hash.json`, both in `folder`. */
export const assignment = (folder: string): Report => {
  const cases = read(AssignmentCases, folder, "assignment.json")
  const checked = [
    ...compute(cases),
    ...rebalance(cases),
    ...order(cases),
    ...mastership(cases),
    ...partitionTable(cases),
    ...hashes(folder)
  ]
  const failures = checked.flatMap(([name, reason]): ReadonlyArray<Failure> =>
    reason === undefined ? [] : [{ name, reason }]
  )
  return { suite: "assignment", cases: checked.length, failures }
}
