/** A heartbeat arrives: a sign of life, a report, an acknowledgement, and perhaps a vote or a request for one. */
import type { NodeId } from "../model/Scalars.ts"
import type { HeartbeatPayload } from "../wire/HeartbeatMessages.ts"
import { markSettled } from "./Adoption.ts"
import { isActing, type Joined, type Report } from "./ClusterState.ts"
import { hasSay, incarnationOf, memberAs, memberOf, relate } from "./ClusterView.ts"
import * as Duties from "./Duties.ts"
import * as Following from "./Following.ts"
import * as Heartbeat from "./Heartbeat.ts"
import * as Leaving from "./Leaving.ts"
import * as Mastership from "./Mastership.ts"
import * as Mesh from "./Mesh.ts"
import type { ConnectionId } from "./MeshState.ts"
import { heard, mayRepair, peerOf, setPeer } from "./Peers.ts"
import { probeBack } from "./Probing.ts"
import * as References from "./References.ts"
import { membersUpdate } from "./Settlement.ts"
import * as Surplus from "./Surplus.ts"
import * as Suspicion from "./Suspicion.ts"
import * as TableSharing from "./TableSharing.ts"
import { hears, ringsIn } from "./Topology.ts"
import type { Step } from "./Transition.ts"
import { expelIfOut } from "./ViewUpdate.ts"

export type HeartbeatOutcome = "notJoined" | "stale" | Following.HeardOutcome

const saidIn = (joined: Joined, heartbeat: HeartbeatPayload): Report => {
  const { suspectedNodes } = heartbeat
  const mostSuspects = joined.view.members.length
  return {
    incarnation: heartbeat.incarnation ?? 0,
    lineage: heartbeat.lineage ?? "",
    version: heartbeat.membersViewVersion,
    settled: heartbeat.settled ?? 0,
    promise: { term: heartbeat.promise ?? 0, to: heartbeat.promisedTo ?? "" },
    // Nobody can suspect more nodes than there are members.
    suspected: suspectedNodes.length > mostSuspects ? suspectedNodes.slice(0, mostSuspects) : suspectedNodes,
    tableVersion: heartbeat.tableVersion ?? 0,
    votes: true
  }
}

// As a rule a peer says what it has said before.
const isSame = (known: Report, heartbeat: HeartbeatPayload): boolean =>
  known.votes &&
  known.incarnation === heartbeat.incarnation &&
  known.lineage === heartbeat.lineage &&
  known.version === heartbeat.membersViewVersion &&
  known.settled === heartbeat.settled &&
  known.promise.term === heartbeat.promise &&
  known.promise.to === heartbeat.promisedTo &&
  known.tableVersion === heartbeat.tableVersion &&
  (known.suspected === heartbeat.suspectedNodes ||
    (known.suspected.length === 0 && heartbeat.suspectedNodes.length === 0))

const reportFrom = (joined: Joined, heartbeat: HeartbeatPayload, known: Report | undefined): Report => {
  const isKnown = known !== undefined && known.lineage !== "" && isSame(known, heartbeat)
  if (isKnown && known.suspected.length <= joined.view.members.length) return known
  const report = saidIn(joined, heartbeat)
  const isReference =
    report.lineage === "" && hasSay(joined.view, joined.settled, { nodeId: heartbeat.senderId, incarnation: 0 })
  if (!isReference) return report
  // It takes every view for settled, and counts its own versions of what it has seen happen.
  const { lineage, version } = joined.view
  return {
    ...report,
    lineage,
    settled: joined.settled ? version : 0,
    // By its detector one late heartbeat is enough.
    suspected: [],
    tableVersion: joined.table.version,
    votes: false
  }
}

// Reports over an old connection may arrive late; what a process says only ever rises.
const isStale = (known: Report | undefined, report: Report): boolean =>
  known !== undefined &&
  known !== report &&
  report.votes &&
  known.incarnation === report.incarnation &&
  known.lineage === report.lineage &&
  (report.version < known.version || report.promise.term < known.promise.term)

// Someone who is no contact of ours speaks of our history: give it what it lacks, or ask for what we lack. It may
// be a process that another one has replaced, so the answer goes where the heartbeat came from.
const answerStranger = (step: Step, joined: Joined, connection: ConnectionId, report: Report): void => {
  const relation = relate(joined.view, report)
  const lags = relation === "older" || (relation === "same" && report.settled < joined.view.version)
  if (lags && joined.settled) Mesh.reply(step, connection, membersUpdate(joined))
  else if (relation === "newer" || relation === "foreign") {
    Mesh.reply(step, connection, Heartbeat.heartbeat(step, joined))
  }
}

/**
 * Does `from` say again what it has said before, to a node that holds the same settled view and expects nothing of it?
 * Nothing follows then but that it lives: so most heartbeats are, and every other one takes the long way.
 */
const isSignOfLife = (step: Step, joined: Joined, heartbeat: HeartbeatPayload, known: Report): boolean => {
  const { settled, suspected, view } = joined
  const { leavingSinceMs, self } = step.state
  if (!settled || suspected.length > 0 || leavingSinceMs !== undefined || joined.claimedAtMs !== undefined) return false
  if (known.lineage !== view.lineage || known.version !== view.version || known.settled !== view.version) return false
  if (known.suspected.length > 0 || known.tableVersion < joined.table.version || !isSame(known, heartbeat)) return false
  const asksForVote = known.promise.to === heartbeat.senderId && known.promise.term > joined.promise.term
  const member = memberOf(view, heartbeat.senderId)
  const own = memberAs(view, self)
  return (
    !asksForVote &&
    member !== undefined &&
    member.incarnation === known.incarnation &&
    member.state !== "joining" &&
    own !== undefined &&
    own.state !== "dead"
  )
}

// A detector learns from regular heartbeats only.
const tellDetector = (step: Step, joined: Joined, from: NodeId): void => {
  if (hears(ringsIn(step.state, joined.view), joined.view, step.self.nodeId, from) === "beats") {
    step.run({ _tag: "DetectorHeartbeat", nodeId: from, atMs: step.nowMs })
  }
}

export const receive = (step: Step, heartbeat: HeartbeatPayload, connection: ConnectionId): HeartbeatOutcome => {
  const from = heartbeat.senderId
  const joined = step.joined
  if (joined === undefined) return "notJoined"
  Surplus.heard(step, joined, heartbeat, connection)
  if (Following.isLed(joined)) return Following.heard(step, joined, from, saidIn(joined, heartbeat), connection)
  const before = peerOf(step.state, from)?.report
  if (before !== undefined && isSignOfLife(step, joined, heartbeat, before)) {
    heard(step, from, before)
    tellDetector(step, joined, from)
    return "heard"
  }
  const report = reportFrom(joined, heartbeat, before)
  const voter = { nodeId: from, incarnation: report.incarnation }
  const member = memberOf(joined.view, from)
  const isMember = member !== undefined && incarnationOf(member) === report.incarnation
  const relation = relate(joined.view, report)
  if (member === undefined && References.takeBack(step, joined, heartbeat, connection)) return "heard"
  // Another process of that id: what is meant for the member must not go to it.
  if (member !== undefined && !isMember && heartbeat.incarnation !== undefined) {
    Mesh.disown(step, connection, true)
  }
  if (relation === "foreign") {
    // It moved to another lineage, or continues ours where we do not know it: let the newer one show. What it
    // said in our lineage does not count any more.
    if (isMember && before !== undefined) setPeer(step, from, { report: undefined })
    // Without forks a process is never in two lineages: it will not come back to ours.
    if (isMember && !step.state.policy.forks) Suspicion.prove(step, member, "it is in another cluster")
    if (mayRepair(step, from)) answerStranger(step, joined, connection, report)
    probeBack(step, connection, report.lineage)
    return "foreignLineage"
  }
  if (!hasSay(joined.view, joined.settled, voter)) {
    if (mayRepair(step, from)) answerStranger(step, joined, connection, report)
    return "notInView"
  }
  if (isStale(before, report)) return "stale"

  const accusesOthers =
    report.suspected.length > 0 && report.suspected.some((nodeId) => before?.suspected.includes(nodeId) !== true)
  heard(step, from, report)
  if (report.votes) tellDetector(step, joined, from)
  else {
    step.run({ _tag: "DetectorHeartbeat", nodeId: from, atMs: step.nowMs })
    References.heard(step, from, report)
  }
  if (relation === "same" && report.settled === joined.view.version) markSettled(step)
  if (Leaving.exitWhenSettled(step)) return "heard"
  Suspicion.clear(step, from)
  repair(step, from, report, relation)
  if (expelIfOut(step)) return "heard"

  if (member !== undefined && isMember) Mastership.considerVote(step, member, report)
  if (step.joined?.claimedAtMs !== undefined) Mastership.tryWin(step)
  const now = step.joined
  if (now !== undefined && (accusesOthers || Duties.isDue(now, memberOf(now.view, from)))) Duties.run(step)
  TableSharing.repair(step, from, report)
  return "heard"
}

// Whoever lags behind gets the view; whoever has it and does not know that it is settled gets our heartbeat.
const repair = (step: Step, from: string, report: Report, relation: ReturnType<typeof relate>): void => {
  const joined = step.joined
  if (joined === undefined) return
  const unaware = relation === "same" && joined.settled && report.settled < joined.view.version
  // On rings whoever beats to us may never hear what we hold.
  const mustAsk = report.votes && relation === "newer" && ringsIn(step.state, joined.view) !== undefined
  if (relation !== "older" && !unaware && !mustAsk) return
  if (!report.votes && !(joined.settled && isActing(step.state, joined))) return
  if (!mayRepair(step, from)) return
  if (unaware || mustAsk) Heartbeat.beatTo(step, from)
  else Mesh.sendTo(step, from, membersUpdate(joined))
}
