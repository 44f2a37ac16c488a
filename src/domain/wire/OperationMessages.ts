/** Work for other nodes: forwarded operations, and the reference's distributed queries. */
import { Schema } from "effect"
import { Bytes, NodeId, Text, U32 } from "../model/Scalars.ts"

/** An operation on its way to the owner of its partition. */
export const OpForwardPayload = Schema.Struct({
  sourceNodeId: NodeId,
  targetPartitionId: U32,
  clientId: Schema.OptionFromOptionalKey(Text),
  payload: Bytes
})
export type OpForwardPayload = typeof OpForwardPayload.Type

/** Reference only: start a distributed query. */
export const DagExecutePayload = Schema.Struct({ executionId: Text, plan: Bytes })
export type DagExecutePayload = typeof DagExecutePayload.Type

/** Reference only: rows between two steps of a distributed query. */
export const DagDataPayload = Schema.Struct({ executionId: Text, sourceVertex: Text, destVertex: Text, items: Bytes })
export type DagDataPayload = typeof DagDataPayload.Type

/** Reference only: one node has finished its part of a distributed query. */
export const DagCompletePayload = Schema.Struct({
  executionId: Text,
  nodeId: NodeId,
  success: Schema.Boolean,
  error: Schema.OptionFromOptionalKey(Text),
  results: Schema.OptionFromOptionalKey(Bytes)
})
export type DagCompletePayload = typeof DagCompletePayload.Type
