/**
 * A singleton: whichever node owns a key does the job for it, and stops when another node owns the key. Changes are
 * hints to look, and may be missed; so it also looks once a second.
 */
import { Effect, Stream } from "effect"
import { ClusterPartitionService, ClusterService } from "effect-squadron"

/** Does `job` whenever this node owns the partition of `key`; interrupts it when it does not any more. Never ends. */
export const onOwnerOf = <E, R>(key: string, job: Effect.Effect<unknown, E, R>) =>
  Effect.gen(function* () {
    const cluster = yield* ClusterService
    const partitions = yield* ClusterPartitionService
    const isOwner = Effect.flatMap(partitions.hashToPartition(key), partitions.isLocalOwner)
    const looks = Stream.merge(cluster.subscribeChanges, Stream.tick("1 second"))
    yield* looks.pipe(
      Stream.mapEffect(() => isOwner),
      Stream.changes,
      Stream.switchMap((mine) => (mine ? Stream.fromEffect(job) : Stream.empty)),
      Stream.runDrain
    )
  })
