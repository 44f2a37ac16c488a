import { assert, describe, expect, it } from "@effect/vitest"
import type { PartitionAssignment } from "../../../src/domain/model/Partition.ts"
import { ClusterPartitionTable } from "../../../src/domain/placement/ClusterPartitionTable.ts"
import { computeAssignment } from "../../../src/domain/placement/ComputeAssignment.ts"
import { InvalidPlacement } from "../../../src/domain/placement/InvalidPlacement.ts"
import { planAssignment } from "../../../src/domain/placement/PlanAssignment.ts"
import { exactFloor } from "./ExactFloor.ts"
import { type Event, history } from "./History.ts"
import {
  defects,
  fewestCopies,
  movement,
  ownerSpread,
  replicaLoads,
  replicasOf,
  replicaSpread,
  type Rows
} from "./Measure.ts"
import { seededRandom } from "./SeededRandom.ts"

const names = (count: number): ReadonlyArray<string> => Array.from({ length: count }, (_, i) => `node-${i + 1}`)

const active = (ids: ReadonlyArray<string>) => ids.map((nodeId) => ({ nodeId, state: "active" as const }))

const allEvents: ReadonlyArray<Event> = ["join", "join", "joinMany", "leave", "leave", "crash"]

const row = (partitionId: number, owner: string, ...backups: ReadonlyArray<string>): PartitionAssignment => ({
  partitionId,
  owner,
  backups
})

describe("planAssignment moves little", () => {
  it("from 3 to 4 nodes: 67 owners, 135 copies, nobody orphaned, spreads 1, where modulo moves 202, 270 and 45", () => {
    const four = names(4)
    const before = planAssignment({ members: names(3), current: [], partitionCount: 271, backupCount: 1 }).target
    const { target, promotions } = planAssignment({
      members: four,
      current: before,
      partitionCount: 271,
      backupCount: 1
    })
    expect(movement(before, target, four)).toEqual({ owners: 67, copies: 135, orphaned: 0, swaps: 0 })
    expect([ownerSpread(target, four), replicaSpread(target, four)]).toEqual([1, 1])
    expect(promotions).toEqual([])

    const modulo = computeAssignment(active(names(3)), 271, 1)
    expect(movement(modulo, computeAssignment(active(four), 271, 1), four)).toMatchObject({
      owners: 202,
      copies: 270,
      orphaned: 45
    })
  })

  it.each([0, 1, 2, 3])(
    "with %i backups each join to 1…100 nodes copies what the shares demand and moves ⌊P/N⌋ owners, but for rare role swaps",
    (backupCount) => {
      const partitionCount = 271
      let table: Rows = []
      let joinsWithSwaps = 0
      for (let count = 1; count <= 100; count++) {
        const members = names(count)
        const replicas = Math.min(backupCount + 1, count)
        const { target } = planAssignment({ members, current: table, partitionCount, backupCount })
        expect(defects(target, members, partitionCount, backupCount)).toEqual([])
        assert.isAtMost(ownerSpread(target, members), 1)
        assert.isAtMost(replicaSpread(target, members), 1)
        const { owners, copies, swaps } = movement(table, target, members)
        const share = count > backupCount + 1 ? Math.floor((partitionCount * replicas) / count) : partitionCount
        expect([count, copies]).toEqual([count, share])
        if (count > backupCount + 1 && owners !== Math.floor(partitionCount / count)) {
          joinsWithSwaps++
          // Whoever owns more than before and copied nothing for it swapped roles with a backup.
          assert.isAtLeast(swaps, owners - Math.floor(partitionCount / count))
        } else expect([count, owners]).toEqual([count, Math.floor(partitionCount / count)])
        table = target
      }
      assert.isAtMost(joinsWithSwaps, 2)
    }
  )

  it.each([
    { backupCount: 1, seed: 7 },
    { backupCount: 2, seed: 8 }
  ])("over 300 random joins and leaves with $backupCount backups copies stay at the floor", ({ backupCount, seed }) => {
    const partitionCount = 271
    let copies = 0
    let floor = 0
    for (const { before, members, plan, label } of history({
      seed,
      partitionCount,
      backupCount,
      steps: 300,
      fewestNodes: 5,
      mostNodes: 60,
      events: ["join", "leave"]
    })) {
      const moved = movement(before, plan.target, members)
      assert.isAtMost(ownerSpread(plan.target, members), 1, label)
      assert.isAtMost(replicaSpread(plan.target, members), 1, label)
      assert.strictEqual(moved.orphaned, 0, label)
      copies += moved.copies
      floor += fewestCopies(before, members, partitionCount, backupCount + 1)
    }
    assert.strictEqual(copies, floor)
  })

  it("small plans are as even as can be, and copy at most a tenth more than the exact optimum", () => {
    let copies = 0
    let floor = 0
    for (let seed = 0; seed < 60; seed++) {
      const random = seededRandom(seed)
      const nodes = 3 + random.below(5)
      const partitionCount = nodes + random.below(14)
      const backupCount = 1 + random.below(2)
      const before = planAssignment({ members: names(nodes), current: [], partitionCount, backupCount }).target
      const joins = random.below(2) === 0
      const members = joins ? names(nodes + 1) : random.shuffle(names(nodes)).slice(1).toSorted()
      const replicas = Math.min(backupCount + 1, members.length)
      const { target } = planAssignment({ members, current: before, partitionCount, backupCount })
      const holders = before.map((old) =>
        replicasOf(old).flatMap((node) => (members.includes(node) ? [members.indexOf(node)] : []))
      )
      const exact = exactFloor(members.length, replicas, holders)
      expect(
        replicaLoads(target, members).toSorted((a, b) => b - a),
        `seed ${seed}`
      ).toEqual(exact.loads)
      const made = movement(before, target, members).copies
      assert.isAtLeast(made, exact.copies, `seed ${seed}: fewer than the optimum`)
      assert.isAtMost(made, exact.copies + 2, `seed ${seed}`)
      copies += made
      floor += exact.copies
    }
    assert.isAtMost(copies / floor, 1.1)
  })

  it("a plan for a planned table changes nothing", () => {
    for (const { members, plan, label } of history({
      seed: 3,
      partitionCount: 60,
      backupCount: 2,
      steps: 60,
      fewestNodes: 1,
      mostNodes: 30,
      events: ["join", "leave"]
    })) {
      const again = planAssignment({ members, current: plan.target, partitionCount: 60, backupCount: 2 })
      assert.deepStrictEqual(again, { promotions: [], target: plan.target }, label)
    }
  })
})

describe("planAssignment keeps the cluster whole", () => {
  const runs = [0, 1, 2, 3].flatMap((backupCount) =>
    [7, 271].map((partitionCount) => ({ backupCount, partitionCount }))
  )

  it.each(runs)(
    "$partitionCount partitions with $backupCount backups through joins, leaves and crashes",
    ({ partitionCount, backupCount }) => {
      for (const mostNodes of [8, 100]) {
        const options = { partitionCount, backupCount, steps: 60, fewestNodes: 1, mostNodes, events: allEvents }
        for (const { event, before, members, membersBefore, plan, label } of history({ ...options, seed: mostNodes })) {
          const { target } = plan
          assert.deepStrictEqual(defects(target, members, partitionCount, backupCount), [], label)
          assert.isAtMost(ownerSpread(target, members), 1, label)
          if (backupCount > 0) assert.strictEqual(movement(before, target, members).orphaned, 0, label)
          if (replicaSpread(before, membersBefore) <= 1 && event !== "joinMany") {
            assert.isAtMost(replicaSpread(target, members), 1, label)
          }
          // Several newcomers at once: a survivor in every set may leave replicas uneven in one plan, not in two.
          const second = planAssignment({ members, current: target, partitionCount, backupCount })
          assert.isAtMost(replicaSpread(second.target, members), 1, `${label}, second plan`)
        }
      }
    }
  )

  it("the order of members and rows does not matter", () => {
    const random = seededRandom(5)
    for (const { before, members, plan, label } of history({
      seed: 11,
      partitionCount: 97,
      backupCount: 2,
      steps: 40,
      fewestNodes: 2,
      mostNodes: 20,
      events: allEvents
    })) {
      const shuffled = planAssignment({
        members: random.shuffle([...members, ...members.slice(0, 3)]),
        current: random.shuffle(before),
        partitionCount: 97,
        backupCount: 2
      })
      assert.deepStrictEqual(shuffled, plan, label)
    }
  })

  it("more or fewer backups are planned from the same table", () => {
    const members = names(7)
    let table: Rows = []
    for (const backupCount of [1, 3, 0, 6, 2, 9]) {
      const before = table
      table = planAssignment({ members, current: before, partitionCount: 50, backupCount }).target
      expect(defects(table, members, 50, backupCount)).toEqual([])
      expect(ownerSpread(table, members)).toBeLessThanOrEqual(1)
      expect(replicaSpread(table, members)).toBeLessThanOrEqual(1)
      expect(movement(before, table, members).orphaned).toBe(0)
    }
  })
})

describe("promotions", () => {
  it("give a dead owner's partition to a survivor, without copying, and leave the dead out", () => {
    for (const { before, members, plan, label } of history({
      seed: 21,
      partitionCount: 61,
      backupCount: 2,
      steps: 80,
      fewestNodes: 3,
      mostNodes: 12,
      events: ["join", "crash", "crash", "joinMany"]
    })) {
      const immediate = new Map(plan.promotions.map((promotion) => [promotion.partitionId, promotion]))
      for (const old of before) {
        const living = replicasOf(old).filter((node) => members.includes(node))
        const now = immediate.get(old.partitionId)
        const final = plan.target[old.partitionId]
        if (living.length === replicasOf(old).length) assert.isUndefined(now, label)
        else if (living.length === 0) assert.deepStrictEqual(now, final, label)
        else {
          assert.isDefined(now, label)
          assert.deepStrictEqual(replicasOf(now ?? old).toSorted(), living.toSorted(), label)
          if (members.includes(old.owner)) assert.strictEqual(now?.owner, old.owner, label)
          else if (living.includes(final?.owner ?? "")) assert.strictEqual(now?.owner, final?.owner, label)
        }
      }
    }
  })

  it("can be applied first: the plan after them has the same target", () => {
    const partitionCount = 61
    const { make, applyAssignments, assignments } = ClusterPartitionTable
    for (const { before, members, plan, label } of history({
      seed: 22,
      partitionCount,
      backupCount: 1,
      steps: 40,
      fewestNodes: 3,
      mostNodes: 12,
      events: ["join", "leave"]
    })) {
      const promoted = applyAssignments(applyAssignments(make(partitionCount), before), plan.promotions)
      const rest = planAssignment({ members, current: assignments(promoted), partitionCount, backupCount: 1 })
      assert.deepStrictEqual(rest.promotions, [], label)
      const total = movement(before, plan.target, members).copies
      assert.strictEqual(movement(before, rest.target, members).copies, total, label)
    }
  })

  it("hold the whole target in a cold start", () => {
    const plan = planAssignment({ members: names(3), current: [], partitionCount: 10, backupCount: 1 })
    expect(plan.promotions).toEqual(plan.target)
  })

  it("keep members that live and receive nothing more, until their data has moved", () => {
    const states = { a: "active", b: "leaving", c: "suspect", d: "dead", e: "joining" } as const
    const members = Object.entries(states).map(([nodeId, state]) => ({ nodeId, state }))
    const current = [row(0, "b", "c"), row(1, "d", "b"), row(2, "d", "a"), row(3, "d"), row(4, "a", "d")]
    const plan = planAssignment({ members, current, partitionCount: 5, backupCount: 1 })
    expect(plan.promotions).toEqual([row(1, "b"), row(2, "a"), row(3, "a"), row(4, "a")])
    expect(plan.target).toEqual([0, 1, 2, 3, 4].map((partition) => row(partition, "a")))
  })
})

const planForTwo = (partitionCount: number, backupCount: number, current: Rows = []) =>
  planAssignment({ members: ["a", "b"], current, partitionCount, backupCount })

describe("planAssignment at the edges", () => {
  it("without active members plans nothing", () => {
    const members = [{ nodeId: "a", state: "suspect" as const }]
    const request = { current: [row(0, "a")], partitionCount: 1, backupCount: 1 }
    expect(planAssignment({ ...request, members })).toEqual({ promotions: [], target: [] })
    expect(planAssignment({ ...request, members: [] })).toEqual({ promotions: [], target: [] })
  })

  it("with no partition plans no row", () => {
    expect(planForTwo(0, 1)).toEqual({ promotions: [], target: [] })
  })

  it("rows that name a node twice are healed at once", () => {
    const { promotions, target } = planForTwo(1, 1, [row(0, "a", "a")])
    expect(promotions).toEqual([row(0, "a")])
    expect(target).toEqual([row(0, "a", "b")])
  })

  it.each([
    {
      what: "a partition listed twice",
      run: () => planForTwo(2, 1, [row(1, "a"), row(1, "b")]),
      fault: "duplicatePartitionId"
    },
    {
      what: "a partition id beyond the table",
      run: () => planForTwo(2, 1, [row(2, "a")]),
      fault: "partitionIdOutOfRange"
    },
    { what: "a negative partition id", run: () => planForTwo(2, 1, [row(-1, "a")]), fault: "partitionIdOutOfRange" },
    { what: "a negative partition count", run: () => planForTwo(-1, 1), fault: "partitionCountOutOfRange" },
    { what: "a fractional backup count", run: () => planForTwo(2, 0.5), fault: "backupCountOutOfRange" },
    { what: "NaN backups", run: () => planForTwo(2, Number.NaN), fault: "backupCountOutOfRange" }
  ])("$what is a defect", ({ run, fault }) => {
    let thrown: unknown
    try {
      run()
    } catch (error) {
      thrown = error
    }
    assert.instanceOf(thrown, InvalidPlacement)
    expect(thrown).toMatchObject({ fault })
  })
})
