/**
 * Owners even out: partitions go from nodes that own too many to nodes that own too few, by the cheapest
 * kind of change that serves. A kind is tried on all partitions before the next one is.
 */
import { at, none } from "./Integers.ts"
import type { Promotions } from "./KeepAndPromote.ts"
import type { ReplicaSets } from "./ReplicaSets.ts"
import { mix } from "./Scramble.ts"
import { findTaker, type Pairing } from "./Takers.ts"

/** Tries to take a partition from its owner; false when this kind of change cannot. */
type OwnerMove = (partition: number, owner: number) => boolean

/** The owner changes within the set: nothing is copied. */
const swapRoles =
  (sets: ReplicaSets): OwnerMove =>
  (partition, owner) => {
    const { owners, slots } = sets
    const end = sets.end(partition)
    let best = none
    for (let slot = sets.first(partition); slot < end; slot++) {
      const node = at(slots, slot)
      if (node === owner || !owners.takes(node)) continue
      if (best === none || at(owners.load, node) < at(owners.load, best)) best = node
    }
    if (best === none) return false
    sets.setOwner(partition, best)
    return true
  }

/** The new owner takes an empty slot: its copy is due anyway. */
const fillGap = (sets: ReplicaSets, pairing: Pairing, seed: number): OwnerMove => {
  const { owners, replicas } = sets
  const search = {
    balance: owners,
    pairing,
    accepts: (partition: number, node: number) => replicas.takes(node) && sets.canAdd(partition, node)
  }
  return (partition, owner) => {
    if (sets.isFull(partition)) return false
    const taker = findTaker(search, partition, owner, mix(partition ^ seed))
    if (taker === none) return false
    sets.add(partition, taker)
    sets.setOwner(partition, taker)
    return true
  }
}

/** The slot that makes room in a full set for a new owner, or `none`. */
type Victim = (sets: ReplicaSets, partition: number, owner: number, taker: number) => number

/** The most loaded backup that `mayGo`; the old owner only where no other slot could ever go. */
const backupThat =
  (mayGo: (sets: ReplicaSets, node: number) => boolean): Victim =>
  (sets, partition, owner, taker) => {
    const end = sets.end(partition)
    let best = none
    let ownSlot = none
    let hasAlternative = false
    for (let slot = sets.first(partition); slot < end; slot++) {
      const node = at(sets.slots, slot)
      if (!sets.canDrop(partition, slot) || !sets.canReplace(partition, node, taker)) continue
      if (node === owner) {
        ownSlot = slot
        continue
      }
      hasAlternative = true
      if (!mayGo(sets, node)) continue
      if (best === none || at(sets.replicas.load, node) > at(sets.replicas.load, at(sets.slots, best))) best = slot
    }
    return best !== none || hasAlternative || ownSlot === none || !mayGo(sets, owner) ? best : ownSlot
  }

const gives = (sets: ReplicaSets, node: number): boolean => sets.replicas.gives(node)
const surplusBackup = backupThat(gives)

const surplusOwner: Victim = (sets, partition, owner, taker) => {
  const slot = sets.slotOf(partition, owner)
  const mayGo = gives(sets, owner) && sets.canDrop(partition, slot) && sets.canReplace(partition, owner, taker)
  return mayGo ? slot : none
}

/** The new owner receives a copy, and the victim's is given up. */
const replaceOne = (
  sets: ReplicaSets,
  pairing: Pairing,
  seed: number,
  victim: Victim,
  mayTake: (node: number) => boolean
): OwnerMove => {
  let owner = none
  const search = {
    balance: sets.owners,
    pairing,
    accepts: (partition: number, node: number) =>
      mayTake(node) && !sets.has(partition, node) && victim(sets, partition, owner, node) !== none
  }
  return (partition, from) => {
    if (!sets.isFull(partition)) return false
    owner = from
    const taker = findTaker(search, partition, owner, mix(partition ^ seed))
    if (taker === none) return false
    sets.drop(partition, victim(sets, partition, owner, taker))
    sets.add(partition, taker)
    sets.setOwner(partition, taker)
    return true
  }
}

export const evenOwners = (
  sets: ReplicaSets,
  { promoted, any }: Promotions,
  pairing: Pairing,
  order: Int32Array,
  seed: number
): void => {
  const { owners, replicas } = sets
  const run = (move: OwnerMove, promotedOnly: boolean): void => {
    if (!owners.anyGives()) return
    for (let turn = 0; turn < order.length; turn++) {
      const partition = at(order, turn)
      if (!owners.isUneven()) return
      const owner = at(sets.owner, partition)
      if (owner === none || !owners.gives(owner)) continue
      if (promotedOnly && at(promoted, partition) === none) continue
      move(partition, owner)
    }
  }
  const swap = swapRoles(sets)
  const wanting = (node: number): boolean => replicas.takes(node)
  const gap = fillGap(sets, pairing, seed)
  // A partition that lost its owner gets a new one whatever we do: its owner is free to choose again.
  if (any) {
    run(swap, true)
    run(gap, true)
  }
  run(swap, false)
  run(gap, false)
  run(replaceOne(sets, pairing, seed, surplusBackup, wanting), false)
  run(replaceOne(sets, pairing, seed, surplusOwner, wanting), false)
}
