/** Hostile frames: a short run of the loop in Fuzz.ts, which says what it holds to. */
import { assert, describe, it } from "@effect/vitest"
import { fuzz, weigh } from "./Fuzz.ts"

describe("damaged frames", () => {
  it("never throw, and all readers agree on them", { timeout: 60_000 }, () => {
    const { accepted, refused } = fuzz({ frames: 100_000, seed: 20_261_123 })
    assert.strictEqual(accepted + refused, 100_000)
    // Damage that nobody notices would test nothing, and so would frames that everybody refuses at once.
    assert.isAbove(accepted, 1000)
    assert.isAbove(refused, 50_000)
  })

  it("a reader that allocates what a frame claims is noticed", () => {
    let kept: unknown
    assert.throws(() => weigh(() => (kept = new Array<number>(100_000)), 100), /bytes allocated for a frame of 100/)
    assert.throws(() => weigh(() => (kept = new Uint8Array(100_000)), 100), /bytes allocated for a frame of 100/)
    weigh(() => (kept = new Uint8Array(100)), 100)
    assert.isDefined(kept)
  })
})
