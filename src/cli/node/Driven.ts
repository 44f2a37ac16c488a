/**
 * A node that is driven from outside: it carries out operations on one map, which come in on stdin, and answers each on
 * stdout. As much as is under way and waits has a bound; at it nothing more is read from stdin, so that whoever
 * writes has to wait.
 */
import { Clock, Console, Deferred, Effect, Option, Queue, Schema, Stdio, Stream } from "effect"
import { DigestTree } from "../../domain/data/DigestTree.ts"
import { sameRow } from "../../domain/protocol/TableSharing.ts"
import { ClusterDriver } from "../../services/ClusterDriver.ts"
import { ClusterService } from "../../services/ClusterService.ts"
import { MapStore } from "../../services/MapStore.ts"
import { PartitionData } from "../../services/PartitionData.ts"
import { type LwwMap, PartitionedMaps, type ReadError, type WriteError } from "../../services/PartitionedMaps.ts"
import type { UndecodableValue } from "../../services/MapErrors.ts"
import { type Answer, fromBatch, maxBatch, maxLineLength, type Operation, type Progress, toLine } from "../DriveLine.ts"

/** Operations that have been read and wait for their turn, and operations under way. */
const maxWaiting = 1024
const maxUnderWay = 1024
/** Milliseconds between two lines of answers: each line costs more than an answer. */
const answersMs = 10
/** Milliseconds between two looks at the migrations. */
const progressMs = 200

/** What comes in on stdin. */
export interface Input {
  readonly operations: Queue.Dequeue<Operation>
  /** Completes when stdin has ended. */
  readonly ended: Effect.Effect<void>
}

/** The whole lines of a text that comes in pieces. A line that is too long is left out, and told. */
const bounded = (text: Stream.Stream<string, unknown>): Stream.Stream<Option.Option<string>, unknown> =>
  text.pipe(
    Stream.mapAccum(
      () => "",
      (rest, piece: string) => {
        const pieces = (rest + piece).split("\n")
        const last = pieces.pop() ?? ""
        const whole = pieces.map((line) => (line.length > maxLineLength ? Option.none<string>() : Option.some(line)))
        // Of a line that never ends nothing more is kept than shows that it is too long.
        return [last.slice(0, maxLineLength + 1), whole]
      }
    )
  )

/** Reads stdin until the scope closes. */
export const read = Effect.gen(function* () {
  const { stdin } = yield* Stdio.Stdio
  const operations = yield* Queue.bounded<Operation>(maxWaiting)
  const ended = yield* Deferred.make<void>()
  yield* bounded(Stream.decodeText(stdin)).pipe(
    Stream.runForEach((line) =>
      Option.match(Option.flatMap(line, fromBatch), {
        onNone: () => Effect.logWarning("a line on stdin is no batch of operations"),
        onSome: (batch) => Effect.asVoid(Queue.offerAll(operations, batch.operations))
      })
    ),
    // An input that breaks has ended too.
    Effect.exit,
    Effect.andThen(Deferred.succeed(ended, undefined)),
    Effect.forkScoped
  )
  const input: Input = { operations, ended: Deferred.await(ended) }
  return input
})

type Outcome = Pick<Answer, "outcome" | "value" | "reason" | "kept">

const failed = (error: ReadError | WriteError | UndecodableValue): Outcome => ({
  outcome: error._tag === "OutcomeUnknown" ? "unknown" : "refused",
  reason: `${error._tag}: ${error.message}`
})

/** What this process keeps. */
const look = Effect.gen(function* () {
  const store = yield* MapStore
  const { recovering, strays } = yield* (yield* PartitionData).status
  const sizes = yield* store.partitions
  const filled = sizes.filter(({ records }) => records > 0)
  const partitions = yield* Effect.forEach(filled, ({ partitionId, records }) =>
    Effect.map(store.digests(partitionId, [DigestTree.root]), ([digest = 0]) => ({ partitionId, records, digest }))
  )
  return { partitions, strays, recovering }
})

const carryOut = (
  map: LwwMap<string>,
  operation: Operation
): Effect.Effect<Outcome, never, MapStore | PartitionData> => {
  switch (operation.type) {
    case "put":
      return Effect.match(map.put(operation.key, operation.value), {
        onFailure: failed,
        onSuccess: () => ({ outcome: "done" })
      })
    case "get":
      return Effect.match(map.get(operation.key), {
        onFailure: failed,
        onSuccess: (value) =>
          Option.match(value, {
            onNone: () => ({ outcome: "done" }),
            onSome: (value) => ({ outcome: "done", value })
          })
      })
    case "look":
      return Effect.match(look, {
        onFailure: (error) => ({ outcome: "refused", reason: `${error._tag}: ${error.message}` }),
        onSuccess: (kept) => ({ outcome: "done", kept })
      })
  }
}

const monotonicMs = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)

const answered = Effect.fnUntraced(function* (map: LwwMap<string>, operation: Operation) {
  const startMs = yield* monotonicMs
  const outcome = yield* carryOut(map, operation)
  const answer: Answer = { id: operation.id, ms: (yield* monotonicMs) - startMs, ...outcome }
  return answer
})

const operate = Effect.fnUntraced(function* (operations: Queue.Dequeue<Operation>) {
  const maps = yield* PartitionedMaps
  const map = maps.lww({ name: "entries", value: Schema.String, ack: "backups" })
  const answers = yield* Queue.bounded<Answer>(maxUnderWay)
  yield* Queue.takeBetween(answers, 1, maxBatch).pipe(
    Effect.flatMap((ready) => Console.log(toLine({ answers: ready }))),
    Effect.andThen(Effect.sleep(answersMs)),
    Effect.forever,
    Effect.forkScoped
  )
  yield* Stream.fromQueue(operations).pipe(
    Stream.mapEffect(
      (operation) => Effect.flatMap(answered(map, operation), (answer) => Queue.offer(answers, answer)),
      { concurrency: maxUnderWay, unordered: true }
    ),
    Stream.runDrain
  )
}, Effect.scoped)

/** Tells what becomes of partitions, and how far the migrations are whenever that has changed. */
const tellProgress = Effect.gen(function* () {
  const driver = yield* ClusterDriver
  const cluster = yield* ClusterService
  let finished = 0
  let finishedBytes = 0
  const underWay = new Map<string, number>()
  yield* cluster.subscribeChanges.pipe(
    Stream.filter(({ _tag }) => _tag === "MigrationProgress" || _tag === "PartitionLost" || _tag === "StraySetAside"),
    Stream.tap((change) => Console.log(toLine({ change }))),
    Stream.runForEach((change) =>
      Effect.sync(() => {
        if (change._tag !== "MigrationProgress") return
        const copy = `${change.partitionId} ${change.destination}`
        const isOver = change.phase === "finished" || change.phase === "abandoned"
        if (isOver) {
          underWay.delete(copy)
          finishedBytes += change.bytes
          if (change.phase === "finished") finished++
        } else underWay.set(copy, change.bytes)
      })
    ),
    Effect.forkScoped
  )
  let last = ""
  const look = Effect.gen(function* () {
    const { phase } = yield* driver.state
    const desk = phase._tag === "Joined" ? phase.migrations : undefined
    const open = desk?.open.size ?? 0
    const unlike = phase._tag === "Joined" ? phase.migrations.target.filter((row) => !sameRow(phase.table, row)) : []
    const progress: Progress = {
      open,
      queued: unlike.filter((row) => desk?.open.has(row.partitionId) !== true).length,
      finished,
      bytes: [...underWay.values()].reduce((sum, bytes) => sum + bytes, finishedBytes)
    }
    const line = toLine({ progress })
    if (line === last) return
    last = line
    yield* Console.log(line)
  })
  yield* look.pipe(Effect.andThen(Effect.sleep(progressMs)), Effect.forever)
})

/** Serves until it is interrupted. */
export const run = (
  input: Input
): Effect.Effect<void, never, PartitionedMaps | PartitionData | MapStore | ClusterDriver | ClusterService> =>
  Effect.scoped(Effect.all([operate(input.operations), tellProgress], { concurrency: "unbounded", discard: true }))
