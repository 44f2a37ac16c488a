/**
 * The store's requests, a lane for each partition: those of one partition are carried out one after another, those of
 * different partitions at the same time. What the store answers at once is answered in the same turn. For the rest a
 * fiber goes from lane to lane while some have something to do, and there are as many as wait for the store.
 */
import { Cause, Effect, FiberSet, MutableList, Result } from "effect"
import type { StoreRequest, StoreResult } from "../../domain/replication/DataCommand.ts"
import * as AtOnce from "../store/AtOnce.ts"
import { answerAtOnce, execute, logDeath, storeBug, type StoreAccess } from "./StoreRequests.ts"

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
  const atOnce = AtOnce.of(access.store)
  // One for each partition that something was asked of.
  const lanes = new Map<number, Lane>()
  const waiting = MutableList.make<Lane>()
  let active = 0

  const run = (lane: Lane, left: number): Effect.Effect<void> =>
    Effect.suspend(() => {
      const job = left > 0 || waiting.length === 0 ? MutableList.take(lane.jobs) : MutableList.Empty
      if (job === MutableList.Empty) {
        if (lane.jobs.length === 0) lane.isBusy = false
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

  /** Carries out what is answered at once, up to the first that is not; whether that was all. */
  const isDoneAtOnce = (store: AtOnce.AtOnce, { jobs, partitionId }: Lane): boolean => {
    for (;;) {
      const job = MutableList.take(jobs)
      if (job === MutableList.Empty) return true
      const { request, token } = job
      const answered = Result.try(() => answerAtOnce(store, partitionId, request))
      const result = Result.getOrElse(answered, () => storeBug)
      if (Result.isFailure(answered)) fork(logDeath(request, Cause.die(answered.failure)))
      if (result === undefined) {
        MutableList.prepend(jobs, job)
        return false
      }
      stored(token, result)
    }
  }

  const start = (): void => {
    while (active < maxActiveLanes) {
      const lane = MutableList.take(waiting)
      if (lane === MutableList.Empty) return
      // Whoever watches is told by an effect.
      if (atOnce !== undefined && !access.isWatched() && isDoneAtOnce(atOnce, lane)) {
        lane.isBusy = false
        continue
      }
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
