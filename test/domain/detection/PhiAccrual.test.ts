import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import type { ArrivalWindow } from "../../../src/domain/detection/ArrivalWindow.ts"
import { Deadline } from "../../../src/domain/detection/Deadline.ts"
import type { Detector } from "../../../src/domain/detection/Detector.ts"
import { PhiAccrual, PhiAccrualConfig } from "../../../src/domain/detection/PhiAccrual.ts"
import { SlidingMoments } from "../../../src/domain/detection/SlidingMoments.ts"
import { ClusterConfig } from "../../../src/domain/model/ClusterConfig.ts"
import { exactNegLog10Tail } from "./NormalTailOracle.ts"

const config = PhiAccrualConfig.defaults
const noFloor: PhiAccrualConfig = { ...config, minStdDevMs: 0 }

const heard = (timesMs: Iterable<number>, settings = config, detector: Detector = PhiAccrual): ArrivalWindow => {
  let window = detector.empty
  for (const timeMs of timesMs) window = detector.heartbeat(window, timeMs, settings)
  return window
}

const assertAgrees = (actual: number, expected: number, relative: number): void =>
  assert.isAtMost(Math.abs(actual - expected), relative * Math.abs(expected), `${actual} for ${expected}`)

describe("PhiAccrual.phi", () => {
  it.each<{ rule: string; beats: ReadonlyArray<number>; atMs: number; phi: number; settings?: PhiAccrualConfig }>([
    { rule: "is 0 without history", beats: [], atMs: 1e12, phi: 0 },
    { rule: "is 0 at the only heartbeat", beats: [100], atMs: 100, phi: 0 },
    { rule: "grows with the share of the deadline while intervals are few", beats: [0], atMs: 1000, phi: 1.6 },
    { rule: "does so with two intervals still", beats: [0, 1000, 2000], atMs: 7000, phi: 8 },
    { rule: "is log10 2 at the mean of three intervals", beats: [0, 1000, 2000, 3000], atMs: 4000, phi: Math.log10(2) },
    { rule: "takes backward time as none", beats: [5000], atMs: 0, phi: 0 },
    {
      rule: "takes a backward heartbeat as an interval of 0",
      beats: [0, -5000, 1000, 500, 1500],
      atMs: 9000,
      phi: 1.98296
    },
    {
      rule: "is 0 up to the mean without deviation",
      beats: [0, 500, 1000, 1500],
      atMs: 2000,
      phi: 0,
      settings: noFloor
    },
    { rule: "is infinite beyond", beats: [0, 500, 1000, 1500], atMs: 2000.001, phi: Infinity, settings: noFloor }
  ])("$rule", ({ beats, atMs, phi, settings = config }) => {
    const actual = PhiAccrual.phi(heard(beats, settings), atMs, settings)
    if (Number.isFinite(phi)) assertAgrees(actual, phi, 1e-5)
    else assert.strictEqual(actual, phi)
  })

  it("is the exact tail for a silence far above any table", () => {
    const window = heard([0, 900, 2000, 3000, 4000])
    const deviationMs = Math.max(100, Math.sqrt((100 ** 2 + 100 ** 2) / 4))
    for (const silenceMs of [200, 1500, 2000, 5000, 60_000, 3_600_000]) {
      const expected = exactNegLog10Tail((silenceMs - 1000) / deviationMs)
      assertAgrees(PhiAccrual.phi(window, 4000 + silenceMs, config), expected, 4e-11)
    }
  })

  const Silences = Schema.Array(Schema.Number.check(Schema.isBetween({ minimum: 0, maximum: 1e7 })))
  const Gaps = Schema.Array(Schema.Number.check(Schema.isBetween({ minimum: -100, maximum: 20_000 })))

  it.prop(
    "never falls while a peer is silent, and agrees with isAlive",
    { gaps: Gaps, silences: Silences, floor: Schema.Boolean },
    ({ gaps, silences, floor }) => {
      const settings = floor ? config : noFloor
      for (const detector of [PhiAccrual, Deadline]) {
        let nowMs = 0
        const window = heard(
          gaps.map((gap) => (nowMs += gap)),
          settings,
          detector
        )
        let before = 0
        for (const silence of silences.toSorted((a, b) => a - b)) {
          const level = detector.level(window, nowMs + silence, settings)
          if (!(level >= before)) return false
          const threshold = detector === PhiAccrual ? level < settings.phiThreshold : level <= 8
          if (detector.isAlive(window, nowMs + silence, settings) !== threshold) return false
          before = level
        }
      }
      return true
    },
    { arbitrary: { runs: 300, seed: "silence" } }
  )

  it.prop(
    "of an old window is the same after new ones were derived from it",
    { gaps: Gaps },
    ({ gaps }) => {
      const settings = { ...config, maxSampleSize: 7 }
      let nowMs = 0
      let window = PhiAccrual.empty
      const history: Array<readonly [ArrivalWindow, number, number]> = []
      for (const gap of [...gaps, ...gaps, 1000, 1000]) {
        nowMs += gap
        window = PhiAccrual.heartbeat(window, nowMs, settings)
        history.push([window, nowMs + 700, PhiAccrual.phi(window, nowMs + 700, settings)])
        PhiAccrual.heartbeat(history[history.length >> 1]?.[0] ?? window, nowMs, settings)
      }
      return history.every(([old, atMs, phi]) => Object.is(PhiAccrual.phi(old, atMs, settings), phi))
    },
    { arbitrary: { runs: 100, seed: "old" } }
  )

  it("forgets intervals beyond maxSampleSize", () => {
    const settings = { ...config, maxSampleSize: 3 }
    const window = heard([0, 9000, 18_000, 18_100, 18_200, 18_300], settings)
    const only = heard([18_000, 18_100, 18_200, 18_300], settings)
    for (const atMs of [18_400, 18_700]) {
      assert.strictEqual(PhiAccrual.phi(window, atMs, settings), PhiAccrual.phi(only, atMs, settings))
    }
  })

  it("stays exact over 10^7 heartbeats with fractional times and rare outages", () => {
    const settings = { ...noFloor, maxSampleSize: 200 }
    const beats = 10_000_000
    const recent = new Float64Array(settings.maxSampleSize)
    let window = PhiAccrual.empty
    let nowMs = 0
    let state = 12_345
    for (let i = 0; i < beats; i++) {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
      const outageMs = i % 1_000_000 === 7 ? 1e9 : 0
      // Quarters of a millisecond, so that times stay exact; one heartbeat in a million after a long outage.
      const gapMs = 1000 + ((state >>> 16) % 801) / 4 - 100 + outageMs
      nowMs += gapMs
      window = PhiAccrual.heartbeat(window, nowMs, settings)
      recent[i % recent.length] = i === 0 ? 0 : gapMs
    }
    const mean = recent.reduce((sum, x) => sum + x, 0) / recent.length
    const deviation = Math.sqrt(recent.reduce((sum, x) => sum + (x - mean) ** 2, 0) / recent.length)
    assert.strictEqual(SlidingMoments.size(window.intervals), settings.maxSampleSize)
    for (const silenceMs of [700, 1000, 1300, 5000, 100_000]) {
      const expected = exactNegLog10Tail(Math.fround((silenceMs - mean) / deviation))
      const atMs = nowMs + mean + Math.fround((silenceMs - mean) / deviation) * deviation
      assertAgrees(PhiAccrual.phi(window, atMs, settings), expected, 1e-6)
      const moments = SlidingMoments.moments(window.intervals)
      assertAgrees(moments.mean, mean, 1e-13)
      assertAgrees(Math.sqrt(moments.squares / moments.count), deviation, 1e-12)
    }
  }, 30_000)
})

describe("PhiAccrual.isAlive", () => {
  it("is false from the threshold on, and true for a peer never heard", () => {
    assert.isTrue(PhiAccrual.isAlive(PhiAccrual.empty, 1e12, config))
    assert.isTrue(PhiAccrual.isAlive(heard([0]), 4999, config))
    assert.isFalse(PhiAccrual.isAlive(heard([0]), 5000, config))
    const regular = heard([0, 1000, 2000, 3000, 4000])
    assert.isTrue(PhiAccrual.isAlive(regular, 4000 + 1561, config))
    assert.isFalse(PhiAccrual.isAlive(regular, 4000 + 1562, config))
  })
})

describe("Deadline", () => {
  it.each([
    { silenceMs: -50, level: 0, alive: true },
    { silenceMs: 0, level: 0, alive: true },
    { silenceMs: 2500, level: 4, alive: true },
    { silenceMs: 5000, level: 8, alive: true },
    { silenceMs: 5001, level: 8.0016, alive: false }
  ])("after $silenceMs ms of 5000 has level $level", ({ silenceMs, level, alive }) => {
    const window = heard([0, 300, 9000], config, Deadline)
    assert.strictEqual(Deadline.level(window, 9000 + silenceMs, config), level)
    assert.strictEqual(Deadline.isAlive(window, 9000 + silenceMs, config), alive)
  })

  it("takes a peer never heard for alive, and keeps no intervals", () => {
    assert.strictEqual(Deadline.level(Deadline.empty, 1e12, config), 0)
    assert.isTrue(Deadline.isAlive(Deadline.empty, 1e12, config))
    assert.strictEqual(SlidingMoments.size(heard([0, 1, 2, 3], config, Deadline).intervals), 0)
  })

  it("judges a window that the other detector has kept, and the other way round", () => {
    const byPhi = heard([0, 1000, 2000, 3000])
    assert.strictEqual(Deadline.level(byPhi, 5500, config), 4)
    assert.strictEqual(PhiAccrual.level(heard([0, 1000, 2000, 3000], config, Deadline), 4000, config), 1.6)
  })
})

describe("PhiAccrualConfig", () => {
  it("takes its five settings from the cluster's configuration", () => {
    const cluster: ClusterConfig = { ...ClusterConfig.defaults, phiThreshold: 3, maxSampleSize: 7 }
    assert.deepStrictEqual(PhiAccrualConfig.fromClusterConfig(cluster), {
      ...config,
      phiThreshold: 3,
      maxSampleSize: 7
    })
  })

  it.each([
    { field: "maxSampleSize", value: 0 },
    { field: "phiThreshold", value: 0 },
    { field: "phiThreshold", value: Number.NaN },
    { field: "maxNoHeartbeatMs", value: 0 },
    { field: "heartbeatIntervalMs", value: 0 },
    { field: "minStdDevMs", value: 1e9 }
  ])("refuses $field of $value", ({ field, value }) => {
    const refused = PhiAccrualConfig.validate({ ...config, [field]: value })
    assert.isTrue(Result.isFailure(refused) && refused.failure.field === field)
  })

  it("accepts its defaults", () => {
    assert.deepStrictEqual(PhiAccrualConfig.validate(config), Result.succeed(config))
  })
})
