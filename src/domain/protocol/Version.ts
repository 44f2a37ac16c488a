/**
 * Versions of views and tables: `term × 2^32 + counter`. Both halves only rise and the counter never
 * resets, so that term 0 looks exactly like the reference's plain counter. A won claim raises the
 * term, which makes every later update of the deposed master lose, at reference peers too.
 */

const counterRange = 2 ** 32
/** Terms that fit a safe integer beside the counter: 2^21 − 1. */
export const maxTerm = 2 ** 21 - 1

export const termOf = (version: number): number => Math.floor(version / counterRange)

export const counterOf = (version: number): number => version % counterRange

/** The version after `version`, in `term` (at least its own). A counter at its end is a broken invariant. */
export const nextVersion = (version: number, term: number = termOf(version)): number => {
  const counter = counterOf(version) + 1
  if (counter === counterRange || term > maxTerm || term < termOf(version)) {
    throw new RangeError(`no version follows ${version} in term ${term}`)
  }
  return term * counterRange + counter
}
