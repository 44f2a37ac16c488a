/**
 * Moments of the most recent samples: a persistent first-in-first-out window whose mean and deviation
 * are known at every moment.
 *
 * Nothing is ever subtracted when a sample leaves, so rounding cannot accumulate however many samples
 * pass. Instead the window is kept in parts, oldest first (the two-stack aggregation of Tangwongsan,
 * Hirzel and Schneider 2015, over the banker's queue of Okasaki 1998, section 6.3):
 *
 * - `front`: for each of the oldest samples, the moments from it to the end of the part, computed
 *   backwards once. A sample leaves by raising an index.
 * - `waiting`: parts that come after it, not yet computed.
 * - `back`: the newest samples, linked from the newest to the oldest.
 *
 * When `back` outgrows what stands before it, it becomes a waiting part. A waiting part of k samples is
 * computed when everything before it has left, which takes at least k - 1 later pushes, and its result
 * is shared by all windows that hold it. So a push costs amortised O(1) also when many windows are
 * derived from one old window; old windows stay valid for ever. A window of n samples keeps at most
 * 2n entries alive.
 */
import { Moments } from "./Moments.ts"

interface Cell {
  readonly sample: number
  readonly older: Cell | undefined
}

/** Samples whose suffix moments are computed at the first demand; then the cells are let go. */
interface Part {
  readonly total: Moments
  pending: Cell | undefined
  suffixes: Float64Array | undefined
}

export interface SlidingMoments {
  /** Mean and squares from the i-th sample of the part to its end, at 2i and 2i + 1. */
  readonly front: Float64Array
  /** Samples of the front part that have left. */
  readonly gone: number
  readonly waiting: ReadonlyArray<Part>
  readonly newest: Cell | undefined
  readonly back: Moments
  /** Of everything behind `front`: `waiting` and `back` together. */
  readonly younger: Moments
}

const noSuffixes = new Float64Array(0)

const empty: SlidingMoments = {
  front: noSuffixes,
  gone: 0,
  waiting: [],
  newest: undefined,
  back: Moments.empty,
  younger: Moments.empty
}

const frontSize = (window: SlidingMoments): number => window.front.length / 2 - window.gone

const size = (window: SlidingMoments): number => frontSize(window) + window.younger.count

/** Moments of all samples in the window. O(1). */
const moments = (window: SlidingMoments): Moments => {
  const { front, gone, younger } = window
  const mean = front[2 * gone]
  const squares = front[2 * gone + 1]
  if (mean === undefined || squares === undefined) return younger
  return Moments.merge({ count: front.length / 2 - gone, mean, squares }, younger)
}

/** The mean of all samples in the window, 0 for none: that of {@link moments}, without making them. */
const mean = ({ front, gone, younger }: SlidingMoments): number => {
  const frontMean = front[2 * gone]
  if (frontMean === undefined || younger.count === 0) return frontMean ?? younger.mean
  const count = front.length / 2 - gone + younger.count
  return frontMean + (younger.mean - frontMean) * (younger.count / count)
}

const suffixesOf = (part: Part): Float64Array => {
  if (part.suffixes !== undefined) return part.suffixes
  const suffixes = new Float64Array(2 * part.total.count)
  let suffix = Moments.empty
  let end = suffixes.length
  for (let cell = part.pending; cell !== undefined; cell = cell.older) {
    suffix = Moments.add(suffix, cell.sample)
    suffixes[--end] = suffix.squares
    suffixes[--end] = suffix.mean
  }
  part.suffixes = suffixes
  part.pending = undefined
  return suffixes
}

/** `back` becomes the last waiting part. */
const retireBack = (window: SlidingMoments): SlidingMoments => ({
  ...window,
  waiting: [...window.waiting, { total: window.back, pending: window.newest, suffixes: undefined }],
  newest: undefined,
  back: Moments.empty
})

/** The first waiting part takes the place of an exhausted front; without one, the window has only `back`. */
const advance = (window: SlidingMoments): SlidingMoments => {
  const [first, ...waiting] = window.waiting
  if (first === undefined) return { ...window, front: noSuffixes, gone: 0 }
  const younger = waiting.reduceRight((behind, part) => Moments.merge(part.total, behind), window.back)
  return { ...window, front: suffixesOf(first), gone: 0, waiting, younger }
}

/** Keeps the order of sizes that the cost depends on, and a front as long as there is a sample. */
const balance = (window: SlidingMoments): SlidingMoments => {
  const before = size(window) - window.back.count
  const retired = window.back.count > before ? retireBack(window) : window
  return frontSize(retired) === 0 && retired.waiting.length > 0 ? advance(retired) : retired
}

const dropOldest = (window: SlidingMoments, surplus: number): SlidingMoments => {
  let rest = window
  let left = surplus
  while (left > 0) {
    const dropped = Math.min(left, frontSize(rest))
    rest = balance({ ...rest, gone: rest.gone + dropped })
    left -= dropped
  }
  return rest
}

/** The window with one sample more, and without its oldest beyond `limit` samples; `limit` below 1 keeps none. */
const push = (window: SlidingMoments, sample: number, limit: number): SlidingMoments => {
  if (limit < 1) return empty
  const { front, gone, waiting } = window
  const back = Moments.add(window.back, sample)
  const surplus = Math.max(0, size(window) + 1 - Math.floor(limit))
  const grown = {
    front,
    gone,
    waiting,
    newest: { sample, older: window.newest },
    back,
    younger: window.younger === window.back ? back : Moments.add(window.younger, sample)
  }
  const left = frontSize(window) - surplus
  // As a rule the front has samples left and the back is no longer than what stands before it: nothing moves.
  if (left > 0 && back.count <= left + window.younger.count - window.back.count) {
    grown.gone += surplus
    return grown
  }
  return dropOldest(balance(grown), surplus)
}

export const SlidingMoments = { empty, size, moments, mean, push }
