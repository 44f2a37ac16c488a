/** What must be true once nothing goes wrong any more: or the first thing that is not. */
import type { Joined } from "../../src/domain/protocol/ClusterState.ts"
import { versionText, type VirtualProcess } from "./VirtualProcess.ts"

const spread = (counts: ReadonlyArray<number>): number => Math.max(...counts) - Math.min(...counts)

/** Who owns how many partitions, and who holds how many replicas. */
const countReplicas = (joined: Joined, ids: ReadonlyArray<string>) => {
  const owned = new Map(ids.map((id) => [id, 0]))
  const held = new Map(ids.map((id) => [id, 0]))
  const strangers: Array<string> = []
  for (const row of joined.table.rows) {
    if (row === undefined) continue
    owned.set(row.owner, (owned.get(row.owner) ?? 0) + 1)
    for (const id of [row.owner, ...row.backups]) {
      held.set(id, (held.get(id) ?? 0) + 1)
      if (!ids.includes(id)) strangers.push(id)
    }
  }
  return { owned: [...owned.values()], held: [...held.values()], strangers }
}

const tableFault = (process: VirtualProcess, joined: Joined, ids: ReadonlyArray<string>): string | undefined => {
  const backups = Math.min(process.state.config.backupCount, ids.length - 1)
  for (const [id, row] of joined.table.rows.entries()) {
    if (row === undefined) return `partition ${id} has no row at ${process.id}`
    if (row.backups.length !== backups) return `partition ${id} has ${row.backups.length} backups, not ${backups}`
  }
  const { owned, held, strangers } = countReplicas(joined, ids)
  if (strangers.length > 0) return `the table names ${strangers[0]}, which is no member`
  if (spread(owned) > 1) return `owners are uneven: ${owned.join()}`
  if (spread(held) > 2) return `replicas are uneven: ${held.join()}`
  return undefined
}

/** Why these processes of one lineage do not agree yet. */
const sideFault = (side: ReadonlyArray<VirtualProcess>): string | undefined => {
  const ids = side.map((process) => process.id)
  const wanted = side
    .map(({ state: { self } }) => `${self.nodeId}@${self.incarnation}:active`)
    .toSorted()
    .join(" ")
  let first: Joined | undefined
  for (const process of side) {
    const { joined } = process
    if (joined === undefined) return `${process.id} has no view`
    first ??= joined
    if (joined.view.version !== first.view.version) return `${process.id} holds another version`
    if (!joined.settled) return `${process.id} holds an unsettled view`
    const members = joined.view.members
      .map((m) => `${m.nodeId}@${m.incarnation}:${m.state}`)
      .toSorted()
      .join(" ")
    if (members !== wanted) return `the view of ${process.id} is ${members}, not ${wanted}`
    if (joined.table.version !== first.table.version) {
      return `${process.id} holds table ${versionText(joined.table.version)}, not ${versionText(first.table.version)}`
    }
    const { links } = process.state.mesh
    const missing = ids.find((id) => id !== process.id && (links.get(id) ?? []).length !== 1)
    if (missing !== undefined) return `${process.id} has ${links.get(missing)?.length ?? 0} links to ${missing}`
    const fault = tableFault(process, joined, ids)
    if (fault !== undefined) return fault
  }
  const acting = side.filter((process) => process.isActing)
  return acting.length === 1 ? undefined : `${acting.length} act as master`
}

/** The processes by the lineage of their view; those without a view apart. */
export const sidesOf = (processes: ReadonlyArray<VirtualProcess>): ReadonlyMap<string, ReadonlyArray<VirtualProcess>> =>
  Map.groupBy(processes, (process) => process.joined?.view.lineage ?? "")

/** Why the living processes have not converged to one lineage; `undefined` when they have. */
export const convergenceFault = (processes: ReadonlyArray<VirtualProcess>): string | undefined => {
  const sides = sidesOf(processes)
  const fresh = sides.get("")?.[0]
  if (fresh !== undefined) return `${fresh.id} has no view`
  if (sides.size > 1) return `${sides.size} lineages: ${[...sides.keys()].join()}`
  for (const side of sides.values()) {
    const fault = sideFault(side)
    if (fault !== undefined) return fault
  }
  return undefined
}
