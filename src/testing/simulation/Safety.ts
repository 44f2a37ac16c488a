/**
 * What must never happen, checked after every step of every process, each time only what the step changed.
 *
 * 1. The version of the view never falls in a process; of a table never within a lineage on an incarnation.
 * 2. One content for each view (lineage, version), one acting master for each (lineage, term).
 * 3. Once a settled view has left an incarnation out, no later settled view of the lineage has it, and it
 *    makes no later view there. No process goes on with a settled view without itself.
 * 4. Where only one side of a split may go on: of two settled views of a lineage the later continues the earlier.
 *    A second lineage is founded only by processes of which one has lost its memory, or with other seeds.
 * 5. Nobody is declared dead who is in contact with most of those that the master hears.
 * 6. Views hold each id once; tables have an owner and distinct replicas for every partition.
 * 7. Everything that can grow stays within its bound.
 */
import type { MemberInfo } from "../../domain/model/MemberInfo.ts"
import * as Bounds from "../../domain/protocol/Bounds.ts"
import { type ClusterState, type Joined, selfMember } from "../../domain/protocol/ClusterState.ts"
import { type ClusterView, incarnationOf, isVoter, maxAncestors } from "../../domain/protocol/ClusterView.ts"
import type { ClusterPartitionTable } from "../../domain/placement/ClusterPartitionTable.ts"
import { onceFor } from "../../domain/protocol/OnceFor.ts"
import { termOf } from "../../domain/protocol/Version.ts"
import { Contacts } from "./Contacts.ts"
import type { Process } from "./Process.ts"
import { checkRemovals } from "./Removal.ts"
import { describeMembers, describeVersion } from "./Transcript.ts"
import { Violation } from "./Violation.ts"

interface KnownView {
  readonly view: ClusterView
  readonly content: string
}

interface KnownLineage {
  /** The latest settled view. */
  settled: ClusterView
  /** Incarnations that a settled view left out, with the lowest version that did. */
  readonly out: Map<string, number>
}

const keyOf = (lineage: string, version: number): string => `${lineage}:${version}`
const nameOf = (view: ClusterView): string => `${view.lineage} ${describeVersion(view.version)}`
// A joiner that is dropped because it was silent may be admitted again: it has never had a say.
const namesOf = onceFor(
  (members: ReadonlyArray<MemberInfo>): ReadonlySet<string> =>
    new Set(members.filter(isVoter).map((member) => `${member.nodeId}@${incarnationOf(member)}`))
)
const namesIn = (view: ClusterView): ReadonlySet<string> => namesOf(view.members)

const fail = (text: string): never => {
  throw new Violation(text)
}

const contentOf = (view: ClusterView): string =>
  `${describeMembers(view.members)} of ${view.base.voters.map((voter) => `${voter.nodeId}@${voter.incarnation}`).join()}`

/** What the checks have to know of the world. */
export interface Surveyed {
  readonly nowMs: number
  readonly living: ReadonlyArray<Process>
  /** May a second cluster be founded: did some process lose its memory, or do the seed lists differ? */
  readonly mayFoundAgain: boolean
  /** Has an operator let members go on without others? */
  readonly hasForgotten: boolean
}

export class Safety {
  readonly contacts = new Contacts()
  private readonly world: () => Surveyed
  private readonly views = new Map<string, KnownView>()
  private readonly lineages = new Map<string, KnownLineage>()
  private readonly actors = new Map<string, string>()
  private readonly viewVersions = new Map<number, number>()
  private readonly incarnationVersions = new Map<string, number>()
  /** For each process and lineage the first version that it held. */
  private readonly heldFrom = new Map<string, number>()
  private readonly tableVersions = new Map<string, number>()
  // Tables are immutable and shared between the nodes of a run: each is checked once.
  private readonly validTables = new WeakSet<ClusterPartitionTable>()

  constructor(world: () => Surveyed) {
    this.world = world
  }

  /** A heartbeat has arrived. */
  heard(listener: Process, speaker: Process): void {
    this.contacts.heard(listener, speaker, this.world().nowMs)
  }

  /** Checks what a step changed. Throws a {@link Violation}. */
  stepped(process: Process, before: ClusterState): void {
    const { state } = process
    if (state.mesh !== before.mesh) this.checkMesh(process)
    if (state.split !== before.split) this.checkSplit(process)
    if (state.peers !== before.peers) this.checkPeers(process)
    if (state.phase === before.phase) return
    this.checkPhase(process, before)
    const { joined } = process
    if (joined === undefined) return
    const old = before.phase._tag === "Joined" ? before.phase : undefined
    const isOther = joined.view !== old?.view
    const wasSettled = old !== undefined && old.settled
    if (isOther) this.viewChanged(process, joined.view)
    if (joined.settled && (isOther || !wasSettled)) this.settled(process, joined)
    if (joined.table !== old?.table) this.tableChanged(process, joined)
    if (isOther || joined.ownTerm !== old?.ownTerm || joined.promise !== old?.promise) this.acts(process, joined)
  }

  /**
   * Is the view named first made from the one named second, or the same? Of two views made in one step only the
   * last is seen: a chain that is broken by one between them counts.
   */
  private continues(later: ClusterView, earlier: ClusterView): boolean {
    const wanted = keyOf(earlier.lineage, earlier.version)
    let isUnseenBetween = false
    for (let key: string | undefined = keyOf(later.lineage, later.version); key !== undefined;) {
      if (key === wanted) return true
      const known: KnownView | undefined = this.views.get(key)
      if (known === undefined) return isUnseenBetween
      const { lineage, version } = known.view.parent
      isUnseenBetween = lineage === earlier.lineage && version > earlier.version
      key = keyOf(lineage, version)
    }
    return false
  }

  // ---- views ------------------------------------------------------------------------------------------

  private viewChanged(process: Process, view: ClusterView): void {
    // A node of the reference may have started anew and count lower: whoever follows it then is a new incarnation.
    const isLed = view.ledBy !== undefined
    const held = isLed ? this.incarnationVersions.get(process.name) : this.viewVersions.get(process.number)
    if (view.version < (held ?? 0)) {
      fail(
        `the view version of ${process.name} falls from ${describeVersion(held ?? 0)} to ${describeVersion(view.version)}`
      )
    }
    this.incarnationVersions.set(process.name, view.version)
    this.viewVersions.set(process.number, Math.max(view.version, this.viewVersions.get(process.number) ?? 0))
    const holder = `${process.name} ${view.lineage}`
    if (!this.heldFrom.has(holder)) this.heldFrom.set(holder, view.version)
    // What a node of the reference says is its word: each of its followers knows of others which are Squadron nodes.
    if (view.ledBy !== undefined) return
    const key = keyOf(view.lineage, view.version)
    const known = this.views.get(key)
    if (known?.view.members === view.members && known.view.base === view.base) return
    const content = contentOf(view)
    if (known === undefined) {
      this.views.set(key, { view, content })
      // Of two views made in one step only the last is seen: the first of them shows up where it arrives.
      if (process.isActing) this.proposed(process, view)
    } else if (known.content !== content) {
      fail(`two contents of view ${nameOf(view)}: ${known.content} / ${content}`)
    }
  }

  private proposed(proposer: Process, view: ClusterView): void {
    const parent = this.views.get(keyOf(view.parent.lineage, view.parent.version))?.view
    if (parent !== undefined) {
      const { living, nowMs } = this.world()
      checkRemovals({ nowMs, living, contacts: this.contacts }, proposer, view, parent)
    }
    if (view.members.length > proposer.state.node.maxMembers) fail(`${nameOf(view)} has more members than maxMembers`)
    if (new Set(view.members.map((member) => member.nodeId)).size < view.members.length) {
      fail(`a node id stands twice in ${nameOf(view)}`)
    }
    const outAt = this.lineages.get(view.lineage)?.out.get(proposer.name)
    if (outAt !== undefined && outAt < view.version) {
      fail(`${proposer.name} makes ${nameOf(view)}, and was put out in ${describeVersion(outAt)}`)
    }
  }

  private settled(process: Process, joined: Joined): void {
    const { view } = joined
    if (process.state.leavingSinceMs === undefined && selfMember(process.state, joined) === undefined) {
      fail(`${process.name} goes on with ${nameOf(view)}, settled without itself`)
    }
    if (view.ledBy !== undefined) return
    const lineage = this.lineages.get(view.lineage)
    const mayFork = process.state.policy.forks || this.world().hasForgotten
    if (!mayFork && view.ancestors.length > 0) fail(`${nameOf(view)} continues another lineage`)
    if (lineage === undefined) {
      if (this.lineages.size > 0 && !mayFork && !this.world().mayFoundAgain) {
        fail(`${nameOf(view)} is settled beside another lineage though nobody was restarted`)
      }
      this.lineages.set(view.lineage, { settled: view, out: new Map() })
      return
    }
    const last = lineage.settled
    if (last.version === view.version) return
    const [earlier, later] = last.version < view.version ? [last, view] : [view, last]
    if (!process.state.policy.forks && !this.continues(later, earlier)) {
      fail(`settled views conflict: ${nameOf(earlier)} and ${nameOf(later)}`)
    }
    const staying = namesIn(later)
    for (const name of namesIn(earlier)) {
      if (staying.has(name)) continue
      lineage.out.set(name, Math.min(later.version, lineage.out.get(name) ?? Number.POSITIVE_INFINITY))
    }
    for (const name of namesIn(view)) {
      const outAt = lineage.out.get(name)
      // A founder that never took the first view knows of nothing: it may come back as it is.
      const heldFrom = this.heldFrom.get(`${name} ${view.lineage}`) ?? Number.POSITIVE_INFINITY
      if (outAt !== undefined && outAt < view.version && heldFrom <= outAt) {
        fail(`${name} is back in the settled ${nameOf(view)}, and was put out in ${describeVersion(outAt)}`)
      }
    }
    lineage.settled = later
  }

  private acts(process: Process, joined: Joined): void {
    if (!process.isActing) return
    const key = `${joined.view.lineage} in term ${termOf(joined.view.version)}`
    const other = this.actors.get(key)
    if (other === undefined) this.actors.set(key, process.name)
    else if (other !== process.name) fail(`two masters of ${key}: ${other} and ${process.name}`)
  }

  // ---- tables -----------------------------------------------------------------------------------------

  private tableChanged(process: Process, { table, view }: Joined): void {
    if (table.version > 0) {
      const key = `${process.name} ${view.lineage}`
      const held = this.tableVersions.get(key) ?? 0
      if (table.version < held) {
        fail(
          `the table version of ${process.name} falls from ${describeVersion(held)} to ${describeVersion(table.version)}`
        )
      }
      this.tableVersions.set(key, table.version)
    }
    if (this.validTables.has(table)) return
    const isNew = table.version === 0 && table.rows.every((row) => row === undefined)
    if (!isNew) {
      for (const [id, row] of table.rows.entries()) {
        if (row === undefined || row.owner === "") fail(`partition ${id} has no owner at ${process.name}`)
        else if (row.partitionId !== id) fail(`row ${id} of ${process.name} is of partition ${row.partitionId}`)
        else if (row.backups.includes(row.owner) || new Set(row.backups).size < row.backups.length) {
          fail(`partition ${id} names a replica twice at ${process.name}`)
        }
      }
    }
    this.validTables.add(table)
  }

  // ---- bounds -----------------------------------------------------------------------------------------

  private checkMesh(process: Process): void {
    const { mesh, node } = process.state
    within(process, "dials", mesh.dials.size, Bounds.maxDials)
    within(process, "lost links", mesh.lost.size, node.maxMembers)
    for (const ids of mesh.links.values()) {
      within(process, "connections of a node", ids.length, Bounds.maxConnectionsPerNode)
    }
  }

  private checkSplit(process: Process): void {
    const { split } = process.state
    within(process, "former members", split.outside.size, Bounds.maxOutside)
    within(process, "foreign lineages", split.askedAtMs.size, Bounds.maxForeignLineages)
  }

  private checkPeers(process: Process): void {
    const { peers, phase } = process.state
    if (phase._tag === "Fresh") return within(process, "peers", peers.size, 0)
    const { base, members } = phase.view
    within(process, "peers", peers.size, members.length + base.voters.length + Bounds.maxStrangers)
  }

  private checkPhase(process: Process, before: ClusterState): void {
    const { node, phase } = process.state
    if (phase._tag === "Fresh") {
      within(process, "known addresses", phase.known.length, Bounds.maxKnownAddresses)
      within(process, "fresh nodes", phase.heard.size, Bounds.maxFreshNodes)
      within(process, "dial failures", phase.dialFailures.size, Bounds.maxDials)
      return
    }
    const old = before.phase._tag === "Joined" ? before.phase : undefined
    const members = phase.view.members.length
    if (phase.view !== old?.view) {
      within(process, "members", members, node.maxMembers)
      within(process, "ancestors", phase.view.ancestors.length, maxAncestors)
    }
    within(process, "queued joins", phase.joins.size, Bounds.maxQueuedJoins)
    within(process, "queued leaves", phase.leaves.size, members)
    within(process, "suspicions of others", phase.suspectSince.size, members)
    within(process, "dead members", phase.deadSince.size, members)
    within(process, "suspicions", phase.suspected.length, members)
  }
}

const within = (process: Process, what: string, size: number, bound: number): void => {
  if (size > bound) fail(`${process.name} holds ${size} ${what}, more than ${bound}`)
}
