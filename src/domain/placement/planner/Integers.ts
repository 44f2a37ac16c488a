/**
 * The planner works on flat arrays of 32-bit integers: a million partitions on a thousand nodes must
 * be planned in about a second. These helpers are the only access to them, so a read past the end is a
 * defect at once instead of a quiet `undefined`. Loops over partitions count instead of iterating: an
 * iterator allocates a result for each step, hundreds of megabytes a plan.
 */

/** "No node": an empty slot, a partition without owner, a holder that is not a member any more. */
export const none = -1

const outOfBounds = (): never => {
  throw new RangeError("the planner read past the end of an array")
}

/** The element at `index`; a defect when there is none. */
export const at = (array: Int32Array, index: number): number => array[index] ?? outOfBounds()

/** Adds `by` to the element at `index`. */
export const bump = (array: Int32Array, index: number, by: number): void => {
  array[index] = at(array, index) + by
}

/** An array of `length` times `value`. */
export const filled = (length: number, value: number): Int32Array => new Int32Array(length).fill(value)
