/** States, messages and commands as text that a person can read. */
import { Option } from "effect"
import type { MemberInfo } from "../../src/domain/model/MemberInfo.ts"
import type { ClusterChange } from "../../src/domain/model/ClusterChange.ts"
import type { ClusterCommand } from "../../src/domain/protocol/ClusterCommand.ts"
import { type ClusterState, isActing } from "../../src/domain/protocol/ClusterState.ts"
import type { ClusterMessage } from "../../src/domain/wire/ClusterMessage.ts"

/** `7`, or `2/7` for counter 7 in term 2. */
export const version = (value: number): string => {
  const term = Math.floor(value / 2 ** 32)
  return term === 0 ? `${value}` : `${term}/${value % 2 ** 32}`
}

const processOf = (nodeId: string, incarnation: number | undefined): string =>
  incarnation === undefined ? nodeId : `${nodeId}@${incarnation}`

export const members = (list: ReadonlyArray<MemberInfo>): string =>
  list.map((member) => `${processOf(member.nodeId, member.incarnation)} ${member.state}`).join(", ")

interface SentView {
  readonly lineage?: string
  readonly settled?: boolean
}
const view = (
  view: { readonly version: number; readonly members: ReadonlyArray<MemberInfo> },
  sent: SentView
): string => {
  const settled = sent.lineage === undefined ? "" : sent.settled === true ? " settled" : " proposed"
  return `view ${version(view.version)}${sent.lineage === undefined ? "" : ` of ${sent.lineage}`}${settled} [${members(view.members)}]`
}

const orNone = (text: string): string => (text === "" ? "nobody" : text)

export const message = (sent: ClusterMessage): string => {
  switch (sent.type) {
    case "JOIN_REQUEST": {
      const promise = sent.promise === undefined ? "" : `, promise ${sent.promise} to ${orNone(sent.promisedTo ?? "")}`
      return `JOIN_REQUEST of ${processOf(sent.nodeId, sent.incarnation)}${promise}`
    }
    case "JOIN_RESPONSE": {
      const by = Option.getOrElse(sent.responderNodeId, () => "?")
      const shown = Option.match(sent.membersView, { onNone: () => "", onSome: (some) => `, ${view(some, sent)}` })
      const code = Option.match(sent.rejectCode, { onNone: () => "without a code", onSome: (text) => text })
      const why = Option.match(sent.rejectReason, { onNone: () => "", onSome: (text) => `: ${text}` })
      return sent.accepted
        ? `JOIN_RESPONSE of ${by}: accepted${shown}`
        : `JOIN_RESPONSE of ${by}: ${code}${why}${shown}`
    }
    case "HEARTBEAT": {
      const suspects = sent.suspectedNodes.length === 0 ? "" : `, suspects ${sent.suspectedNodes.join(" ")}`
      if (sent.lineage === undefined)
        return `HEARTBEAT of ${sent.senderId} in view ${version(sent.membersViewVersion)}${suspects}`
      const settled = sent.settled === sent.membersViewVersion ? "settled" : "not settled"
      const promise =
        sent.promise === 0 && sent.promisedTo === ""
          ? ""
          : `, promise ${sent.promise} to ${orNone(sent.promisedTo ?? "")}`
      return `HEARTBEAT of ${processOf(sent.senderId, sent.incarnation)} in view ${version(sent.membersViewVersion)} of ${sent.lineage} ${settled}${promise}, table ${version(sent.tableVersion ?? 0)}${suspects}`
    }
    case "MEMBERS_UPDATE":
      return `MEMBERS_UPDATE ${view(sent.view, sent)}`
    case "MASTER_ELECTED":
      return `MASTER_ELECTED ${sent.masterNodeId} in term ${sent.term}`
    case "LEAVE_REQUEST":
      return `LEAVE_REQUEST of ${processOf(sent.nodeId, sent.incarnation)}`
    case "HEARTBEAT_COMPLAINT":
      return `HEARTBEAT_COMPLAINT of ${sent.complainerId} about ${sent.suspectId}`
    case "PARTITION_TABLE_UPDATE": {
      const rows = sent.assignments.map((row) => [row.owner, ...row.backups].join("+")).join(" ")
      return `PARTITION_TABLE_UPDATE ${version(sent.version)}${sent.lineage === undefined ? "" : ` of ${sent.lineage}`} {${rows}}`
    }
    default:
      return sent.type
  }
}

const change = (published: ClusterChange): string => {
  switch (published._tag) {
    case "MemberAdded":
    case "MemberUpdated":
    case "MemberRemoved":
      return `${published._tag} ${members([published.member])} (${published.cause})`
    case "MasterChanged":
      return `MasterChanged to ${Option.getOrElse(published.masterId, () => "nobody")} in term ${published.term}`
    case "PartitionMoved":
      return `PartitionMoved ${published.partitionId} from ${published.oldOwner} to ${published.newOwner}`
    case "PartitionTableUpdated":
      return `PartitionTableUpdated ${version(published.version)}`
    case "PartitionLost":
      return `PartitionLost ${published.partitionId}, last owned by ${published.lastOwner}`
    case "LocalNodeExpelled":
      return `LocalNodeExpelled: ${published.cause}`
    // The data plane's, which no transition publishes.
    case "MigrationProgress":
    case "StrayHandedOver":
    case "StraySetAside":
      return `${published._tag} ${published.partitionId}`
  }
}

/** A command, or nothing for what only the driver cares about. */
export const command = (issued: ClusterCommand): ReadonlyArray<string> => {
  switch (issued._tag) {
    case "Dial":
      return [`dial ${issued.address}${issued.attempt === 0 ? "" : ` after ${issued.attempt} failures`}`]
    case "Send":
      return [`#${issued.connection} -> ${message(issued.message)}`]
    case "Identify":
      return [`#${issued.connection} is identified`]
    case "Close":
      return [`close #${issued.connection}: ${issued.why}`]
    case "DetectorHeartbeat":
      return []
    case "DetectorRemove":
      return [`forget the heartbeats of ${issued.nodeId}`]
    case "Publish":
      return issued.changes.map((published) => `publish ${change(published)}`)
    case "Note":
      return issued.level === "debug" ? [] : [`note: ${issued.text}`]
    case "Deliver":
      return [`deliver ${issued.message.type} of ${issued.from}`]
    case "Ignored":
      return [`ignore ${issued.message} of ${issued.from}: ${issued.reason}`]
    case "Stop":
      return [
        issued.reason._tag === "Left"
          ? "stop: left"
          : issued.reason._tag === "NoClusterFound"
            ? `stop: no cluster found: ${issued.reason.reason}`
            : `stop: ${issued.reason.code} by ${issued.reason.by}: ${issued.reason.reason}`
      ]
  }
}

/** What a node is and holds, in one line. */
export const state = (current: ClusterState): string => {
  const { phase } = current
  if (phase._tag === "Fresh") {
    const heard = phase.heard.size === 0 ? "" : `, heard ${[...phase.heard.keys()].join(" ")}`
    const promise = phase.promise.to === "" ? "" : `, promise ${phase.promise.term} to ${phase.promise.to}`
    const target = phase.target === undefined ? "" : `, asks ${phase.target.address}`
    return `looks for a cluster${heard}${promise}${target}`
  }
  const role = isActing(current, phase) ? "master" : "member"
  const suspected = phase.suspected.length === 0 ? "" : `, suspects ${phase.suspected.join(" ")}`
  const promise =
    phase.promise.to === "" || isActing(current, phase) ? "" : `, promise ${phase.promise.term} to ${phase.promise.to}`
  return `${role} of ${view(phase.view, { lineage: phase.view.lineage, settled: phase.settled })}, table ${version(phase.table.version)}${promise}${suspected}`
}
