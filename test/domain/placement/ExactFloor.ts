/**
 * The exact optimum of small placement problems, by minimum-cost flow: source → partition (its replicas) →
 * node (1 each, free where the node has the data, 1 where it must be copied) → sink. The k-th replica on a node
 * costs k large units, so that the cheapest flow first is the most even, and then copies least.
 */

const perReplica = 10_000

interface Edge {
  readonly to: number
  readonly cost: number
  capacity: number
  readonly opposite: () => Edge
}

class Network {
  private readonly edges: ReadonlyArray<Array<Edge>>

  constructor(vertices: number) {
    this.edges = Array.from({ length: vertices }, () => [])
  }

  connect(from: number, to: number, capacity: number, cost: number): Edge {
    const forward: Edge = { to, cost, capacity, opposite: () => backward }
    const backward: Edge = { to: from, cost: -cost, capacity: 0, opposite: () => forward }
    this.edges[from]?.push(forward)
    this.edges[to]?.push(backward)
    return forward
  }

  /** Sends one unit along a cheapest path (Bellman–Ford with a queue); false when there is none. */
  augment(source: number, sink: number): boolean {
    const cost = new Map([[source, 0]])
    const reachedBy = new Map<number, Edge>()
    const queue = [source]
    const waiting = new Set(queue)
    for (const vertex of queue) {
      waiting.delete(vertex)
      const soFar = cost.get(vertex) ?? Infinity
      for (const edge of this.edges[vertex] ?? []) {
        if (edge.capacity === 0 || soFar + edge.cost >= (cost.get(edge.to) ?? Infinity)) continue
        cost.set(edge.to, soFar + edge.cost)
        reachedBy.set(edge.to, edge)
        if (!waiting.has(edge.to)) {
          waiting.add(edge.to)
          queue.push(edge.to)
        }
      }
    }
    if (!cost.has(sink)) return false
    for (let vertex = sink; vertex !== source;) {
      const edge = reachedBy.get(vertex)
      if (edge === undefined) throw new Error("a path without beginning")
      edge.capacity--
      edge.opposite().capacity++
      vertex = edge.opposite().to
    }
    return true
  }
}

export interface Floor {
  /** Fewest copies among the most even placements. */
  readonly copies: number
  /** Replicas per node of such a placement, descending. */
  readonly loads: ReadonlyArray<number>
}

/** `holders[q]`: the living nodes (0…`nodes` − 1) that have partition q. */
export const exactFloor = (nodes: number, replicas: number, holders: ReadonlyArray<ReadonlyArray<number>>): Floor => {
  const partitions = holders.length
  const sink = 1 + partitions + nodes
  const network = new Network(sink + 1)
  const placements: Array<{ readonly edge: Edge; readonly node: number; readonly isCopy: boolean }> = []
  for (const [partition, held] of holders.entries()) {
    network.connect(0, 1 + partition, replicas, 0)
    for (let node = 0; node < nodes; node++) {
      const isCopy = !held.includes(node)
      const edge = network.connect(1 + partition, 1 + partitions + node, 1, isCopy ? 1 : 0)
      placements.push({ edge, node, isCopy })
    }
  }
  for (let node = 0; node < nodes; node++) {
    for (let load = 1; load <= partitions; load++) {
      network.connect(1 + partitions + node, sink, 1, load * perReplica)
    }
  }
  while (network.augment(0, sink)) continue
  const used = placements.filter(({ edge }) => edge.capacity === 0)
  const loads = Array.from({ length: nodes }, (_, node) => used.filter((placement) => placement.node === node).length)
  return { copies: used.filter(({ isCopy }) => isCopy).length, loads: loads.toSorted((a, b) => b - a) }
}
