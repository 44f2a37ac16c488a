/** Finds few faults among many that still break a rule, so that a person can follow what happened. */
import { type Options, type Outcome, run } from "./Run.ts"

/** Runs that one shrinking takes at most; then it ends with what it has. */
export const maxShrinkRuns = 300

export interface Shrunk {
  /** The run with the fewest faults that were found to fail; the given one if it does not fail. */
  readonly outcome: Outcome
  /** Runs that it took. */
  readonly runs: number
}

/**
 * Drops faults as long as some rule is still broken: first halves, then ever smaller groups, at last one by
 * one until none can be dropped (delta debugging: Zeller and Hildebrandt, "Simplifying and Isolating
 * Failure-Inducing Input", 2002). Any violation counts. At most `maxShrinkRuns` runs.
 */
export const shrink = (options: Options): Shrunk => {
  const quiet = { ...options, transcript: false }
  let outcome = run(quiet)
  let runs = 1
  let size = Math.ceil(outcome.schedule.length / 2)
  while (!outcome.ok && size >= 1 && runs < maxShrinkRuns) {
    let hasShrunk = false
    for (let from = 0; from < outcome.schedule.length && runs < maxShrinkRuns;) {
      const faults = outcome.schedule.toSpliced(from, size)
      const candidate = run({ ...quiet, faults })
      runs++
      if (candidate.ok) from += size
      else {
        outcome = candidate
        hasShrunk = true
      }
    }
    // Dropping one may make another droppable.
    if (size > 1) size = Math.ceil(size / 2)
    else if (!hasShrunk) break
  }
  return { outcome, runs }
}
