/**
 * What follows from an immutable value and is asked for with every message, worked out once. Most questions are
 * about the value that was asked about last, which is found faster than by a WeakMap.
 */
export const onceFor = <Of extends object, A extends object>(derive: (of: Of) => A): ((of: Of) => A) => {
  const known = new WeakMap<Of, A>()
  let lastOf: Of | undefined
  let last: A | undefined
  return (of) => {
    if (of === lastOf && last !== undefined) return last
    const before = known.get(of)
    const derived = before ?? derive(of)
    if (before === undefined) known.set(of, derived)
    lastOf = of
    last = derived
    return derived
  }
}

/**
 * The same for two values, of which each `of` is asked about with one `and` for long: only the last of these is known.
 * What else is given must follow from `of`.
 */
export const onceForBoth = <Of extends object, And extends object, With, A>(
  derive: (of: Of, and: And, given: With) => A
): ((of: Of, and: And, given: With) => A) => {
  const known = new WeakMap<Of, { readonly and: And; readonly derived: A }>()
  return (of, and, given) => {
    const before = known.get(of)
    if (before?.and === and) return before.derived
    const derived = derive(of, and, given)
    known.set(of, { and, derived })
    return derived
  }
}
