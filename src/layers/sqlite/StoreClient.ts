/**
 * This thread's side of a store's thread: sends requests, all of one turn of the event loop in one message, and hands
 * out the answers. What waits for an answer is bounded.
 */
import { MessageChannel, type MessagePort, Worker } from "node:worker_threads"
import { Effect, type Scope } from "effect"
import { InvalidOperation } from "../../domain/data/InvalidOperation.ts"
import type { MapOperation } from "../../domain/data/MapOperation.ts"
import { MalformedRecords } from "../../domain/data/RecordCodec.ts"
import { StoreFailed, StoreFull } from "../../services/StoreErrors.ts"
import { compactRequest } from "./Compact.ts"
import type { Answers, FromThread, Outcome, Refusal, Request, ToThread } from "./Requests.ts"
import type { FileProblem } from "./SqliteFile.ts"
import { serve, type StoreFile } from "./StoreServer.ts"

export type Refused = StoreFailed | StoreFull | MalformedRecords | InvalidOperation

export interface StoreClient {
  readonly ask: <R extends Request>(request: R) => Effect.Effect<Answers[R["type"]], Refused>
}

interface Waiting {
  readonly operation: string
  readonly bytes: number
  readonly settle: (outcome: Outcome | StoreFailed) => void
}

/** Requests, and bytes in them, that may wait for an answer; one more fails with `StoreFailed` `overloaded`. */
export const maxWaitingRequests = 65_536
export const maxWaitingBytes = 64 * 1024 * 1024

// The thread's source stands beside this file, whether that is run as it is or compiled.
const threadUrl = new URL(import.meta.url.endsWith(".ts") ? "StoreThread.ts" : "StoreThread.js", import.meta.url)

/** Where the file is served: its end of the port, and the event that says that it has gone. */
interface Server {
  readonly port: Worker | MessagePort
  readonly gone: "exit" | "close"
}

/** Serves the file in a thread of its own. */
export const inThread = (workerData: StoreFile): Server => ({
  port: new Worker(threadUrl, { workerData, execArgv: ["--disable-warning=ExperimentalWarning"] }),
  gone: "exit"
})

/** Serves it in this thread, which then stands still with the disk. Starts faster than a thread. */
export const here = (file: StoreFile): Server => {
  const { port1, port2 } = new MessageChannel()
  serve(port2, file)
  return { port: port1, gone: "close" }
}

/** Starts serving the file; that ends with the scope. */
export const open = (
  data: StoreFile,
  start: (file: StoreFile) => Server = inThread
): Effect.Effect<StoreClient, StoreFailed | StoreFull, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<Thread, StoreFailed | StoreFull>((resume) => {
      const thread = startThread(start(data), (problem) =>
        resume(problem === undefined ? Effect.succeed(thread) : Effect.fail(failureOf("open", problem, data.maxBytes)))
      )
    }),
    (thread) => Effect.callback<void>((resume) => thread.close(() => resume(Effect.void)))
  ).pipe(Effect.map((thread) => ({ ask: (request) => ask(thread, request, data.maxBytes) })))

interface Thread {
  readonly send: (request: Request, waiting: Waiting) => void
  readonly close: (closed: () => void) => void
}

const startThread = ({ gone, port }: Server, opened: (problem: FileProblem | undefined) => void): Thread => {
  const waiting = new Map<number, Waiting>()
  let waitingBytes = 0
  let batch: Array<readonly [number, Request]> = []
  let lastId = 0
  let ended: StoreFailed | undefined

  const post = (message: ToThread): void => port.postMessage(message)
  const flush = (): void => {
    post({ type: "requests", requests: batch })
    batch = []
  }
  const settle = (id: number, outcome: Outcome | StoreFailed): void => {
    const found = waiting.get(id)
    if (found === undefined) return
    waiting.delete(id)
    waitingBytes -= found.bytes
    found.settle(outcome)
  }
  const end = (reason: StoreFailed["reason"], detail: string): void => {
    ended ??= new StoreFailed({ operation: "request", reason, detail })
    for (const id of waiting.keys()) settle(id, ended)
  }

  port.on("message", (message: FromThread) => {
    switch (message.type) {
      case "opened":
        return opened(undefined)
      case "failed":
        return opened(message.problem)
      case "outcomes":
        for (const [id, outcome] of message.outcomes) settle(id, outcome)
    }
  })
  port.on("error", (error) => {
    opened({ reason: "unavailable", detail: String(error) })
    end("unavailable", `the store's thread has failed: ${String(error)}`)
  })
  port.on(gone, () => end("closed", "the store has been closed"))

  return {
    send: (request, entry) => {
      if (ended !== undefined) return entry.settle(ended)
      if (waiting.size >= maxWaitingRequests || waitingBytes + entry.bytes > maxWaitingBytes) {
        const detail = `${waiting.size} requests with ${waitingBytes} bytes wait already`
        return entry.settle(new StoreFailed({ operation: entry.operation, reason: "overloaded", detail }))
      }
      const id = ++lastId
      waiting.set(id, entry)
      waitingBytes += entry.bytes
      if (batch.push([id, compactRequest(request)]) === 1) queueMicrotask(flush)
    },
    close: (closed) => {
      if (ended !== undefined) return closed()
      port.once(gone, () => closed())
      if (batch.length > 0) flush()
      post({ type: "close" })
    }
  }
}

const ask = <R extends Request>(
  thread: Thread,
  request: R,
  maxBytes: number
): Effect.Effect<Answers[R["type"]], Refused> =>
  Effect.callback((resume) => {
    thread.send(request, {
      operation: request.type,
      bytes: bytesOf(request),
      settle: (outcome) => {
        if (outcome instanceof StoreFailed) resume(Effect.fail(outcome))
        // The thread answers each request with what belongs to its type.
        else if (outcome.ok) resume(Effect.succeed(outcome.answer as Answers[R["type"]]))
        else resume(refused(request.type, outcome.refusal, maxBytes))
      }
    })
  })

/** About the bytes that a request keeps while it waits. */
const bytesOf = (request: Request): number => {
  switch (request.type) {
    case "merge":
      return request.chunk.data.length
    case "apply":
      return request.deltas.reduce((sum, { entry, key }) => sum + entry.length + key.length, 0)
    case "write":
      return request.operations.reduce((sum, one) => sum + one.key.length + valueBytes(one), 0)
    default:
      return 0
  }
}

const valueBytes = (operation: MapOperation): number =>
  "value" in operation && operation.value !== undefined ? operation.value.length : 0

const refused = (operation: string, refusal: Refusal, maxBytes: number): Effect.Effect<never, Refused> => {
  switch (refusal._tag) {
    case "File":
      return Effect.fail(failureOf(operation, refusal.problem, maxBytes))
    case "MalformedRecords":
      return Effect.fail(new MalformedRecords(refusal))
    case "InvalidOperation":
      return Effect.fail(new InvalidOperation(refusal))
    case "Defect":
      return Effect.die(new Error(`the store's thread: ${refusal.detail}`))
  }
}

const failureOf = (operation: string, { detail, reason }: FileProblem, maxBytes: number): StoreFailed | StoreFull => {
  if (reason === "full") return new StoreFull({ operation, limitBytes: maxBytes })
  return reason === "diskFull"
    ? new StoreFull({ operation, limitBytes: 0 })
    : new StoreFailed({ operation, reason, detail })
}
