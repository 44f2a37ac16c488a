/** Has the data of a world come to rest: every copy where it belongs and equal, nothing under way, nothing astray? */
import type { World } from "../World.ts"
import type { DataPlanes, Plane } from "./DataPlanes.ts"

const planeFault = (plane: Plane): string | undefined => {
  const { process, state, store } = plane
  const { name } = process
  if (!state.isListed) return `${name} is not listed`
  if (state.requests.size > 0) return `${name} has ${state.requests.size} requests under way`
  if (state.recovering.size > 0) return `${state.recovering.size} partitions are recovering at ${name}`
  const { table } = state.sight
  for (const partition of state.partitions.values()) {
    const row = table.rows[partition.id]
    const isReplica = row !== undefined && (row.owner === process.id || row.backups.includes(process.id))
    const what = `partition ${partition.id} of ${name}`
    if (partition.copyOut !== undefined) return `${what} is being copied to ${partition.copyOut.destination}`
    if (partition.copyIn !== undefined) return `${what} is being copied in`
    if (partition.readied !== undefined) return `${what} waits for the master's word`
    if (partition.pending.size > 0) return `${what} has ${partition.pending.size} writes pending`
    if (partition.suspendedTo > table.version) return `${what} is suspended`
    if (!isReplica && partition.hasData && !partition.isSetAside) return `${what} is a stray`
  }
  for (const id of store.filled) {
    const row = table.rows[id]
    if (state.partitions.get(id)?.isSetAside === true) continue
    if (row?.owner !== process.id && row?.backups.includes(process.id) !== true) return `${name} stores the stray ${id}`
  }
  return undefined
}

const copiesFault = (planes: ReadonlyArray<Plane>): string | undefined => {
  const byId = new Map(planes.map((plane) => [plane.process.id, plane]))
  for (const plane of planes) {
    for (const row of plane.state.sight.table.rows) {
      if (row?.owner !== plane.process.id) continue
      const digest = plane.store.digest(row.partitionId)
      for (const backup of row.backups) {
        const other = byId.get(backup)
        if (other === undefined) return `partition ${row.partitionId} has a backup ${backup} that is not there`
        if (other.store.digest(row.partitionId) !== digest) {
          return `partition ${row.partitionId} differs between ${row.owner} and ${backup}`
        }
      }
    }
  }
  return undefined
}

/** Why the data has not come to rest, or `undefined` when it has. */
export const unrest = (world: World, data: DataPlanes): string | undefined => {
  const planes = [...data.planes.values()].filter(({ process }) => process.isAlive)
  for (const plane of planes) {
    const fault = planeFault(plane)
    if (fault !== undefined) return fault
  }
  for (const { joined, name } of world.living) {
    const open = joined?.migrations.open.size ?? 0
    if (open > 0) return `${open} migrations are open at ${name}`
  }
  return copiesFault(planes)
}
