/** One member of a view: where it is reached, how it is, and how old it is. */
import { Schema } from "effect"
import { MemberExtensions } from "../wire/Extensions.ts"
import { NodeState } from "./NodeState.ts"
import { NodeId, Text, U16, U64 } from "./Scalars.ts"

export const MemberInfo = Schema.Struct({
  nodeId: NodeId,
  /** Host that peers and clients dial. */
  host: Text,
  clientPort: U16,
  clusterPort: U16,
  state: NodeState,
  /** Version of the view in which this member joined: the lower, the older. */
  joinVersion: U64,
  ...MemberExtensions
})
export type MemberInfo = typeof MemberInfo.Type
