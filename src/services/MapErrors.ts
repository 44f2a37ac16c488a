/** Expected failures of the maps. Each says whether the operation has happened. */
import { Schema } from "effect"
import { Binary } from "../domain/model/Scalars.ts"
import { PartitionMapPayload } from "../domain/model/PartitionMap.ts"

const partitionId = Schema.Int

/** Nothing has happened: whoever was asked does not own the partition, and the time was over before the owner was found. */
export class NotOwner extends Schema.TaggedError<NotOwner>()("NotOwner", {
  partitionId,
  /** Who owns what, as this node knows it now. */
  partitionMap: PartitionMapPayload
}) {
  override get message(): string {
    const owner = this.partitionMap.partitions.find((row) => row.partitionId === this.partitionId)?.ownerNodeId
    return `partition ${this.partitionId} was asked of a node that does not own it; ${owner ?? "nobody"} does now`
  }
}

/** Nothing has happened: the table lists fewer replicas of the partition than the write asks for. */
export class NotEnoughReplicas extends Schema.TaggedError<NotEnoughReplicas>()("NotEnoughReplicas", {
  partitionId,
  copies: Schema.Int,
  minCopies: Schema.Int
}) {
  override get message(): string {
    return `partition ${this.partitionId} has ${this.copies} replicas, and ${this.minCopies} were asked for`
  }
}

/** Nothing has happened: no owner could be asked within the time, or it waits for what others still hold. */
export class PartitionUnavailable extends Schema.TaggedError<PartitionUnavailable>()("PartitionUnavailable", {
  partitionId,
  detail: Schema.String
}) {
  override get message(): string {
    return `partition ${this.partitionId} is unavailable: ${this.detail}`
  }
}

/**
 * It may have happened, or may happen yet, at most once, and then on all replicas alike. It is never sent again for
 * you: a second one could undo what others have written since. Read, and decide.
 */
export class OutcomeUnknown extends Schema.TaggedError<OutcomeUnknown>()("OutcomeUnknown", {
  partitionId,
  detail: Schema.String
}) {
  override get message(): string {
    return `it is not known what became of the operation on partition ${this.partitionId}: ${this.detail}`
  }
}

/** Nothing has happened: too much is under way, here or at the owner. Try again later, with fewer at a time. */
export class Overloaded extends Schema.TaggedError<Overloaded>()("Overloaded", {
  partitionId,
  detail: Schema.String
}) {
  override get message(): string {
    return `too much is under way for partition ${this.partitionId}${this.detail === "" ? "" : `: ${this.detail}`}`
  }
}

/** Nothing has happened: the owner's store is out of order (`failed`), or has no room (`full`). */
export class OwnerStoreFailed extends Schema.TaggedError<OwnerStoreFailed>()("OwnerStoreFailed", {
  partitionId,
  reason: Schema.Literals(["failed", "full"]),
  detail: Schema.String
}) {
  override get message(): string {
    return `the store of the owner of partition ${this.partitionId} cannot do it: ${this.detail || this.reason}`
  }
}

/** What is stored is not what the map's schema says: another release, or another program, has written it. */
export class UndecodableValue extends Schema.TaggedError<UndecodableValue>()("UndecodableValue", {
  mapName: Schema.String,
  key: Schema.String,
  /** The bytes as they are stored. */
  bytes: Binary,
  reason: Schema.String
}) {
  override get message(): string {
    return `the value of "${this.key}" in map "${this.mapName}" does not decode: ${this.reason}`
  }
}
