/** Messages for peers that know only the reference's fields. */
import { Option } from "effect"
import type { MemberInfo } from "../model/MemberInfo.ts"
import type { ClusterMessage } from "./ClusterMessage.ts"
import {
  BootstrapExtensions,
  CancelExtensions,
  ChunkExtensions,
  IncarnationExtension,
  LeaveExtensions,
  JoinExtensions,
  MemberExtensions,
  MergeExtensions,
  MergeMasterExtension,
  ReadyExtensions,
  ReportExtensions,
  TableExtensions,
  ViewExtensions
} from "./Extensions.ts"

/** A copy of `value` without the given keys; `value` itself when it has none of them. */
const without = <A extends object>(value: A, fields: ReadonlySet<string>): A => {
  const keys = Object.keys(value)
  if (!keys.some((key) => fields.has(key))) return value
  const copy = { ...value }
  for (const key of keys) if (fields.has(key)) Reflect.deleteProperty(copy, key)
  return copy
}

const keysOf = (...fields: ReadonlyArray<object>): ReadonlySet<string> => new Set(fields.flatMap(Object.keys))

const memberFields = keysOf(MemberExtensions)
const viewFields = keysOf(ViewExtensions)
const joinResponseFields = keysOf(ViewExtensions, BootstrapExtensions)
const joinRequestFields = keysOf(BootstrapExtensions, JoinExtensions)
const reportFields = keysOf(ReportExtensions)
const incarnationFields = keysOf(IncarnationExtension)
const leaveFields = keysOf(LeaveExtensions)
const tableFields = keysOf(TableExtensions)
const chunkFields = keysOf(ChunkExtensions)
const readyFields = keysOf(ReadyExtensions)
const cancelFields = keysOf(CancelExtensions)
const mergeFields = keysOf(MergeExtensions, MergeMasterExtension)

/** A member list as the reference would write it. */
export const bareMembers = (members: ReadonlyArray<MemberInfo>): ReadonlyArray<MemberInfo> =>
  members.map((member) => without(member, memberFields))

/** The message as the reference would write it. */
export const stripExtensions = (message: ClusterMessage): ClusterMessage => {
  switch (message.type) {
    case "JOIN_REQUEST":
      return without(message, joinRequestFields)
    case "JOIN_RESPONSE": {
      const bare = without(message, joinResponseFields)
      return bare.membersView._tag === "None"
        ? bare
        : {
            ...bare,
            membersView: Option.map(bare.membersView, (view) => ({ ...view, members: bareMembers(view.members) }))
          }
    }
    case "MEMBERS_UPDATE": {
      const bare = without(message, viewFields)
      return { ...bare, view: { ...bare.view, members: bareMembers(bare.view.members) } }
    }
    case "LEAVE_REQUEST":
      return without(message, leaveFields)
    case "HEARTBEAT_COMPLAINT":
      return without(message, incarnationFields)
    case "HEARTBEAT":
      return without(message, reportFields)
    case "PARTITION_TABLE_UPDATE":
      return without(message, tableFields)
    case "MIGRATE_DATA":
      return without(message, chunkFields)
    case "MIGRATE_READY":
      return without(message, readyFields)
    case "MIGRATE_CANCEL":
      return without(message, cancelFields)
    case "SPLIT_BRAIN_PROBE":
    case "SPLIT_BRAIN_PROBE_RESPONSE":
      return without(message, mergeFields)
    case "MERGE_REQUEST": {
      const bare = without(message, mergeFields)
      return { ...bare, sourceMembers: bareMembers(bare.sourceMembers) }
    }
    case "MASTER_ELECTED":
    case "EXPLICIT_SUSPICION":
    case "FETCH_PARTITION_TABLE":
    case "MIGRATE_START":
    case "MIGRATE_FINALIZE":
    case "OP_FORWARD":
    case "DAG_EXECUTE":
    case "DAG_DATA":
    case "DAG_COMPLETE":
      return message
  }
}

/** Does the message carry a field that only an extended peer writes? Its sender then understands ours. */
export const hasExtensions = (message: ClusterMessage): boolean => {
  switch (message.type) {
    case "JOIN_REQUEST":
    case "JOIN_RESPONSE":
    case "HEARTBEAT":
      return message.incarnation !== undefined
    case "MEMBERS_UPDATE":
    case "SPLIT_BRAIN_PROBE":
    case "SPLIT_BRAIN_PROBE_RESPONSE":
    case "MERGE_REQUEST":
      return message.lineage !== undefined
    default:
      return false
  }
}
