/** A seeded source of randomness: every run replays from its number. */

export interface Random {
  /** In [0, 1). */
  readonly next: () => number
  /** In [from, to). */
  readonly between: (from: number, to: number) => number
  /** A whole number 0…`bound` − 1. */
  readonly below: (bound: number) => number
  readonly chance: (probability: number) => boolean
  /** One of `items`; of none a defect. */
  readonly pick: <A>(items: ReadonlyArray<A>) => A
  /** The same items in a random order. */
  readonly shuffle: <A>(items: ReadonlyArray<A>) => ReadonlyArray<A>
}

/** Numbers from a whole number: a Weyl sequence with two multiplications to mix (as in splitmix, on 32 bits). */
export const random = (seed: number): Random => {
  // Both halves of a large seed count.
  let state = Math.imul(seed | 0, 0x9e3779b1) ^ Math.floor(seed / 2 ** 32)
  const next = (): number => {
    state = (state + 0x9e3779b9) | 0
    let x = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97)
    return ((x ^ (x >>> 15)) >>> 0) / 2 ** 32
  }
  const below = (bound: number): number => Math.floor(next() * bound)
  return {
    next,
    below,
    between: (from, to) => from + next() * (to - from),
    chance: (probability) => next() < probability,
    shuffle: (items) =>
      items
        .map((item) => ({ item, at: next() }))
        .toSorted((a, b) => a.at - b.at)
        .map(({ item }) => item),
    pick: (items) => {
      const item = items[below(items.length)]
      if (item === undefined) throw new RangeError("nothing to pick from")
      return item
    }
  }
}
