/** Counters that every node counts at once: each lives with the owner of its key, and on a backup. */
import { Context, Effect, Layer, Option, Schedule, Schema } from "effect"
import { ClusterPartitionService, PartitionRouter, type SendError } from "effect-squadron"
import { PartitionRecords, type WriteError } from "effect-squadron/maps"
import { CounterStore, recordOf, totalOf } from "./CounterStore.ts"

const totals = PartitionRouter.route("totals", { request: Schema.Null, reply: Schema.Int })

/** The owner of a key answers from its own store. */
const answers = totals.layer(({ key, partitionId }) =>
  Effect.map(
    Effect.flatMap(CounterStore, (store) => store.find(partitionId, key)),
    Option.match({ onNone: () => 0, onSome: totalOf })
  )
)

/** A merge may be tried again whatever became of the first: counting once twice is counting once. */
const attempts = Schedule.max([Schedule.exponential("100 millis"), Schedule.recurs(5)])

const make = (by: string) =>
  Effect.gen(function* () {
    const records = yield* PartitionRecords
    const router = yield* PartitionRouter
    const partitions = yield* ClusterPartitionService
    /** How often this process has counted, by key: as many as it counts keys. */
    const counted = new Map<string, number>()
    return Counters.of({
      count: Effect.fnUntraced(function* (key) {
        const count = (counted.get(key) ?? 0) + 1
        counted.set(key, count)
        const partitionId = yield* partitions.hashToPartition(key)
        const record = recordOf({ key, counts: [{ by, count }] })
        yield* Effect.retry(records.merge(partitionId, [record], { minCopies: 2, timeoutMs: 2000 }), attempts)
      }),
      total: (key) => Effect.provideService(totals.send(key, null), PartitionRouter, router)
    })
  })

export class Counters extends Context.Service<
  Counters,
  {
    /** Counts one. Once it succeeds two nodes have it; if it fails it counts with the next that succeeds here. */
    readonly count: (key: string) => Effect.Effect<void, WriteError>
    readonly total: (key: string) => Effect.Effect<number, SendError>
  }
>()("Counters") {
  /** `by` names this process: no other, and none that was started before it, may have the same name. */
  static readonly layer = (by: string) => Layer.merge(Layer.effect(Counters, make(by)), answers)
}
