/** What a transition wants done. Transitions decide; an interpreter acts, in this order. */
import type { ClusterChange } from "../model/ClusterChange.ts"
import type { NodeId } from "../model/Scalars.ts"
import type { ClusterMessage, ClusterMessageType } from "../wire/ClusterMessage.ts"
import type { ConnectionId } from "./MeshState.ts"

/** Why a node stops by itself. */
export type StopReason =
  | { readonly _tag: "Left" }
  | { readonly _tag: "JoinRefused"; readonly code: string; readonly reason: string; readonly by: string }
  | { readonly _tag: "NoClusterFound"; readonly reason: string }

export type ClusterCommand =
  /** Open a connection; `attempt` failures came before. */
  | { readonly _tag: "Dial"; readonly address: string; readonly attempt: number }
  /** The fields `timestampMs` and `clusterTimeMs` are stamped when it is executed. */
  | { readonly _tag: "Send"; readonly connection: ConnectionId; readonly message: ClusterMessage }
  /** The connection belongs to a known node: it may send whole frames from now on. */
  | { readonly _tag: "Identify"; readonly connection: ConnectionId }
  | { readonly _tag: "Close"; readonly connection: ConnectionId; readonly why: string }
  /** The detector hears a node at this reading of the awake clock. */
  | { readonly _tag: "DetectorHeartbeat"; readonly nodeId: NodeId; readonly atMs: number }
  /** The detector forgets a node: it is gone, or a new process. */
  | { readonly _tag: "DetectorRemove"; readonly nodeId: NodeId }
  | { readonly _tag: "Publish"; readonly changes: ReadonlyArray<ClusterChange> }
  | { readonly _tag: "Note"; readonly level: "debug" | "info" | "warn"; readonly text: string }
  /**
   * A message that is not the kernel's business: for the data plane, or the application. Of a process that is no member
   * here only what can be refused to it.
   */
  | { readonly _tag: "Deliver"; readonly from: NodeId; readonly message: ClusterMessage; readonly isMember: boolean }
  /** Input that was not acted upon; counted by reason. */
  | { readonly _tag: "Ignored"; readonly message: ClusterMessageType; readonly from: string; readonly reason: string }
  | { readonly _tag: "Stop"; readonly reason: StopReason }

/**
 * What must not wait behind bulk data: all of membership, so that its messages keep their order among themselves. A
 * heartbeat tells of the view that was sent before it. The table goes with the data: what was sent under it stays behind it.
 */
export const isUrgent = (message: ClusterMessage): boolean => {
  switch (message.type) {
    case "HEARTBEAT":
    case "HEARTBEAT_COMPLAINT":
    case "EXPLICIT_SUSPICION":
    case "MASTER_ELECTED":
    case "JOIN_REQUEST":
    case "JOIN_RESPONSE":
    case "MEMBERS_UPDATE":
    case "LEAVE_REQUEST":
    case "SPLIT_BRAIN_PROBE":
    case "SPLIT_BRAIN_PROBE_RESPONSE":
    case "MERGE_REQUEST":
      return true
    case "PARTITION_TABLE_UPDATE":
    case "FETCH_PARTITION_TABLE":
    case "MIGRATE_START":
    case "MIGRATE_DATA":
    case "MIGRATE_READY":
    case "MIGRATE_FINALIZE":
    case "MIGRATE_CANCEL":
    case "OP_FORWARD":
    case "DAG_EXECUTE":
    case "DAG_DATA":
    case "DAG_COMPLETE":
      return false
  }
}
