/**
 * How processes hear each other: what `PhiAccrual` keeps in an immutable window, to the last bit, changed in place. A
 * world holds one for every pair of nodes and changes one with every heartbeat, so that its size and its garbage count.
 *
 * The samples stand in two parts as in `SlidingMoments`, which says why; see there for the names.
 */
import { Moments } from "../../domain/detection/Moments.ts"
import { type PhiAccrualConfig, minIntervals, mostUpToMean, phiOf } from "../../domain/detection/PhiAccrual.ts"
import { negLog10Tail } from "../../domain/detection/NormalTail.ts"
import { minSampleSpacing } from "../../domain/detection/SamplingRule.ts"

/** What rounding may do to a time, and more. */
const marginMs = 0.001

/** So many deviations above the mean a silence is surely below the threshold; −∞ where even at the mean it is not. */
const safeDeviations = ({ phiThreshold }: PhiAccrualConfig): number => {
  let deviations = Number.NEGATIVE_INFINITY
  for (let next = 0; next < 30 && negLog10Tail(next) < 0.999 * phiThreshold; next += 0.25) deviations = next
  return deviations
}

/** Where the numbers of a peer stand in its row. Behind them: the counts of the waiting parts, the samples, `front`. */
const lastArrival = 0
const lastSample = 1
/** Samples of `front`, and how many of them have left. */
const frontCount = 2
const gone = 3
const backCount = 4
const backMean = 5
const backSquares = 6
/** Of everything behind `front`. */
const youngerCount = 7
const youngerMean = 8
const youngerSquares = 9
const partCount = 10
const partsAt = 11

/** Rows, samples and places of `front` that a table begins with; it grows by a half when they do not suffice. */
const firstRows = 8
const firstSamples = 8
const firstFront = 2
const grown = (capacity: number): number => Math.ceil(capacity * 1.5)

/**
 * How one process hears its peers. All numbers of a peer stand in one row of one array: a thousand nodes that watch
 * each other make a million rows.
 */
export class Arrivals {
  private readonly config: PhiAccrualConfig
  private readonly deviations: number
  private readonly limit: number
  /** Each waiting part is larger than all before it together. */
  private readonly maxParts: number
  private readonly rows = new Map<string, number>()
  private readonly free: Array<number> = []
  private rowCapacity = firstRows
  private sampleCapacity = firstSamples
  private frontCapacity = firstFront
  private stride: number
  private data: Float64Array

  constructor(config: PhiAccrualConfig) {
    this.config = config
    this.deviations = safeDeviations(config)
    this.limit = Math.floor(config.maxSampleSize)
    this.maxParts = Math.ceil(Math.log2(this.limit + 1)) + 2
    this.stride = this.strideNow
    this.data = new Float64Array(this.rowCapacity * this.stride)
  }

  private get strideNow(): number {
    return partsAt + this.maxParts + this.sampleCapacity + 2 * this.frontCapacity
  }
  private get samplesAt(): number {
    return partsAt + this.maxParts
  }
  private get frontAt(): number {
    return partsAt + this.maxParts + this.sampleCapacity
  }
  private number(at: number): number {
    return this.data[at] ?? Number.NaN
  }

  /** A heartbeat of the peer arrived, as `PhiAccrual.sampledHeartbeat`. */
  heard(peer: string, atMs: number): void {
    const row = this.rows.get(peer) ?? this.begin(peer)
    const { config, data } = this
    data[row + lastArrival] = atMs
    const lastSampleMs = this.number(row + lastSample)
    if (!Number.isNaN(lastSampleMs)) {
      const gapMs = Math.max(0, atMs - lastSampleMs)
      // Out of turn: only a sign of life.
      if (gapMs < minSampleSpacing * config.heartbeatIntervalMs) return
      // The silence of an outage is no sample.
      if (gapMs <= config.maxNoHeartbeatMs) this.push(peer, gapMs)
    }
    this.data[this.rowOf(peer) + lastSample] = atMs
  }

  /** Forgets a peer. */
  forget(peer: string): void {
    const row = this.rows.get(peer)
    if (row === undefined) return
    this.rows.delete(peer)
    this.free.push(row / this.stride)
  }

  private begin(peer: string): number {
    let index = this.free.pop()
    if (index === undefined) {
      index = this.rows.size
      if (index === this.rowCapacity) {
        this.rowCapacity = grown(index)
        const data = new Float64Array(this.rowCapacity * this.stride)
        data.set(this.data)
        this.data = data
      }
    }
    const row = index * this.stride
    this.rows.set(peer, row)
    this.data.fill(0, row, row + this.stride)
    this.data[row + lastArrival] = Number.NaN
    this.data[row + lastSample] = Number.NaN
    return row
  }

  private rowOf(peer: string): number {
    const row = this.rows.get(peer)
    if (row === undefined) throw new Error(`${peer} has no row`)
    return row
  }

  /** Every row gets so much room. */
  private widen(samples: number, front: number): void {
    const { data: old, frontAt, sampleCapacity, stride: oldStride } = this
    this.sampleCapacity = samples
    this.frontCapacity = front
    this.stride = this.strideNow
    this.data = new Float64Array(this.rowCapacity * this.stride)
    for (let index = 0; index < this.rowCapacity; index++) {
      const from = index * oldStride
      const to = index * this.stride
      this.data.set(old.subarray(from, from + this.samplesAt + sampleCapacity), to)
      this.data.set(old.subarray(from + frontAt, from + oldStride), to + this.frontAt)
    }
    for (const [peer, row] of this.rows) this.rows.set(peer, (row / oldStride) * this.stride)
  }

  private frontSize(row: number): number {
    return this.number(row + frontCount) - this.number(row + gone)
  }
  private size(row: number): number {
    return this.frontSize(row) + this.number(row + youngerCount)
  }
  /** Samples of all waiting parts. */
  private waitingCount(row: number): number {
    let count = 0
    for (let i = 0; i < this.number(row + partCount); i++) count += this.number(row + partsAt + i)
    return count
  }

  private push(peer: string, sample: number): void {
    let row = this.rowOf(peer)
    const surplus = Math.max(0, this.size(row) + 1 - this.limit)
    const at = this.waitingCount(row) + this.number(row + backCount)
    if (at === this.sampleCapacity) {
      this.widen(grown(at), this.frontCapacity)
      row = this.rowOf(peer)
    }
    this.data[row + this.samplesAt + at] = sample
    this.add(row + backCount, sample)
    this.add(row + youngerCount, sample)
    this.balance(peer)
    for (let left = surplus; left > 0;) {
      row = this.rowOf(peer)
      const dropped = Math.min(left, this.frontSize(row))
      this.data[row + gone] = this.number(row + gone) + dropped
      left -= dropped
      this.balance(peer)
    }
  }

  // As `Moments.add`, for count, mean and squares that stand one behind the other.
  private add(at: number, sample: number): void {
    const { data } = this
    const count = this.number(at) + 1
    const delta = sample - this.number(at + 1)
    const mean = this.number(at + 1) + delta / count
    data[at] = count
    data[at + 1] = mean
    data[at + 2] = this.number(at + 2) + delta * (sample - mean)
  }

  private balance(peer: string): void {
    let row = this.rowOf(peer)
    const { data } = this
    if (2 * this.number(row + backCount) > this.size(row)) {
      const parts = this.number(row + partCount)
      if (parts === this.maxParts) throw new Error(`${parts} parts wait`)
      data[row + partsAt + parts] = this.number(row + backCount)
      data[row + partCount] = parts + 1
      data.fill(0, row + backCount, row + backSquares + 1)
    }
    if (this.frontSize(row) > 0 || this.number(row + partCount) === 0) return
    const first = this.number(row + partsAt)
    if (first > this.frontCapacity) {
      this.widen(this.sampleCapacity, Math.min(this.limit, Math.max(first, grown(this.frontCapacity))))
      row = this.rowOf(peer)
    }
    this.moveToFront(row, first)
    this.joinYounger(row)
  }

  /** The first waiting part becomes `front`: the moments from each of its samples to its end. */
  private moveToFront(row: number, count: number): void {
    const { data, samplesAt } = this
    const front = row + this.frontAt
    const samples = row + samplesAt
    let suffix = Moments.empty
    for (let i = count - 1; i >= 0; i--) {
      suffix = Moments.add(suffix, this.number(samples + i))
      data[front + 2 * i] = suffix.mean
      data[front + 2 * i + 1] = suffix.squares
    }
    data.copyWithin(samples, samples + count, samples + this.sampleCapacity)
    const parts = this.number(row + partCount)
    data.copyWithin(row + partsAt, row + partsAt + 1, row + partsAt + parts)
    data[row + partCount] = parts - 1
    data[row + frontCount] = count
    data[row + gone] = 0
  }

  /** What stands behind `front`, from its parts. */
  private joinYounger(row: number): void {
    const { data } = this
    const totals: Array<Moments> = []
    let at = row + this.samplesAt
    for (let i = 0; i < this.number(row + partCount); i++) {
      const end = at + this.number(row + partsAt + i)
      let total = Moments.empty
      for (; at < end; at++) total = Moments.add(total, this.number(at))
      totals.push(total)
    }
    const back: Moments = {
      count: this.number(row + backCount),
      mean: this.number(row + backMean),
      squares: this.number(row + backSquares)
    }
    const younger = totals.reduceRight((behind, part) => Moments.merge(part, behind), back)
    data[row + youngerCount] = younger.count
    data[row + youngerMean] = younger.mean
    data[row + youngerSquares] = younger.squares
  }

  /** As `PhiAccrual.isAlive`; who was never heard is alive. */
  isAlive(peer: string, nowMs: number): boolean {
    const row = this.rows.get(peer)
    if (row === undefined) return true
    const { config } = this
    const silenceMs = Math.max(0, nowMs - this.number(row + lastArrival))
    // Most are not even late.
    const size = this.size(row)
    if (size >= minIntervals && silenceMs <= this.mean(row) && config.phiThreshold > mostUpToMean) return true
    const younger = {
      count: this.number(row + youngerCount),
      mean: this.number(row + youngerMean),
      squares: this.number(row + youngerSquares)
    }
    const count = this.frontSize(row)
    const at = row + this.frontAt + 2 * this.number(row + gone)
    const moments =
      count === 0 ? younger : Moments.merge({ count, mean: this.number(at), squares: this.number(at + 1) }, younger)
    return phiOf(silenceMs, moments, config) < config.phiThreshold
  }

  /** Silences of the peer that are shorter are no reason for suspicion; as far as is easily known. */
  leastSilenceMs(peer: string): number {
    const row = this.rowOf(peer)
    const { maxNoHeartbeatMs, minStdDevMs } = this.config
    const leastMs = this.size(row) < minIntervals ? maxNoHeartbeatMs : this.mean(row) + this.deviations * minStdDevMs
    return leastMs - marginMs
  }

  private mean(row: number): number {
    const count = this.frontSize(row)
    const younger = this.number(row + youngerMean)
    if (count === 0) return younger
    const mean = this.number(row + this.frontAt + 2 * this.number(row + gone))
    const behind = this.number(row + youngerCount)
    return behind === 0 ? mean : mean + (younger - mean) * (behind / (count + behind))
  }
}
