/**
 * How unlikely a value is under a normal distribution, on the scale of phi: −log10 of the upper tail.
 *
 * The tail itself is computed, never 1 − CDF, whose digits are gone at 8 deviations. With φ the density
 * and Q the tail of the standard normal distribution (Abramowitz and Stegun 1964, chapter 26.2):
 *
 * - near the middle, 26.2.11: Q = 1/2 − φ(z) · (z + z³/3 + z⁵/(3·5) + …), all terms of one sign;
 * - beyond, Laplace's continued fraction 26.2.14: Q = φ(z) / (z + 1/(z + 2/(z + 3/(z + …)))).
 *
 * Both use additions of positive terms only, so a result is good to some 10⁻¹⁴ of itself. The argument is
 * first rounded to steps of 2⁻⁴⁰ of itself: rounding errors are far smaller than the step's effect, so that they can
 * never make a level fall while its argument rises, and the steps are far finer than any clock.
 */

/** From here on the continued fraction is used. */
const middle = 3

const logRootTwoPi = Math.log(2 * Math.PI) / 2

/**
 * To 41 significant bits, or to multiples of 2⁻⁴⁰ below 1; the nearest, so that order is kept. Adding and
 * taking away a number in [2¹², 2¹³) rounds to its last bit; beyond 1 it is Dekker's splitting of 1971.
 */
const coarse = (z: number): number => {
  if (Math.abs(z) < 1) return z + 6144 - 6144
  const scaled = z * (2 ** 12 + 1)
  return scaled - (scaled - z)
}

/** P(0 < X ≤ z) for 0 ≤ z ≤ `middle`. */
const centralHalf = (z: number): number => {
  const square = z * z
  let term = z
  let sum = z
  for (let odd = 3; term > sum * 1e-17; odd += 2) {
    term *= square / odd
    sum += term
  }
  return sum * Math.exp(-square / 2 - logRootTwoPi)
}

/** φ(z) / Q(z), the hazard, for z ≥ `middle`. The depth suffices for 2⁻⁵³ of the logarithm that is formed of it. */
const hazard = (z: number): number => {
  let fraction = z
  for (let k = Math.ceil(4 + 400 / (z * z) + 40 / z); k >= 1; k--) fraction = z + k / fraction
  return fraction
}

/** From here on even z² is no finite number; and up to here Q is 1 but for less than the smallest number. */
const largest = 2 ** 512
const smallest = -40

/**
 * −log10 P(X > z) for a standard normal X.
 *
 * For z in −8…10⁵ accurate to 4·10⁻¹¹ of itself (10⁻¹² from 0 on). Never decreasing; strictly increasing
 * from −37 up for arguments that differ by more than 2⁻³⁹ · max(1, |z|). 0 for −∞ and where the result is
 * too small for a double, Infinity for ∞ and where it is too large.
 */
export const negLog10Tail = (z: number): number => {
  if (z >= largest) return Infinity
  if (z <= smallest) return 0
  const x = coarse(z)
  if (x >= middle) return (x * x) / 2 / Math.LN10 + (logRootTwoPi + Math.log(hazard(x))) / Math.LN10
  if (x >= 0) return -Math.log(0.5 - centralHalf(x)) / Math.LN10
  if (x > -middle) return -Math.log(0.5 + centralHalf(-x)) / Math.LN10
  const lowerTail = Math.exp((-x * x) / 2 - logRootTwoPi) / hazard(-x)
  return -Math.log1p(-lowerTail) / Math.LN10
}
