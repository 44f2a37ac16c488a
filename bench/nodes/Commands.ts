/** What a benchmark asks of its node processes, and what they answer. */
import { Schema } from "effect"

/** From whom keys are: the client's own node owns them, or holds nothing of them, or either. */
export const Keys = Schema.Literals(["local", "remote", "mixed"])
export type Keys = typeof Keys.Type

const Ids = Schema.Array(Schema.Number)

const command = <const Type extends string, const Fields extends Schema.Struct.Fields>(type: Type, fields: Fields) =>
  Schema.Struct({ type: Schema.Literal(type), ...fields })

export const Command = Schema.Union([
  /** Is everyone there, has every partition its backup, and is nothing on its way? */
  command("settled", { nodes: Schema.Number }),
  command("isMaster", {}),
  /** Would nothing be moved? */
  command("balanced", {}),
  /** Writes each key once, and then for as long as given: `inFlight` at a time, each again when it is done. */
  command("exchange", {
    operation: Schema.Literals(["put", "get"]),
    keys: Keys,
    inFlight: Schema.Number,
    durationMs: Schema.Number,
    valueBytes: Schema.Number
  }),
  command("partitions", { owner: Schema.String, backup: Schema.String }),
  command("fill", { partitionId: Schema.Number, bytes: Schema.Number, valueBytes: Schema.Number }),
  /** Reads and writes at even times, half of each, until `stopLoad`. */
  command("startLoad", { partitionIds: Ids, perSecond: Schema.Number, valueBytes: Schema.Number }),
  command("stopLoad", {}),
  command("move", { partitionIds: Ids, source: Schema.String, destination: Schema.String, backup: Schema.String }),
  /** Collects garbage: memory that is watched is compared with what there is then. */
  command("collect", {}),
  /** Watches memory, buffers and heartbeats until `stopWatch`, which collects garbage. */
  command("startWatch", {}),
  command("stopWatch", {}),
  command("startProfile", {}),
  command("stopProfile", {})
])
export type Command = typeof Command.Type

export const Question = Schema.Struct({ id: Schema.Number, command: Command })
export const Reply = Schema.Struct({ id: Schema.Number, answer: Schema.Unknown })
export const Started = Schema.Struct({ address: Schema.String })

export const Settled = Schema.Boolean
/** Latencies are milliseconds. */
export const Exchanged = Schema.Struct({ perSecond: Schema.Number, p50: Schema.Number, p99: Schema.Number })
export type Exchanged = typeof Exchanged.Type
export const Partitions = Ids
export const Nothing = Schema.Null

const Latency = Schema.Struct({ count: Schema.Number, p50: Schema.Number, p99: Schema.Number, max: Schema.Number })
/** `longestGapMs`: between two acknowledged writes one after the other. */
export const Load = Schema.Struct({
  put: Latency,
  get: Latency,
  failed: Schema.Number,
  longestGapMs: Schema.Number
})
export type Load = typeof Load.Type

const Pauses = Schema.Struct({ count: Schema.Number, totalMs: Schema.Number, longestMs: Schema.Number })

export const Watched = Schema.Struct({
  /** Resident bytes: before, after garbage was collected; the most meanwhile; after, when it was collected again. */
  rssBefore: Schema.Number,
  rssPeak: Schema.Number,
  rssAfter: Schema.Number,
  /** The most bytes of copies under way and of messages that wait for their connection, by the node's own books. */
  buffered: Schema.Number,
  /** Longest time between two heartbeats of one peer, and the highest suspicion level of any. */
  heartbeatGapMs: Schema.Number,
  suspicion: Schema.Number,
  /** The longest time in which the event loop did nothing else. */
  stallMs: Schema.Number,
  /** Processor time of all threads, and the pauses of the collector: of each kind how many, in all, and the longest. */
  cpuMs: Schema.Number,
  wallMs: Schema.Number,
  minor: Pauses,
  major: Pauses
})
export type Watched = typeof Watched.Type

/** Milliseconds of this process's CPU by the part of the program that they were spent in. */
export const Profile = Schema.Record(Schema.String, Schema.Number)
