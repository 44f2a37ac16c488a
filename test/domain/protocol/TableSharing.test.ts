/** The partition table: one author, everyone the same, repaired where it was missed. */
import { describe, expect, it } from "vitest"
import { toWire } from "../../../src/domain/protocol/ClusterView.ts"
import type { ClusterMessageOf } from "../../../src/domain/wire/ClusterMessage.ts"
import { heartbeat, joinRequest, masterOf, Transcript } from "./Transcript.ts"
import { Option } from "effect"

const update = (
  master: Transcript,
  change: Partial<ClusterMessageOf<"PARTITION_TABLE_UPDATE">> = {}
): ClusterMessageOf<"PARTITION_TABLE_UPDATE"> => ({
  type: "PARTITION_TABLE_UPDATE",
  assignments: master.joined.table.rows.flatMap((row) =>
    row === undefined ? [] : [{ partitionId: row.partitionId, owner: row.owner, backups: row.backups }]
  ),
  version: master.joined.table.version,
  completedMigrations: [],
  lineage: master.joined.view.lineage,
  viewVersion: master.joined.view.version,
  ...change
})

const follower = (master: Transcript): Transcript => {
  const { view, ...extensions } = toWire(master.joined.view, true)
  const n2 = new Transcript("n2", { seeds: ["n1"] })
    .tick()
    .dialled(1, "n1")
    .receive(1, {
      type: "JOIN_RESPONSE",
      accepted: true,
      rejectReason: Option.none(),
      rejectCode: Option.none(),
      responderNodeId: Option.some("n1"),
      membersView: Option.some(view),
      partitionAssignments: Option.none(),
      ...extensions,
      incarnation: 1000
    })
  n2.text()
  return n2
}

describe("the partition table", () => {
  it("a newer table of the lineage is applied, an older one is not", () => {
    const master = masterOf("n1", ["n2"])
    const n2 = follower(master)
      .receive(1, update(master))
      .receive(1, update(master, { version: 1 }))
    expect(n2.text()).toMatchInlineSnapshot(`
      "0 #1 <- PARTITION_TABLE_UPDATE 2 of n1.1000 {n1+n2 n1+n2 n2+n1 n2+n1}
        publish PartitionTableUpdated 2
        = member of view 3 of n1.1000 settled [n1@1000 active, n2@2000 active], table 2
      0 #1 <- PARTITION_TABLE_UPDATE 1 of n1.1000 {n1+n2 n1+n2 n2+n1 n2+n1}
        ignore PARTITION_TABLE_UPDATE of n1: older"
    `)
  })

  it.each([
    ["a partition out of range", [{ partitionId: 4, owner: "n1", backups: [] }]],
    ["a partition listed twice", [0, 0].map((partitionId) => ({ partitionId, owner: "n1", backups: [] }))],
    ["a replica listed twice", [{ partitionId: 0, owner: "n1", backups: ["n1"] }]]
  ])("a table with %s is refused as a whole", (_, assignments) => {
    const master = masterOf("n1", ["n2"])
    const n2 = follower(master).receive(1, update(master, { assignments }))
    expect(n2.text()).toContain("ignore PARTITION_TABLE_UPDATE of n1: invalid")
    expect(n2.joined.table.version).toBe(0)
  })

  it("a table of another lineage is ignored", () => {
    const master = masterOf("n1", ["n2"])
    const n2 = follower(master).receive(1, update(master, { lineage: "other" }))
    expect(n2.text()).toContain("foreignLineage")
  })

  it("a member that reports an older table is given the current one, at most once in a repair interval", () => {
    const n1 = masterOf("n1", ["n2"]).until(1000)
    n1.text()
    for (let i = 0; i < 3; i++) n1.receive(2, heartbeat("n2", n1, { tableVersion: 1 }))
    expect(n1.text().match(/PARTITION_TABLE_UPDATE/g)).toHaveLength(1)
    n1.until(2000).receive(2, heartbeat("n2", n1, { tableVersion: 1 }))
    expect(n1.text().match(/PARTITION_TABLE_UPDATE/g)).toHaveLength(1)
  })

  it("whoever asks gets the table", () => {
    const n1 = masterOf("n1", ["n2"]).receive(2, { type: "FETCH_PARTITION_TABLE" })
    expect(n1.text()).toMatchInlineSnapshot(`
      "0 #2 <- FETCH_PARTITION_TABLE
        #2 -> PARTITION_TABLE_UPDATE 2 of n1.1000 {n1+n2 n1+n2 n2+n1 n2+n1}"
    `)
  })

  it("the partitions of a dead member are promoted at once, and missing backups filled", () => {
    const n1 = masterOf("n1", ["n2", "n3"]).closed(2).refused("n2")
    n1.receive(3, heartbeat("n3", n1, { suspectedNodes: ["n2"] }))
    const tables = n1
      .text()
      .split("\n")
      .filter((line) => line.includes("#3 -> PARTITION_TABLE_UPDATE"))
    expect(tables.join("\n")).toMatchInlineSnapshot(`
      "  #3 -> PARTITION_TABLE_UPDATE 4 of n1.1000 {n1+n3 n1 n3 n1}
        #3 -> PARTITION_TABLE_UPDATE 5 of n1.1000 {n1+n3 n1+n3 n3+n1 n3+n1}"
    `)
  })

  it("a partition none of whose replicas survives is reported as lost, and given to someone", () => {
    const n1 = masterOf("n1", ["n2"], { config: { backupCount: 0 } })
      .closed(2)
      .refused("n2")
    expect(n1.until(250).text()).toContain("publish PartitionLost")
    expect(n1.joined.table.rows.map((row) => row?.owner)).toEqual(["n1", "n1", "n1", "n1"])
  })

  it("a joiner gets partitions when it is active, not before", () => {
    const n1 = masterOf("n1", []).accepted(2).receive(2, joinRequest("n2"))
    expect(n1.joined.table.rows.map((row) => row?.owner)).toEqual(["n1", "n1", "n1", "n1"])
    n1.receive(2, heartbeat("n2", n1))
    expect(n1.joined.table.rows.map((row) => row?.owner)).toEqual(["n1", "n1", "n2", "n2"])
  })
})
