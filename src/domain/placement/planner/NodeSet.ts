/** A set of node indexes with constant-time changes, read by position. */
import { at, none } from "./Integers.ts"

export class NodeSet {
  size = 0
  private readonly items: Int32Array
  private readonly positions: Int32Array

  constructor(nodes: number) {
    this.items = new Int32Array(nodes)
    this.positions = new Int32Array(nodes).fill(none)
  }

  /** The node at `position`, 0…`size` − 1. Positions change when nodes leave. */
  get(position: number): number {
    return at(this.items, position)
  }

  has(node: number): boolean {
    return at(this.positions, node) !== none
  }

  add(node: number): void {
    this.positions[node] = this.size
    this.items[this.size++] = node
  }

  /** Takes out a node that is in the set; the last one gets its position. */
  remove(node: number): void {
    const position = at(this.positions, node)
    const last = at(this.items, --this.size)
    this.items[position] = last
    this.positions[last] = position
    this.positions[node] = none
  }
}
