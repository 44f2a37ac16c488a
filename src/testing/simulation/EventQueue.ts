/**
 * What happens next: a binary heap of events by time, first come first served at equal times. An event is
 * an object that carries its own place in time, so that scheduling allocates nothing.
 */

export interface Timed {
  atMs: number
  /** Given by the queue: breaks ties. */
  order: number
}

const isBefore = (a: Timed, b: Timed): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)

export class EventQueue<Event extends Timed> {
  nowMs = 0
  private readonly heap: Array<Event> = []
  private scheduled = 0

  /** Schedules `event` at its `atMs`, or now if that has passed. It must not be in the queue already. */
  push(event: Event): void {
    const { heap } = this
    event.atMs = Math.max(event.atMs, this.nowMs)
    event.order = this.scheduled++
    let index = heap.length
    heap.push(event)
    while (index > 0) {
      const parentIndex = (index - 1) >> 1
      const parent = heap[parentIndex]
      if (parent === undefined || isBefore(parent, event)) break
      heap[index] = parent
      index = parentIndex
    }
    heap[index] = event
  }

  /** Removes the next event that is due until `untilMs`, and advances the clock to it; or to `untilMs` for none. */
  pop(untilMs: number): Event | undefined {
    const next = this.heap[0]
    if (next === undefined || next.atMs > untilMs) {
      this.nowMs = Math.max(this.nowMs, untilMs)
      return undefined
    }
    this.removeFirst()
    this.nowMs = next.atMs
    return next
  }

  private removeFirst(): void {
    const { heap } = this
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let index = 0
    for (;;) {
      let childIndex = 2 * index + 1
      let child = heap[childIndex]
      if (child === undefined) break
      const right = heap[childIndex + 1]
      if (right !== undefined && isBefore(right, child)) {
        child = right
        childIndex++
      }
      if (!isBefore(child, last)) break
      heap[index] = child
      index = childIndex
    }
    heap[index] = last
  }
}
