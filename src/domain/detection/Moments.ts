/**
 * Count, mean and spread of a set of samples, from which two sets can be joined without their samples.
 * The spread is kept as the sum of squared deviations from the mean: the difference of large sums of
 * squares, which loses all digits when the mean is far above the deviation, is never formed.
 *
 * Sources: Welford 1962 (one sample more), Chan, Golub and LeVeque 1979 (two sets).
 */
export interface Moments {
  readonly count: number
  readonly mean: number
  /** Sum of squared deviations from the mean. */
  readonly squares: number
}

const empty: Moments = { count: 0, mean: 0, squares: 0 }

const add = (moments: Moments, sample: number): Moments => {
  const count = moments.count + 1
  const delta = sample - moments.mean
  const mean = moments.mean + delta / count
  return { count, mean, squares: moments.squares + delta * (sample - mean) }
}

const merge = (a: Moments, b: Moments): Moments => {
  if (a.count === 0) return b
  if (b.count === 0) return a
  const count = a.count + b.count
  const delta = b.mean - a.mean
  const share = b.count / count
  return {
    count,
    mean: a.mean + delta * share,
    squares: a.squares + b.squares + delta * delta * a.count * share
  }
}

/** Population standard deviation; 0 for no samples, and exactly 0 when all samples are the same number. */
const standardDeviation = (moments: Moments): number =>
  moments.count === 0 ? 0 : Math.sqrt(moments.squares / moments.count)

export const Moments = { empty, add, merge, standardDeviation }
