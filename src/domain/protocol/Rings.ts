/**
 * Who watches whom when not everyone watches everyone: each node has `k` watchers and watches `k` others.
 *
 * The nodes stand on `k` circles, on each in an order of its own that only their ids decide, and each watches its
 * predecessor on every circle (as in Rapid: Suresh et al., ATC 2018, section 4.1). Few random circles together are
 * an expander: no cut can separate many nodes from the rest without cutting most of their watchers off as well. A
 * node that comes or goes changes only its neighbours' watching, and the few exchanges that keep watchers distinct.
 */
import { compareCodePoints } from "../model/CodePointOrder.ts"
import type { NodeId } from "../model/Scalars.ts"
import { fnv1a32 } from "../placement/HashToPartition.ts"

/** Two readings of one relation: `b` is a watcher of `a` exactly if `a` is watched by `b`. */
export interface Rings {
  readonly watchersOf: ReadonlyMap<NodeId, ReadonlySet<NodeId>>
  readonly watchedBy: ReadonlyMap<NodeId, ReadonlySet<NodeId>>
}

// Spreads what differs in few bits over all of them (the finalizer of MurmurHash3, Appleby).
const mix = (value: number): number => {
  let x = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35)
  return (x ^ (x >>> 16)) >>> 0
}

interface Placed {
  readonly nodeId: NodeId
  readonly hash: number
}

/** Indices of the nodes in the order of one circle. */
const circle = (nodes: ReadonlyArray<Placed>, ring: number): ReadonlyArray<number> => {
  const places = nodes.map(({ hash }) => mix(hash + Math.imul(ring + 1, 0x9e3779b9)))
  const ids = nodes.map(({ nodeId }) => nodeId)
  return nodes
    .map((_, index) => index)
    .toSorted((a, b) => (places[a] ?? 0) - (places[b] ?? 0) || compareCodePoints(ids[a] ?? "", ids[b] ?? ""))
}

const next = (items: ReadonlyArray<number>, from: number, by: number): number => items[(from + by) % items.length] ?? 0

// For 2k nodes or fewer: on one circle each is watched by the k that follow it.
const onOneCircle = (
  order: ReadonlyArray<number>,
  k: number,
  add: (watched: number, watcher: number) => void
): void => {
  for (const [place, watched] of order.entries()) for (let by = 1; by <= k; by++) add(watched, next(order, place, by))
}

/**
 * For more than 2k nodes: on each circle the next one watches, and where it does so on another circle already, two
 * nodes exchange their watchers. Of n nodes at most k − 1 are excluded on either side, so there is always a partner.
 */
const onCircles = (
  nodes: ReadonlyArray<Placed>,
  k: number,
  has: (watched: number, watcher: number) => boolean,
  add: (watched: number, watcher: number) => void
): void => {
  for (let ring = 0; ring < k; ring++) {
    const order = circle(nodes, ring)
    const watcherAt = order.map((_, place) => next(order, place, 1))
    const fits = (place: number, watcher: number): boolean => {
      const watched = order[place] ?? 0
      return watched !== watcher && !has(watched, watcher)
    }
    for (const place of order.keys()) {
      const watcher = watcherAt[place] ?? 0
      if (fits(place, watcher)) continue
      for (let by = 1; by < order.length; by++) {
        const partner = (place + by) % order.length
        const other = watcherAt[partner] ?? 0
        if (!fits(place, other) || !fits(partner, watcher)) continue
        watcherAt[place] = other
        watcherAt[partner] = watcher
        break
      }
    }
    for (const [place, watched] of order.entries()) add(watched, watcherAt[place] ?? 0)
  }
}

/**
 * The rings of these nodes, whatever their order. Every node has exactly `k` watchers and watches exactly `k` others.
 *
 * `k`: whole number from 1, less than the number of nodes; ids must differ.
 */
export const ringsOf = (nodeIds: ReadonlyArray<NodeId>, k: number): Rings => {
  const nodes = nodeIds.toSorted(compareCodePoints).map((nodeId): Placed => ({ nodeId, hash: fnv1a32(nodeId) }))
  const watchers = nodes.map(() => new Set<number>())
  const watched = nodes.map(() => new Set<number>())
  const has = (node: number, watcher: number): boolean => watchers[node]?.has(watcher) === true
  const add = (node: number, watcher: number): void => {
    watchers[node]?.add(watcher)
    watched[watcher]?.add(node)
  }
  if (nodes.length > 2 * k) onCircles(nodes, k, has, add)
  else onOneCircle(circle(nodes, 0), k, add)
  const named = (sets: ReadonlyArray<ReadonlySet<number>>): ReadonlyMap<NodeId, ReadonlySet<NodeId>> =>
    new Map(
      nodes.map(({ nodeId }, index) => [
        nodeId,
        new Set([...(sets[index] ?? [])].map((other) => nodes[other]?.nodeId ?? ""))
      ])
    )
  return { watchersOf: named(watchers), watchedBy: named(watched) }
}
