/**
 * Tie-breaking without favourites. Where a plan is free to choose, it follows a pseudo-random order that
 * depends on the member set alone: the same for every input order, different after every change, so that
 * no node is always the one that gives or takes.
 */

/** Spreads the bits of a 32-bit integer; 0…2^31−1, which engines pass around without allocating. */
export const mix = (value: number): number => {
  let x = value
  x = Math.imul(x ^ (x >>> 15), 0x2c1b3c6d)
  x = Math.imul(x ^ (x >>> 12), 0x297a2d39)
  return (x ^ (x >>> 15)) >>> 1
}

/** A seed from the sorted ids of the members. */
export const seedOf = (sortedIds: ReadonlyArray<string>): number => {
  let seed = sortedIds.length
  for (const id of sortedIds) {
    for (let i = 0; i < id.length; i++) seed = Math.imul(seed ^ id.charCodeAt(i), 0x01000193)
    // A separator, so that ["ab", "c"] and ["a", "bc"] differ.
    seed = mix(seed ^ 0x10000)
  }
  return seed
}

const greatestCommonDivisor = (a: number, b: number): number => (b === 0 ? a : greatestCommonDivisor(b, a % b))

const blocksAtMost = 4096

/**
 * A permutation of 0…`count` − 1 in which to visit partitions. In plain order, partitions that were
 * placed together are moved together, and pairs of nodes come to share far too many of them. A full
 * shuffle misses the cache at a million partitions. So blocks are visited in scattered order, and the
 * partitions of a block in plain order.
 */
export const visitingOrder = (count: number, seed: number): Int32Array => {
  const blockSize = Math.max(1, Math.ceil(count / blocksAtMost))
  const blocks = Math.ceil(count / blockSize)
  // Steps near the golden section spread neighbours widely; one coprime to the number of blocks visits all.
  let step = Math.max(1, Math.floor(blocks * 0.382) + (seed % Math.max(1, blocks >> 3)))
  while (greatestCommonDivisor(step, blocks) !== 1) step++
  const order = new Int32Array(count)
  let filled = 0
  let block = blocks === 0 ? 0 : mix(seed) % blocks
  for (let visited = 0; visited < blocks; visited++) {
    const end = Math.min(count, (block + 1) * blockSize)
    for (let partition = block * blockSize; partition < end; partition++) order[filled++] = partition
    block = (block + step) % blocks
  }
  return order
}
