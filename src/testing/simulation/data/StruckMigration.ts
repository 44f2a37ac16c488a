/** Does a fault concern a migration that is open when it strikes? So that a spec can tell that it was not in vain. */
import type { Fault } from "../Fault.ts"
import type { World } from "../World.ts"

export const strikesMigration = (world: World, fault: Fault): boolean => {
  const masters = world.living.filter((process) => process.isActing)
  const open = masters.flatMap(({ joined }) => [...(joined?.migrations.open.values() ?? [])])
  const isEnd = (node: string): boolean =>
    open.some(({ destination, source }) => source === node || destination === node) ||
    (open.length > 0 && masters.some(({ id }) => node === id || node === "master"))
  switch (fault._tag) {
    case "Kill":
    case "Freeze":
    case "Leave":
      return isEnd(fault.node)
    case "Partition":
      return open.some(({ destination, source }) => fault.side.includes(source) !== fault.side.includes(destination))
    case "Cut":
    case "BreakLink": {
      const { from, to } = fault
      return open.some(
        ({ destination, source }) => (source === from && destination === to) || (source === to && destination === from)
      )
    }
    default:
      return false
  }
}
