import { assert, describe, it } from "@effect/vitest"
import { ownedCounts, ownersMoved, promotedBackups, spread, withoutReplica } from "../../../src/cli/demo/Movement.ts"
import type { Placement } from "../../../src/cli/NodeReport.ts"

/** `a/bc` is owned by a, with the backups b and c; `-` is unassigned. */
const table = (...rows: ReadonlyArray<string>): Placement =>
  rows.map((row) => {
    const [owner = "", backups = ""] = row.split("/")
    return owner === "-" ? undefined : { owner, backups: backups.split("") }
  })

describe("Movement", () => {
  it("counts owned partitions in the order of the nodes, and 0 for one without any", () => {
    assert.deepStrictEqual(ownedCounts(table("a", "b", "a", "-"), ["b", "a", "c"]), [1, 2, 0])
  })

  it.each([
    { rows: ["a", "b", "a"], nodes: ["a", "b"], wanted: 1 },
    { rows: ["a", "a", "a"], nodes: ["a", "b"], wanted: 3 },
    { rows: ["a"], nodes: [], wanted: 0 },
    { rows: [], nodes: ["a"], wanted: 0 }
  ])("the spread of $rows over $nodes is $wanted", ({ nodes, rows, wanted }) => {
    assert.strictEqual(spread(table(...rows), nodes), wanted)
  })

  it("a partition has moved when its owner differs, also from or to nobody", () => {
    assert.strictEqual(ownersMoved(table("a", "a", "-", "a", "-"), table("a", "b", "b", "-", "-")), 3)
    assert.strictEqual(ownersMoved([], table("a", "b")), 2)
    assert.strictEqual(ownersMoved(table("a/b"), table("a/c")), 0)
  })

  it("a partition is without replica when neither owner nor backup is alive; one that had none is not counted", () => {
    const before = table("a/b", "b/c", "a/", "c/a", "-")
    assert.strictEqual(
      withoutReplica(before, (nodeId) => nodeId === "c"),
      2
    )
    assert.strictEqual(
      withoutReplica(before, () => true),
      0
    )
    assert.strictEqual(
      withoutReplica(before, () => false),
      4
    )
  })

  it("a promotion is a victim's partition whose new owner had backed it up", () => {
    const before = table("v/a", "v/b", "v/a", "a/v", "v/a")
    assert.strictEqual(promotedBackups(before, table("a", "b", "c", "a", "-"), "v"), 2)
  })
})
