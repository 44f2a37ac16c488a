/**
 * The store's requests, a lane for each partition: those of one partition are carried out one after another, those of
 * different partitions at the same time. A fiber goes from lane to lane while some have something to do, and there are
 * as many as wait for the store: for one that answers at once a single fiber is enough.
 */
import { Effect, FiberSet, MutableList } from "effect"
import type { StoreRequest, StoreResult } from "../../domain/replication/DataCommand.ts"
import { execute, type StoreAccess } from "./StoreRequests.ts"

/** Lanes that the store works on at a time; further ones wait, so that a store is not asked for everything at once. */
export const maxActiveLanes = 256
/** Requests that a lane may carry out while others wait for their turn. */
const turn = 64

interface Job {
  readonly token: number
  readonly request: StoreRequest
}

interface Lane {
  readonly partitionId: number
  readonly jobs: MutableList.MutableList<Job>
  /** It has a fiber, or waits for one. */
  isBusy: boolean
}

export interface StoreLanes {
  /** Puts a request at the end of its lane. */
  readonly add: (partitionId: number, token: number, request: StoreRequest) => void
  /** Lets the lanes begin that have been given something. */
  readonly start: () => void
}

/** `stored` is told each result, in the order of its lane. It must return at once. */
export const make = Effect.fnUntraced(function* (
  access: StoreAccess,
  stored: (token: number, result: StoreResult) => void
) {
  const fork = yield* FiberSet.runtime(yield* FiberSet.make<void>())()
  const lanes = new Map<number, Lane>()
  const waiting = MutableList.make<Lane>()
  let active = 0

  const run = (lane: Lane, left: number): Effect.Effect<void> =>
    Effect.suspend(() => {
      const job = left > 0 || waiting.length === 0 ? MutableList.take(lane.jobs) : MutableList.Empty
      if (job === MutableList.Empty) {
        if (lane.jobs.length === 0) lanes.delete(lane.partitionId)
        else MutableList.append(waiting, lane)
        const next = MutableList.take(waiting)
        if (next !== MutableList.Empty) return run(next, turn)
        active--
        return Effect.void
      }
      return Effect.flatMap(execute(access, lane.partitionId, job.request), (result) => {
        stored(job.token, result)
        return run(lane, left - 1)
      })
    })

  const start = (): void => {
    while (active < maxActiveLanes) {
      const lane = MutableList.take(waiting)
      if (lane === MutableList.Empty) return
      active++
      fork(run(lane, turn))
    }
  }

  const add = (partitionId: number, token: number, request: StoreRequest): void => {
    let lane = lanes.get(partitionId)
    if (lane === undefined) {
      lane = { partitionId, jobs: MutableList.make<Job>(), isBusy: false }
      lanes.set(partitionId, lane)
    }
    MutableList.append(lane.jobs, { token, request })
    if (lane.isBusy) return
    lane.isBusy = true
    MutableList.append(waiting, lane)
  }

  return { add, start } satisfies StoreLanes
})
