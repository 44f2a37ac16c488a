/** The assignment, rebalance plan and migration order of the original, each against a naive oracle. */
import { assert, describe, expect, it } from "@effect/vitest"
import { NodeState } from "../../../src/domain/model/NodeState.ts"
import type { MigrationTask } from "../../../src/domain/model/Migration.ts"
import type { PartitionAssignment } from "../../../src/domain/model/Partition.ts"
import { ClusterPartitionTable } from "../../../src/domain/placement/ClusterPartitionTable.ts"
import { computeAssignment } from "../../../src/domain/placement/ComputeAssignment.ts"
import { orderMigrations } from "../../../src/domain/placement/OrderMigrations.ts"
import { planRebalance } from "../../../src/domain/placement/PlanRebalance.ts"
import { replicasOf } from "./Measure.ts"
import { type SeededRandom, seededRandom } from "./SeededRandom.ts"

const seeds = Array.from({ length: 150 }, (_, seed) => seed)

/** Ids that sort differently by UTF-16 unit and by code point, in upper case, with and without prefixes. */
const ids = ["a", "B", "ab", "node-10", "node-2", "\u{ff21}", "\u{1f680}", "é", "e\u0301", "~"]

const randomRow = (random: SeededRandom, partitionId: number): PartitionAssignment => {
  const [owner = "", ...backups] = random.shuffle(ids).slice(0, 1 + random.below(4))
  return { partitionId, owner, backups }
}

const utf8 = (text: string): Buffer => Buffer.from(text, "utf8")

describe("computeAssignment", () => {
  it("deals partitions round the active members in UTF-8 order, the next ones as backups", () => {
    for (const seed of seeds) {
      const random = seededRandom(seed)
      const members = ids
        .slice(0, random.below(ids.length + 1))
        .map((nodeId) => ({ nodeId, state: random.pick<NodeState>(["active", "active", ...NodeState.literals]) }))
      const partitionCount = random.below(30)
      const backupCount = random.below(5)
      const circle = members
        .filter((member) => member.state === "active")
        .map((member) => member.nodeId)
        .toSorted((a, b) => Buffer.compare(utf8(a), utf8(b)))
      const expected: Array<PartitionAssignment> = []
      for (let partitionId = 0; partitionId < partitionCount && circle.length > 0; partitionId++) {
        const backups: Array<string> = []
        for (let step = 1; step <= backupCount && step < circle.length; step++) {
          backups.push(circle[(partitionId + step) % circle.length] ?? "")
        }
        expected.push({ partitionId, owner: circle[partitionId % circle.length] ?? "", backups })
      }
      const actual = computeAssignment(random.shuffle(members), partitionCount, backupCount)
      assert.deepStrictEqual(actual, expected, `seed ${seed}`)
    }
  })

  it("counts a node id twice when it is listed twice", () => {
    const members = ["a", "b", "a"].map((nodeId) => ({ nodeId, state: "active" as const }))
    const rows = computeAssignment(members, 3, 2)
    expect(rows.map(replicasOf)).toEqual([
      ["a", "a", "b"],
      ["a", "b", "a"],
      ["b", "a", "a"]
    ])
  })
})

describe("planRebalance", () => {
  it("has a task for each known partition whose owner differs, by partition id", () => {
    for (const seed of seeds) {
      const random = seededRandom(seed)
      const count = 1 + random.below(20)
      const all = Array.from({ length: count }, (_, partitionId) => partitionId)
      const some = all.filter(() => random.below(3) > 0).map((id) => randomRow(random, id))
      const target = random.shuffle(all.filter(() => random.below(4) > 0).map((id) => randomRow(random, id)))
      const table = ClusterPartitionTable.applyAssignments(ClusterPartitionTable.make(count), some)
      const expected: Array<MigrationTask> = []
      for (const partitionId of all) {
        const from = some.find((row) => row.partitionId === partitionId)
        const to = target.find((row) => row.partitionId === partitionId)
        if (from === undefined || to === undefined || from.owner === to.owner) continue
        expected.push({ partitionId, source: from.owner, destination: to.owner, newBackups: to.backups })
      }
      assert.deepStrictEqual(planRebalance(table, target), expected, `seed ${seed}`)
    }
  })
})

describe("orderMigrations", () => {
  it("starts promotions first, then partitions with fewer replicas, then lower ids, and is stable", () => {
    for (const seed of seeds) {
      const random = seededRandom(seed)
      const rows = [0, 1, 2, 3, 4, 5].filter(() => random.below(4) > 0).map((id) => randomRow(random, id))
      const table = ClusterPartitionTable.applyAssignments(ClusterPartitionTable.make(6), rows)
      const tasks = Array.from({ length: random.below(12) }, (_, index): MigrationTask => ({
        // Ids up to 7: the table does not know the last two. Equal tasks differ in their backups.
        partitionId: random.below(8),
        source: "s",
        destination: random.pick(ids),
        newBackups: [`${index}`]
      }))
      const promotes = (task: MigrationTask): boolean =>
        rows.some((row) => row.partitionId === task.partitionId && row.backups.includes(task.destination))
      const replicas = (task: MigrationTask): number => {
        const known = rows.find((row) => row.partitionId === task.partitionId)
        return known === undefined ? 0 : known.backups.length + 1
      }
      const goesBefore = (a: MigrationTask, b: MigrationTask): boolean => {
        if (promotes(a) !== promotes(b)) return promotes(a)
        if (replicas(a) !== replicas(b)) return replicas(a) < replicas(b)
        return a.partitionId < b.partitionId
      }
      // Insertion sort: a task passes those it goes before, and no others.
      const expected: Array<MigrationTask> = []
      for (const task of tasks) {
        const later = expected.findIndex((other) => goesBefore(task, other))
        expected.splice(later === -1 ? expected.length : later, 0, task)
      }
      assert.deepStrictEqual(orderMigrations(tasks, table), expected, `seed ${seed}`)
    }
  })
})
