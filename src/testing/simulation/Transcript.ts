/** What happened, in lines that a person can read; the last ones of a long run. */
import { Option } from "effect"
import type { MemberInfo } from "../../domain/model/MemberInfo.ts"
import { counterOf, termOf } from "../../domain/protocol/Version.ts"
import type { ClusterMessage } from "../../domain/wire/ClusterMessage.ts"

/** Lines that are kept; older ones are dropped, and their number is told. */
const maxLines = 400

export class Transcript {
  private lines: Array<string> = []
  private dropped = 0

  add(atMs: number, text: string): void {
    this.lines.push(`${(atMs / 1000).toFixed(3).padStart(8)}  ${text}`)
    // Cut now and then, so that adding a line costs little.
    if (this.lines.length >= 2 * maxLines) {
      this.dropped += this.lines.length - maxLines
      this.lines = this.lines.slice(-maxLines)
    }
  }
  get text(): ReadonlyArray<string> {
    const kept = this.lines.slice(-maxLines)
    const missing = this.dropped + this.lines.length - kept.length
    return missing === 0 ? kept : [`… ${missing} lines before`, ...kept]
  }
}

/** `term.counter`. */
export const describeVersion = (version: number): string => `${termOf(version)}.${counterOf(version)}`

export const describeMembers = (members: ReadonlyArray<MemberInfo>): string =>
  members
    .map(({ incarnation, nodeId, state }) => `${nodeId}@${incarnation ?? "?"}${state === "active" ? "" : ` ${state}`}`)
    .join(", ")

/** Type and gist of a message. */
export const describeMessage = (message: ClusterMessage): string => {
  switch (message.type) {
    case "JOIN_REQUEST":
      return `JOIN_REQUEST of ${message.nodeId}@${message.incarnation ?? "?"}`
    case "JOIN_RESPONSE": {
      const by = Option.getOrElse(message.responderNodeId, () => "?")
      const why = Option.getOrElse(message.rejectReason, () => "")
      return `JOIN_RESPONSE of ${by}: ${message.accepted ? "accepted" : `refused, ${why}`}`
    }
    case "MEMBERS_UPDATE": {
      const settled = message.settled === true ? "settled" : "proposed"
      return `MEMBERS_UPDATE ${message.lineage ?? ""} ${describeVersion(message.view.version)} ${settled} [${describeMembers(message.view.members)}]`
    }
    case "PARTITION_TABLE_UPDATE":
      return `PARTITION_TABLE_UPDATE ${describeVersion(message.version)}, ${message.assignments.length} rows`
    case "LEAVE_REQUEST":
      return `LEAVE_REQUEST of ${message.nodeId}`
    case "HEARTBEAT_COMPLAINT":
      return `HEARTBEAT_COMPLAINT of ${message.complainerId} about ${message.suspectId}`
    default:
      return message.type
  }
}
