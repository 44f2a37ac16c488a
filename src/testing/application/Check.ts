/** Hunts through seeds for one that breaks a scenario, and tells the first in a form that a person can follow. */
import { Schema } from "effect"
import { campaignOf, type Progress } from "../simulation/Campaign.ts"
import { failureLines } from "../simulation/Failure.ts"
import type { Fault } from "../simulation/Fault.ts"
import { shrinkWith } from "../simulation/Shrink.ts"
import { type Options, type Outcome, run } from "./Run.ts"
import type { Scenario } from "./Scenario.ts"

/** With `faults` every seed has these, and its own order of fibers, delays and clocks. */
export interface CheckOptions extends Omit<Options, "seed" | "transcript"> {
  /** The first seed. Default 1. */
  readonly seed?: number
  /** How many seeds. Default 50. */
  readonly seeds?: number
}

/** A seed broke the scenario. The message says which, how, by which faults, and how to see it again. */
export class ScenarioFailed extends Schema.TaggedError<ScenarioFailed>()("ScenarioFailed", {
  seed: Schema.Number,
  message: Schema.String
}) {}

// As code to paste. A policy and a topology are no data: they stand by their names.
const replayOf = (options: Options, faults: ReadonlyArray<Fault>): string => {
  const { faults: _, policy, topology, ...data } = options
  const fields = Object.entries({ ...data, transcript: true }).map(
    ([name, value]) => `${name}: ${JSON.stringify(value)},`
  )
  return [
    "SimulatedCluster.run(scenario, {",
    ...fields.map((field) => `  ${field}`),
    ...(policy === undefined ? [] : [`  policy: ${policy.name},`]),
    ...(topology === undefined ? [] : [`  topology, // ${topology.name}`]),
    "  faults: [",
    faults.map((fault) => `    ${JSON.stringify(fault)}`).join(",\n"),
    "  ]",
    "})"
  ].join("\n")
}

/** The smallest schedule that was found to break the scenario as the options do, and the story of it. */
export const explain = (makeScenario: () => Scenario, options: Options, failed: Outcome): string => {
  const shrunk = shrinkWith(failed, (faults) => run(makeScenario, { ...options, faults }))
  return failureLines(failed, shrunk, replayOf(options, shrunk.outcome.schedule)).join("\n")
}

/**
 * Runs the scenario with seed after seed. Gives what they add up to; throws {@link ScenarioFailed} at the first that
 * breaks it, with its faults shrunk to few.
 */
export const check = (makeScenario: () => Scenario, options: CheckOptions = {}): Progress<Outcome> => {
  const { seed: first = 1, seeds = 50, ...rest } = options
  let last: Progress<Outcome> | undefined
  for (const progress of campaignOf((seed) => run(makeScenario, { ...rest, seed }), first, seeds)) {
    last = progress
    const { failed } = progress
    if (failed !== undefined) {
      const message = explain(makeScenario, { ...rest, seed: failed.seed }, failed)
      throw new ScenarioFailed({ seed: failed.seed, message })
    }
  }
  if (last === undefined) throw new RangeError(`seeds is ${seeds}, not at least 1`)
  return last
}
