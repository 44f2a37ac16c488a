/** A campaign adds up its runs, gives the same figures twice, and keeps the first failure. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import type { ClusterState } from "../../../src/domain/protocol/ClusterState.ts"
import { Simulation } from "../../../src/testing.ts"

const options = { seed: 21, nodes: 3, virtualMs: 15_000 } as const

const last = (of: Simulation.Options, seeds: number): Simulation.Progress => {
  const campaign = Simulation.campaign(of, seeds)
  let next = campaign.next()
  while (next.done !== true) next = campaign.next()
  return next.value
}

/** Nobody ever acts on what it knows to be settled. */
const unsettled = (after: ClusterState): ClusterState =>
  after.phase._tag === "Joined" ? { ...after, phase: { ...after.phase, settled: false } } : after

describe("a campaign", () => {
  it("adds up the runs of its seeds", () => {
    const runs = [21, 22, 23].map((seed) => Simulation.run({ ...options, seed }))
    const { failed, faults, seeds, steps, violations, virtualMs } = last(options, 3)
    assert.deepStrictEqual([seeds, violations, failed], [3, 0, undefined])
    assert.strictEqual(
      steps,
      runs.reduce((sum, outcome) => sum + outcome.steps, 0)
    )
    assert.strictEqual(
      virtualMs,
      runs.reduce((sum, outcome) => sum + outcome.virtualMs, 0)
    )
    assert.strictEqual(
      Object.values(faults).reduce((sum, count) => sum + count, 0),
      runs.reduce((sum, outcome) => sum + outcome.schedule.length, 0)
    )
  })

  it("gives the same trace twice, and another for other seeds", () => {
    assert.strictEqual(last(options, 3).traceHash, last(options, 3).traceHash)
    assert.notStrictEqual(last(options, 3).traceHash, last({ ...options, seed: 22 }, 3).traceHash)
  })

  it("keeps the first failure and counts all", () => {
    const { failed, violations } = last({ ...options, tamper: unsettled }, 2)
    assert.strictEqual(violations, 2)
    assert.strictEqual(failed?.seed, 21)
    assert.isNotEmpty(failed?.transcript)
  })

  it("is reported as one line of JSON", () => {
    const report = Simulation.reportOf(last(options, 2), 500)
    const line = Simulation.toJson(report)
    assert.notInclude(line, "\n")
    assert.deepStrictEqual(Schema.decodeSync(Schema.fromJsonString(Simulation.Report))(line), report)
    assert.isAbove(report.virtualSecondsPerSecond, 0)
  })
})
