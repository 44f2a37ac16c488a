/**
 * What the data planes of two nodes say to each other. It travels as the payload of `OP_FORWARD`, whose content is
 * the application's affair on the wire, so that other implementations carry it without knowing it. Copies travel in the
 * reference's own `MIGRATE_DATA` and `MIGRATE_READY`.
 */
import { Result, Schema } from "effect"
import type { MalformedMessage } from "../codec/MalformedMessage.ts"
import { MessagePack } from "../codec/MessagePack.ts"
import { Epoch } from "../data/Epoch.ts"
import { KeyDigest, KeyName } from "../data/KeyName.ts"
import { MapOperation } from "../data/MapOperation.ts"
import { Timestamp } from "../data/Timestamp.ts"
import { ViewHistory } from "../wire/Extensions.ts"
import { MapType } from "../model/Migration.ts"
import { Binary, Incarnation, Lineage, Text, U32, U64 } from "../model/Scalars.ts"

/** As `MapStateChunk` and `DeltaOp`, with the bytes as they are. */
const Chunk = Schema.Struct({ mapName: Text, data: Binary, mapType: MapType })
export const Delta = Schema.Struct({ mapName: Text, key: Text, entry: Binary })
export type Delta = typeof Delta.Type

/** Records, as the store gives and takes them. */
export const Content = Schema.Struct({ chunks: Schema.Array(Chunk), deltas: Schema.Array(Delta) })
export type Content = typeof Content.Type

/** How many replicas must hold a write before it is acknowledged. */
export const AckLevel = Schema.Literals(["owner", "backups"])
export type AckLevel = typeof AckLevel.Type

/** A scan that goes on: the process that keeps it, and its number there. */
const ScanCursor = Schema.Struct({ process: Incarnation, reader: U64 })
export type ScanCursor = typeof ScanCursor.Type

/** What the owner of a partition is asked for. */
export const Work = Schema.Union([
  Schema.Struct({ type: Schema.Literal("write"), operations: Schema.Array(MapOperation) }),
  /** A write that another owner has stamped and could not acknowledge: the same entries, so that it counts once. */
  Schema.Struct({ type: Schema.Literal("stamped"), deltas: Schema.Array(Delta) }),
  Schema.Struct({ type: Schema.Literal("get"), key: KeyName }),
  /** A page of all records of a map that are no tombstones, about so many bytes of them. */
  Schema.Struct({
    type: Schema.Literal("scan"),
    mapName: Text,
    mapType: MapType,
    maxBytes: U32,
    /** Of the page before; without it a scan begins. */
    cursor: Schema.optionalKey(ScanCursor)
  })
])
export type Work = typeof Work.Type
export type WorkOf<Type extends Work["type"]> = Extract<Work, { readonly type: Type }>

/** Work that changes nothing may be asked for again, except for a page that is gone once it is read. */
export const isRead = (work: Work): boolean => work.type === "get" || work.type === "scan"

/** Why an owner, or who was taken for it, has not done what it was asked for. Nothing has happened. */
export const RefusalReason = Schema.Literals([
  /** The node does not own the partition, as far as it knows. */
  "notOwner",
  /** It owns the partition, and waits for what returning nodes still hold of it. */
  "recovering",
  "overloaded",
  /** Fewer replicas are listed than the write asks for. */
  "notEnoughReplicas",
  /** The operation cannot be carried out by anyone. */
  "invalid",
  /** The owner's store is out of order, or full. */
  "storeFailed",
  "storeFull",
  /** The scan is not open here: it has to begin anew. */
  "scanLost"
])
export type RefusalReason = typeof RefusalReason.Type

export const Reply = Schema.Union([
  /** The latest stamp of the write; none if there was nothing to change. */
  Schema.Struct({ type: Schema.Literal("done"), latest: Schema.optionalKey(Timestamp) }),
  Schema.Struct({ type: Schema.Literal("value"), deltas: Schema.Array(Delta) }),
  /** Without a cursor it is the last. */
  Schema.Struct({
    type: Schema.Literal("page"),
    deltas: Schema.Array(Delta),
    cursor: Schema.optionalKey(ScanCursor)
  }),
  /** `copies`: replicas that the row lists, of `notEnoughReplicas`. */
  Schema.Struct({
    type: Schema.Literal("refused"),
    reason: RefusalReason,
    detail: Schema.optionalKey(Text),
    copies: Schema.optionalKey(U32)
  }),
  /** Applied by a node that is no longer the owner: the new owner is given these same entries. */
  Schema.Struct({ type: Schema.Literal("stale"), deltas: Schema.Array(Delta) }),
  /** Applied, and not enough replicas have said so in time. */
  Schema.Struct({ type: Schema.Literal("unknown") })
])
export type Reply = typeof Reply.Type

/** A partition and what its owner says of it when replicas are compared. */
export const PartitionDigest = Schema.Struct({ partitionId: U32, digest: U64, epoch: Epoch })
export type PartitionDigest = typeof PartitionDigest.Type

const body = <const Type extends string, const Fields extends Schema.Struct.Fields>(type: Type, fields: Fields) =>
  Schema.Struct({ type: Schema.Literal(type), ...fields })

/** When data that is handed over was last that of a replica. */
const Touch = Schema.Struct({
  /** The history in which that was; absent if it never was. */
  history: Schema.optionalKey(ViewHistory),
  /** Milliseconds since then. */
  ageMs: U64,
  /** Milliseconds since it was of the history that goes on now; absent: never, or too long ago to be known. */
  commonMs: Schema.optionalKey(U64)
})
export type Touch = typeof Touch.Type

export const DataBody = Schema.Union([
  /** origin → owner. `ttlMs`: how long the origin waits. */
  body("request", { id: U64, partitionId: U32, work: Work, ack: AckLevel, minCopies: U32, ttlMs: U32 }),
  body("reply", { id: U64, reply: Reply }),
  /** owner → replica. */
  body("replicate", { partitionId: U32, writeId: U64, content: Content, epoch: Schema.optionalKey(Epoch) }),
  body("replicated", { partitionId: U32, writeId: U64, accepted: Schema.Boolean }),
  /** destination → source: this part of the copy is merged, or the copy is broken. */
  body("copied", { partitionId: U32, migrationId: Text, sequence: U32, accepted: Schema.Boolean }),
  /**
   * stray → owner, a part of what it holds; confirmed once the acknowledgement set holds it. With what the stray knows
   * to have been forgotten, and since when it has been out of touch.
   */
  body("offer", { partitionId: U32, batch: U64, content: Content, epoch: Epoch, touch: Touch }),
  /** Not accepted: later; `stale`: never, because it could bring back what is removed and forgotten. */
  body("offered", {
    partitionId: U32,
    batch: U64,
    accepted: Schema.Boolean,
    stale: Schema.optionalKey(Schema.Boolean)
  }),
  /** member → owner: it holds nothing of these partitions that the owner lacks. */
  body("declare", {
    partitionIds: Schema.Array(U32),
    /** Those of them of which it had a complete copy, which may have been empty. */
    held: Schema.optionalKey(Schema.Array(U32))
  }),
  /** owner → master: everyone has declared; of `empty` nobody held anything. */
  body("recovered", { partitionIds: Schema.Array(U32), empty: Schema.Array(U32) }),
  /** owner → replica: the digests of the partitions that they share. */
  body("digests", { round: U64, partitions: Schema.Array(PartitionDigest) }),
  /** replica → owner: those that are equal there; for each other one the differing nodes follow. */
  body("equal", { round: U64, partitionIds: Schema.Array(U32) }),
  /** replica → owner: its digests below the given nodes of a partition's `DigestTree`. */
  body("nodes", { partitionId: U32, nodes: Schema.Array(U32), digests: Schema.Array(U64) }),
  /** owner → replica: which children it wants to see, of nodes that differ. */
  body("descend", { partitionId: U32, nodes: Schema.Array(U32), epoch: Epoch }),
  /** owner → replica: the keys of a leaf that differs. */
  body("keys", { partitionId: U32, leaf: U32, keys: Schema.Array(KeyDigest), epoch: Epoch }),
  /** replica → owner: keys that it wants, and records that the owner may lack. */
  body("differences", { partitionId: U32, wanted: Schema.Array(KeyName), content: Content }),
  /** owner → replica: all records of those keys. */
  body("fill", { partitionId: U32, keys: Schema.Array(KeyName), content: Content })
])
export type DataBody = typeof DataBody.Type
export type DataBodyOf<Type extends DataBody["type"]> = Extract<DataBody, { readonly type: Type }>

/** What the sender knows: it decides who of the two is right. */
export const Stamp = Schema.Struct({ lineage: Lineage, viewVersion: U64, tableVersion: U64 })
export type Stamp = typeof Stamp.Type

const envelope = {
  /** The process that sends it, and the one that it is meant for: an id may have come back as another. */
  from: Incarnation,
  to: Incarnation,
  stamp: Stamp
}
export const DataMessage = Schema.Struct({ ...envelope, body: DataBody })
export type DataMessage = typeof DataMessage.Type

/** Messages that say the same of their sender share it: most of what it takes to send one. */
const Bundle = Schema.Struct({ ...envelope, bodies: Schema.Array(DataBody) })
const bundleCodec = MessagePack.codec(Bundle)

/** May two messages share a payload? */
export const isSameEnvelope = (a: DataMessage, b: DataMessage): boolean =>
  a.from === b.from && a.to === b.to && a.stamp === b.stamp

/** The payload of an `OP_FORWARD` with these bodies, in their order, all of the message's envelope. */
export const encodeBundle = (
  { from, stamp, to }: Omit<DataMessage, "body">,
  bodies: ReadonlyArray<DataBody>
): Uint8Array => bundleCodec.encode({ from, to, stamp, bodies })

/** The messages of such a payload. */
export const decodeBundle = (payload: Uint8Array): Result.Result<ReadonlyArray<DataMessage>, MalformedMessage> =>
  Result.map(bundleCodec.decode(payload), ({ bodies, from, stamp, to }) =>
    bodies.map((body) => ({ from, to, stamp, body }))
  )

export const noContent: Content = { chunks: [], deltas: [] }

/** Bytes of the records, roughly what they take in memory. */
export const bytesOf = ({ chunks, deltas }: Content): number => {
  let bytes = 0
  for (const chunk of chunks) bytes += chunk.data.length
  for (const delta of deltas) bytes += delta.entry.length + delta.key.length + 32
  return bytes
}
