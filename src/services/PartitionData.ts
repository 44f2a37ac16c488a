/**
 * The data of the cluster's partitions, as this node reaches it: asks the owner of a partition, and tells what changes
 * in the partitions that are kept here. What maps are built on; applications use `PartitionedMaps`.
 */
import { Context, type Effect, type Stream } from "effect"
import type { NodeId } from "../domain/model/Scalars.ts"
import type { Outcome } from "../domain/replication/DataCommand.ts"
import type { AckLevel, Delta, Work } from "../domain/replication/DataMessage.ts"

/** What the owner of a partition is asked for, and how long its answer is waited for. */
export interface Question {
  readonly partitionId: number
  readonly work: Work
  readonly ack: AckLevel
  /** Replicas that must be listed, the owner included. */
  readonly minCopies: number
  readonly timeoutMs: number
}

/** Records of a partition have changed on this node. */
export interface AppliedChange {
  readonly partitionId: number
  /** This node owned the partition, by its table. */
  readonly isOwner: boolean
  readonly deltas: ReadonlyArray<Delta>
}

/** A copy that leaves this node. */
export interface CopyStatus {
  readonly partitionId: number
  readonly destination: NodeId
  readonly chunks: number
  readonly bytes: number
  readonly elapsedMs: number
  /** Of the time since the start. */
  readonly bytesPerSecond: number
  /** All has been sent: only the master ends it now. */
  readonly isReady: boolean
}

/** What a node's data plane is busy with. */
export interface DataStatus {
  /** Requests of this node's clients that have no answer yet. */
  readonly requests: number
  /** Writes of owned partitions that wait for replicas. */
  readonly pendingWrites: number
  readonly pendingBytes: number
  /** Requests that the store has not answered yet. */
  readonly storeRequests: number
  /**
   * Bytes of the copies that leave this node: read, or sent and not yet merged at the other end, and changes that wait
   * behind them.
   */
  readonly copyBytes: number
  /** Bytes of messages to other nodes that wait for room on their connections; those of copies are among them. */
  readonly sendingBytes: number
  readonly copies: ReadonlyArray<CopyStatus>
  /** Partitions whose data is kept here although the table does not list this node for them. */
  readonly strays: ReadonlyArray<number>
  /** Partitions that wait for what returning nodes still hold of them. */
  readonly recovering: ReadonlyArray<number>
}

export class PartitionData extends Context.Service<
  PartitionData,
  {
    /** Never fails: what has become of the question is in the outcome, and whoever gives up waiting does not know. */
    readonly ask: (question: Question) => Effect.Effect<Outcome>
    /** From now on. A subscriber that lags more than `maxBufferedApplied` behind loses the oldest. */
    readonly changes: Stream.Stream<AppliedChange>
    readonly status: Effect.Effect<DataStatus>
  }
>()("effect-squadron/PartitionData") {}

/** Changes that a subscriber may lag behind. */
export const maxBufferedApplied = 16_384
