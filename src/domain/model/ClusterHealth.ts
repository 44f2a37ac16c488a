/** A node's own summary of its cluster, for probes and dashboards. */
import { Schema } from "effect"
import { NodeId, U64 } from "./Scalars.ts"

export const ClusterHealth = Schema.Struct({
  nodeCount: U64,
  activeNodes: U64,
  suspectNodes: U64,
  partitionTableVersion: U64,
  /** Copies that are under way; only the acting master knows of them. */
  activeMigrations: U64,
  isMaster: Schema.Boolean,
  masterNodeId: Schema.OptionFromOptionalKey(NodeId)
})
export type ClusterHealth = typeof ClusterHealth.Type
