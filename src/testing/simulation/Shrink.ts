/** Finds few faults among many that still break a rule, so that a person can follow what happened. */
import type { Fault } from "./Fault.ts"
import { type Options, type Outcome, run } from "./Run.ts"

/** Runs that one shrinking takes at most; then it ends with what it has. */
export const maxShrinkRuns = 300

/** What a run tells that can be shortened. */
interface Shortenable {
  readonly ok: boolean
  readonly schedule: ReadonlyArray<Fault>
}

export interface Shrunk<A extends Shortenable = Outcome> {
  /** The run with the fewest faults that were found to fail; the given one if it does not fail. */
  readonly outcome: A
  /** Runs that it took. */
  readonly runs: number
}

/**
 * Drops faults of `first` as long as `run` with the others still breaks some rule: first halves, then ever smaller
 * groups, at last one by one until none can be dropped (delta debugging: Zeller and Hildebrandt, "Simplifying and
 * Isolating Failure-Inducing Input", 2002). Any violation counts. At most `maxShrinkRuns` runs.
 */
export const shrinkWith = <A extends Shortenable>(first: A, run: (faults: ReadonlyArray<Fault>) => A): Shrunk<A> => {
  let outcome = first
  let runs = 0
  let size = Math.ceil(outcome.schedule.length / 2)
  while (!outcome.ok && size >= 1 && runs < maxShrinkRuns) {
    let hasShrunk = false
    for (let from = 0; from < outcome.schedule.length && runs < maxShrinkRuns;) {
      const candidate = run(outcome.schedule.toSpliced(from, size))
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

/** The same for what {@link run} makes of these options. */
export const shrink = (options: Options): Shrunk => {
  const quiet = { ...options, transcript: false }
  const { outcome, runs } = shrinkWith(run(quiet), (faults) => run({ ...quiet, faults }))
  return { outcome, runs: runs + 1 }
}
