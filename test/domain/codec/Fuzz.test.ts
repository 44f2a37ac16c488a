/** Hostile frames: a short run of the loop in Fuzz.ts, which says what it holds to. */
import { assert, describe, it } from "@effect/vitest"
import { fuzz } from "./Fuzz.ts"

describe("mutated frames", () => {
  it("never throw, and all readers agree on them", { timeout: 60_000 }, () => {
    const { accepted, refused } = fuzz({ frames: 100_000, seed: 20_261_123 })
    assert.strictEqual(accepted + refused, 100_000)
    // Mutations that nobody notices would test nothing, and so would those that everybody refuses at once.
    assert.isAbove(accepted, 1000)
    assert.isAbove(refused, 50_000)
  })
})
