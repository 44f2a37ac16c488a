/**
 * Loads of the nodes against their fair shares.
 *
 * In each group every node should end at the floor of the group's average or one above it. Which nodes
 * end above stays open to the last: to fix them in advance costs copies that nothing demands. So a node
 * `takes` when it is below the floor, or at it while more are wanted above; and it `gives` when it is
 * more than one above, or one above while nodes below the floor cannot be served otherwise.
 */
import { at, bump } from "./Integers.ts"
import { NodeSet } from "./NodeSet.ts"
import type { Shares } from "./ZoneRule.ts"

export class Balance {
  readonly load: Int32Array
  /** Nodes below their group's floor. */
  readonly below: NodeSet
  /** Nodes at their group's floor. */
  readonly level: NodeSet
  private readonly groupOf: Int32Array
  private readonly floor: Int32Array
  /** Per group: how many of its nodes end one above the floor. */
  private readonly ceilings: Int32Array
  /** Per group: what its nodes lack to the floor. */
  private readonly missing: Int32Array
  /** Per group: what its nodes have beyond one above the floor. */
  private readonly surplus: Int32Array
  /** Per group: its total less its present load. */
  private readonly unplaced: Int32Array

  constructor(nodes: number, { groupOf, totals }: Shares) {
    const sizes = new Int32Array(totals.length)
    for (const group of groupOf) bump(sizes, group, 1)
    this.load = new Int32Array(nodes)
    this.groupOf = groupOf
    this.floor = Int32Array.from(totals, (total, group) => Math.floor(total / at(sizes, group)))
    this.ceilings = Int32Array.from(totals, (total, group) => total - at(this.floor, group) * at(sizes, group))
    this.missing = this.floor.map((floor, group) => floor * at(sizes, group))
    this.surplus = new Int32Array(totals.length)
    this.unplaced = Int32Array.from(totals)
    this.below = new NodeSet(nodes)
    this.level = new NodeSet(nodes)
    for (let node = 0; node < nodes; node++) {
      if (at(this.floor, at(groupOf, node)) > 0) this.below.add(node)
      else this.level.add(node)
    }
  }

  gain(node: number): void {
    const group = at(this.groupOf, node)
    const distance = at(this.load, node) - at(this.floor, group)
    bump(this.load, node, 1)
    bump(this.unplaced, group, -1)
    if (distance < 0) bump(this.missing, group, -1)
    else if (distance > 0) bump(this.surplus, group, 1)
    if (distance === -1) {
      this.below.remove(node)
      this.level.add(node)
    } else if (distance === 0) this.level.remove(node)
  }

  lose(node: number): void {
    const group = at(this.groupOf, node)
    const distance = at(this.load, node) - at(this.floor, group)
    bump(this.load, node, -1)
    bump(this.unplaced, group, 1)
    if (distance <= 0) bump(this.missing, group, 1)
    else if (distance > 1) bump(this.surplus, group, -1)
    if (distance === 1) this.level.add(node)
    else if (distance === 0) {
      this.level.remove(node)
      this.below.add(node)
    }
  }

  /** What is left for nodes at the floor once the others are between floor and ceiling; negative: they must give. */
  private spare(group: number): number {
    return at(this.unplaced, group) + at(this.surplus, group) - at(this.missing, group)
  }

  /** By how much the node is above its floor; negative below. */
  excess(node: number): number {
    return at(this.load, node) - at(this.floor, at(this.groupOf, node))
  }

  takes(node: number): boolean {
    const group = at(this.groupOf, node)
    const distance = at(this.load, node) - at(this.floor, group)
    return distance < 0 || (distance === 0 && this.spare(group) > 0)
  }

  gives(node: number): boolean {
    const group = at(this.groupOf, node)
    const distance = at(this.load, node) - at(this.floor, group)
    return distance > 1 || (distance === 1 && this.spare(group) < 0)
  }

  /**
   * The least that nodes must gain in all to reach their shares from the present loads: to the floor, and of
   * the places above it those that no node with a load above the floor already fills.
   */
  fewestGains(): number {
    const above = new Int32Array(this.floor.length)
    for (let node = 0; node < this.load.length; node++) {
      const group = at(this.groupOf, node)
      if (at(this.load, node) > at(this.floor, group)) bump(above, group, 1)
    }
    let gains = 0
    for (let group = 0; group < this.floor.length; group++) {
      gains += at(this.missing, group) + Math.max(0, at(this.ceilings, group) - at(above, group))
    }
    return gains
  }

  anyGives(): boolean {
    for (let node = 0; node < this.load.length; node++) if (this.gives(node)) return true
    return false
  }

  /** Whether a node at its floor may take. */
  levelTakes(): boolean {
    for (let group = 0; group < this.floor.length; group++) if (this.spare(group) > 0) return true
    return false
  }

  /** Whether a node is below its floor or more than one above it. */
  isUneven(): boolean {
    for (let group = 0; group < this.floor.length; group++) {
      if (at(this.missing, group) + at(this.surplus, group) > 0) return true
    }
    return false
  }

  /** By how much nodes are below their floor or more than one above it, summed up. */
  unevenness(): number {
    let sum = 0
    for (let group = 0; group < this.floor.length; group++) sum += at(this.missing, group) + at(this.surplus, group)
    return sum
  }

  /** Whether every node has its share and every group its total. */
  isSettled(): boolean {
    return !this.isUneven() && this.unplaced.every((rest) => rest === 0)
  }
}
