/**
 * Who takes a partition that must go somewhere. Of the nodes that should gain, a few are looked at from a
 * pseudo-random start, and the one that shares the fewest partitions with the owner is taken: when a node
 * dies, its partitions then fall to all the others and not to a few.
 */
import type { Balance } from "./Balance.ts"
import { at, bump, none } from "./Integers.ts"
import type { NodeSet } from "./NodeSet.ts"
import { mix } from "./Scramble.ts"

/** Acceptable nodes looked at for one choice: more spreads the pairs better and costs time. */
const probes = 8

const exactPairsUpTo = 1024
const hashedPairs = 2 ** 20

/**
 * How many partitions each node backs up for each owner. Exact up to 1,024 nodes; beyond, pairs share
 * 2^20 counters by hash, which is good enough for a preference.
 */
export class Pairing {
  private readonly counts: Int32Array
  private readonly nodes: number

  constructor(nodes: number) {
    this.nodes = nodes
    this.counts = new Int32Array(nodes <= exactPairsUpTo ? nodes * nodes : hashedPairs)
  }

  private key(owner: number, backup: number): number {
    const pair = owner * this.nodes + backup
    return this.nodes <= exactPairsUpTo ? pair : mix(pair) & (hashedPairs - 1)
  }

  of(owner: number, backup: number): number {
    return at(this.counts, this.key(owner, backup))
  }

  add(owner: number, backup: number): void {
    bump(this.counts, this.key(owner, backup), 1)
  }

  remove(owner: number, backup: number): void {
    bump(this.counts, this.key(owner, backup), -1)
  }
}

export interface Search {
  readonly balance: Balance
  readonly pairing: Pairing
  readonly accepts: (partition: number, node: number) => boolean
}

const searchIn = (
  candidates: NodeSet,
  { balance, pairing, accepts }: Search,
  partition: number,
  owner: number,
  hash: number
): number => {
  let best = none
  let fewest = Infinity
  let seen = 0
  let position = candidates.size === 0 ? 0 : hash % candidates.size
  for (let left = candidates.size; left > 0 && seen < probes; left--) {
    const node = candidates.get(position)
    position = position + 1 === candidates.size ? 0 : position + 1
    if (!balance.takes(node) || !accepts(partition, node)) continue
    seen++
    const shared = pairing.of(owner, node)
    if (shared > fewest) continue
    const lighter = best === none ? -1 : at(balance.load, node) - at(balance.load, best) || node - best
    if (shared < fewest || lighter < 0) {
      fewest = shared
      best = node
    }
  }
  return best
}

/** A node that should gain and is acceptable for this partition of `owner`, or `none`; nodes below their floor first. */
export const findTaker = (search: Search, partition: number, owner: number, hash: number): number => {
  const { balance } = search
  const needy = searchIn(balance.below, search, partition, owner, hash)
  if (needy !== none || !balance.levelTakes()) return needy
  return searchIn(balance.level, search, partition, owner, hash)
}
