import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { redialDelayMs } from "../../../src/domain/protocol/Redial.ts"

const bounds = { minMs: 100, maxMs: 5000 }

describe("redialDelayMs", () => {
  it("doubles the longest wait at each attempt, up to the maximum", () => {
    const longest = [0, 1, 2, 3, 4, 5, 6, 100, 2000].map((attempt) => redialDelayMs(attempt, 1, bounds))
    assert.deepStrictEqual(longest, [200, 400, 800, 1600, 3200, 5000, 5000, 5000, 5000])
  })

  it("never waits less than the minimum", () => {
    for (let attempt = 0; attempt < 50; attempt++) assert.strictEqual(redialDelayMs(attempt, 0, bounds), 100)
  })

  it.prop(
    "spreads the waits evenly over their range, so that peers do not dial together",
    { attempt: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5000 })) },
    ({ attempt }) => {
      const lowest = redialDelayMs(attempt, 0, bounds)
      const middle = redialDelayMs(attempt, 0.5, bounds)
      const highest = redialDelayMs(attempt, 1, bounds)
      assert.isAtLeast(lowest, bounds.minMs)
      assert.isAtMost(highest, bounds.maxMs)
      assert.isAbove(highest, lowest)
      assert.closeTo(middle, (lowest + highest) / 2, 1e-9)
    }
  )
})
