/** The simulator replays exactly, finds what is planted, and finds nothing in the protocol as it is. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import type { ClusterState } from "../../../src/domain/protocol/ClusterState.ts"
import { available, majority } from "../../../src/domain/protocol/Quorum.ts"
import { Simulation } from "../../../src/testing.ts"

const profiles = Simulation.Profile.literals

describe("a run", () => {
  it.each(profiles)("of one seed gives the same trace twice (%s)", (profile) => {
    const options = { seed: 42, nodes: 4, profile, transcript: true }
    const first = Simulation.run(options)
    assert.deepStrictEqual(Simulation.run(options), first)
    assert.isAbove(first.steps, 1000)
  })

  it("of other seeds gives other traces", () => {
    const hashes = Array.from(
      { length: 20 },
      (_, seed) => Simulation.run({ seed, nodes: 3, virtualMs: 8000 }).traceHash
    )
    assert.strictEqual(new Set(hashes).size, hashes.length)
  })

  it("does not depend on whether a transcript is kept, or messages are bytes", () => {
    const options = { seed: 7, nodes: 4 }
    const { traceHash } = Simulation.run(options)
    assert.strictEqual(Simulation.run({ ...options, transcript: true }).traceHash, traceHash)
    assert.strictEqual(Simulation.run({ ...options, codec: true }).traceHash, traceHash)
  })

  it("plays a schedule that was written down as JSON", () => {
    const { schedule, traceHash } = Simulation.run({ seed: 11, nodes: 4 })
    assert.isNotEmpty(schedule)
    const Schedule = Schema.fromJsonString(Schema.Array(Simulation.Fault))
    const faults = Schema.decodeSync(Schedule)(Schema.encodeSync(Schedule)(schedule))
    assert.strictEqual(Simulation.run({ seed: 11, nodes: 4, faults }).traceHash, traceHash)
  })

  it.each([0, 1.5, 1001, Number.NaN])("of %d nodes is refused", (nodes) => {
    assert.throws(() => Simulation.run({ seed: 1, nodes }), RangeError)
  })
})

describe("the protocol", () => {
  it.each(profiles.flatMap((profile) => [available, majority].map((policy) => ({ profile, policy }))))(
    "keeps its rules under $profile, policy $policy.name",
    ({ policy, profile }) => {
      for (let seed = 1; seed <= 6; seed++) {
        const { violation } = Simulation.run({ seed, nodes: 4, profile, policy })
        assert.isUndefined(violation, `seed ${seed}`)
      }
    }
  )

  it("is not moved by a jump of the wall clock", () => {
    const options = { seed: 3, nodes: 3, virtualMs: 10_000 }
    const faults: ReadonlyArray<Simulation.Fault> = [{ _tag: "ClockJump", atMs: 6000, node: "n2", byMs: 1e8 }]
    assert.strictEqual(
      Simulation.run({ ...options, faults }).traceHash,
      Simulation.run({ ...options, faults: [] }).traceHash
    )
  })

  it("replaces a master that is killed, as the transcript tells", () => {
    const faults: ReadonlyArray<Simulation.Fault> = [{ _tag: "Kill", atMs: 10_000, node: "master", withHost: true }]
    const { ok, transcript } = Simulation.run({ seed: 5, nodes: 3, faults, transcript: true })
    assert.isTrue(ok)
    assert.match(transcript.join("\n"), /FAULT kill master with its machine/)
  })
})

// ---- planted bugs ---------------------------------------------------------------------------------------

/** Versions fall when the master of a view changes. */
const lowerVersion = (after: ClusterState, before: ClusterState): ClusterState => {
  if (after.phase._tag !== "Joined" || before.phase._tag !== "Joined") return after
  const isShrunk = after.phase.view.members.length < before.phase.view.members.length
  const view = { ...after.phase.view, version: before.phase.view.version - 1 }
  return isShrunk ? { ...after, phase: { ...after.phase, view } } : after
}

/** Whoever makes a view keeps those in it that the view before had put out. */
const resurrect = (after: ClusterState, before: ClusterState): ClusterState => {
  if (after.phase._tag !== "Joined" || before.phase._tag !== "Joined") return after
  const { members, version } = after.phase.view
  const isOwn = after.phase.ownTerm >= 0 && version > before.phase.view.version
  const dead = before.phase.view.members.filter((member) => member.state === "dead")
  if (!isOwn || dead.length === 0) return after
  const back = dead.map((member) => ({ ...member, state: "active" as const }))
  const kept = members.filter((member) => !dead.some(({ nodeId }) => nodeId === member.nodeId))
  return { ...after, phase: { ...after.phase, view: { ...after.phase.view, members: [...kept, ...back] } } }
}

const planted: ReadonlyArray<{ readonly bug: string; readonly tamper: Simulation.Tamper; readonly said: RegExp }> = [
  { bug: "a falling version", tamper: lowerVersion, said: /version of .* falls from/ },
  {
    bug: "a resurrected incarnation",
    tamper: resurrect,
    said: /is back in the settled|was put out in|two contents of view/
  }
]

describe("a planted bug", () => {
  it.each(planted)("is caught, and its schedule shrunk until every fault of it is needed: $bug", ({ said, tamper }) => {
    const base = { nodes: 4, profile: "chaos", tamper } as const
    const seeds = Array.from({ length: 40 }, (_, i) => i + 1)
    const failed = seeds
      .map((seed) => Simulation.run({ ...base, seed }))
      .find((outcome) => !outcome.ok && outcome.schedule.length > 3)
    assert.isDefined(failed, "no seed has found it")
    const options = { ...base, seed: failed?.seed ?? 0 }
    const { outcome, runs } = Simulation.shrink(options)
    assert.isFalse(outcome.ok)
    assert.match(outcome.violation ?? "", said)
    assert.isBelow(outcome.schedule.length, failed?.schedule.length ?? 0)
    assert.isAtMost(outcome.schedule.length, 20)
    assert.isAtMost(runs, Simulation.maxShrinkRuns)
    for (const fault of outcome.schedule) {
      const faults = outcome.schedule.filter((other) => other !== fault)
      assert.isTrue(Simulation.run({ ...options, faults }).ok, `fails without ${Simulation.describeFault(fault)}`)
    }
    assert.match(outcome.transcript.join("\n"), /VIOLATION/)
  })
})
