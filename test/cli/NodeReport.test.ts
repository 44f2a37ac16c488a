import { assert, describe, it } from "@effect/vitest"
import { Option, Schema } from "effect"
import { NodeReport } from "../../src/cli/NodeReport.ts"
import { PartitionAssignment } from "../../src/domain/model/Partition.ts"
import { ClusterPartitionTable } from "../../src/domain/placement/ClusterPartitionTable.ts"

const Id = Schema.Literals(["a", "b", "c", "ä\n€", ""])
const Rows = Schema.Array(Schema.Struct({ owner: Id, backups: Schema.Array(Id) }))

const observed = (rows: typeof Rows.Type, unassigned: number) => {
  const assignments: ReadonlyArray<PartitionAssignment> = rows.map((row, partitionId) => ({ ...row, partitionId }))
  const table = ClusterPartitionTable.applyAssignments(
    ClusterPartitionTable.make(rows.length + unassigned),
    assignments
  )
  return {
    atMs: 1_700_000_000_000.5,
    nodeId: "a",
    masterId: Option.some("b"),
    isMaster: false,
    lineage: "b.1",
    settled: true,
    view: { version: 3, members: [] },
    table
  }
}

describe("NodeReport", () => {
  it.prop("a line gives back the report, and the report the table", { rows: Rows }, ({ rows }) => {
    const report = NodeReport.of(observed(rows, 2))
    const line = NodeReport.toLine(report)
    assert.notInclude(line, "\n")
    const read = Option.getOrThrow(NodeReport.fromLine(line))
    assert.deepStrictEqual(read, report)
    assert.deepStrictEqual(NodeReport.placement(read), [...rows, undefined, undefined])
  })

  it("names each node once and points to it", () => {
    const report = NodeReport.of(
      observed(
        [
          { owner: "b", backups: ["a"] },
          { owner: "a", backups: ["b", "c"] }
        ],
        1
      )
    )
    assert.deepStrictEqual(report.nodes, ["b", "a", "c"])
    assert.deepStrictEqual(report.owners, [0, 1, -1])
    assert.deepStrictEqual(report.backups, [[1], [0, 2], []])
  })

  it.each(["", "{}", "null", '{"level":"INFO","message":"x"}', "ready"])("the line %j is no report", (line) => {
    assert.isTrue(Option.isNone(NodeReport.fromLine(line)))
  })

  it("an index without a name counts as nobody", () => {
    const report = { ...NodeReport.of(observed([{ owner: "a", backups: [] }], 0)), owners: [7], backups: [[9]] }
    assert.deepStrictEqual(NodeReport.placement(report), [undefined])
  })

  it("two reports that differ in their time alone are the same, and no others", () => {
    const report = NodeReport.of(observed([{ owner: "a", backups: [] }], 0))
    assert.isTrue(NodeReport.isSame(report, { ...report, at: report.at + 1 }))
    assert.isFalse(NodeReport.isSame(report, { ...report, tableVersion: 9 }))
    assert.isFalse(NodeReport.isSame(report, { ...report, lineage: "a.1" }))
    assert.isFalse(NodeReport.isSame(report, { ...report, settled: false }))
    assert.isFalse(NodeReport.isSame(report, { ...report, masterId: Option.none() }))
  })
})
