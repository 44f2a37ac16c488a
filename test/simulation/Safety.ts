/**
 * What must never happen, checked after every step of every process.
 *
 * 1. The version of the view never falls in a process; of a table never within a lineage on an incarnation.
 * 2. One content for each (lineage, version), one acting master for each (lineage, term).
 * 3. Where settling takes a quorum: of two settled views of a lineage the later continues the earlier, and a
 *    lineage continues no other.
 * 4. No process is declared dead by a master while more than half of the voters from which that master
 *    hears have been in contact with it, both ways, for the last six heartbeat intervals.
 * 5. A process that a settled view left out is no voter of any view made from it.
 * 6. A table has an owner for every partition, distinct replicas, and after planning only members.
 * 7. Everything that can grow stays within its bound.
 */
import { HashMap } from "effect"
import * as Bounds from "../../src/domain/protocol/Bounds.ts"
import { type ClusterState, type Joined, selfMember } from "../../src/domain/protocol/ClusterState.ts"
import { type ClusterView, incarnationOf, isVoter, maxAncestors } from "../../src/domain/protocol/ClusterView.ts"
import { termOf } from "../../src/domain/protocol/Version.ts"
import type { ClusterMessage } from "../../src/domain/wire/ClusterMessage.ts"
import { Contacts } from "./Contacts.ts"
import type { Observer, VirtualCluster } from "./VirtualCluster.ts"
import { versionText, type VirtualProcess } from "./VirtualProcess.ts"

export class Violation extends Error {}

interface KnownView {
  readonly view: ClusterView
  readonly content: string
  isSettled: boolean
}

const keyOf = (lineage: string, version: number): string => `${lineage}:${version}`
const processKey = (voter: { readonly nodeId: string; readonly incarnation: number }): string =>
  `${voter.nodeId}@${voter.incarnation}`

export class Safety implements Observer {
  readonly views = new Map<string, KnownView>()
  readonly contacts: Contacts
  /** Told of every view that a master makes. */
  onProposal: ((proposer: VirtualProcess) => void) | undefined
  /** Told of every lineage after the first of which a view settles. */
  onLineage: ((lineage: string) => void) | undefined
  private readonly lastSettled = new Map<string, ClusterView>()
  private readonly world: VirtualCluster
  private readonly actors = new Map<string, string>()
  private readonly viewVersions = new Map<VirtualProcess, number>()
  private readonly tableVersions = new Map<string, number>()

  constructor(world: VirtualCluster) {
    this.world = world
    this.contacts = new Contacts(world)
  }

  received(process: VirtualProcess, from: VirtualProcess, message: ClusterMessage): void {
    if (message.type === "HEARTBEAT") this.contacts.heard(process, from)
  }

  stepped(process: VirtualProcess, before: ClusterState): void {
    const { state } = process
    this.checkBounds(process)
    const { joined } = process
    if (joined === undefined) return
    const old = before.phase._tag === "Joined" ? before.phase : undefined
    if (joined.view !== old?.view) this.viewChanged(process, joined)
    if (joined.settled && (old?.settled !== true || joined.view !== old.view)) this.settled(process, joined)
    if (joined.table !== old?.table) this.tableChanged(process, joined)
    if (process.isActing) this.acts(process, joined)
    if (joined.settled && selfMember(state, joined) === undefined && state.leavingSinceMs === undefined) {
      this.fail(`${process.id} holds a settled view without itself and goes on`)
    }
  }

  fail(text: string): never {
    this.world.note(undefined, `VIOLATION ${text}`)
    throw new Violation(text)
  }

  /**
   * Is the view named first a continuation of the one named second? Of two views made in one step only the last
   * is seen; where the chain is broken by such a one, `unseen` is the answer.
   */
  continues(later: string, earlier: string, unseen = false): boolean {
    for (let key: string | undefined = later; key !== undefined;) {
      if (key === earlier) return true
      const known = this.views.get(key)
      if (known === undefined && this.isBetween(key, earlier)) return unseen
      key = known === undefined ? undefined : keyOf(known.view.parent.lineage, known.view.parent.version)
    }
    return false
  }

  private isBetween(key: string, earlier: string): boolean {
    const [lineage, version] = key.split(":")
    const [earlierLineage, earlierVersion] = earlier.split(":")
    return lineage === earlierLineage && Number(version) > Number(earlierVersion)
  }

  // ---- views ------------------------------------------------------------------------------------------

  private viewChanged(process: VirtualProcess, { view }: Joined): void {
    const known = this.viewVersions.get(process) ?? 0
    if (view.version < known) {
      this.fail(`the view version of ${process.id} falls from ${versionText(known)} to ${versionText(view.version)}`)
    }
    this.viewVersions.set(process, view.version)
    const key = keyOf(view.lineage, view.version)
    const content = `${view.members.map((m) => `${m.nodeId}@${m.incarnation}:${m.state}:${m.joinVersion}`).join()} of ${view.base.voters.map(processKey).join()}`
    const same = this.views.get(key)
    if (same === undefined) {
      this.views.set(key, { view, content, isSettled: false })
      this.proposed(process, view)
      this.onProposal?.(process)
    } else if (same.content !== content) {
      this.fail(`two contents of view ${key}: ${same.content} / ${content}`)
    }
  }

  private proposed(proposer: VirtualProcess, view: ClusterView): void {
    const parent = this.views.get(keyOf(view.parent.lineage, view.parent.version))
    if (parent === undefined) return
    if (view.members.length > proposer.state.node.maxMembers) this.fail("more members than maxMembers")
    if (new Set(view.members.map((member) => member.nodeId)).size < view.members.length) {
      this.fail(`a node id stands twice in ${view.lineage}:${versionText(view.version)}`)
    }
    const before = new Map(parent.view.members.map((member) => [member.nodeId, member]))
    for (const member of view.members) {
      const old = before.get(member.nodeId)
      const isOld = old !== undefined && incarnationOf(old) === incarnationOf(member)
      const wasOut = !isOld || old.state === "dead"
      if (parent.isSettled && wasOut && isVoter(member)) this.fail(`${member.nodeId} comes back into a settled view`)
      const dies = member.state === "dead" && (!isOld || old.state !== "dead")
      if (dies)
        this.declaredDead(
          proposer,
          parent.view,
          processKey({ nodeId: member.nodeId, incarnation: incarnationOf(member) })
        )
    }
  }

  private declaredDead(master: VirtualProcess, parent: ClusterView, dead: string): void {
    const process = this.world.living.find((other) => processKey(other.state.self) === dead)
    if (process === undefined || process.isFrozen || process.joined?.view.lineage !== parent.lineage) return
    const voters = new Set(
      parent.members.filter(isVoter).map((m) => processKey({ nodeId: m.nodeId, incarnation: incarnationOf(m) }))
    )
    const others = this.world.living.filter(
      (other) =>
        other === master ||
        (other !== process && other.joined?.view.lineage === parent.lineage && voters.has(processKey(other.state.self)))
    )
    const heard = others.filter((other) => other === master || this.contacts.isRecent(master, other))
    const witnesses = heard.filter(
      (other) => this.contacts.isMutual(process, other) && (other === master || this.contacts.isMutual(master, other))
    )
    if (2 * witnesses.length > heard.length) {
      this.fail(
        `${master.id} declares ${dead} dead while ${witnesses.map((w) => w.id).join()} of ${heard.map((w) => w.id).join()} are in contact with it`
      )
    }
  }

  private settled(process: VirtualProcess, { view }: Joined): void {
    const key = keyOf(view.lineage, view.version)
    const known = this.views.get(key)
    if (known !== undefined) known.isSettled = true
    const last = this.lastSettled.get(view.lineage)
    if (last === undefined || last.version < view.version) this.lastSettled.set(view.lineage, view)
    if (last === undefined && this.lastSettled.size > 1) this.onLineage?.(view.lineage)
    if (process.state.policy.forks) return
    if (view.ancestors.length > 0) this.fail(`${key} continues another lineage`)
    if (last === undefined) return
    const lastKey = keyOf(last.lineage, last.version)
    const agree = last.version < view.version ? this.continues(key, lastKey, true) : this.continues(lastKey, key, true)
    if (!agree) this.fail(`settled views conflict: ${lastKey} and ${key}`)
  }

  private acts(process: VirtualProcess, joined: Joined): void {
    const key = `${joined.view.lineage} in term ${termOf(joined.view.version)}`
    const actor = processKey(process.state.self)
    const other = this.actors.get(key)
    if (other === undefined) this.actors.set(key, actor)
    else if (other !== actor) this.fail(`two masters of ${key}: ${other} and ${actor}`)
  }

  // ---- tables -----------------------------------------------------------------------------------------

  private tableChanged(process: VirtualProcess, joined: Joined): void {
    const { table } = joined
    const key = `${processKey(process.state.self)} ${joined.view.lineage}`
    if (table.version > 0) {
      const known = this.tableVersions.get(key) ?? 0
      if (table.version < known) this.fail(`the table version of ${process.id} falls from ${known} to ${table.version}`)
      this.tableVersions.set(key, table.version)
    }
    const isNew = table.version === 0 && table.rows.every((row) => row === undefined)
    if (isNew) return
    for (const [id, row] of table.rows.entries()) {
      if (row === undefined || row.owner === "") this.fail(`partition ${id} has no owner in the table of ${process.id}`)
      if (row.partitionId !== id) this.fail(`row ${id} of ${process.id} is of partition ${row.partitionId}`)
      if (new Set([row.owner, ...row.backups]).size !== 1 + row.backups.length) {
        this.fail(`partition ${id} names a replica twice`)
      }
    }
  }

  // ---- bounds -----------------------------------------------------------------------------------------

  private checkBounds(process: VirtualProcess): void {
    const { mesh, phase, node } = process.state
    const within = (name: string, size: number, bound: number): void => {
      if (size > bound) this.fail(`${name} of ${process.id} has ${size} entries, more than ${bound}`)
    }
    within("outside", process.state.split.outside.size, Bounds.maxOutside)
    within("askedAtMs", process.state.split.askedAtMs.size, Bounds.maxForeignLineages)
    within("dials", mesh.dials.size, Bounds.maxDials)
    for (const ids of mesh.links.values()) within("links", ids.length, Bounds.maxConnectionsPerNode)
    if (phase._tag === "Fresh") {
      within("known", phase.known.length, Bounds.maxKnownAddresses)
      within("heard", phase.heard.size, Bounds.maxFreshNodes)
      within("dialFailures", phase.dialFailures.size, Bounds.maxDials)
      return
    }
    const members = phase.view.members.length
    within("members", members, node.maxMembers)
    within("peers", HashMap.size(phase.peers), members + phase.view.base.voters.length + Bounds.maxStrangers)
    within("joins", phase.joins.size, Bounds.maxQueuedJoins)
    within("leaves", phase.leaves.size, members)
    within("suspectSince", phase.suspectSince.size, members)
    within("deadSince", phase.deadSince.size, members)
    within("suspected", phase.suspected.length, members)
    within("ancestors", phase.view.ancestors.length, maxAncestors)
    within("lost", mesh.lost.size, node.maxMembers)
  }
}
