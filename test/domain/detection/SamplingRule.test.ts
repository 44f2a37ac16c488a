import { assert, describe, it } from "@effect/vitest"
import { ArrivalWindow } from "../../../src/domain/detection/ArrivalWindow.ts"
import { PhiAccrual, PhiAccrualConfig } from "../../../src/domain/detection/PhiAccrual.ts"
import { heartbeatKind, sampledHeartbeat } from "../../../src/domain/detection/SamplingRule.ts"
import { SlidingMoments } from "../../../src/domain/detection/SlidingMoments.ts"

const config = PhiAccrualConfig.defaults
const heard = (...timesMs: ReadonlyArray<number>): ArrivalWindow =>
  timesMs.reduce((window, timeMs) => sampledHeartbeat(window, timeMs, config), ArrivalWindow.empty)
const intervals = (window: ArrivalWindow): number => SlidingMoments.size(window.intervals)

describe("sampledHeartbeat", () => {
  it.each([
    { afterMs: 0, kind: "early" },
    { afterMs: 699, kind: "early" },
    { afterMs: 700, kind: "sample" },
    { afterMs: 1000, kind: "sample" },
    { afterMs: 5000, kind: "sample" },
    { afterMs: 5001, kind: "outage" },
    { afterMs: -10, kind: "early" }
  ])("$afterMs ms after the last sample is $kind", ({ afterMs, kind }) => {
    const window = heard(0, 1000)
    assert.strictEqual(heartbeatKind(window, 1000 + afterMs, config), kind)
    const next = sampledHeartbeat(window, 1000 + afterMs, config)
    assert.strictEqual(intervals(next), kind === "sample" ? 2 : 1)
    assert.strictEqual(next.lastArrivalMs, 1000 + afterMs)
  })

  it("takes the first heartbeat as the begin of an interval", () => {
    assert.strictEqual(heartbeatKind(ArrivalWindow.empty, 5, config), "first")
    assert.deepStrictEqual(heard(5), { ...ArrivalWindow.empty, lastArrivalMs: 5, lastSampleMs: 5 })
  })

  it("measures from the last sample when answers arrive in between", () => {
    const window = sampledHeartbeat(ArrivalWindow.arrival(heard(0, 1000), 1900), 2000, config)
    assert.strictEqual(intervals(window), 2)
    assert.strictEqual(SlidingMoments.moments(window.intervals).mean, 1000)
  })

  it("is not starved by heartbeats at half the interval", () => {
    const window = heard(...Array.from({ length: 21 }, (_, i) => i * 500))
    assert.strictEqual(intervals(window), 10)
    assert.strictEqual(SlidingMoments.moments(window.intervals).mean, 1000)
  })

  it("does not let an outage blind the detector", () => {
    const regular = [0, 1000, 2000, 3000, 4000]
    const returned = heard(...regular, 28_000, 29_000)
    assert.isFalse(PhiAccrual.isAlive(returned, 29_000 + 2000, config))
    const blind = [...regular, 28_000, 29_000].reduce(
      (window, timeMs) => PhiAccrual.heartbeat(window, timeMs, config),
      PhiAccrual.empty
    )
    assert.isTrue(PhiAccrual.isAlive(blind, 29_000 + 50_000, config))
  })
})

describe("arrival", () => {
  it("renews the last sign of life and adds no sample", () => {
    const window = PhiAccrual.arrival(heard(0, 1000), 1500)
    assert.strictEqual(PhiAccrual.lastArrivalMs(window), 1500)
    assert.strictEqual(window.lastSampleMs, 1000)
    assert.strictEqual(intervals(window), 1)
  })

  it("makes a peer known that never heartbeat, so that its silence counts", () => {
    const window = PhiAccrual.arrival(PhiAccrual.empty, 100)
    assert.isTrue(PhiAccrual.isAlive(window, 5099, config))
    assert.isFalse(PhiAccrual.isAlive(window, 5100, config))
  })
})

describe("giveBack", () => {
  it("moves the last sign of life and the running interval by the time missed", () => {
    const window = PhiAccrual.giveBack(heard(0, 1000), 3000, 4500)
    assert.strictEqual(window.lastArrivalMs, 4000)
    assert.strictEqual(window.lastSampleMs, 4000)
  })

  it("never moves them beyond now, nor back", () => {
    assert.strictEqual(PhiAccrual.giveBack(heard(0, 1000), 9000, 4500).lastArrivalMs, 4500)
    assert.strictEqual(PhiAccrual.giveBack(heard(0, 5000), 9000, 4500).lastArrivalMs, 5000)
    assert.strictEqual(PhiAccrual.giveBack(heard(0, 1000), 0, 4500).lastArrivalMs, 1000)
  })

  it("leaves an unheard peer unheard", () => {
    assert.deepStrictEqual(PhiAccrual.giveBack(PhiAccrual.empty, 9000, 9000), PhiAccrual.empty)
  })

  it("keeps a stall of this process out of the samples", () => {
    const stalled = PhiAccrual.giveBack(heard(0, 1000, 2000, 3000), 4000, 7500)
    const window = sampledHeartbeat(stalled, 8000, config)
    assert.strictEqual(SlidingMoments.moments(window.intervals).mean, 1000)
  })
})
