/** A small seeded generator, so that a failing history can be replayed from its seed. */

export interface SeededRandom {
  /** An integer 0…`bound` − 1. */
  readonly below: (bound: number) => number
  readonly pick: <A>(items: ReadonlyArray<A>) => A
  readonly shuffle: <A>(items: ReadonlyArray<A>) => ReadonlyArray<A>
}

export const seededRandom = (seed: number): SeededRandom => {
  let state = seed | 0
  // Weyl sequence with a mixing step (splitmix32).
  const next = (): number => {
    state = (state + 0x9e3779b9) | 0
    let x = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
    x = Math.imul(x ^ (x >>> 15), 0x735a2d97)
    return (x ^ (x >>> 15)) >>> 0
  }
  const below = (bound: number): number => next() % bound
  const pick = <A>(items: ReadonlyArray<A>): A => {
    const item = items[below(items.length)]
    if (item === undefined) throw new RangeError("nothing to pick from")
    return item
  }
  const shuffle = <A>(items: ReadonlyArray<A>): ReadonlyArray<A> =>
    items
      .map((item) => ({ item, key: next() }))
      .toSorted((a, b) => a.key - b.key)
      .map(({ item }) => item)
  return { below, pick, shuffle }
}
