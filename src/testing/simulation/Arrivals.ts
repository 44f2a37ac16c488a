/**
 * How one process hears one peer: what `PhiAccrual` keeps in an immutable window, to the last bit, changed in place. A
 * world holds one for every pair of nodes and changes one with every heartbeat, so that its size and its garbage count.
 *
 * The samples stand in two parts as in `SlidingMoments`, which says why; see there for the names.
 */
import { Moments } from "../../domain/detection/Moments.ts"
import { type PhiAccrualConfig, minIntervals, mostUpToMean, phiOf } from "../../domain/detection/PhiAccrual.ts"
import { negLog10Tail } from "../../domain/detection/NormalTail.ts"
import { minSampleSpacing } from "../../domain/detection/SamplingRule.ts"

interface Part {
  readonly count: number
  readonly mean: number
  readonly squares: number
  readonly samples: ReadonlyArray<number>
}

const suffixesOf = ({ samples }: Part): ReadonlyArray<number> => {
  const suffixes = samples.flatMap(() => [0.5, 0.5])
  let suffix = Moments.empty
  for (let i = samples.length - 1; i >= 0; i--) {
    suffix = Moments.add(suffix, samples[i] ?? 0)
    suffixes[2 * i] = suffix.mean
    suffixes[2 * i + 1] = suffix.squares
  }
  return suffixes
}

/** What rounding may do to a time, and more. */
const marginMs = 0.001

/** So many deviations above the mean a silence is surely below the threshold; −∞ where even at the mean it is not. */
export const safeDeviations = ({ phiThreshold }: PhiAccrualConfig): number => {
  let deviations = Number.NEGATIVE_INFINITY
  for (let next = 0; next < 30 && negLog10Tail(next) < 0.999 * phiThreshold; next += 0.25) deviations = next
  return deviations
}

const none: ReadonlyArray<number> = []
const noParts: ReadonlyArray<Part> = []

export class Arrivals {
  private lastArrivalMs = Number.NaN
  private lastSampleMs = Number.NaN
  /** Mean and squares from the i-th oldest sample to the end of its part, at 2i and 2i + 1. */
  private front: ReadonlyArray<number> = none
  private gone = 0
  private waiting: ReadonlyArray<Part> = noParts
  private back: Array<number> = []
  private backMean = 0
  private backSquares = 0
  // Of everything behind `front`.
  private youngerCount = 0
  private youngerMean = 0
  private youngerSquares = 0

  private get frontSize(): number {
    return this.front.length / 2 - this.gone
  }
  private get size(): number {
    return this.frontSize + this.youngerCount
  }

  /** As `PhiAccrual.sampledHeartbeat`. */
  heard(atMs: number, config: PhiAccrualConfig): void {
    this.lastArrivalMs = atMs
    if (!Number.isNaN(this.lastSampleMs)) {
      const gapMs = Math.max(0, atMs - this.lastSampleMs)
      // Out of turn: only a sign of life.
      if (gapMs < minSampleSpacing * config.heartbeatIntervalMs) return
      // The silence of an outage is no sample.
      if (gapMs <= config.maxNoHeartbeatMs) this.push(gapMs, Math.floor(config.maxSampleSize))
    }
    this.lastSampleMs = atMs
  }

  private push(sample: number, limit: number): void {
    const surplus = Math.max(0, this.size + 1 - limit)
    const backDelta = sample - this.backMean
    this.backMean += backDelta / this.back.push(sample)
    this.backSquares += backDelta * (sample - this.backMean)
    const youngerDelta = sample - this.youngerMean
    this.youngerMean += youngerDelta / ++this.youngerCount
    this.youngerSquares += youngerDelta * (sample - this.youngerMean)
    this.balance()
    let left = surplus
    while (left > 0) {
      const dropped = Math.min(left, this.frontSize)
      this.gone += dropped
      left -= dropped
      this.balance()
    }
  }

  private balance(): void {
    if (2 * this.back.length > this.size) {
      const part = { count: this.back.length, mean: this.backMean, squares: this.backSquares, samples: this.back }
      this.waiting = [...this.waiting, part]
      this.back = []
      this.backMean = 0
      this.backSquares = 0
    }
    const [first, ...waiting] = this.frontSize === 0 ? this.waiting : noParts
    if (first === undefined) return
    this.front = suffixesOf(first)
    this.gone = 0
    this.waiting = waiting
    const back: Moments = { count: this.back.length, mean: this.backMean, squares: this.backSquares }
    const younger = waiting.reduceRight((behind, part) => Moments.merge(part, behind), back)
    this.youngerCount = younger.count
    this.youngerMean = younger.mean
    this.youngerSquares = younger.squares
  }

  /** As `PhiAccrual.isAlive`. */
  isAlive(nowMs: number, config: PhiAccrualConfig): boolean {
    if (Number.isNaN(this.lastArrivalMs)) return true
    const silenceMs = Math.max(0, nowMs - this.lastArrivalMs)
    // Most are not even late.
    if (this.size >= minIntervals && silenceMs <= this.mean && config.phiThreshold > mostUpToMean) return true
    const younger = { count: this.youngerCount, mean: this.youngerMean, squares: this.youngerSquares }
    const mean = this.front[2 * this.gone]
    const squares = this.front[2 * this.gone + 1]
    const isYoung = mean === undefined || squares === undefined
    const moments = isYoung ? younger : Moments.merge({ count: this.frontSize, mean, squares }, younger)
    return phiOf(silenceMs, moments, config) < config.phiThreshold
  }

  /** Silences that are shorter are no reason for suspicion, with whatever deviation; as far as is easily known. */
  leastSilenceMs({ maxNoHeartbeatMs, minStdDevMs }: PhiAccrualConfig, deviations: number): number {
    const leastMs = this.size < minIntervals ? maxNoHeartbeatMs : this.mean + deviations * minStdDevMs
    return leastMs - marginMs
  }

  private get mean(): number {
    const mean = this.front[2 * this.gone]
    if (mean === undefined || this.youngerCount === 0) return mean ?? this.youngerMean
    return mean + (this.youngerMean - mean) * (this.youngerCount / this.size)
  }
}
