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
    const rounds = 20
    const noticed = (read: () => unknown): number => {
      let times = 0
      for (let i = 0; i < rounds; i++) {
        try {
          weigh(() => kept.push(read()), 100)
        } catch {
          times++
        }
      }
      kept.length = 0
      return times
    }
    const kept: Array<unknown> = []
    // Now and then garbage is collected just then, and hides it.
    assert.isAbove(
      noticed(() => new Array<number>(20_000)),
      rounds / 2
    )
    assert.isAbove(
      noticed(() => new Uint8Array(100_000)),
      rounds / 2
    )
    assert.strictEqual(
      noticed(() => new Uint8Array(100)),
      0
    )
  })
})
