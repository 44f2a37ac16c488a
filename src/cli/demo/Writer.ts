/**
 * Writes entries through the nodes of a fleet, while whatever happens to them happens, and reads all of them back in
 * the end. What has become of each write stands in the books.
 */
import { Effect, Random, Ref } from "effect"
import { type Answer, type Operation, toBatch } from "../DriveLine.ts"
import * as Books from "./Books.ts"
import { type Driven, type Fleet, nowMs } from "./Fleet.ts"
import type { FleetState } from "./FleetState.ts"

export interface WriterOptions {
  readonly writes: number
  readonly partitionCount: number
  /** Writes begun in a second until `finish`. */
  readonly writesPerSecond: number
}

/** Writes that a key gets, about. */
const writesPerKey = 5

/**
 * Operations under way at a node. Few enough that what is asked does not wait for what was asked before; more than
 * what waits for the partitions of a node that is silent.
 */
const maxPerNode = 64
/** Writes of a partition under way. */
const maxPerPartition = 2
/** Milliseconds between two looks for what may be written. */
const tickMs = 20
/** Milliseconds of writes that are made up for at once when the writer was held up. */
const maxBurstMs = 250

/** What was read in the end. */
export interface Verdict {
  /** Keys that were read. */
  readonly read: number
  /** Keys of which an acknowledged write was not found. */
  readonly lost: number
  /** Keys that could not be read in time. */
  readonly unread: number
  /** Some of what is wrong, in words. */
  readonly examples: ReadonlyArray<string>
}

/** Examples given of what is wrong. */
const maxExamples = 5

export interface Writer {
  readonly books: Books.Books
  /** Writes until it is interrupted, or all is written; never more than `upTo` was last told. */
  readonly write: Effect.Effect<void>
  /** Writes that may be begun by now. At the start all. */
  readonly upTo: (writes: number) => Effect.Effect<void>
  /** Begins the writes that are left as fast as they are taken; completes when all outcomes are here, or after `withinMs`. */
  readonly finish: (withinMs: number) => Effect.Effect<void>
  /** Reads every key that was written. */
  readonly verify: (withinMs: number) => Effect.Effect<Verdict>
}

/** For one fleet, of which nobody else drives the nodes. */
export const make = Effect.fnUntraced(function* (options: WriterOptions, fleet: Fleet): Effect.fn.Return<Writer> {
  const books = Books.make({ ...options, keys: Math.ceil(options.writes / writesPerKey), maxPerPartition })
  const limit = yield* Ref.make(options.writes)
  const pace = yield* Ref.make(options.writesPerSecond)
  // Which process was asked for what.
  const asked = new Map<number, number>()
  const perProcess = new Map<number, number>()
  let reads: Reads | undefined

  const settle = (id: number, answer: Pick<Answer, "outcome" | "ms" | "value">, atMs: number): void => {
    const pid = asked.get(id)
    if (pid === undefined) return
    asked.delete(id)
    perProcess.set(pid, (perProcess.get(pid) ?? 1) - 1)
    if (reads?.settle(id, answer) !== true) books.settle(id, answer.outcome, answer.ms, atMs)
  }

  const hear = (driven: Driven): Effect.Effect<void> =>
    Effect.map(nowMs, (atMs) => {
      if (driven._tag === "Answered") {
        for (const answer of driven.answers) settle(answer.id, answer, atMs)
        return
      }
      // Whatever it had been asked may have happened before it ended.
      for (const [id, pid] of asked) if (pid === driven.pid) settle(id, { outcome: "unknown", ms: 0 }, atMs)
      perProcess.delete(driven.pid)
    })
  fleet.onDriven(hear)

  // What a node that stands still was asked for waits for it: others may write to those partitions meanwhile.
  let frozen = new Set<number>()
  const parkFrozen = (state: FleetState, atMs: number): void => {
    const now = new Set([...state.nodes.values()].flatMap(({ pid, status }) => (status === "frozen" ? [pid] : [])))
    if ([...now].some((pid) => !frozen.has(pid))) {
      for (const [id, pid] of asked) if (now.has(pid)) books.park(id, atMs)
    }
    frozen = now
  }

  /** Gives up to `count` operations to random nodes that have room. */
  const spread = Effect.fnUntraced(function* (
    count: number,
    next: (random: number, atMs: number) => Operation | undefined
  ) {
    const state = yield* fleet.state
    const atMs = yield* nowMs
    parkFrozen(state, atMs)
    const open = [...state.nodes.values()].filter(({ report, status }) => status === "running" && report !== undefined)
    const batches = new Map<number, Array<Operation>>()
    let begun = 0
    while (begun < count) {
      const withRoom = open.filter(({ pid }) => (perProcess.get(pid) ?? 0) < maxPerNode)
      const node = withRoom[Math.floor((yield* Random.next) * withRoom.length)]
      const operation = node === undefined ? undefined : next(yield* Random.next, atMs)
      if (node === undefined || operation === undefined) break
      begun++
      asked.set(operation.id, node.pid)
      perProcess.set(node.pid, (perProcess.get(node.pid) ?? 0) + 1)
      const batch = batches.get(node.pid)
      if (batch === undefined) batches.set(node.pid, [operation])
      else batch.push(operation)
    }
    for (const [pid, operations] of batches) {
      if (fleet.send(pid, toBatch({ operations }))) continue
      // It was not even sent.
      for (const { id } of operations) settle(id, { outcome: "refused", ms: 0 }, atMs)
    }
    return begun
  })

  const put = (random: number, atMs: number): Operation | undefined => {
    const write = books.next(random, atMs)
    return write === undefined ? undefined : { type: "put", ...write }
  }

  const write = Effect.gen(function* () {
    let lastMs = yield* nowMs
    let due = 0
    while (!books.isDone()) {
      yield* Effect.sleep(tickMs)
      const perMs = (yield* Ref.get(pace)) / 1000
      const atMs = yield* nowMs
      due = Math.min(due + (atMs - lastMs) * perMs, maxBurstMs * perMs)
      lastMs = atMs
      const left = (yield* Ref.get(limit)) - books.begun()
      // What was refused has been begun, and is to be made all the same.
      due -= yield* spread(Math.floor(Math.min(due, left + books.refused())), put)
    }
  })

  const verify = Effect.fnUntraced(function* (withinMs: number) {
    const endMs = (yield* nowMs) + withinMs
    const reading = readsOf(books, options.writes)
    reads = reading
    while (!reading.isDone() && (yield* nowMs) < endMs) {
      yield* spread(Number.POSITIVE_INFINITY, reading.next)
      yield* Effect.sleep(tickMs)
    }
    return reading.verdict()
  })

  return {
    books,
    write,
    upTo: (writes) => Ref.set(limit, Math.min(writes, options.writes)),
    finish: (withinMs) =>
      Ref.set(limit, options.writes).pipe(
        Effect.andThen(Ref.set(pace, Number.MAX_SAFE_INTEGER)),
        Effect.andThen(Effect.sleep(tickMs).pipe(Effect.repeat({ until: () => books.isDone() }))),
        Effect.timeoutOption(withinMs),
        Effect.asVoid
      ),
    verify
  }
})

interface Reads {
  readonly next: () => Operation | undefined
  /** False if no read has this id. */
  readonly settle: (id: number, answer: Pick<Answer, "outcome" | "value">) => boolean
  readonly isDone: () => boolean
  readonly verdict: () => Verdict
}

// Ids of reads are above those of writes.
const readsOf = (books: Books.Books, writes: number): Reads => {
  const left = [...books.written()]
  const underWay = new Map<number, string>()
  const examples: Array<string> = []
  let id = writes
  let read = 0
  let lost = 0
  return {
    next: () => {
      const key = left.pop()
      if (key === undefined) return undefined
      underWay.set(++id, key)
      return { type: "get", id, key }
    },
    settle: (id, { outcome, value }) => {
      const key = underWay.get(id)
      if (key === undefined) return false
      underWay.delete(id)
      if (outcome !== "done") {
        left.unshift(key)
        return true
      }
      read++
      if (books.isRight(key, value)) return true
      lost++
      if (examples.length < maxExamples) {
        examples.push(`${key} should be ${books.expected(key)}, and is ${value ?? "nothing"}`)
      }
      return true
    },
    isDone: () => left.length + underWay.size === 0,
    verdict: () => ({ read, lost, unread: left.length + underWay.size, examples })
  }
}
