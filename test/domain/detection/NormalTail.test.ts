import { assert, describe, it } from "@effect/vitest"
import { negLog10Tail } from "../../../src/domain/detection/NormalTail.ts"
import { bothWays, exactNegLog10Tail } from "./NormalTailOracle.ts"

const relativeError = (actual: number, expected: number): number => Math.abs(actual / expected - 1)

/** `count` numbers in `from`…`to`, equally far apart but for a dyadic wobble that uses all bits of a double. */
const grid = (from: number, to: number, count: number): ReadonlyArray<number> =>
  Array.from({ length: count }, (_, i) => {
    const z = from + ((to - from) * (i + ((i * 0.618033988749895) % 1))) / count
    return Math.abs(z) < 2 ** -40 ? 0 : z
  })

const geometric = (from: number, to: number, count: number): ReadonlyArray<number> =>
  Array.from({ length: count }, (_, i) => from * (to / from) ** (i / (count - 1)))

/** The neighbouring double towards Infinity. */
const nextUp = (z: number): number => {
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, z === 0 ? 0 : z)
  const bits = view.getBigInt64(0)
  view.setBigInt64(0, bits >= 0n ? bits + 1n : bits - 1n)
  return view.getFloat64(0)
}

/** The smallest rise of the argument that must be visible. */
const step = (z: number): number => 2 ** -39 * Math.max(1, Math.abs(z))

const neverFallsFrom = (start: number, steps: number): void => {
  let z = start
  for (let i = 0; i < steps; i++) {
    const next = nextUp(z)
    if (negLog10Tail(next) < negLog10Tail(z)) assert.fail(`falls from ${z} to ${next}`)
    z = next
  }
}

const risesFrom = (start: number, steps: number): void => {
  let z = start
  for (let i = 0; i < steps; i++) {
    const further = z + step(z) * 1.001
    if (!(negLog10Tail(further) > negLog10Tail(z))) assert.fail(`no rise from ${z} to ${further}`)
    z = further
  }
}

describe("negLog10Tail", () => {
  // Abramowitz and Stegun 1964, table 26.1 and 26.2.
  it.each([
    [-5, 2.866515718791939e-7 / Math.LN10],
    [0, Math.log10(2)],
    [1, -Math.log10(0.15865525393145705)],
    [2, -Math.log10(0.0227501319481792)],
    [3, -Math.log10(0.001349898031630095)],
    [5, -Math.log10(2.866515718791939e-7)],
    [5.612001244174789, 8],
    [10, -Math.log10(7.61985302416053e-24)],
    [100, 2173.871542]
  ])("at %d deviations is the published value", (z, expected) => {
    assert.isBelow(relativeError(negLog10Tail(z), expected), 1e-6)
  })

  it("is checked by two methods that agree with each other", () => {
    for (const z of grid(11.5, 12.9, 20)) assert.isBelow(relativeError(...bothWays(z)), 1e-14)
  })

  it.each([
    { from: -8, to: 0, points: () => grid(-8, 0, 1000), tolerance: 4e-11 },
    { from: 0, to: 4, points: () => grid(0, 4, 600), tolerance: 1e-12 },
    { from: 4, to: 12, points: () => grid(4, 12, 500), tolerance: 1e-12 },
    { from: 12, to: 1e5, points: () => geometric(12, 1e5, 1000), tolerance: 1e-12 }
  ])("from $from to $to differs from the exact value by at most $tolerance of it", ({ points, tolerance }) => {
    for (const z of points()) {
      assert.isAtMost(relativeError(negLog10Tail(z), exactNegLog10Tail(z)), tolerance, `z = ${z}`)
    }
  })

  it("rises strictly on a dense grid", () => {
    let before = -Infinity
    const rises = (z: number): void => {
      const level = negLog10Tail(z)
      if (!(level > before)) assert.fail(`${level} at ${z} after ${before}`)
      before = level
    }
    for (let z = -37; z < 40; z += 2 ** -13) rises(z)
    for (let z = 40; z < 1e5; z *= 1.00003) rises(z)
    for (let z = 1e5; z < 1e150; z *= 1.5) rises(z)
  })

  it("rises strictly over steps as small as 2^-39 of the argument, also where the algorithms meet", () => {
    for (const z of grid(-8, 12, 2000)) risesFrom(z, 20)
    for (const z of geometric(12, 1e5, 500)) risesFrom(z, 20)
    for (const seam of [-8, -4, -3, -2, -1, 0, 1, 2, 3, 4, 8, 16]) risesFrom(seam - 500 * step(seam), 1000)
  })

  it("never falls from one double to the next", () => {
    for (const z of grid(-40, 12, 1000)) neverFallsFrom(z, 30)
    for (const z of [-3, 3, -1, 1, 2, 4, -2, 8]) {
      let below = z
      for (let i = 0; i < 12; i++) below -= Math.abs(z) * 2 ** -53
      neverFallsFrom(below, 5000)
      neverFallsFrom(z - 2 ** -40, 6000)
      neverFallsFrom(z + 2 ** -41 - 2 ** -51, 3000)
    }
  })

  it.each([
    [-Infinity, 0],
    [-1e300, 0],
    [-40, 0],
    [1e200, Infinity],
    [Number.MAX_VALUE, Infinity],
    [Infinity, Infinity]
  ])("at %d is %d", (z, expected) => {
    assert.strictEqual(negLog10Tail(z), expected)
  })

  it("is finite while its square is", () => {
    assert.isTrue(Number.isFinite(negLog10Tail(1e150)))
    assert.isAbove(negLog10Tail(-37), 0)
  })
})
