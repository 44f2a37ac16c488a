/**
 * The streams between a node's parts. Every one is bounded; what happens at a bound stands beside it.
 */
import { Context, type PubSub, type Queue, type Stream, type SubscriptionRef } from "effect"
import type { ClusterChange, MigrationCommand } from "../domain/model/ClusterChange.ts"
import type { MembersView } from "../domain/model/MembersView.ts"
import type { InboundClusterMessage } from "../domain/wire/ClusterMessage.ts"

/** Changes that a slow subscriber may lag behind; then it loses the oldest, and reads the state anew. */
export const maxBufferedChanges = 16_384
/** Messages for an application that wait to be taken; then the oldest is dropped. */
export const maxInboundMessages = 4096
/** Migration commands that wait; then whoever offers one waits. */
export const maxMigrationCommands = 1024

/** The sending halves. */
export class ClusterChannels extends Context.Service<
  ClusterChannels,
  {
    /** The last settled view; version 0 and no members before the first. */
    readonly membershipChanges: SubscriptionRef.SubscriptionRef<MembersView>
    readonly clusterEvents: PubSub.PubSub<ClusterChange>
    readonly migrationCommands: Queue.Enqueue<MigrationCommand>
    /** Messages that the kernel does not handle itself. */
    readonly inboundMessages: Queue.Enqueue<InboundClusterMessage>
  }
>()("effect-squadron/ClusterChannels") {}

/** The receiving halves. Queues are for one consumer each. */
export class ClusterChannelReceivers extends Context.Service<
  ClusterChannelReceivers,
  {
    readonly membershipChanges: Stream.Stream<MembersView>
    readonly clusterEvents: Stream.Stream<ClusterChange>
    readonly migrationCommands: Queue.Dequeue<MigrationCommand>
    readonly inboundMessages: Queue.Dequeue<InboundClusterMessage>
  }
>()("effect-squadron/ClusterChannelReceivers") {}
