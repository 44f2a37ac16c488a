/**
 * Going in good order, once it has handed over what it holds (see `Draining`). A leaver repeats its request until it is
 * out of a settled view; a leaving master proposes a view without itself and exits only when a quorum of that view
 * reports it settled, or the survivors would never learn of it and take the leaver for dead.
 */
import { Option } from "effect"
import type { LeaveRequestPayload } from "../wire/MembershipMessages.ts"
import { type Fresh, isActing, selfMember } from "./ClusterState.ts"
import { incarnationOf, isVoter, masterByAge, memberOf, votersOf } from "./ClusterView.ts"
import type { Voter } from "../wire/Extensions.ts"
import * as Draining from "./Draining.ts"
import * as Duties from "./Duties.ts"
import * as Heartbeat from "./Heartbeat.ts"
import * as Mesh from "./Mesh.ts"
import { peerOf } from "./Peers.ts"
import type { Step } from "./Transition.ts"

export type LeaveOutcome = "queued" | "notMaster" | "notMember" | "otherIncarnation"

const stop = (step: Step): void => step.run({ _tag: "Stop", reason: { _tag: "Left" } })

/** This node is asked to leave. */
export const begin = (step: Step): void => {
  if (step.state.leavingSinceMs !== undefined) return
  const drains = step.state.carriesData && step.joined !== undefined
  const drainUntilMs = drains ? step.nowMs + step.state.node.drainTimeoutMs : undefined
  step.set({ leavingSinceMs: step.nowMs, drainUntilMs })
  step.note("leaving the cluster")
  tick(step)
}

/** A member asks the master to go. */
export const receive = (step: Step, request: LeaveRequestPayload): LeaveOutcome => {
  const joined = step.joined
  if (joined === undefined || !isActing(step.state, joined)) return "notMaster"
  const member = memberOf(joined.view, request.nodeId)
  if (member === undefined) return "notMember"
  const incarnation = request.incarnation ?? incarnationOf(member)
  if (incarnation !== incarnationOf(member)) return "otherIncarnation"
  const drains = request.drain === true
  const known = joined.leaves.get(request.nodeId)
  if (known?.incarnation === incarnation && known.drains === drains) return "queued"
  step.setJoined({ leaves: new Map(joined.leaves).set(request.nodeId, { incarnation, drains }) })
  Duties.run(step)
  return "queued"
}

/** A leaving master that is out of its own settled view goes once a quorum of that view knows it. */
export const exitWhenSettled = (step: Step): boolean => {
  const joined = step.joined
  if (joined === undefined || step.state.leavingSinceMs === undefined || !joined.settled) return false
  if (selfMember(step.state, joined) !== undefined || !isActing(step.state, joined)) return false
  const voters = votersOf(joined.view.members)
  const isLost = (voter: Voter) => peerOf(step.state, voter.nodeId)?.provenDead === voter.incarnation
  // Nobody is left who could learn it.
  if (voters.every(isLost)) {
    stop(step)
    return true
  }
  const knows = step.state.policy.quorum(voters, (voter) => {
    const report = peerOf(step.state, voter.nodeId)?.report
    return report !== undefined && report.incarnation === voter.incarnation && report.settled >= joined.view.version
  })
  if (knows) stop(step)
  return knows
}

/**
 * It has dropped out before it had handed over, and comes back to do so: but not if nobody of the cluster is heard any
 * more, as when everyone leaves at the same time.
 */
const stopIfDeserted = (step: Step, fresh: Fresh): void => {
  const silentMs = step.nowMs - Math.max(fresh.sinceMs, fresh.liveClusterAtMs)
  if (silentMs <= step.state.config.maxNoHeartbeatMs) return
  step.note("leaves without having handed over: nobody of the cluster that it dropped out of is heard", "warn")
  stop(step)
}

/** What a leaving node does at every tick. */
export const tick = (step: Step): void => {
  if (step.state.leavingSinceMs === undefined) return
  Draining.tick(step)
  const { drainUntilMs, leavingSinceMs } = step.state
  const { fresh, joined } = step
  if (fresh !== undefined && drainUntilMs !== undefined) return stopIfDeserted(step, fresh)
  // A node of the reference as leader takes no leave: it learns of the end of the connection.
  if (joined === undefined || joined.view.ledBy !== undefined) return stop(step)
  const self = selfMember(step.state, joined)
  const alone =
    joined.settled &&
    self !== undefined &&
    !joined.view.members.some((member) => isVoter(member) && member.nodeId !== step.self.nodeId)
  const isOver =
    drainUntilMs === undefined && step.nowMs - (leavingSinceMs ?? step.nowMs) > step.state.node.leaveTimeoutMs
  if (alone || isOver) return stop(step)
  if (self === undefined && joined.settled && isActing(step.state, joined)) {
    Heartbeat.broadcast(step)
    exitWhenSettled(step)
    return
  }
  if (isActing(step.state, joined)) return Duties.run(step)
  const master = masterByAge(joined.view)
  if (self !== undefined && master !== undefined) {
    Mesh.sendTo(step, master.nodeId, {
      type: "LEAVE_REQUEST",
      nodeId: step.self.nodeId,
      reason: Option.some("shutdown"),
      incarnation: step.self.incarnation,
      ...(drainUntilMs === undefined ? {} : { drain: true })
    })
  }
}
