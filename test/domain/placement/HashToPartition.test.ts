import { assert, describe, expect, it } from "@effect/vitest"
import { Schema } from "effect"
import { fnv1a32, hashToPartition } from "../../../src/domain/placement/HashToPartition.ts"

describe("hashToPartition", () => {
  it.each([
    { key: "", hash: 2_166_136_261, partition: 199 },
    { key: "b", hash: 3_876_335_077, partition: 128 },
    { key: "ab", hash: 1_294_271_946, partition: 65 }
  ])("agrees with the reference on $key", ({ key, hash, partition }) => {
    expect([fnv1a32(key), hashToPartition(key)]).toEqual([hash, partition])
  })

  it.prop("is the definition in exact arithmetic, over UTF-16 code units", { key: Schema.String }, ({ key }) => {
    let hash = 0x811c9dc5n
    for (const unit of key.split("")) hash = ((hash ^ BigInt(unit.charCodeAt(0))) * 0x01000193n) % 2n ** 32n
    assert.strictEqual(BigInt(fnv1a32(key)), hash)
    assert.strictEqual(hashToPartition(key, 1000), Number(hash % 1000n))
  })

  it("spreads keys: no partition of 271 gets twice its share of 100,000", () => {
    const counts = new Array<number>(271).fill(0)
    for (let i = 0; i < 100_000; i++) {
      const partition = hashToPartition(`user:${i}`)
      counts[partition] = (counts[partition] ?? 0) + 1
    }
    expect(Math.max(...counts)).toBeLessThan((2 * 100_000) / 271)
    expect(Math.min(...counts)).toBeGreaterThan(0)
  })
})
