/** The steps that copy: partitions nobody holds get an owner, gaps are filled, backups move to nodes with room. */
import { at, none } from "./Integers.ts"
import type { ReplicaSets } from "./ReplicaSets.ts"
import { mix } from "./Scramble.ts"
import { findTaker, type Pairing } from "./Takers.ts"

/** Partitions without any survivor (in a cold start, all) go round the nodes that own too few. */
export const placeLost = (sets: ReplicaSets, order: Int32Array): void => {
  const { owners } = sets
  let dealt = 0
  for (let turn = 0; turn < order.length; turn++) {
    const partition = at(order, turn)
    if (at(sets.owner, partition) !== none) continue
    const candidates = owners.below.size > 0 ? owners.below : owners.level
    const node = candidates.get(dealt++ % candidates.size)
    sets.add(partition, node)
    sets.setOwner(partition, node)
  }
}

/** Counts who backs up whom, as the sets stand. */
export const countPairs = (sets: ReplicaSets, pairing: Pairing): void => {
  for (let partition = 0; partition < sets.partitions; partition++) {
    const owner = at(sets.owner, partition)
    const end = sets.end(partition)
    for (let slot = sets.first(partition); slot < end; slot++) {
      const node = at(sets.slots, slot)
      if (node !== owner) pairing.add(owner, node)
    }
  }
}

/** Fills the empty slots with nodes that should gain. False when some stay empty for want of one. */
export const fillGaps = (sets: ReplicaSets, pairing: Pairing, order: Int32Array, seed: number): boolean => {
  const search = {
    balance: sets.replicas,
    pairing,
    accepts: (partition: number, node: number) => sets.canAdd(partition, node)
  }
  let complete = true
  for (let turn = 0; turn < order.length; turn++) {
    const partition = at(order, turn)
    const owner = at(sets.owner, partition)
    while (!sets.isFull(partition)) {
      const taker = findTaker(search, partition, owner, mix((partition * 31 + at(sets.size, partition)) ^ seed))
      if (taker === none) {
        complete = false
        break
      }
      sets.add(partition, taker)
      pairing.add(owner, taker)
    }
  }
  return complete
}

/** Fills what {@link fillGaps} had to leave with the lightest nodes the rules allow, whatever their share. */
export const fillAnyhow = (sets: ReplicaSets): void => {
  const { load } = sets.replicas
  for (let partition = 0; partition < sets.partitions; partition++) {
    while (!sets.isFull(partition)) {
      let best = none
      for (let node = 0; node < sets.nodes; node++) {
        if (sets.canAdd(partition, node) && (best === none || at(load, node) < at(load, best))) best = node
      }
      if (best === none) break
      sets.add(partition, best)
    }
  }
}

/** The backup that should leave a partition: of nodes with a surplus the fullest, ties to the most paired. */
const surplusSlot = (sets: ReplicaSets, pairing: Pairing, partition: number, owner: number): number => {
  const { load } = sets.replicas
  const end = sets.end(partition)
  let best = none
  let bestNode = none
  for (let slot = sets.first(partition); slot < end; slot++) {
    const node = at(sets.slots, slot)
    if (node === owner || !sets.replicas.gives(node) || !sets.canDrop(partition, slot)) continue
    const fuller =
      best === none ? 1 : at(load, node) - at(load, bestNode) || pairing.of(owner, node) - pairing.of(owner, bestNode)
    if (fuller > 0) {
      best = slot
      bestNode = node
    }
  }
  return best
}

/** Moves backups from nodes with a surplus to nodes that should gain. */
export const shiftBackups = (sets: ReplicaSets, pairing: Pairing, order: Int32Array, seed: number): void => {
  let leaving = none
  const search = {
    balance: sets.replicas,
    pairing,
    accepts: (partition: number, node: number) => sets.canReplace(partition, leaving, node)
  }
  for (let turn = 0; turn < order.length; turn++) {
    const partition = at(order, turn)
    if (!sets.replicas.isUneven()) return
    const owner = at(sets.owner, partition)
    // Each round replaces one backup, and there is no sense in replacing the same slot twice.
    for (let round = 1; round < sets.width; round++) {
      const slot = surplusSlot(sets, pairing, partition, owner)
      if (slot === none) break
      leaving = at(sets.slots, slot)
      const taker = findTaker(search, partition, owner, mix((partition * 31 + 7) ^ seed))
      if (taker === none) break
      sets.drop(partition, slot)
      sets.add(partition, taker)
      pairing.remove(owner, leaving)
      pairing.add(owner, taker)
    }
  }
}
