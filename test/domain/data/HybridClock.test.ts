import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { HybridClock } from "../../../src/domain/data/HybridClock.ts"
import { Timestamp } from "../../../src/domain/data/Timestamp.ts"

const Wall = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1000 }))
const Step = Schema.Union([
  Schema.Struct({ type: Schema.Literal("tick"), wallMs: Wall }),
  Schema.Struct({
    type: Schema.Literal("observe"),
    wallMs: Wall,
    seen: Schema.Struct({ ...Timestamp.fields, wallMs: Wall })
  })
])

describe("The hybrid clock", () => {
  it.prop(
    "takes later readings than all it has taken, and than all it has seen within the drift",
    { steps: Schema.Array(Step) },
    ({ steps }) => {
      let clock = HybridClock.start
      let passed: Timestamp | undefined
      let aheadMs = 0
      for (const step of steps) {
        if (step.type === "observe") {
          clock = HybridClock.observe(clock, step.seen, step.wallMs, 50)
          if (HybridClock.isAhead(step.seen, step.wallMs, 50)) continue
          passed = passed === undefined ? step.seen : Timestamp.max(passed, step.seen)
          aheadMs = Math.max(aheadMs, step.wallMs + 50)
        } else {
          const [next, reading] = HybridClock.tick(clock, step.wallMs, "\u{10ffff}")
          if (passed !== undefined) assert.isAbove(Timestamp.compare(reading, passed), 0)
          aheadMs = Math.max(aheadMs, step.wallMs)
          assert.isAtLeast(reading.wallMs, step.wallMs)
          // It never leaves the wall clock further behind than the drift that it tolerates (and a full counter).
          assert.isAtMost(reading.wallMs, aheadMs + 1)
          passed = reading
          clock = next
        }
      }
    },
    { arbitrary: { runs: 300, seed: "clock" } }
  )

  it("stands at its last reading while the wall clock is behind, and counts", () => {
    const [first, a] = HybridClock.tick(HybridClock.start, 1000, "a#1")
    const [second, b] = HybridClock.tick(first, 400, "a#1")
    const [, c] = HybridClock.tick(second, 1001, "a#1")
    assert.deepStrictEqual(
      [a, b, c].map(({ wallMs, counter }) => [wallMs, counter]),
      [
        [1000, 0],
        [1000, 1],
        [1001, 0]
      ]
    )
  })

  it("does not follow a clock that is a year ahead", () => {
    const [clock] = HybridClock.tick(HybridClock.start, 1000, "a#1")
    const seen: Timestamp = { wallMs: 1000 + 365 * 86_400_000, counter: 7, node: "b#1" }
    assert.strictEqual(HybridClock.observe(clock, seen, 1000), clock)
    assert.strictEqual(HybridClock.tick(clock, 1001, "a#1")[1].wallMs, 1001)
  })

  it("goes on to the next millisecond when the counter is full", () => {
    const [, reading] = HybridClock.tick({ wallMs: 5, counter: 0xffff_ffff }, 5, "a#1")
    assert.deepStrictEqual(reading, { wallMs: 6, counter: 0, node: "a#1" })
  })

  it.each([-5, 0, 0.5])("takes a valid reading at a wall clock of %d", (wallMs) => {
    assert.isTrue(Schema.is(Timestamp)(HybridClock.tick(HybridClock.start, wallMs, "a#1")[1]))
  })
})
