/** Both halves of a node's channels, with their bounds. */
import { Context, Effect, Layer, PubSub, Queue, Stream, SubscriptionRef } from "effect"
import type { ClusterChange, MigrationCommand } from "../domain/model/ClusterChange.ts"
import type { MembersView } from "../domain/model/MembersView.ts"
import type { InboundClusterMessage } from "../domain/wire/ClusterMessage.ts"
import {
  ClusterChannelReceivers,
  ClusterChannels,
  maxBufferedChanges,
  maxInboundMessages,
  maxMigrationCommands
} from "../services/ClusterChannels.ts"

const noView: MembersView = { version: 0, members: [] }

/** The channels of one node. */
export const layer: Layer.Layer<ClusterChannels | ClusterChannelReceivers> = Layer.effectContext(
  Effect.gen(function* () {
    const membershipChanges = yield* SubscriptionRef.make(noView)
    const clusterEvents = yield* PubSub.sliding<ClusterChange>(maxBufferedChanges)
    const migrationCommands = yield* Queue.bounded<MigrationCommand>(maxMigrationCommands)
    const inboundMessages = yield* Queue.sliding<InboundClusterMessage>(maxInboundMessages)
    yield* Effect.addFinalizer(() =>
      Effect.all([PubSub.shutdown(clusterEvents), Queue.shutdown(migrationCommands), Queue.shutdown(inboundMessages)])
    )
    return Context.make(ClusterChannels, {
      membershipChanges,
      clusterEvents,
      migrationCommands,
      inboundMessages
    }).pipe(
      Context.add(ClusterChannelReceivers, {
        membershipChanges: SubscriptionRef.changes(membershipChanges),
        clusterEvents: Stream.fromPubSub(clusterEvents),
        migrationCommands,
        inboundMessages
      })
    )
  })
)
