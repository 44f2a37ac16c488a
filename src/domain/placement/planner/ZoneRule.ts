/**
 * How many zones every partition must span, and how many replicas the nodes can then share evenly.
 *
 * Say every partition has R replicas and must span D zones. Then any k zones together hold at most
 * R − D + k replicas of a partition (for k < D; R beyond), for the other D − k zones need one each. The
 * tightest sets of k zones are the k largest. With the zones sorted by size, draw for each k the point
 * (nodes in the first k zones, replicas these may hold of one partition). The most even distribution
 * that obeys all these limits is the lower convex hull of the points: each edge is a group of zones
 * whose nodes share alike, its slope their load (the lexicographically optimal base of a polymatroid,
 * Fujishige 1980). Without zones the hull is one edge, and everybody has the same share.
 */
import { filled } from "./Integers.ts"

/** Nodes that share alike: node i is in group `groupOf[i]`, which holds `totals[groupOf[i]]` replicas in all. */
export interface Shares {
  readonly groupOf: Int32Array
  readonly totals: ReadonlyArray<number>
}

export interface ZoneRule {
  /** Zone index of each node. */
  readonly zoneOf: Int32Array
  /** Distinct zones that every partition must span, at least 2. */
  readonly needed: number
}

/**
 * Most load a node may get from zone rules, as a multiple of the even share. A zone of few nodes would
 * otherwise receive everything (the first node of a second zone: every partition); until it has grown,
 * one zone fewer is demanded.
 */
export const maxZoneOverload = 2

interface Corner {
  /** Zones up to here, largest first. */
  readonly zones: number
  /** Nodes in them. */
  readonly nodes: number
  /** Replicas of one partition that they may hold. */
  readonly replicas: number
}

const slope = (from: Corner, to: Corner): number => (to.replicas - from.replicas) / (to.nodes - from.nodes)

/** Corners of the lower convex hull, from no zone to all of them. */
const hull = (sizes: ReadonlyArray<number>, replicas: number, needed: number): ReadonlyArray<Corner> => {
  const corners: Array<Corner> = [{ zones: 0, nodes: 0, replicas: 0 }]
  let nodes = 0
  for (const [index, size] of sizes.entries()) {
    const zones = index + 1
    nodes += size
    const corner = { zones, nodes, replicas: Math.min(nodes, replicas, replicas - needed + zones) }
    // An earlier corner that lies on or above the line to this one is no corner.
    for (;;) {
      const last = corners.at(-1)
      const before = corners.at(-2)
      if (last === undefined || before === undefined || slope(before, last) < slope(before, corner)) break
      corners.pop()
    }
    corners.push(corner)
  }
  return corners
}

interface Zones {
  /** Zone indexes, those with the most nodes first. */
  readonly bySize: ReadonlyArray<number>
  readonly sizes: ReadonlyArray<number>
}

const countZones = (zoneOf: Int32Array): Zones => {
  const counts: Array<number> = []
  for (const zone of zoneOf) counts[zone] = (counts[zone] ?? 0) + 1
  const zones = counts.map((size, zone) => ({ size, zone })).toSorted((a, b) => b.size - a.size || a.zone - b.zone)
  return { bySize: zones.map(({ zone }) => zone), sizes: zones.map(({ size }) => size) }
}

const isAffordable = (corners: ReadonlyArray<Corner>, evenShare: number): boolean => {
  const [from, to] = corners.slice(-2)
  return from === undefined || to === undefined || slope(from, to) <= maxZoneOverload * evenShare + 1e-9
}

/**
 * The rule that spans the most zones without overloading a node, or `undefined` when zones demand nothing:
 * one zone, one replica, or a zone for each node. `zoneOf` numbers zones from 0 without holes.
 */
export const zoneRule = (zoneOf: Int32Array, replicas: number): ZoneRule | undefined => {
  const { sizes } = countZones(zoneOf)
  if (sizes.length === zoneOf.length) return undefined
  for (let needed = Math.min(replicas, sizes.length); needed > 1; needed--) {
    if (isAffordable(hull(sizes, replicas, needed), replicas / zoneOf.length)) return { zoneOf, needed }
  }
  return undefined
}

/** Everybody shares `total` alike. */
export const evenShares = (nodes: number, total: number): Shares => ({ groupOf: filled(nodes, 0), totals: [total] })

/** The most even shares of `partitions` × `replicas` that a zone rule allows. */
export const zoneShares = (rule: ZoneRule, partitions: number, replicas: number): Shares => {
  const { bySize, sizes } = countZones(rule.zoneOf)
  const corners = hull(sizes, replicas, rule.needed)
  const edges = corners.slice(1).map((corner, index) => ({ corner, from: corners[index] ?? corner }))
  const groupOfZone: Array<number> = []
  for (const [group, { from, corner }] of edges.entries()) {
    for (const zone of bySize.slice(from.zones, corner.zones)) groupOfZone[zone] = group
  }
  return {
    groupOf: rule.zoneOf.map((zone) => groupOfZone[zone] ?? 0),
    totals: edges.map(({ from, corner }) => partitions * (corner.replicas - from.replicas))
  }
}
