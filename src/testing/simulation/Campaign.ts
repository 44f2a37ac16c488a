/**
 * Many seeds, one after another: what they add up to, and the first that fails. A generator, so that whoever
 * runs it decides about time: it can be timed, shown and stopped between two seeds.
 */
import { Schema } from "effect"
import type { FaultKind } from "./Fault.ts"
import { type Options, type Outcome, run } from "./Run.ts"

/** What was found so far. */
export interface Progress<A extends Outcome = Outcome> {
  /** Seeds that have been run. */
  readonly seeds: number
  readonly violations: number
  readonly steps: number
  readonly virtualMs: number
  /** Faults injected, by kind. */
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>
  /** Over the traces of all seeds, in order; 32 bits. */
  readonly traceHash: number
  /** The first seed that failed. */
  readonly failed: A | undefined
}

/** The figures of a campaign for a program. */
export const Report = Schema.Struct({
  ok: Schema.Boolean,
  seeds: Schema.Int,
  /** Seeds that broke a rule. */
  violations: Schema.Int,
  virtualSecondsPerSecond: Schema.Int,
  /** Transitions. */
  steps: Schema.Int,
  /** Faults injected, by kind. */
  faults: Schema.Record(Schema.String, Schema.Int),
  /** Eight hexadecimal digits: equal for equal campaigns. */
  traceHash: Schema.String.check(Schema.isPattern(/^[0-9a-f]{8}$/))
})
export type Report = typeof Report.Type

/** One line of JSON. */
export const toJson: (report: Report) => string = Schema.encodeSync(Schema.fromJsonString(Report))

const none: Progress<never> = {
  seeds: 0,
  violations: 0,
  steps: 0,
  virtualMs: 0,
  faults: {},
  traceHash: 0,
  failed: undefined
}

const add = <A extends Outcome>(before: Progress<A>, outcome: A): Progress<A> => {
  const faults = { ...before.faults }
  for (const { _tag } of outcome.schedule) faults[_tag] = (faults[_tag] ?? 0) + 1
  return {
    seeds: before.seeds + 1,
    violations: before.violations + (outcome.ok ? 0 : 1),
    steps: before.steps + outcome.steps,
    virtualMs: before.virtualMs + outcome.virtualMs,
    faults,
    traceHash: (Math.imul(before.traceHash, 0x01000193) ^ outcome.traceHash) >>> 0,
    failed: before.failed ?? (outcome.ok ? undefined : outcome)
  }
}

/** Makes `seeds` runs, of this seed and those that follow; yields after each. */
export function* campaignOf<A extends Outcome>(
  runSeed: (seed: number) => A,
  firstSeed: number,
  seeds: number
): Generator<Progress<A>, Progress<A>> {
  let progress: Progress<A> = none
  for (let i = 0; i < seeds; i++) {
    progress = add(progress, runSeed(firstSeed + i))
    yield progress
  }
  return progress
}

/** Runs `seeds` seeds from `options.seed`; yields after each. */
export const campaign = (options: Options, seeds: number): Generator<Progress, Progress> =>
  campaignOf((seed) => run({ ...options, seed }), options.seed, seeds)

/** The figures; `elapsedMs` is real time. */
export const reportOf = (progress: Progress, elapsedMs: number): Report => ({
  ok: progress.violations === 0,
  seeds: progress.seeds,
  violations: progress.violations,
  virtualSecondsPerSecond: elapsedMs <= 0 ? 0 : Math.round(progress.virtualMs / elapsedMs),
  steps: progress.steps,
  faults: { ...progress.faults },
  traceHash: progress.traceHash.toString(16).padStart(8, "0")
})
