/** Signs of life, and of the lack of it. */
import { Schema } from "effect"
import { NodeId, Text, U64 } from "../model/Scalars.ts"
import { IncarnationExtension, ReportExtensions } from "./Extensions.ts"

/** "I live, this is the view I hold, and these members I do not hear." */
export const HeartbeatPayload = Schema.Struct({
  senderId: NodeId,
  /** Wall clock of the sender, milliseconds since 1970. Never used to judge it. */
  timestampMs: U64,
  membersViewVersion: U64,
  /** Only what the sender's own detector suspects. */
  suspectedNodes: Schema.Array(NodeId),
  ...ReportExtensions
})
export type HeartbeatPayload = typeof HeartbeatPayload.Type

/** A member tells the master that it does not hear another. */
export const HeartbeatComplaintPayload = Schema.Struct({
  complainerId: NodeId,
  complainerViewVersion: U64,
  suspectId: NodeId,
  suspectViewVersion: U64,
  ...IncarnationExtension
})
export type HeartbeatComplaintPayload = typeof HeartbeatComplaintPayload.Type

/** The master tells the members that it suspects one of them. */
export const ExplicitSuspicionPayload = Schema.Struct({
  suspectId: NodeId,
  reason: Text,
  masterViewVersion: U64
})
export type ExplicitSuspicionPayload = typeof ExplicitSuspicionPayload.Type
