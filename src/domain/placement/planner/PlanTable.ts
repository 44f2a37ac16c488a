/**
 * Minimal-movement placement on integers: the order of the steps. Nodes are 0…n − 1 in the order of their
 * ids. Cost: O(partitions × replicas × (probes + replicas)) time; chains, where needed, beside it.
 */
import { evenOwners } from "./EvenOwners.ts"
import { countPairs, fillAnyhow, fillGaps, placeLost, shiftBackups } from "./FillReplicas.ts"
import { at, filled, none } from "./Integers.ts"
import { keepLiving, promote } from "./KeepAndPromote.ts"
import { levelOwners, levelReplicas } from "./ReplacementChains.ts"
import { type CurrentRows, type PlacementProblem, ReplicaSets } from "./ReplicaSets.ts"
import { mix, visitingOrder } from "./Scramble.ts"
import { Pairing } from "./Takers.ts"

export interface PlannedTable {
  /** Rows of `replicas` nodes each, owner first. */
  readonly target: Int32Array
  /** Per partition whose owner is gone: the survivor to promote at once. Elsewhere `none`. */
  readonly promoted: Int32Array
}

/** Rows in promotion order: owner, then earlier holders in their old order, then new copies by node. */
const rowsOf = (sets: ReplicaSets, { current }: PlacementProblem): Int32Array => {
  const rows = filled(sets.partitions * sets.width, none)
  for (let partition = 0; partition < sets.partitions; partition++) {
    const owner = at(sets.owner, partition)
    const first = sets.first(partition)
    let end = first
    rows[end++] = owner
    const start = partition * current.width
    for (let index = start; index < start + current.width; index++) {
      const node = at(current.nodes, index)
      if (node < 0 || !sets.has(partition, node)) continue
      let listed = first
      while (listed < end && at(rows, listed) !== node) listed++
      if (listed === end) rows[end++] = node
    }
    const firstNew = end
    for (let slot = first; slot < sets.end(partition); slot++) {
      const node = at(sets.slots, slot)
      if (node === owner || at(sets.fresh, slot) === 0) continue
      let place = end++
      for (; place > firstNew && at(rows, place - 1) > node; place--) rows[place] = at(rows, place - 1)
      rows[place] = node
    }
  }
  return rows
}

interface Attempt {
  readonly sets: ReplicaSets
  readonly promoted: Int32Array
  /** How far replicas and owners are from even. */
  readonly unevenness: number
  /** Replicas copied beyond the fewest that any plan with these shares must copy. */
  readonly extraCopies: number
  /** Owners changed beyond the fewest likewise; role swaps, for the most part. */
  readonly extraMoves: number
}

const countFresh = (sets: ReplicaSets): number => {
  let fresh = 0
  for (let slot = 0; slot < sets.fresh.length; slot++) fresh += at(sets.fresh, slot)
  return fresh
}

const countMoved = (sets: ReplicaSets, { width, nodes }: CurrentRows): number => {
  let moved = 0
  for (let partition = 0; partition < sets.partitions; partition++) {
    if (at(sets.owner, partition) !== at(nodes, partition * width)) moved++
  }
  return moved
}

const attempt = (problem: PlacementProblem, seed: number): Attempt => {
  const { nodes, partitions, replicas, current } = problem
  const sets = new ReplicaSets(problem)
  const order = visitingOrder(partitions, seed)
  const pairing = new Pairing(nodes)
  keepLiving(sets, current)
  const fewestCopies = sets.replicas.fewestGains()
  const fewestMoves = sets.owners.fewestGains()
  const promotions = promote(sets, current, order)
  evenOwners(sets, promotions, pairing, order, seed)
  placeLost(sets, order)
  countPairs(sets, pairing)
  const complete = fillGaps(sets, pairing, order, seed)
  shiftBackups(sets, pairing, order, seed)
  // Only now, so that what lands on full nodes is redirected before it is copied, at no cost.
  if (!complete) fillAnyhow(sets)
  if (replicas > 1 && replicas < nodes && !sets.replicas.isSettled()) levelReplicas(sets)
  if (!sets.owners.isSettled()) levelOwners(sets)
  return {
    sets,
    promoted: promotions.promoted,
    unevenness: sets.replicas.unevenness() + sets.owners.unevenness(),
    extraCopies: countFresh(sets) - fewestCopies,
    extraMoves: countMoved(sets, current) - fewestMoves
  }
}

/** Plans tried with different tie-breaks while one could still copy or move less. */
const maxAttempts = 4
/** Replicas up to which a plan is tried again; above, a copy more or less does not matter and time does. */
const retryUpTo = 10_000

/** Negative when `a` is the better plan: more even, then fewer copies, then fewer owners changed. */
const compareAttempts = (a: Attempt, b: Attempt): number =>
  a.unevenness - b.unevenness || a.extraCopies - b.extraCopies || a.extraMoves - b.extraMoves

const isPerfect = ({ unevenness, extraCopies, extraMoves }: Attempt): boolean =>
  unevenness === 0 && extraCopies === 0 && extraMoves === 0

export const planTable = (problem: PlacementProblem): PlannedTable => {
  let best = attempt(problem, problem.seed)
  // Under zone rules the counting bounds are seldom within reach, and another try seldom better.
  const isSmall = problem.zones === undefined && problem.partitions * problem.replicas <= retryUpTo
  const attempts = isSmall ? maxAttempts : 1
  for (let again = 1; again < attempts && !isPerfect(best); again++) {
    const other = attempt(problem, mix(problem.seed + again))
    if (compareAttempts(other, best) < 0) best = other
  }
  return { target: rowsOf(best.sets, problem), promoted: best.promoted }
}
