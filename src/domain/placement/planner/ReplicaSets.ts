/**
 * The plan in the making: for each partition a set of nodes, which of them own it, and which of them have
 * the data already. Every change goes through here, so the loads are always right and the rules (distinct
 * nodes, enough zones, the last holder stays) stand in one place.
 */
import { Balance } from "./Balance.ts"
import { at, bump, filled, none } from "./Integers.ts"
import { evenShares, type ZoneRule, zoneShares } from "./ZoneRule.ts"

/** The table to start from, as node indexes: row q is `nodes[q * width …]`, owner first, negative for who is no member. */
export interface CurrentRows {
  readonly width: number
  readonly nodes: Int32Array
}

export interface PlacementProblem {
  readonly nodes: number
  readonly partitions: number
  /** Replicas of each partition, owner included, 1…`nodes`. */
  readonly replicas: number
  readonly zones: ZoneRule | undefined
  readonly current: CurrentRows
  readonly seed: number
}

export class ReplicaSets {
  readonly partitions: number
  readonly nodes: number
  /** Slots of each partition; partition q has the slots from q × `width`, of which the first `size` are in use. */
  readonly width: number
  /** Node in each slot, in no particular order. */
  readonly slots: Int32Array
  /** 1 where the slot's node has yet to receive the data. */
  readonly fresh: Int32Array
  readonly size: Int32Array
  readonly owner: Int32Array
  readonly replicas: Balance
  readonly owners: Balance
  /** Replicas of each partition that have the data. */
  private readonly holders: Int32Array
  private readonly current: CurrentRows
  private readonly zones: ZoneRule | undefined

  constructor({ nodes, partitions, replicas, zones, current }: PlacementProblem) {
    this.partitions = partitions
    this.nodes = nodes
    this.width = replicas
    this.slots = filled(partitions * replicas, none)
    this.fresh = new Int32Array(partitions * replicas)
    this.size = new Int32Array(partitions)
    this.owner = filled(partitions, none)
    this.holders = new Int32Array(partitions)
    this.current = current
    this.zones = zones
    this.owners = new Balance(nodes, evenShares(nodes, partitions))
    this.replicas = new Balance(
      nodes,
      zones === undefined ? evenShares(nodes, partitions * replicas) : zoneShares(zones, partitions, replicas)
    )
  }

  /** First slot of a partition. */
  first(partition: number): number {
    return partition * this.width
  }

  /** One past the last slot in use. */
  end(partition: number): number {
    return partition * this.width + at(this.size, partition)
  }

  isFull(partition: number): boolean {
    return at(this.size, partition) === this.width
  }

  /** Slot of a node in a partition's set, or `none`. */
  slotOf(partition: number, node: number): number {
    const end = this.end(partition)
    for (let slot = this.first(partition); slot < end; slot++) if (at(this.slots, slot) === node) return slot
    return none
  }

  has(partition: number, node: number): boolean {
    return this.slotOf(partition, node) !== none
  }

  /** Whether the node held the partition's data before this plan. */
  heldBefore(partition: number, node: number): boolean {
    const start = partition * this.current.width
    const end = start + this.current.width
    for (let index = start; index < end; index++) if (at(this.current.nodes, index) === node) return true
    return false
  }

  /** Whether the node may join the set: it is not in it, and the slots left can still reach enough zones. */
  canAdd(partition: number, node: number): boolean {
    if (this.has(partition, node)) return false
    if (this.zones === undefined) return true
    const slotsLeft = this.width - at(this.size, partition) - 1
    return this.countZones(this.zones.zoneOf, partition, none, node) + slotsLeft >= this.zones.needed
  }

  /** Whether one node may take another's place: not in the set yet, and no zone is lost that is needed. */
  canReplace(partition: number, leaving: number, joining: number): boolean {
    if (this.has(partition, joining)) return false
    if (this.zones === undefined) return true
    const { zoneOf, needed } = this.zones
    if (at(zoneOf, leaving) === at(zoneOf, joining)) return true
    const after = this.countZones(zoneOf, partition, leaving, joining)
    return after >= needed || after >= this.countZones(zoneOf, partition, none, none)
  }

  /** Whether a slot may be given up. The last holder of the data stays, unless it is the only replica there is. */
  canDrop(partition: number, slot: number): boolean {
    return this.width === 1 || at(this.fresh, slot) === 1 || at(this.holders, partition) > 1
  }

  /** Whether the node's zone would be a new one in the set; always, when zones do not matter. */
  addsZone(partition: number, node: number): boolean {
    if (this.zones === undefined) return true
    const { zoneOf } = this.zones
    return this.countZones(zoneOf, partition, none, node) > this.countZones(zoneOf, partition, none, none)
  }

  /** Adds a node that has the data. */
  keep(partition: number, node: number): void {
    const slot = this.end(partition)
    this.slots[slot] = node
    bump(this.size, partition, 1)
    bump(this.holders, partition, 1)
    this.replicas.gain(node)
  }

  /** Adds a node, which has the data if the old row says so. */
  add(partition: number, node: number): void {
    const slot = this.end(partition)
    this.keep(partition, node)
    if (this.heldBefore(partition, node)) return
    this.fresh[slot] = 1
    bump(this.holders, partition, -1)
  }

  drop(partition: number, slot: number): void {
    this.replicas.lose(at(this.slots, slot))
    if (at(this.fresh, slot) === 0) bump(this.holders, partition, -1)
    bump(this.size, partition, -1)
    const last = this.end(partition)
    this.slots[slot] = at(this.slots, last)
    this.fresh[slot] = at(this.fresh, last)
    this.slots[last] = none
    this.fresh[last] = 0
  }

  setOwner(partition: number, node: number): void {
    const previous = at(this.owner, partition)
    if (previous !== none) this.owners.lose(previous)
    this.owners.gain(node)
    this.owner[partition] = node
  }

  /** Distinct zones of a partition's set without one node and with another (`none`: nobody). */
  private countZones(zoneOf: Int32Array, partition: number, without: number, plus: number): number {
    const first = this.first(partition)
    const end = this.end(partition)
    const plusZone = plus === none ? none : at(zoneOf, plus)
    let zones = plus === none ? 0 : 1
    for (let slot = first; slot < end; slot++) {
      const node = at(this.slots, slot)
      if (node === without) continue
      const zone = at(zoneOf, node)
      let isNew = zone !== plusZone
      for (let earlier = first; earlier < slot && isNew; earlier++) {
        const other = at(this.slots, earlier)
        isNew = other === without || at(zoneOf, other) !== zone
      }
      if (isNew) zones++
    }
    return zones
  }
}
