/**
 * What single moves could not even out. A heavy node may share no partition with a light one, yet hand one
 * to a third node that hands another on: a chain of replacements from heavy to light changes only the two
 * ends. A shortest chain is found breadth first. Rare, and then a few chains suffice.
 */
import { at, none } from "./Integers.ts"
import { NodeSet } from "./NodeSet.ts"
import type { ReplicaSets } from "./ReplicaSets.ts"

/** A kind of replacement: in one partition one node takes the place of another. */
interface Replacement {
  /** The loads to even out: by how much a node is above or below its floor (zones give nodes unequal shares). */
  readonly excess: (node: number) => number
  /** Calls back with every place that there is. */
  readonly places: (visit: (node: number, partition: number) => void) => void
  readonly mayLeave: (partition: number, node: number) => boolean
  /** Calls back with the nodes of `unseen` that may take `leaving`'s place; each call takes one out of `unseen`. */
  readonly successors: (partition: number, leaving: number, unseen: NodeSet, visit: (node: number) => void) => void
  readonly apply: (partition: number, leaving: number, joining: number) => void
}

/** Partitions of each node: node i has `partitions[start[i]…start[i + 1] − 1]`. */
interface PlacesByNode {
  readonly start: Int32Array
  readonly partitions: Int32Array
}

const placesByNode = (nodes: number, { places }: Replacement): PlacesByNode => {
  const start = new Int32Array(nodes + 1)
  places((node) => {
    start[node + 1] = at(start, node + 1) + 1
  })
  for (let node = 0; node < nodes; node++) start[node + 1] = at(start, node + 1) + at(start, node)
  const next = start.slice(0, nodes)
  const partitions = new Int32Array(at(start, nodes))
  places((node, partition) => {
    const index = at(next, node)
    partitions[index] = partition
    next[node] = index + 1
  })
  return { start, partitions }
}

/** A breadth-first tree: how each node that was reached takes a place. */
interface Reached {
  readonly queue: ReadonlyArray<number>
  /** The node whose place it takes; `none` for the root. */
  readonly from: Int32Array
  /** In which partition. */
  readonly via: Int32Array
  /** The node at which the chain ends: lighter than the root by two or more; `none` if there is no chain. */
  readonly goal: number
}

const search = (nodes: number, root: number, replacement: Replacement, byNode: PlacesByNode): Reached => {
  const { excess, mayLeave, successors } = replacement
  const from = new Int32Array(nodes).fill(none)
  const via = new Int32Array(nodes).fill(none)
  const unseen = new NodeSet(nodes)
  for (let node = 0; node < nodes; node++) if (node !== root) unseen.add(node)
  const isOnPath = (partition: number, end: number): boolean => {
    for (let node = end; node !== root; node = at(from, node)) if (at(via, node) === partition) return true
    return false
  }
  const queue = [root]
  let goal = none
  for (const node of queue) {
    const end = at(byNode.start, node + 1)
    for (let index = at(byNode.start, node); index < end && unseen.size > 0; index++) {
      const partition = at(byNode.partitions, index)
      // One partition changes once in a chain; the lists may be older than the last chain.
      if (!mayLeave(partition, node) || isOnPath(partition, node)) continue
      successors(partition, node, unseen, (successor) => {
        unseen.remove(successor)
        from[successor] = node
        via[successor] = partition
        queue.push(successor)
        const isLighter = excess(successor) <= excess(root) - 2
        if (isLighter && (goal === none || excess(successor) < excess(goal))) goal = successor
      })
      if (goal !== none) return { queue, from, via, goal }
    }
  }
  return { queue, from, via, goal }
}

/** The heaviest node that is two above the lightest and not hopeless, or `none`. */
const heaviest = (nodes: number, { excess }: Replacement, hopeless: ReadonlySet<number>): number => {
  let lightest = Infinity
  for (let node = 0; node < nodes; node++) lightest = Math.min(lightest, excess(node))
  let best = none
  for (let node = 0; node < nodes; node++) {
    if (excess(node) - lightest < 2 || hopeless.has(node)) continue
    if (best === none || excess(node) > excess(best)) best = node
  }
  return best
}

/**
 * Applies chains until no node is two above one that it can reach. Each lowers the sum of squares, so it
 * ends. What a failed search has reached can reach nothing lighter either, and is left alone until the round
 * is over; a round that applied nothing, with lists as fresh as its searches, is the last.
 */
const levelBy = (nodes: number, replacement: Replacement): void => {
  for (let applied = true; applied;) {
    applied = false
    const hopeless = new Set<number>()
    let byNode: PlacesByNode | undefined
    for (;;) {
      const root = heaviest(nodes, replacement, hopeless)
      if (root === none) break
      byNode ??= placesByNode(nodes, replacement)
      const { queue, from, via, goal } = search(nodes, root, replacement, byNode)
      if (goal === none) for (const node of queue) hopeless.add(node)
      for (let node = goal; node !== none && node !== root; node = at(from, node)) {
        replacement.apply(at(via, node), at(from, node), node)
        applied = true
      }
    }
  }
}

/** The holder that owns fewest takes over from an owner that leaves the set; `joining` when there is none. */
const successorOf = (sets: ReplicaSets, partition: number, joining: number): number => {
  let best = none
  const end = sets.end(partition)
  for (let slot = sets.first(partition); slot < end; slot++) {
    const node = at(sets.slots, slot)
    if (at(sets.fresh, slot) === 1) continue
    if (best === none || at(sets.owners.load, node) < at(sets.owners.load, best)) best = node
  }
  return best === none ? joining : best
}

const replicaReplacement = (sets: ReplicaSets, mayMove: (partition: number, slot: number) => boolean): Replacement => ({
  excess: (node) => sets.replicas.excess(node),
  places: (visit) => {
    for (let partition = 0; partition < sets.partitions; partition++) {
      const end = sets.end(partition)
      for (let slot = sets.first(partition); slot < end; slot++) visit(at(sets.slots, slot), partition)
    }
  },
  mayLeave: (partition, node) => {
    const slot = sets.slotOf(partition, node)
    return slot !== none && mayMove(partition, slot) && sets.canDrop(partition, slot)
  },
  successors: (partition, leaving, unseen, visit) => {
    // From the end: what is taken out is replaced by what was looked at already.
    for (let position = unseen.size - 1; position >= 0; position--) {
      const node = unseen.get(position)
      if (sets.canReplace(partition, leaving, node)) visit(node)
    }
  },
  apply: (partition, leaving, joining) => {
    sets.drop(partition, sets.slotOf(partition, leaving))
    sets.add(partition, joining)
    if (at(sets.owner, partition) === leaving) sets.setOwner(partition, successorOf(sets, partition, joining))
  }
})

/** Evens out replicas: copies not made yet are redirected for nothing; then held backups move; owners last. */
export const levelReplicas = (sets: ReplicaSets): void => {
  const isBackup = (partition: number, slot: number): boolean => at(sets.slots, slot) !== at(sets.owner, partition)
  const isFreshBackup = (partition: number, slot: number): boolean =>
    isBackup(partition, slot) && at(sets.fresh, slot) === 1
  for (const mayMove of [isFreshBackup, isBackup, () => true]) levelBy(sets.nodes, replicaReplacement(sets, mayMove))
}

/**
 * Evens out owners by role swaps, which copy nothing. If the replicas are even, this always succeeds: give
 * each replica an equal part of its partition, and nobody has more than its share; flows being integral,
 * whole partitions can be dealt as evenly.
 */
export const levelOwners = (sets: ReplicaSets): void => {
  levelBy(sets.nodes, {
    excess: (node) => sets.owners.excess(node),
    places: (visit) => {
      for (let partition = 0; partition < sets.partitions; partition++) visit(at(sets.owner, partition), partition)
    },
    mayLeave: (partition, node) => at(sets.owner, partition) === node,
    successors: (partition, _leaving, unseen, visit) => {
      const end = sets.end(partition)
      for (let slot = sets.first(partition); slot < end; slot++) {
        const node = at(sets.slots, slot)
        if (unseen.has(node)) visit(node)
      }
    },
    apply: (partition, _leaving, joining) => sets.setOwner(partition, joining)
  })
}
