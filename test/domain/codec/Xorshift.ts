/** Marsaglia's xorshift of 32 bits: a seeded source of integers for tests that must replay. */
export interface Random {
  /** An integer 0…`bound` − 1. */
  readonly below: (bound: number) => number
  readonly pick: <A>(values: ReadonlyArray<A>) => A
  /** True once in `n` times. */
  readonly oneIn: (n: number) => boolean
}

export const xorshift = (seed: number): Random => {
  let state = (seed ^ 0x9e3779b9) | 1
  const next = (): number => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
  const below = (bound: number): number => next() % bound
  const pick = <A>(values: ReadonlyArray<A>): A => {
    const value = values[below(values.length)]
    if (value === undefined) throw new Error("nothing to pick from")
    return value
  }
  return { below, pick, oneIn: (n) => below(n) === 0 }
}
