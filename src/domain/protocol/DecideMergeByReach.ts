/**
 * Which of two parts of a split gives up its view and rejoins the other. Unlike `decideMerge`, which counts the
 * members that a view lists, this counts the voters that a part *hears*: by nominal size a live cluster would
 * dissolve into a bigger one that has halted.
 */
import { compareAge } from "../model/MembersView.ts"
import { compareCodePoints } from "../model/CodePointOrder.ts"
import type { Lineage, NodeId } from "../model/Scalars.ts"

/** What counts in the comparison. */
export interface Reach {
  readonly lineage: Lineage
  /** Voters that the part hears; 0 when they form no quorum, or when who counts them is leaving the part. */
  readonly reach: number
  readonly masterId: NodeId
  readonly masterJoinVersion: number
}

export type ReachDecision = "localWins" | "remoteWins" | "undecided"

/**
 * More reachable voters win, then the older master (join version, then id by code point), then the lower lineage.
 * Two parts without quorum are undecided. From the same two facts both sides come to opposite answers.
 */
export const decideMergeByReach = (local: Reach, remote: Reach): ReachDecision => {
  if (local.lineage === remote.lineage || (local.reach === 0 && remote.reach === 0)) return "undecided"
  if (local.reach !== remote.reach) return local.reach > remote.reach ? "localWins" : "remoteWins"
  const byAge = compareAge(
    { nodeId: local.masterId, joinVersion: local.masterJoinVersion },
    { nodeId: remote.masterId, joinVersion: remote.masterJoinVersion }
  )
  const order = byAge === 0 ? compareCodePoints(local.lineage, remote.lineage) : byAge
  return order < 0 ? "localWins" : "remoteWins"
}
