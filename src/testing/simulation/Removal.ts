/**
 * No process is declared dead by a master while more than half of the voters from which that master hears have
 * been in contact with it, both ways, for the last six heartbeat intervals. On rings those voters are its watchers
 * and the stewards, and it is enough that a watcher hears it: contact in the other direction is rare there.
 */
import { type ClusterView, incarnationOf, isVoter } from "../../domain/protocol/ClusterView.ts"
import { peerOf } from "../../domain/protocol/Peers.ts"
import { electorsOf } from "../../domain/protocol/Topology.ts"
import type { Contacts } from "./Contacts.ts"
import type { Process } from "./Process.ts"
import { Violation } from "./Violation.ts"

const isIn = (view: ClusterView, process: Process): boolean => process.joined?.view.lineage === view.lineage

// Whoever has just gone over to another lineage still counts by what it has said before, until the master hears of that.
const hasSaidIn = (view: ClusterView, master: Process, process: Process): boolean => {
  const report = peerOf(master.state, process.id)?.report
  return report?.lineage === view.lineage && report.incarnation === process.state.self.incarnation
}

const names = (processes: ReadonlyArray<Process>): string => processes.map(({ id }) => id).join()

/** What the check has to know of the world. */
export interface Witnesses {
  readonly nowMs: number
  readonly living: ReadonlyArray<Process>
  readonly contacts: Contacts
}

// Reports come that much less often than heartbeats.
const rareIntervals = ({ state }: Process): number =>
  state.timing.reportIntervalMs / state.config.heartbeatIntervalMs - 1

const checkDead = (
  { contacts, living, nowMs }: Witnesses,
  master: Process,
  parent: ClusterView,
  dead: string
): void => {
  const process = living.find((other) => other.name === dead)
  if (process === undefined || process.isFrozen || !isIn(parent, process)) return
  const electors = electorsOf(master.state, parent, process.id)
  const voters = new Set(parent.members.filter(isVoter).map((member) => `${member.nodeId}@${incarnationOf(member)}`))
  const heard = living.filter(
    (other) =>
      other === master ||
      (other !== process &&
        (isIn(parent, other) || hasSaidIn(parent, master, other)) &&
        voters.has(other.name) &&
        electors?.has(other.id) !== false &&
        contacts.isRecent(master, other, nowMs, electors === undefined ? 0 : rareIntervals(master)))
  )
  const witnesses = heard.filter((other) =>
    electors === undefined
      ? contacts.isMutual(process, other, nowMs) && (other === master || contacts.isMutual(master, other, nowMs))
      : contacts.isLong(other, process, nowMs)
  )
  if (2 * witnesses.length > heard.length) {
    throw new Violation(
      `${master.id} declares ${dead} dead while ${names(witnesses)} of ${names(heard)} are in contact with it`
    )
  }
}

/** Checks whom a view declares dead that `parent`, from which it was made, did not. */
export const checkRemovals = (witnesses: Witnesses, master: Process, view: ClusterView, parent: ClusterView): void => {
  for (const member of view.members) {
    if (member.state !== "dead") continue
    const old = parent.members.find(({ nodeId }) => nodeId === member.nodeId)
    const wasDead = old?.state === "dead" && incarnationOf(old) === incarnationOf(member)
    if (!wasDead) checkDead(witnesses, master, parent, `${member.nodeId}@${incarnationOf(member)}`)
  }
}
