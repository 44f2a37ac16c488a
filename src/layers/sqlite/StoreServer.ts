/**
 * Serves a store's file over a port. Requests that have come in together share one transaction, and so one synchronization of the disk:
 * the slower the disk, the more of them. Each is answered once the transaction is on the disk.
 */
import { type MessagePort, receiveMessageOnPort } from "node:worker_threads"
import type { DatabaseSync } from "node:sqlite"
import { Result } from "effect"
import type { InvalidOperation } from "../../domain/data/InvalidOperation.ts"
import type { MalformedRecords } from "../../domain/data/RecordCodec.ts"
import { change } from "./Changes.ts"
import { type Partitions, partitionsOf } from "./Partitions.ts"
import { answer } from "./Reads.ts"
import type { Changing, FromThread, Outcome, Reading, Refusal, Request, ToThread } from "./Requests.ts"
import { openFile, problemOf, problemOn } from "./SqliteFile.ts"

/** Changes that share one transaction. */
const maxChangesPerTransaction = 4096
/** Rows of dropped partitions that are removed in one transaction. */
const rowsPerCleaning = 512

type Job<R> = readonly [id: number, request: R]

const isChange = (request: Request): request is Changing => changes.has(request.type)
const changes: ReadonlySet<Request["type"]> = new Set(["merge", "apply", "drop", "collect", "setNote", "write"])

const run = (port: MessagePort, database: DatabaseSync, partitions: Partitions): void => {
  const reads: Array<Job<Reading>> = []
  const writes: Array<Job<Changing>> = []
  let isClosing = false
  const send = (message: FromThread): void => port.postMessage(message)

  const take = (message: ToThread): void => {
    if (message.type === "close") isClosing = true
    else {
      for (const [id, request] of message.requests) {
        if (isChange(request)) writes.push([id, request])
        else reads.push([id, request])
      }
    }
  }
  const takeAll = (): void => {
    for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
      take(next.message)
    }
  }

  port.on("message", (message: ToThread) => {
    take(message)
    takeAll()
    while (reads.length > 0 || writes.length > 0) {
      // What only reads sees what is on the disk, and waits for no transaction.
      const read = reads
        .splice(0)
        .map(([id, request]) => [id, outcomeOf(database, () => answer(partitions, request))] as const)
      if (read.length > 0) send({ type: "outcomes", outcomes: read })
      const group = writes.splice(0, maxChangesPerTransaction)
      if (group.length > 0) send({ type: "outcomes", outcomes: carryOut(database, partitions, group) })
      takeAll()
    }
    if (isClosing) {
      database.close()
      port.close()
    } else clean()
  })

  /** Removes rows of dropped partitions, some in each turn of the event loop. */
  let isCleaning = false
  const clean = (): void => {
    if (isCleaning) return
    isCleaning = true
    setImmediate(() => {
      isCleaning = false
      if (!isClosing && cleanSome(database, partitions)) clean()
    })
  }
  clean()
}

const cleanSome = (database: DatabaseSync, partitions: Partitions): boolean => {
  try {
    database.exec("BEGIN")
    const more = partitions.clean(rowsPerCleaning)
    database.exec("COMMIT")
    return more
  } catch (error) {
    // The rows are invisible, so they may as well stay until the next change.
    rollBack(database)
    if (problemOf(error) === undefined) throw error
    return false
  }
}

/** All in one transaction; when that fails, each in one of its own, so that only the culprits fail. */
const carryOut = (
  database: DatabaseSync,
  partitions: Partitions,
  group: ReadonlyArray<Job<Changing>>
): ReadonlyArray<Job<Outcome>> => {
  try {
    return transaction(database, partitions, group)
  } catch (error) {
    undo(database, partitions)
    if (group.length === 1) return group.map(([id]) => [id, failed(refusalOf(database, error))])
    if (problemOf(error)?.reason === "full") shrinkLog(database)
    return group.flatMap((job) => carryOut(database, partitions, [job]))
  }
}

const transaction = (
  database: DatabaseSync,
  partitions: Partitions,
  group: ReadonlyArray<Job<Changing>>
): ReadonlyArray<Job<Outcome>> => {
  database.exec("BEGIN IMMEDIATE")
  const outcomes = group.map(([id, request]): Job<Outcome> => {
    const result = change(partitions, request)
    return [id, Result.isSuccess(result) ? { ok: true, answer: result.success } : failed(named(result.failure))]
  })
  partitions.flush()
  database.exec("COMMIT")
  partitions.committed()
  return outcomes
}

const undo = (database: DatabaseSync, partitions: Partitions): void => {
  rollBack(database)
  partitions.undone()
}

const rollBack = (database: DatabaseSync): void => {
  if (database.isTransaction) database.exec("ROLLBACK")
}

/** Moves the log into the file, which may make room on the disk. */
const shrinkLog = (database: DatabaseSync): void => {
  try {
    database.exec("PRAGMA wal_checkpoint(TRUNCATE)")
  } catch (error) {
    // Whatever stands in its way will stand in the way of the next transaction, which reports it.
    if (problemOf(error) === undefined) throw error
  }
}

const failed = (refusal: Refusal): Outcome => ({ ok: false, refusal })

const named = (error: MalformedRecords | InvalidOperation): Refusal =>
  error._tag === "MalformedRecords"
    ? { _tag: "MalformedRecords", mapName: error.mapName, reason: error.reason }
    : { _tag: "InvalidOperation", mapName: error.mapName, key: error.key, reason: error.reason, limit: error.limit }

const refusalOf = (database: DatabaseSync, error: unknown): Refusal => {
  const problem = problemOn(database, error)
  return problem === undefined
    ? { _tag: "Defect", detail: error instanceof Error ? (error.stack ?? error.message) : String(error) }
    : { _tag: "File", problem }
}

const outcomeOf = (database: DatabaseSync, work: () => Extract<Outcome, { ok: true }>["answer"]): Outcome => {
  try {
    return { ok: true, answer: work() }
  } catch (error) {
    return failed(refusalOf(database, error))
  }
}

/** The file to serve. */
export interface StoreFile {
  readonly path: string
  readonly maxBytes: number
}

/** Opens the file, says how that went, and answers requests until it is told to close. */
export const serve = (port: MessagePort, { maxBytes, path }: StoreFile): void => {
  let database: DatabaseSync | undefined
  try {
    database = openFile(path, maxBytes)
    run(port, database, partitionsOf(database))
  } catch (error) {
    const problem = problemOf(error)
    if (problem === undefined) throw error
    database?.close()
    port.postMessage({ type: "failed", problem } satisfies FromThread)
    port.close()
    return
  }
  port.postMessage({ type: "opened" } satisfies FromThread)
}
