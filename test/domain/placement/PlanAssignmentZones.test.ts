import { assert, describe, expect, it } from "@effect/vitest"
import { planAssignment } from "../../../src/domain/placement/PlanAssignment.ts"
import { zoneRule } from "../../../src/domain/placement/planner/ZoneRule.ts"
import { history } from "./History.ts"
import { defects, movement, ownerSpread, replicaLoads, replicasOf, replicaSpread, type Rows } from "./Measure.ts"
import { seededRandom } from "./SeededRandom.ts"

/** `{ A: 3, B: 1 }` → nodes, B-1. */
const nodesOf = (zones: Record<string, number>): ReadonlyArray<string> =>
  Object.entries(zones).flatMap(([zone, count]) => Array.from({ length: count }, (_, i) => `${zone}-${i + 1}`))

const zoneOf = (nodeId: string): string => nodeId.replace(/-.*/, "")

const fewestZones = (rows: Rows): number => Math.min(...rows.map((row) => new Set(replicasOf(row).map(zoneOf)).size))

const cold = (zones: Record<string, number>, backupCount: number): Rows =>
  planAssignment({ members: nodesOf(zones), current: [], partitionCount: 240, backupCount, zoneOf }).target

describe("zones", () => {
  it.each([
    { zones: { A: 3, B: 3 }, backupCount: 1, spans: 2, heaviest: 80 },
    { zones: { A: 2, B: 2, C: 2 }, backupCount: 2, spans: 3, heaviest: 120 },
    { zones: { A: 2, B: 2, C: 2 }, backupCount: 1, spans: 2, heaviest: 80 },
    { zones: { A: 4, B: 4, C: 2 }, backupCount: 2, spans: 3, heaviest: 120 },
    { zones: { A: 4, B: 2 }, backupCount: 1, spans: 2, heaviest: 120 },
    { zones: { A: 4, B: 2 }, backupCount: 3, spans: 2, heaviest: 160 },
    { zones: { A: 2, B: 2, C: 2, D: 2, E: 2 }, backupCount: 2, spans: 3, heaviest: 72 }
  ])(
    "$zones with $backupCount backups: each partition spans $spans zones, at most $heaviest replicas a node",
    (row) => {
      const members = nodesOf(row.zones)
      const rows = cold(row.zones, row.backupCount)
      expect(defects(rows, members, 240, row.backupCount)).toEqual([])
      expect(fewestZones(rows)).toBe(row.spans)
      expect(Math.max(...replicaLoads(rows, members))).toBe(row.heaviest)
      expect(ownerSpread(rows, members)).toBeLessThanOrEqual(1)
    }
  )

  it("a new zone's first node gets its share, not everything", () => {
    const before = cold({ A: 9 }, 1)
    const members = nodesOf({ A: 9, B: 1 })
    const { target } = planAssignment({ members, current: before, partitionCount: 240, backupCount: 1, zoneOf })
    expect(movement(before, target, members)).toMatchObject({ owners: 24, copies: 48, orphaned: 0 })
    expect(replicaSpread(target, members)).toBe(0)
  })

  it("counts the zone once its nodes can bear it", () => {
    let table = cold({ A: 6 }, 1)
    const spans: Array<number> = []
    for (const count of [1, 2, 3]) {
      const members = nodesOf({ A: 6, B: count })
      table = planAssignment({ members, current: table, partitionCount: 240, backupCount: 1, zoneOf }).target
      spans.push(fewestZones(table))
    }
    expect(spans).toEqual([1, 2, 2])
  })

  it("nodes of unknown zone are no zone together", () => {
    const members = nodesOf({ A: 6 })
    const request = { members, current: [], partitionCount: 240, backupCount: 1 }
    expect(planAssignment({ ...request, zoneOf: () => undefined })).toEqual(planAssignment(request))
  })

  it.each([
    { zones: 2, backupCount: 1 },
    { zones: 3, backupCount: 1 },
    { zones: 3, backupCount: 2 },
    { zones: 5, backupCount: 2 },
    { zones: 4, backupCount: 3 }
  ])("hold through joins, leaves and crashes in $zones zones with $backupCount backups", ({ zones, backupCount }) => {
    const names = new Map<string, string>()
    // The zone of a node is drawn when it is first seen, unevenly: half of the nodes stand in the first zone.
    const random = seededRandom(zones)
    const drawZone = (nodeId: string): string => {
      const known = names.get(nodeId)
      if (known !== undefined) return known
      const zone = random.below(2) === 0 ? "zone-0" : `zone-${random.below(zones)}`
      names.set(nodeId, zone)
      return zone
    }
    for (const { before, members, plan, label } of history({
      seed: zones * 10 + backupCount,
      partitionCount: 120,
      backupCount,
      steps: 60,
      fewestNodes: 4,
      mostNodes: 30,
      events: ["join", "join", "leave", "crash"],
      zoneOf: drawZone
    })) {
      const { target } = plan
      const indexes = [...new Set(members.map(drawZone))].toSorted()
      const replicas = Math.min(backupCount + 1, members.length)
      const rule = zoneRule(
        Int32Array.from(members, (nodeId) => indexes.indexOf(drawZone(nodeId))),
        replicas
      )
      assert.deepStrictEqual(defects(target, members, 120, backupCount), [], label)
      assert.strictEqual(movement(before, target, members).orphaned, 0, label)
      assert.isAtMost(ownerSpread(target, members), 1, label)
      const spanned = Math.min(...target.map((row) => new Set(replicasOf(row).map(drawZone)).size))
      assert.isAtLeast(spanned, rule?.needed ?? 1, label)
      const share = (120 * replicas) / members.length
      const second = planAssignment({ members, current: target, partitionCount: 120, backupCount, zoneOf: drawZone })
      assert.isAtMost(Math.max(...replicaLoads(second.target, members)), Math.ceil(2 * share) + 1, label)
    }
  })
})
