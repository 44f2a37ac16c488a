/**
 * Our detectors against what the reference's answered, as recorded in `phi.json` of the conformance folder.
 *
 * Below phi 5 the levels agree. Above, the reference's are noise (it computes 1 − CDF in doubles, with an
 * approximation good to 1.5e-7), so there ours must be above 5 too, and must never fall during a silence.
 * One difference is meant: without any deviation and with a floor of 0, the reference suspects a heartbeat
 * that is exactly on time, as its 0 / 0 is no number; ours is 0 up to the mean and Infinity beyond.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Schema } from "effect"
import { ArrivalWindow } from "../../src/domain/detection/ArrivalWindow.ts"
import { Deadline } from "../../src/domain/detection/Deadline.ts"
import type { Detector } from "../../src/domain/detection/Detector.ts"
import { Moments } from "../../src/domain/detection/Moments.ts"
import { PhiAccrual, PhiAccrualConfig } from "../../src/domain/detection/PhiAccrual.ts"
import { SlidingMoments } from "../../src/domain/detection/SlidingMoments.ts"
import type { Failure, Report } from "./Report.ts"

const Level = Schema.Union([Schema.Number, Schema.Literals(["NaN", "Infinity"])])
const Time = Schema.Number

const Operation = Schema.Union([
  Schema.Tuple([Schema.Literal("h"), Schema.String, Time]),
  Schema.Tuple([Schema.Literal("q"), Schema.String, Time, Level, Schema.Boolean, Schema.String]),
  Schema.Tuple([Schema.Literal("last"), Schema.String, Schema.NullOr(Time)]),
  Schema.Tuple([Schema.Literal("remove"), Schema.String]),
  Schema.Tuple([Schema.Literal("reset")])
])
type Operation = typeof Operation.Type
type Query = Extract<Operation, readonly ["q", ...ReadonlyArray<unknown>]>

const Scenario = Schema.Struct({ name: Schema.String, ops: Schema.Array(Operation) })
type Scenario = typeof Scenario.Type

const PhiFile = Schema.Struct({
  phi: Schema.Array(
    Schema.Struct({ config: Schema.String, ...PhiAccrualConfig.fields, scenarios: Schema.Array(Scenario) })
  ),
  deadline: Schema.Array(Schema.Struct({ maxNoHeartbeatMs: Schema.Number, scenarios: Schema.Array(Scenario) }))
})
const decodeFile = Schema.decodeUnknownSync(Schema.fromJsonString(PhiFile))

/** Levels up to here are compared as numbers. */
const comparable = 5
/** Farther apart than this is a disagreement: relative from 0.01 on, absolute below. */
const tolerance = (expected: number): number => (Math.abs(expected) < 0.01 ? 1e-6 : 1e-4 * Math.abs(expected))

interface Judge {
  readonly detector: Detector
  readonly config: PhiAccrualConfig
  /** Whether levels from `comparable` on are comparable too: they are no tail then. */
  readonly exact: (window: ArrivalWindow, expected: number) => boolean
}

/** All intervals were equal, deviations count from 0, and the present silence is one such interval. */
const isExactlyOnTime = (window: ArrivalWindow, nowMs: number, config: PhiAccrualConfig): boolean => {
  const moments = SlidingMoments.moments(window.intervals)
  const silenceMs = ArrivalWindow.elapsed(window.lastArrivalMs ?? nowMs, nowMs)
  return config.minStdDevMs === 0 && Moments.standardDeviation(moments) === 0 && silenceMs === moments.mean
}

const checkLevel = (judge: Judge, window: ArrivalWindow, query: Query): string | undefined => {
  const [, , nowMs, level, expectedAlive] = query
  const expected = Number(level)
  const actual = judge.detector.level(window, nowMs, judge.config)
  const alive = judge.detector.isAlive(window, nowMs, judge.config)
  if (judge.exact(window, expected)) {
    const agrees = Object.is(actual, expected) || Math.abs(actual - expected) <= tolerance(expected)
    if (!agrees) return `level ${actual} instead of ${expected} at ${nowMs}`
    // Where the level is the threshold to within its tolerance, the last bit decides.
    const threshold = judge.config.phiThreshold
    const clear = !(Math.abs(expected - threshold) <= tolerance(expected)) || actual === expected
    return clear && alive !== expectedAlive ? `alive ${alive} instead of ${expectedAlive} at ${nowMs}` : undefined
  }
  if (isExactlyOnTime(window, nowMs, judge.config)) return actual === 0 && alive ? undefined : `level ${actual} on time`
  if (!(actual >= comparable * (1 - 1e-4))) return `level ${actual}, but the reference's is ${expected} at ${nowMs}`
  return alive === actual < judge.config.phiThreshold ? undefined : `alive ${alive} at level ${actual}, ${nowMs}`
}

const replay = (judge: Judge, scenario: Scenario, name: string): ReadonlyArray<Failure> => {
  const { detector, config } = judge
  const failures: Array<Failure> = []
  const fail = (reason: string | undefined): void => {
    if (reason !== undefined) failures.push({ name, reason })
  }
  const windows = new Map<string, ArrivalWindow>()
  const highest = new Map<string, readonly [nowMs: number, level: number]>()
  const of = (node: string): ArrivalWindow => windows.get(node) ?? detector.empty
  const forget = (node: string): void => void (windows.delete(node), highest.delete(node))

  for (const operation of scenario.ops) {
    switch (operation[0]) {
      case "h": {
        const [, node, nowMs] = operation
        windows.set(node, detector.heartbeat(of(node), nowMs, config))
        highest.delete(node)
        break
      }
      case "q": {
        const [, node, nowMs] = operation
        const before = highest.get(node)
        const level = detector.level(of(node), nowMs, config)
        fail(checkLevel(judge, of(node), operation))
        if (before !== undefined && nowMs >= before[0] && level < before[1]) fail(`falls from ${before[1]} to ${level}`)
        highest.set(node, [nowMs, level])
        break
      }
      case "last": {
        const last = detector.lastArrivalMs(of(operation[1])) ?? null
        if (last !== operation[2]) fail(`last heartbeat ${last} instead of ${operation[2]}`)
        break
      }
      case "remove":
        forget(operation[1])
        break
      case "reset":
        windows.clear()
        highest.clear()
        break
    }
  }
  return failures
}

export const phi = (folder: string): Report => {
  const file = decodeFile(readFileSync(join(folder, "phi.json"), "utf8"))
  const failures: Array<Failure> = []
  let cases = 0
  for (const { config: configName, scenarios, ...config } of file.phi) {
    // A window that still compares with the deadline answers a ratio, not a tail.
    const exact = (window: ArrivalWindow, expected: number): boolean =>
      !(expected >= comparable) || SlidingMoments.size(window.intervals) < 3
    for (const scenario of scenarios) {
      cases += scenario.ops.length
      failures.push(...replay({ detector: PhiAccrual, config, exact }, scenario, `phi/${configName}/${scenario.name}`))
    }
  }
  for (const { maxNoHeartbeatMs, scenarios } of file.deadline) {
    const config = { ...PhiAccrualConfig.defaults, maxNoHeartbeatMs }
    for (const scenario of scenarios) {
      cases += scenario.ops.length
      const name = `deadline/${maxNoHeartbeatMs}/${scenario.name}`
      failures.push(...replay({ detector: Deadline, config, exact: () => true }, scenario, name))
    }
  }
  return { suite: "phi", cases, failures }
}
