/** Says who owns what whenever the cluster changes. Knows nothing of sockets, so it runs under test layers too. */
import { Effect, Stream } from "effect"
import { ClusterPartitionService, ClusterService } from "effect-squadron"

export const watch = Effect.gen(function* () {
  const cluster = yield* ClusterService
  const partitions = yield* ClusterPartitionService
  yield* cluster.subscribeChanges.pipe(
    Stream.filter((change) => change._tag === "PartitionTableUpdated"),
    Stream.runForEach(
      Effect.fnUntraced(function* (change) {
        const { members } = yield* cluster.membersView
        const owned = yield* partitions.partitionsForNode(cluster.nodeId)
        yield* Effect.log(`table ${change.version}: ${owned.length} partitions here, ${members.length} members`)
      })
    )
  )
})
