/** Life of a member: joining → active ⇄ suspect → dead → removed, or active → leaving → removed. */
import { Schema } from "effect"

export const NodeState = Schema.Literals(["joining", "active", "suspect", "leaving", "dead", "removed"])
export type NodeState = typeof NodeState.Type

/** The same life as clients of the cluster read it in a partition map. */
export const NodeStatus = Schema.Literals(["ACTIVE", "JOINING", "LEAVING", "SUSPECTED", "FAILED"])
export type NodeStatus = typeof NodeStatus.Type

/** What clients are told about a member in `state`; a removed member counts as failed. */
export const nodeStatus = (state: NodeState): NodeStatus => {
  switch (state) {
    case "joining":
      return "JOINING"
    case "active":
      return "ACTIVE"
    case "suspect":
      return "SUSPECTED"
    case "leaving":
      return "LEAVING"
    case "dead":
    case "removed":
      return "FAILED"
  }
}
