/**
 * What happens next: a binary heap of events by time, first come first served at equal times. Times and places stand in
 * arrays of their own: ordering reads no event.
 */

const firstCapacity = 64

const grown = (numbers: Float64Array): Float64Array => {
  const more = new Float64Array(2 * numbers.length)
  more.set(numbers)
  return more
}

export class EventQueue<Event> {
  nowMs = 0
  private readonly events: Array<Event> = []
  private times: Float64Array = new Float64Array(firstCapacity)
  /** Of each event the number of those pushed before: it breaks ties. */
  private orders: Float64Array = new Float64Array(firstCapacity)
  private scheduled = 0

  /** Schedules `event` at a time, or now if that has passed. It must not be in the queue already. */
  push(event: Event, atMs: number): void {
    const timeMs = Math.max(atMs, this.nowMs)
    let index = this.events.push(event) - 1
    if (index === this.times.length) {
      this.times = grown(this.times)
      this.orders = grown(this.orders)
    }
    const { events, orders, times } = this
    while (index > 0) {
      const parentIndex = (index - 1) >> 1
      const parentMs = times[parentIndex] ?? 0
      const parent = events[parentIndex]
      // What is in the queue already comes first at equal times.
      if (parent === undefined || parentMs <= timeMs) break
      events[index] = parent
      times[index] = parentMs
      orders[index] = orders[parentIndex] ?? 0
      index = parentIndex
    }
    events[index] = event
    times[index] = timeMs
    orders[index] = this.scheduled++
  }

  /** Removes the next event that is due until `untilMs`, and advances the clock to it; or to `untilMs` for none. */
  pop(untilMs: number): Event | undefined {
    const next = this.events[0]
    const nextMs = this.times[0] ?? 0
    if (next === undefined || nextMs > untilMs) {
      this.nowMs = Math.max(this.nowMs, untilMs)
      return undefined
    }
    this.removeFirst()
    this.nowMs = nextMs
    return next
  }

  private removeFirst(): void {
    const { events, orders, times } = this
    const last = events.pop()
    const size = events.length
    if (last === undefined || size === 0) return
    const lastMs = times[size] ?? 0
    const lastOrder = orders[size] ?? 0
    let index = 0
    for (;;) {
      let childIndex = 2 * index + 1
      if (childIndex >= size) break
      let childMs = times[childIndex] ?? 0
      let childOrder = orders[childIndex] ?? 0
      const rightIndex = childIndex + 1
      if (rightIndex < size) {
        const rightMs = times[rightIndex] ?? 0
        const rightOrder = orders[rightIndex] ?? 0
        if (rightMs < childMs || (rightMs === childMs && rightOrder < childOrder)) {
          childIndex = rightIndex
          childMs = rightMs
          childOrder = rightOrder
        }
      }
      const child = events[childIndex]
      if (child === undefined || childMs > lastMs || (childMs === lastMs && childOrder > lastOrder)) break
      events[index] = child
      times[index] = childMs
      orders[index] = childOrder
      index = childIndex
    }
    events[index] = last
    times[index] = lastMs
    orders[index] = lastOrder
  }
}
