/**
 * The normal tail to some fifty digits, by other means than the implementation's: the alternating Taylor
 * series of the distribution function (Abramowitz and Stegun 1964, 26.2.10) in integers of 640 binary
 * places, and far out the asymptotic series 26.2.12, whose partial sums enclose the value.
 */

const places = 640n
const one = 1n << places

const root = (square: bigint): bigint => {
  let x = 1n << BigInt(Math.ceil(square.toString(2).length / 2))
  for (;;) {
    const next = (x + square / x) >> 1n
    if (next >= x) return x
    x = next
  }
}

/** arctan(1/n) as a fixed-point number. */
const arctanOfInverse = (n: bigint): bigint => {
  let power = one / n
  let sum = power
  for (let k = 1n; power !== 0n; k++) {
    power /= n * n
    sum += (k % 2n === 0n ? power : -power) / (2n * k + 1n)
  }
  return sum
}

// Machin 1706.
const pi = 4n * (4n * arctanOfInverse(5n) - arctanOfInverse(239n))
const rootTwoPi = root(2n * pi * one)

/** A double with no more than 100 binary places, exactly. */
const fixed = (z: number): bigint => {
  const scaled = z * 2 ** 100
  if (!Number.isInteger(scaled)) throw new RangeError(`${z} has too many binary places for the oracle`)
  return BigInt(scaled) << (places - 100n)
}

/** P(X > z) for z in 0…13. */
const tailByTaylor = (z: number): bigint => {
  const x = fixed(z)
  const square = (x * x) >> places
  let power = x
  let sum = x
  for (let k = 1n; power !== 0n; k++) {
    power = ((power * square) >> places) / (2n * k)
    sum += (k % 2n === 0n ? power : -power) / (2n * k + 1n)
  }
  return one / 2n - (sum << places) / rootTwoPi
}

/** Natural logarithm of a positive fixed-point number, from its leading 64 bits. */
const logarithm = (value: bigint): number => {
  const surplus = value.toString(2).length - 64
  const leading = Number(surplus > 0 ? value >> BigInt(surplus) : value)
  return Math.log(leading / 2 ** 63) + (63 + Math.max(0, surplus) - Number(places)) * Math.LN2
}

/** 1 − 1/z² + 1·3/z⁴ − … until consecutive sums, which enclose the limit, agree to 2⁻⁶⁰. */
const asymptoticFactor = (square: bigint): bigint => {
  let term = one
  let sum = one
  for (let k = 1n; term > one >> 60n; k++) {
    const next = ((term * (2n * k - 1n)) << places) / square
    if (next >= term) throw new RangeError("too near for the asymptotic series")
    term = next
    sum += k % 2n === 0n ? term : -term
  }
  return sum
}

const byAsymptotics = (z: number): number => {
  const x = fixed(z)
  const square = (x * x) >> places
  const exponent = Number(square >> (places - 200n)) / 2 ** 201
  return (exponent + logarithm(rootTwoPi) + logarithm(x) - logarithm(asymptoticFactor(square))) / Math.LN10
}

const byTaylor = (z: number): number =>
  z < 0
    ? -Math.log1p(-Number(tailByTaylor(-z) >> (places - 200n)) / 2 ** 200) / Math.LN10
    : -logarithm(tailByTaylor(z)) / Math.LN10

/** −log10 P(X > z) for z from −12, correct to the last bits of a double. */
export const exactNegLog10Tail = (z: number): number => (z < 11 ? byTaylor(z) : byAsymptotics(z))

/** Both methods where both work, to check the one by the other. */
export const bothWays = (z: number): readonly [number, number] => [byTaylor(z), byAsymptotics(z)]
