/**
 * What is said between `squadron node --drive` and who drives it: operations on one map come in on stdin, answers,
 * progress and what becomes of partitions go out on stdout, as JSON, one object per line. Reports of the node may stand
 * between them.
 */
import { Option, Schema } from "effect"
import { ClusterChange } from "../domain/model/ClusterChange.ts"
import { U32, U64 } from "../domain/model/Scalars.ts"

/** Operations, and answers, in one line at most. */
export const maxBatch = 512
/** Characters of a line of operations; whoever sends more is not understood. */
export const maxLineLength = 1024 * 1024

/** Chosen by who asks, to know the answer by. */
const id = U64

const Put = Schema.Struct({ type: Schema.Literal("put"), id, key: Schema.String, value: Schema.String })
const Get = Schema.Struct({ type: Schema.Literal("get"), id, key: Schema.String })
/** What this process itself keeps, whoever owns it. */
const Look = Schema.Struct({ type: Schema.Literal("look"), id })

export const Operation = Schema.Union([Put, Get, Look])
export type Operation = typeof Operation.Type

const Batch = Schema.Struct({ operations: Schema.Array(Operation).check(Schema.isMaxLength(maxBatch)) })

/** What a process keeps in its store. */
const Kept = Schema.Struct({
  /** Those with records. Two replicas with equal digests hold the same records. */
  partitions: Schema.Array(Schema.Struct({ partitionId: U32, records: U64, digest: Schema.Finite })),
  /** Partitions that it keeps although the table does not list it for them. */
  strays: Schema.Array(U32),
  /** Partitions that wait for what returning nodes still hold of them. */
  recovering: Schema.Array(U32)
})

/**
 * What became of an operation. `done`: a write is on all replicas that the table lists; a read has its `value`, absent
 * if the key has none. `refused`: nothing has happened. `unknown`: it may have happened, or may happen yet, once.
 */
export const Answer = Schema.Struct({
  id,
  outcome: Schema.Literals(["done", "refused", "unknown"]),
  /** Milliseconds from the node's asking until its answer. */
  ms: Schema.Finite,
  value: Schema.optionalKey(Schema.String),
  kept: Schema.optionalKey(Kept),
  /** Why not, in words. */
  reason: Schema.optionalKey(Schema.String)
})
export type Answer = typeof Answer.Type

/** How far the migrations are, as a node sees it. */
export const Progress = Schema.Struct({
  /** Copies under way, and partitions that wait for their turn: of the acting master, else 0. */
  open: U64,
  queued: U64,
  /** Copies that have left this process and were finished, and bytes of records sent in all of its copies. */
  finished: U64,
  bytes: U64
})
export type Progress = typeof Progress.Type

export const DriveLine = Schema.Union([
  Schema.Struct({ answers: Schema.Array(Answer).check(Schema.isMaxLength(maxBatch)) }),
  Schema.Struct({ progress: Progress }),
  /** A copy that leaves this process goes on; data is lost, or set aside. */
  Schema.Struct({ change: ClusterChange })
])
export type DriveLine = typeof DriveLine.Type

const asBatch = Schema.fromJsonString(Batch)
const asLine = Schema.fromJsonString(DriveLine)
const decodeLine = Schema.decodeUnknownOption(asLine)

// Most lines of a node are reports, which are long.
const starts = ['{"answers":', '{"progress":', '{"change":']

/** Lines without their line breaks. */
export const toBatch: (batch: typeof Batch.Type) => string = Schema.encodeSync(asBatch)
export const fromBatch: (line: unknown) => Option.Option<typeof Batch.Type> = Schema.decodeUnknownOption(asBatch)
export const toLine: (line: DriveLine) => string = Schema.encodeSync(asLine)
/** What a driven node has said, or none if the line is something else. */
export const fromLine = (line: string): Option.Option<DriveLine> =>
  starts.some((start) => line.startsWith(start)) ? decodeLine(line) : Option.none()
