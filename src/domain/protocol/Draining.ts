/**
 * Handing over before going. A leaver that keeps data says so in its request (`drain`) as long as the table lists it, or
 * it holds what belongs to others. Meanwhile it stays a full member, and the acting master plans as if it were gone: its
 * partitions are copied to the others, and it is given nothing new. When nothing is left the leaver says so, and only
 * then the master makes a view without it. So with any number of backups, none included, a leave loses nothing.
 *
 * Where nobody could take anything (everyone leaves, or keeps no data) there is nothing to wait for.
 */
import type { MemberInfo } from "../model/MemberInfo.ts"
import type { NodeId } from "../model/Scalars.ts"
import type { Joined } from "./ClusterState.ts"
import { incarnationOf } from "./ClusterView.ts"
import { isHolder } from "./Custody.ts"
import { holdersOf } from "./TableSharing.ts"
import type { Step } from "./Transition.ts"

/** Members that have asked the acting master to go, and itself if it leaves. */
const isLeaver = (step: Step, joined: Joined, member: MemberInfo): boolean =>
  member.nodeId === step.self.nodeId
    ? step.state.leavingSinceMs !== undefined
    : joined.leaves.get(member.nodeId)?.incarnation === incarnationOf(member)

const takersOf = (step: Step, joined: Joined): ReadonlyArray<MemberInfo> =>
  holdersOf(joined.view.members).filter(
    (member) => member.carriesData === true && member.state === "active" && !isLeaver(step, joined, member)
  )

/** Members that are given no slots, because they leave; none where nobody else could be given any. In view order. */
export const leaversOf = (step: Step, joined: Joined): ReadonlyArray<NodeId> => {
  const leavers = joined.view.members.filter((member) => isLeaver(step, joined, member))
  return leavers.length === 0 || takersOf(step, joined).length === 0 ? [] : leavers.map(({ nodeId }) => nodeId)
}

/** Does the acting master keep this leaver, because it hands over? */
export const isKept = (step: Step, joined: Joined, { nodeId }: MemberInfo): boolean => {
  const drains =
    nodeId === step.self.nodeId ? step.state.drainUntilMs !== undefined : joined.leaves.get(nodeId)?.drains === true
  return drains && takersOf(step, joined).length > 0
}

/** Partitions that the table lists this process for. */
const heldBy = (step: Step, { custody, table }: Joined): number => {
  if (table.version === 0 || !isHolder(custody, step.self)) return 0
  const { nodeId } = step.self
  let held = 0
  for (const row of table.rows) if (row?.owner === nodeId || row?.backups.includes(nodeId) === true) held++
  return held
}

/** The data plane of this node: does it hold what belongs to others, and has not been given to them? */
export const keepsStrays = (step: Step, hasStrays: boolean): void => {
  if (step.state.hasStrays !== hasStrays) step.set({ hasStrays })
}

/** A leaver at its tick: has it handed over, or waited long enough? Then it goes. */
export const tick = (step: Step): void => {
  const untilMs = step.state.drainUntilMs
  const joined = step.joined
  // Who has dropped out on the way comes back first.
  if (untilMs === undefined || (joined === undefined && step.nowMs < untilMs)) return
  const held = joined === undefined ? 0 : heldBy(step, joined)
  const hasTakers =
    joined !== undefined &&
    joined.view.ledBy === undefined &&
    holdersOf(joined.view.members).some(
      ({ carriesData, nodeId }) => carriesData === true && nodeId !== step.self.nodeId
    )
  const isEmpty = joined !== undefined && held === 0 && !step.state.hasStrays
  if (hasTakers && !isEmpty && step.nowMs < untilMs) return
  if (!isEmpty && hasTakers) step.note(`leaves without having handed over ${held} partitions: its time is over`, "warn")
  // From now on it has the time of any other leaver.
  step.set({ drainUntilMs: undefined, leavingSinceMs: step.nowMs })
}
