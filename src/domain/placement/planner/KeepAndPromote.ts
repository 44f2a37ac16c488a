/**
 * The first steps of a plan, which copy nothing: replicas that live stay where they are, and a partition
 * whose owner is gone goes to one of them.
 */
import { at, filled, none } from "./Integers.ts"
import type { CurrentRows, ReplicaSets } from "./ReplicaSets.ts"

/**
 * Keeps living replicas in row order, as many as a set takes. Where zones matter, those that add a zone come
 * first, so that a second copy in one zone goes when its slot is needed for a missing zone.
 */
export const keepLiving = (sets: ReplicaSets, { width, nodes }: CurrentRows): void => {
  for (let partition = 0; partition < sets.partitions; partition++) {
    const start = partition * width
    for (let index = start; index < start + width && !sets.isFull(partition); index++) {
      const node = at(nodes, index)
      if (node >= 0 && !sets.has(partition, node) && sets.addsZone(partition, node)) sets.keep(partition, node)
    }
    for (let index = start; index < start + width && !sets.isFull(partition); index++) {
      const node = at(nodes, index)
      if (node >= 0 && sets.canAdd(partition, node)) sets.keep(partition, node)
    }
    const owner = at(nodes, start)
    if (owner >= 0) sets.setOwner(partition, owner)
  }
}

export interface Promotions {
  /** Per partition the replica that was promoted, `none` where the owner lives or nobody survived. */
  readonly promoted: Int32Array
  /** Whether any partition was promoted. */
  readonly any: boolean
}

/** Gives each partition whose owner is gone to the living replica that owns fewest, ties by backup order. */
export const promote = (sets: ReplicaSets, { width, nodes }: CurrentRows, order: Int32Array): Promotions => {
  const promoted = filled(sets.partitions, none)
  let any = false
  for (let turn = 0; turn < order.length; turn++) {
    const partition = at(order, turn)
    if (at(sets.owner, partition) !== none || at(sets.size, partition) === 0) continue
    let best = none
    for (let index = partition * width + 1; index < (partition + 1) * width; index++) {
      const node = at(nodes, index)
      if (node < 0 || !sets.has(partition, node)) continue
      if (best === none || at(sets.owners.load, node) < at(sets.owners.load, best)) best = node
    }
    sets.setOwner(partition, best)
    promoted[partition] = best
    any = true
  }
  return { promoted, any }
}
