/** Expected failures of the cluster services. */
import { Schema } from "effect"
import { NodeId } from "../domain/model/Scalars.ts"

/** Only the acting master changes the view or the table; ask the named node instead. */
export class NotMaster extends Schema.TaggedError<NotMaster>()("NotMaster", {
  nodeId: NodeId,
  masterId: Schema.Option(NodeId)
}) {
  override get message(): string {
    const master = this.masterId._tag === "Some" ? `"${this.masterId.value}" is` : "no master is known"
    return `"${this.nodeId}" does not act as master; ${master}`
  }
}

/** The view lists no such member. */
export class UnknownMember extends Schema.TaggedError<UnknownMember>()("UnknownMember", { nodeId: NodeId }) {
  override get message(): string {
    return `the view lists no member "${this.nodeId}"`
  }
}

/** Members cannot be forgotten; `nodeId` is the one that stands in the way. */
export class ForgetRefused extends Schema.TaggedError<ForgetRefused>()("ForgetRefused", {
  nodeId: NodeId,
  /**
   * `NotAMember`: this node holds no view that lists it. `Unknown`: the view lists no such member. `StillHeard`: it
   * is heard, stop it first. `TooFewLeft`: those that are heard are no quorum without it either; name all that are gone.
   */
  reason: Schema.Literals(["NotAMember", "Unknown", "StillHeard", "TooFewLeft"])
}) {
  override get message(): string {
    switch (this.reason) {
      case "NotAMember":
        return `"${this.nodeId}" is no voter of a view, so it cannot go on without others`
      case "Unknown":
        return `the view lists no member "${this.nodeId}"`
      case "StillHeard":
        return `"${this.nodeId}" is still heard; stop it before it is forgotten`
      case "TooFewLeft":
        return `those that "${this.nodeId}" hears are no quorum of the rest; name every member that is gone for good`
    }
  }
}

/** No partition has this id. */
export class UnknownPartition extends Schema.TaggedError<UnknownPartition>()("UnknownPartition", {
  partitionId: Schema.Number,
  partitionCount: Schema.Int
}) {
  override get message(): string {
    return `there is no partition ${this.partitionId}; ids are 0…${this.partitionCount - 1}`
  }
}

/** A view or table was not taken; `reason` is the name of the rule. */
export class UpdateRejected extends Schema.TaggedError<UpdateRejected>()("UpdateRejected", {
  from: NodeId,
  reason: Schema.String
}) {
  override get message(): string {
    return `the update from "${this.from}" was not taken: ${this.reason}`
  }
}

/** No migration of this partition is open. */
export class NoSuchMigration extends Schema.TaggedError<NoSuchMigration>()("NoSuchMigration", {
  partitionId: Schema.Number
}) {
  override get message(): string {
    return `no migration of partition ${this.partitionId} is open`
  }
}

/** A migration task does not fit the table or the view. */
export class InvalidMigrationTask extends Schema.TaggedError<InvalidMigrationTask>()("InvalidMigrationTask", {
  partitionId: Schema.Number,
  reason: Schema.String
}) {
  override get message(): string {
    return `partition ${this.partitionId} cannot be migrated: ${this.reason}`
  }
}

/** The cluster does not want this node, or there is none: the node stops. */
export class JoinFailed extends Schema.TaggedError<JoinFailed>()("JoinFailed", {
  nodeId: NodeId,
  code: Schema.String,
  reason: Schema.String,
  hint: Schema.String
}) {
  override get message(): string {
    return `"${this.nodeId}" could not join: ${this.reason}${this.hint === "" ? "" : ` (${this.hint})`}`
  }
}
