import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { Moments } from "../../../src/domain/detection/Moments.ts"
import { SlidingMoments } from "../../../src/domain/detection/SlidingMoments.ts"

/** Mean and deviation by the definition, in two passes. */
const byDefinition = (samples: ReadonlyArray<number>): { readonly mean: number; readonly deviation: number } => {
  const mean = samples.reduce((sum, x) => sum + x, 0) / samples.length
  return { mean, deviation: Math.sqrt(samples.reduce((sum, x) => sum + (x - mean) ** 2, 0) / samples.length) }
}

const assertIsWindowOf = (window: SlidingMoments, samples: ReadonlyArray<number>): void => {
  const moments = SlidingMoments.moments(window)
  assert.strictEqual(moments.count, samples.length)
  assert.strictEqual(SlidingMoments.size(window), samples.length)
  assert.strictEqual(SlidingMoments.mean(window), moments.mean)
  if (samples.length === 0) return
  const { mean, deviation } = byDefinition(samples)
  const scale = Math.max(1e-100, ...samples)
  assert.closeTo(moments.mean, mean, 1e-13 * scale)
  assert.closeTo(Moments.standardDeviation(moments), deviation, 1e-13 * scale * samples.length)
}

/** Numbers and objects that a value keeps alive, whatever its structure. */
const entriesKeptBy = (root: object): number => {
  const seen = new Set<object>()
  const open: Array<object> = [root]
  let entries = 0
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (seen.has(next)) continue
    seen.add(next)
    if (next instanceof Float64Array) entries += next.length
    else {
      for (const value of Object.values(next)) {
        if (typeof value === "object" && value !== null) open.push(value)
        else entries++
      }
    }
  }
  return entries
}

/** What branches of three pushes cost, taken again and again from windows all over a turn. */
const millisecondsFor = (limit: number): number => {
  let window = SlidingMoments.empty
  for (let i = 0; i < 3 * limit; i++) window = SlidingMoments.push(window, i % 97, limit)
  const start = performance.now()
  for (let i = 0; i < 20_000; i++) {
    let branch = window
    for (let k = 0; k < 3; k++) branch = SlidingMoments.push(branch, k, limit)
    if (SlidingMoments.moments(branch).count !== limit) assert.fail("lost a sample")
    if (i % 2 === 0) window = SlidingMoments.push(window, i % 97, limit)
  }
  return performance.now() - start
}

const Samples = Schema.Array(Schema.Number.check(Schema.isBetween({ minimum: 0, maximum: 1e6 }))).check(
  Schema.isMaxLength(300)
)
const Limits = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 40 }))).check(
  Schema.isMinLength(1)
)

describe("SlidingMoments", () => {
  it.prop(
    "are those of the last samples, for any samples and a limit that changes",
    { samples: Samples, limits: Limits },
    ({ samples, limits }) => {
      let window = SlidingMoments.empty
      let expected: ReadonlyArray<number> = []
      samples.forEach((sample, i) => {
        const limit = limits[i % limits.length] ?? 1
        window = SlidingMoments.push(window, sample, limit)
        expected = [...expected, sample].slice(-limit)
        assertIsWindowOf(window, expected)
      })
      return true
    },
    { arbitrary: { runs: 150, seed: "window" } }
  )

  it("of every size up to 70 stay right over several turns", () => {
    for (let limit = 1; limit <= 70; limit++) {
      let window = SlidingMoments.empty
      const all: Array<number> = []
      for (let i = 0; i < 4 * limit; i++) {
        const sample = (i * 7919) % 1013
        all.push(sample)
        window = SlidingMoments.push(window, sample, limit)
        assertIsWindowOf(window, all.slice(-limit))
      }
    }
  })

  it("of an old window are unchanged by the windows derived from it, in every branch", () => {
    const limit = 12
    const branches: Array<{ window: SlidingMoments; samples: ReadonlyArray<number> }> = [
      { window: SlidingMoments.empty, samples: [] }
    ]
    for (let i = 0; i < 2000; i++) {
      const from = branches[(i * 48_271) % branches.length]
      assert.isDefined(from)
      const sample = (i * 7919) % 1013
      branches.push({
        window: SlidingMoments.push(from.window, sample, limit),
        samples: [...from.samples, sample].slice(-limit)
      })
    }
    for (const { window, samples } of branches) assertIsWindowOf(window, samples)
  })

  it("have a deviation of exactly 0 when all samples are the same number", () => {
    let window = SlidingMoments.push(SlidingMoments.empty, 5e9, 100)
    for (let i = 0; i < 1000; i++) {
      window = SlidingMoments.push(window, 0.1, 100)
      if (i < 99) continue
      assert.strictEqual(Moments.standardDeviation(SlidingMoments.moments(window)), 0)
      assert.strictEqual(SlidingMoments.moments(window).mean, 0.1)
    }
  })

  it("keep nothing at a limit of 0", () => {
    const window = SlidingMoments.push(SlidingMoments.push(SlidingMoments.empty, 1, 5), 2, 0)
    assert.strictEqual(SlidingMoments.size(window), 0)
  })

  it("keep a bounded number of entries alive, however many samples have passed", () => {
    for (const limit of [1, 10, 200, 3000]) {
      let window = SlidingMoments.empty
      for (let i = 0; i < 12 * limit + 50; i++) {
        window = SlidingMoments.push(window, i % 97, limit)
        if (i % 37 === 0 || limit < 20) assert.isAtMost(entriesKeptBy(window), 4 * limit + 60)
      }
    }
  })

  it("cost the same for a long window, and for many windows derived from one", () => {
    millisecondsFor(10)
    // O(n) per push would be a factor of 10,000 / 10 = 1,000.
    assert.isBelow(millisecondsFor(10_000), 20 * millisecondsFor(10) + 50)
  })
})
