import { assert, describe, expect, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import type { MemberInfo } from "../../../src/domain/model/MemberInfo.ts"
import { PartitionMapPayload } from "../../../src/domain/model/PartitionMap.ts"
import { ClusterPartitionTable, maxPartitionCount } from "../../../src/domain/placement/ClusterPartitionTable.ts"
import { InvalidPlacement } from "../../../src/domain/placement/InvalidPlacement.ts"

const {
  make,
  setOwner,
  setState,
  applyAssignments,
  getPartition,
  partitionsForNode,
  incrementVersion,
  withVersion,
  version,
  partitionCount,
  assignments,
  toPartitionMap,
  validateAssignments
} = ClusterPartitionTable

const row = (partitionId: number, owner: string, ...backups: ReadonlyArray<string>) => ({ partitionId, owner, backups })

const member = (nodeId: string, host: string): MemberInfo => ({
  nodeId,
  host,
  clientPort: 8080,
  clusterPort: 9090,
  state: "active",
  joinVersion: 1
})

describe("ClusterPartitionTable", () => {
  it("starts empty at version 0", () => {
    const table = make(271)
    expect([version(table), partitionCount(table), assignments(table)]).toEqual([0, 271, []])
    expect(getPartition(table, 0)).toBeUndefined()
  })

  it("is immutable: each change gives a new table and leaves the old one", () => {
    const empty = make(3)
    const owned = setOwner(empty, 1, "a", ["b"])
    const moved = setOwner(owned, 1, "b", [])
    const draining = setState(moved, 1, "draining")
    const applied = applyAssignments(draining, [row(0, "c")])
    expect(assignments(empty)).toEqual([])
    expect(assignments(owned)).toEqual([row(1, "a", "b")])
    expect(getPartition(moved, 1)?.state).toBe("active")
    expect(getPartition(draining, 1)).toEqual({ ...row(1, "b"), state: "draining", version: 0 })
    expect(assignments(applied)).toEqual([row(0, "c"), row(1, "b")])
    expect([empty, owned, moved, draining, applied].map(version)).toEqual([0, 0, 0, 0, 1])
  })

  it("merges assignments: other rows and the state of known rows stay, the version rises by one", () => {
    const first = applyAssignments(make(10), [row(2, "a"), row(7, "b", "a")])
    const migrating = setState(first, 7, "migrating")
    const second = applyAssignments(migrating, [row(7, "c"), row(0, "c")])
    expect(assignments(second)).toEqual([row(0, "c"), row(2, "a"), row(7, "c")])
    expect(getPartition(second, 7)?.state).toBe("migrating")
    expect(version(second)).toBe(2)
    expect(version(applyAssignments(second, []))).toBe(3)
  })

  it("has no state to set where no row is", () => {
    const table = make(3)
    expect(setState(table, 1, "lost")).toBe(table)
    expect(setState(table, 99, "lost")).toBe(table)
  })

  it("lists a node's partitions in ascending order, backups not among them", () => {
    const table = applyAssignments(make(9), [row(8, "a"), row(3, "b", "a"), row(0, "a"), row(5, "a")])
    expect(partitionsForNode(table, "a")).toEqual([0, 5, 8])
    expect(partitionsForNode(table, "nobody")).toEqual([])
  })

  it.each([-1, 3, 2 ** 32, 1.5, Number.NaN])("partition %d of 3 is a defect to set, and unknown to read", (id) => {
    const table = make(3)
    expect(() => setOwner(table, id, "a", [])).toThrow(InvalidPlacement)
    expect(() => applyAssignments(table, [row(0, "a"), row(id, "a")])).toThrow(InvalidPlacement)
    expect(getPartition(table, id)).toBeUndefined()
  })

  it.each([-1, 0.5, maxPartitionCount + 1, Number.NaN])("%d partitions are a defect", (count) => {
    expect(() => make(count)).toThrow(InvalidPlacement)
  })

  it("applies 20,000 rows in one pass", () => {
    const rows = Array.from({ length: 20_000 }, (_, id) => row(id, `node-${id % 7}`))
    const table = applyAssignments(make(rows.length), rows)
    expect(assignments(table)).toEqual(rows)
  })
})

describe("toPartitionMap", () => {
  it("brackets IPv6 hosts and lists rows by partition id", () => {
    const table = applyAssignments(make(4), [row(3, "b", "a"), row(1, "a")])
    const members = {
      version: 1,
      members: [member("a", "::1"), { ...member("b", "10.0.0.2"), state: "dead" as const }]
    }
    const map = toPartitionMap(table, members, 1_700_000_000_000)
    expect(Schema.encodeSync(PartitionMapPayload)(map)).toEqual({
      version: 1,
      partitionCount: 4,
      nodes: [
        { nodeId: "a", endpoints: { websocket: "ws://[::1]:8080" }, status: "ACTIVE" },
        { nodeId: "b", endpoints: { websocket: "ws://10.0.0.2:8080" }, status: "FAILED" }
      ],
      partitions: [
        { partitionId: 1, ownerNodeId: "a", backupNodeIds: [] },
        { partitionId: 3, ownerNodeId: "b", backupNodeIds: ["a"] }
      ],
      generatedAt: 1_700_000_000_000
    })
  })

  it.each([
    { full: 7, low: 7 },
    { full: 2 ** 32 - 1, low: 2 ** 32 - 1 },
    { full: 2 ** 32, low: 0 },
    { full: 3 * 2 ** 32 + 2 ** 31, low: 2 ** 31 },
    { full: Number.MAX_SAFE_INTEGER, low: 2 ** 32 - 1 }
  ])("carries the low half of version $full", ({ full, low }) => {
    const map = toPartitionMap(withVersion(make(1), full), { version: 1, members: [] }, 0)
    expect(map.version).toBe(low)
  })

  it("an increment passes from one half of the version into the other", () => {
    const table = incrementVersion(withVersion(make(1), 2 ** 32 - 1))
    expect(version(table)).toBe(2 ** 32)
  })
})

describe("validateAssignments", () => {
  it.each([
    { rows: [row(0, "a", "b"), row(3, "")], fault: undefined, at: undefined },
    { rows: [row(0, "a"), row(4, "a")], fault: "partitionIdOutOfRange", at: 1 },
    { rows: [row(-1, "a")], fault: "partitionIdOutOfRange", at: 0 },
    { rows: [row(0.5, "a")], fault: "partitionIdOutOfRange", at: 0 },
    { rows: [row(1, "a"), row(2, "a"), row(1, "a"), row(9, "a")], fault: "duplicatePartitionId", at: 2 },
    { rows: [row(0, "", "a")], fault: "emptyOwner", at: 0 },
    { rows: [row(0, "a", "")], fault: "emptyBackup", at: 0 },
    { rows: [row(0, "a", "b"), row(1, "a", "b", "a")], fault: "duplicateNode", at: 1 },
    { rows: [row(0, "a", "b", "b")], fault: "duplicateNode", at: 0 }
  ])("finds $fault in row $at", ({ rows, fault, at }) => {
    const result = validateAssignments(rows, 4)
    if (Result.isSuccess(result)) {
      assert.strictEqual(result.success, rows)
      assert.isUndefined(fault)
    } else expect([result.failure.fault, result.failure.row]).toEqual([fault, at])
  })

  it("says what is wrong in words", () => {
    const error = new InvalidPlacement({ fault: "duplicateNode", value: "a", row: 3 })
    expect(error.message).toBe('duplicateNode "a" in row 3')
    expect(new InvalidPlacement({ fault: "partitionCountOutOfRange", value: -1 }).message).toBe(
      "partitionCountOutOfRange -1"
    )
  })
})
