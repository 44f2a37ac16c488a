/**
 * What must be true once nothing goes wrong any more: all living processes hold one settled view of exactly
 * themselves, in one lineage, with one master, full links, and one complete and balanced table.
 */
import { type Joined, selfMember } from "../../domain/protocol/ClusterState.ts"
import { incarnationOf, isReference, masterByAge } from "../../domain/protocol/ClusterView.ts"
import type { Process } from "./Process.ts"
import type { ReferenceHosts } from "./reference/ReferenceHosts.ts"
import { believedMaster, believesToLead } from "./reference/ReferenceState.ts"
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

const membersFault = (
  process: Process,
  joined: Joined,
  side: ReadonlyMap<string, Process>,
  references: ReferenceHosts | undefined
): string | undefined => {
  const members = joined.view.members.filter((member) => !isReference(member))
  for (const { nodeId, state } of joined.view.members.filter(isReference)) {
    // Whom else it calls dead is its own matter, as long as it takes the master for the master.
    const reference = references?.get(nodeId)
    if (reference === undefined) return `the view of ${process.name} has ${nodeId}, which is gone`
    const believed = believedMaster(reference.state)
    if (state !== "active") return `${nodeId} is ${state}`
    if (believed !== masterByAge(joined.view)?.nodeId) return `${nodeId} takes ${believed} for the master`
  }
  const isSide =
    members.length === side.size &&
    members.every(
      (member) => member.state === "active" && side.get(member.nodeId)?.state.self.incarnation === incarnationOf(member)
    )
  return isSide
    ? undefined
    : `the view of ${process.name} is [${describeMembers(members)}], and its lineage ${[...side.values()].map(({ name }) => name).join(", ")}`
}

const linksFault = (
  process: Pick<Process, "id" | "name" | "state">,
  ids: ReadonlyArray<string>
): string | undefined => {
  const { id, state } = process
  for (const other of ids) {
    const links = other === id ? 1 : (state.mesh.links.get(other)?.length ?? 0)
    if (links !== 1) return `${process.name} has ${links} connections to ${other}`
  }
  return undefined
}

/** Why these processes of one lineage do not agree yet. */
const sideFault = (processes: ReadonlyArray<Process>, references: ReferenceHosts | undefined): string | undefined => {
  const side = new Map(processes.map((process) => [process.id, process]))
  const ids = [...side.keys()]
  let first: { readonly name: string; readonly joined: Joined; readonly process: Process } | undefined
  for (const process of processes) {
    const { joined, name } = process
    if (joined === undefined) return `${name} has no view`
    if (!joined.settled) return `the view of ${name} is not settled`
    const differs = (mine: number, others: number): string =>
      `${name} holds ${describeVersion(mine)}, ${first?.name} ${describeVersion(others)}`
    if (first === undefined) {
      first = { name, joined, process }
      const fault = membersFault(process, joined, side, references)
      if (fault !== undefined) return fault
    }
    if (joined.view.version !== first.joined.view.version) {
      return `views differ: ${differs(joined.view.version, first.joined.view.version)}`
    }
    if (joined.table.version !== first.joined.table.version) {
      return `tables differ: ${differs(joined.table.version, first.joined.table.version)}`
    }
    const linkFault = linksFault(process, ids)
    if (linkFault !== undefined) return linkFault
    // All hold one view.
    if (process !== first.process && joined.table === first.joined.table) continue
    const holders = [...ids, ...joined.view.members.filter(isReference).map(({ nodeId }) => nodeId)]
    const backups = Math.min(process.state.config.backupCount, holders.length - 1)
    const fault = checkTable(joined, holders, backups)
    if (fault !== undefined) return fault
  }
  const acting = processes.filter((process) => process.isActing)
  return acting.length === 1 ? undefined : `${acting.length} of ${ids.join(", ")} act as master`
}

// Followers of a node of the reference hold what it last said, which may be less than it knows.
const ledFault = (processes: ReadonlyArray<Process>, references: ReferenceHosts | undefined): string | undefined => {
  const [first] = processes
  for (const { joined, name, state } of processes) {
    const leader = references?.get(joined?.view.ledBy ?? "")
    if (joined === undefined || leader === undefined) return `${name} follows ${joined?.view.ledBy}, which is gone`
    if (!believesToLead(leader.state)) return `${name} follows ${leader.host}, which does not lead`
    if (joined.view.version !== first?.joined?.view.version) return `${name} and ${first?.name} hold different views`
    if (selfMember(state, joined)?.state !== "active") return `${name} is not active in the view that it follows`
    const links = joined.view.members.filter((member) => !isReference(member))
    const fault = linksFault(
      { id: state.self.nodeId, name, state },
      links.map(({ nodeId }) => nodeId)
    )
    if (fault !== undefined) return fault
    if (links.length !== processes.length) return `${name} knows ${links.length} of ${processes.length} Squadron nodes`
  }
  return undefined
}

/** The processes by the lineage of their view. */
export const lineagesOf = (processes: ReadonlyArray<Process>): ReadonlyMap<string, ReadonlyArray<Process>> =>
  Map.groupBy(processes, (process) => process.joined?.view.lineage ?? "")

/** Why the living processes do not agree, or `undefined` when they do. */
export const disagreement = (processes: ReadonlyArray<Process>, references?: ReferenceHosts): string | undefined => {
  const lonely = processes.find((process) => process.joined === undefined)
  if (lonely !== undefined) return `${lonely.name} has no view`
  const lineages = lineagesOf(processes)
  return lineages.size > 1
    ? `there are ${lineages.size} lineages: ${[...lineages.keys()].join()}`
    : processes.some((process) => process.joined?.view.ledBy !== undefined)
      ? ledFault(processes, references)
      : sideFault(processes, references)
}
