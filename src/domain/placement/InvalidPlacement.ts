/** What is wrong with a partition table, or with a request to plan one. */
import { Schema } from "effect"

export const PlacementFault = Schema.Literals([
  "partitionCountOutOfRange",
  "backupCountOutOfRange",
  "partitionIdOutOfRange",
  "duplicatePartitionId",
  "emptyOwner",
  "emptyBackup",
  "duplicateNode"
])
export type PlacementFault = typeof PlacementFault.Type

/**
 * Rows that no table can hold. From `validateAssignments` it is an expected failure, a peer's fault;
 * thrown by a table or a planner it is a defect, because their callers validate what peers send.
 */
export class InvalidPlacement extends Schema.TaggedError<InvalidPlacement>()("InvalidPlacement", {
  fault: PlacementFault,
  /** The offending value: a partition id, a count, or a node id. */
  value: Schema.Union([Schema.Number, Schema.String]),
  /** Index of the first bad row in the rows that were given; absent when no row is to blame. */
  row: Schema.optionalKey(Schema.Number)
}) {
  override get message(): string {
    return `${this.fault} ${JSON.stringify(this.value)}${this.row === undefined ? "" : ` in row ${this.row}`}`
  }
}
