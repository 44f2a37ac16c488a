/**
 * What must be true once nothing goes wrong any more: all living processes hold one settled view of exactly
 * themselves, in one lineage, with one master, full links, and one complete and balanced table.
 */
import type { Joined } from "../../domain/protocol/ClusterState.ts"
import { incarnationOf } from "../../domain/protocol/ClusterView.ts"
import type { Process } from "./Process.ts"
import { describeMembers, describeVersion } from "./Transcript.ts"

const spread = (counts: ReadonlyMap<string, number>): number => {
  const numbers = [...counts.values()]
  return Math.max(...numbers) - Math.min(...numbers)
}

/** What is wrong with a table of these members, of which each partition should have so many backups. */
const tableFault = ({ table }: Joined, ids: ReadonlyArray<string>, backups: number): string | undefined => {
  const owned = new Map(ids.map((id) => [id, 0]))
  const held = new Map(ids.map((id) => [id, 0]))
  for (const [id, row] of table.rows.entries()) {
    if (row === undefined) return `partition ${id} has no row`
    if (row.backups.length !== backups) return `partition ${id} has ${row.backups.length} backups, not ${backups}`
    owned.set(row.owner, (owned.get(row.owner) ?? 0) + 1)
    for (const replica of [row.owner, ...row.backups]) {
      const count = held.get(replica)
      if (count === undefined) return `the table names ${replica}, which is no member`
      held.set(replica, count + 1)
    }
  }
  if (spread(owned) > 1) return `owners are uneven: ${[...owned.values()].join()}`
  if (spread(held) > 2) return `replicas are uneven: ${[...held.values()].join()}`
  return undefined
}

// Tables are immutable, and agreement is looked at again and again: a good one is checked once for the same members.
const good = new WeakMap<Joined["table"], string>()

const checkTable = (joined: Joined, ids: ReadonlyArray<string>, backups: number): string | undefined => {
  const asked = `${backups} ${ids.join()}`
  if (good.get(joined.table) === asked) return undefined
  const fault = tableFault(joined, ids, backups)
  if (fault === undefined) good.set(joined.table, asked)
  return fault
}

const membersFault = (process: Process, joined: Joined, side: ReadonlyMap<string, Process>): string | undefined => {
  const { members } = joined.view
  const isSide =
    members.length === side.size &&
    members.every(
      (member) => member.state === "active" && side.get(member.nodeId)?.state.self.incarnation === incarnationOf(member)
    )
  return isSide
    ? undefined
    : `the view of ${process.name} is [${describeMembers(members)}], and its lineage ${[...side.values()].map(({ name }) => name).join(", ")}`
}

const linksFault = (process: Process, ids: ReadonlyArray<string>): string | undefined => {
  const { id, state } = process
  for (const other of ids) {
    const links = other === id ? 1 : (state.mesh.links.get(other)?.length ?? 0)
    if (links !== 1) return `${process.name} has ${links} connections to ${other}`
  }
  return undefined
}

/** Why these processes of one lineage do not agree yet. */
const sideFault = (processes: ReadonlyArray<Process>): string | undefined => {
  const side = new Map(processes.map((process) => [process.id, process]))
  const ids = [...side.keys()]
  let first: { readonly name: string; readonly joined: Joined } | undefined
  for (const process of processes) {
    const { joined, name } = process
    if (joined === undefined) return `${name} has no view`
    if (!joined.settled) return `the view of ${name} is not settled`
    const differs = (mine: number, others: number): string =>
      `${name} holds ${describeVersion(mine)}, ${first?.name} ${describeVersion(others)}`
    if (first === undefined) {
      first = { name, joined }
      const fault = membersFault(process, joined, side)
      if (fault !== undefined) return fault
    }
    if (joined.view.version !== first.joined.view.version) {
      return `views differ: ${differs(joined.view.version, first.joined.view.version)}`
    }
    if (joined.table.version !== first.joined.table.version) {
      return `tables differ: ${differs(joined.table.version, first.joined.table.version)}`
    }
    const backups = Math.min(process.state.config.backupCount, ids.length - 1)
    const fault = linksFault(process, ids) ?? checkTable(joined, ids, backups)
    if (fault !== undefined) return fault
  }
  const acting = processes.filter((process) => process.isActing)
  return acting.length === 1 ? undefined : `${acting.length} of ${ids.join(", ")} act as master`
}

/** The processes by the lineage of their view. */
export const lineagesOf = (processes: ReadonlyArray<Process>): ReadonlyMap<string, ReadonlyArray<Process>> =>
  Map.groupBy(processes, (process) => process.joined?.view.lineage ?? "")

/** Why the living processes do not agree, or `undefined` when they do. */
export const disagreement = (processes: ReadonlyArray<Process>): string | undefined => {
  const lonely = processes.find((process) => process.joined === undefined)
  if (lonely !== undefined) return `${lonely.name} has no view`
  const lineages = lineagesOf(processes)
  return lineages.size > 1
    ? `there are ${lineages.size} lineages: ${[...lineages.keys()].join()}`
    : sideFault(processes)
}
