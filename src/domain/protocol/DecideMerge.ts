/**
 * Two parts of a split cluster have found each other: which of them gives up its view and rejoins the other.
 * Both sides decide alone from what they know of each other, and must come to opposite answers. Only the
 * clusters' ids, sizes and masters count; view versions do not, because they grow on both sides of a split.
 */
import { Schema } from "effect"
import { compareAge, MembersView } from "../model/MembersView.ts"
import { NodeId, Text, U32, U64 } from "../model/Scalars.ts"

/** What a probe told about the other part. */
export const RemoteCluster = Schema.Struct({
  clusterId: Text,
  masterId: NodeId,
  /** `host:port` of its master. */
  masterAddress: Text,
  /** Active members only. */
  memberCount: U32,
  viewVersion: U64,
  masterJoinVersion: U64
})
export type RemoteCluster = typeof RemoteCluster.Type

export type MergeDecision =
  | { readonly _tag: "CannotMerge" }
  | { readonly _tag: "LocalShouldMerge"; readonly remoteMasterAddress: string }
  | { readonly _tag: "RemoteShouldMerge" }

/** The local part stays: it has more active members, or as many and the older master. */
const localWins = (localView: MembersView, remote: RemoteCluster): boolean => {
  const localCount = MembersView.activeMembers(localView).length
  if (localCount !== remote.memberCount) return localCount > remote.memberCount
  const localMaster = MembersView.master(localView)
  return (
    localMaster !== undefined &&
    compareAge(localMaster, { nodeId: remote.masterId, joinVersion: remote.masterJoinVersion }) < 0
  )
}

/**
 * Who rejoins whom. Different cluster ids never merge; more active members win; then the master with the lower
 * join version; then the lower master id by code point. A part without an active member never wins, and a part
 * that hears of itself is told to merge, as the reference does.
 */
export const decideMerge = (localClusterId: string, localView: MembersView, remote: RemoteCluster): MergeDecision => {
  if (localClusterId !== remote.clusterId) return { _tag: "CannotMerge" }
  return localWins(localView, remote)
    ? { _tag: "RemoteShouldMerge" }
    : { _tag: "LocalShouldMerge", remoteMasterAddress: remote.masterAddress }
}
