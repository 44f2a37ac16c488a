/** Parts of a split cluster find each other and agree who joins whom. */
import { Schema } from "effect"
import { MemberInfo } from "../model/MemberInfo.ts"
import { NodeId, Text, U32, U64 } from "../model/Scalars.ts"
import { MergeExtensions, MergeMasterExtension } from "./Extensions.ts"

export const SplitBrainProbePayload = Schema.Struct({
  senderClusterId: Text,
  senderMasterId: NodeId,
  senderMemberCount: U32,
  senderViewVersion: U64,
  ...MergeExtensions
})
export type SplitBrainProbePayload = typeof SplitBrainProbePayload.Type

export const SplitBrainProbeResponsePayload = Schema.Struct({
  responderClusterId: Text,
  responderMasterId: NodeId,
  responderMemberCount: U32,
  responderViewVersion: U64,
  responderMasterJoinVersion: U64,
  ...MergeExtensions
})
export type SplitBrainProbeResponsePayload = typeof SplitBrainProbeResponsePayload.Type

/** The winner's master asks the loser's side to rejoin. */
export const MergeRequestPayload = Schema.Struct({
  sourceClusterId: Text,
  sourceMembers: Schema.Array(MemberInfo),
  sourceViewVersion: U64,
  ...MergeExtensions,
  ...MergeMasterExtension
})
export type MergeRequestPayload = typeof MergeRequestPayload.Type
