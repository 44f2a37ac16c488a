/**
 * No process is declared dead by a master while more than half of the voters from which that master hears have
 * been in contact with it, both ways, for the last six heartbeat intervals.
 */
import { type ClusterView, incarnationOf, isVoter } from "../../domain/protocol/ClusterView.ts"
import type { Contacts } from "./Contacts.ts"
import type { Process } from "./Process.ts"
import { Violation } from "./Violation.ts"

const isIn = (view: ClusterView, process: Process): boolean => process.joined?.view.lineage === view.lineage

const names = (processes: ReadonlyArray<Process>): string => processes.map(({ id }) => id).join()

/** What the check has to know of the world. */
export interface Witnesses {
  readonly nowMs: number
  readonly living: ReadonlyArray<Process>
  readonly contacts: Contacts
}

const checkDead = (
  { contacts, living, nowMs }: Witnesses,
  master: Process,
  parent: ClusterView,
  dead: string
): void => {
  const process = living.find((other) => other.name === dead)
  if (process === undefined || process.isFrozen || !isIn(parent, process)) return
  const voters = new Set(parent.members.filter(isVoter).map((member) => `${member.nodeId}@${incarnationOf(member)}`))
  const heard = living.filter(
    (other) =>
      other === master ||
      (other !== process && isIn(parent, other) && voters.has(other.name) && contacts.isRecent(master, other, nowMs))
  )
  const witnesses = heard.filter(
    (other) => contacts.isMutual(process, other, nowMs) && (other === master || contacts.isMutual(master, other, nowMs))
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
