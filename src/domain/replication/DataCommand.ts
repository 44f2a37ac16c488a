/**
 * What the data plane wants done, and what it is told. It decides and never acts: an interpreter executes its commands
 * in order. Requests to the store go to a lane for each partition that carries them out one after another; each is
 * answered by exactly one `Stored` event with its token, in the lane's order.
 */
import type { Epoch } from "../data/Epoch.ts"
import type { KeyDigest, KeyName } from "../data/KeyName.ts"
import type { MapOperation } from "../data/MapOperation.ts"
import type { RecordDigest } from "../data/RecordDigest.ts"
import type { Timestamp } from "../data/Timestamp.ts"
import type { NodeId } from "../model/Scalars.ts"
import type { ConnectionId } from "../protocol/MeshState.ts"
import type { ClusterMessage, ClusterMessageOf } from "../wire/ClusterMessage.ts"
import type { AckLevel, Content, DataMessage, Delta, RefusalReason, ScanCursor, Work } from "./DataMessage.ts"
import type { Sight } from "./Sight.ts"

export type StoreRequest =
  /** Carries out operations, stamped not before `reading` and later than what their keys hold. */
  | { readonly _tag: "Write"; readonly operations: ReadonlyArray<MapOperation>; readonly reading: Timestamp }
  | { readonly _tag: "Merge"; readonly content: Content; readonly epoch: Epoch | undefined }
  | { readonly _tag: "Get"; readonly key: KeyName }
  /** The next chunk of a reading; the first use of a `reader` opens it. */
  | { readonly _tag: "Read"; readonly reader: number; readonly maxBytes: number }
  | { readonly _tag: "CloseRead"; readonly reader: number }
  /** The next page of a map's records that are no tombstones; as `Read`. */
  | {
      readonly _tag: "Scan"
      readonly reader: number
      readonly mapName: string
      readonly mapType: KeyName["mapType"]
      readonly maxBytes: number
    }
  | { readonly _tag: "Size" }
  | { readonly _tag: "Drop"; readonly ifVersion: number }
  | { readonly _tag: "Digests"; readonly nodes: ReadonlyArray<number> }
  | { readonly _tag: "KeyDigests"; readonly node: number }
  | { readonly _tag: "Records"; readonly keys: ReadonlyArray<KeyName> }
  /** `keys` undefined: only tombstones; else also what the epoch counts as gone, of these keys or of `"all"`. */
  | { readonly _tag: "Collect"; readonly epoch: Epoch; readonly keys: ReadonlyArray<KeyName> | "all" | undefined }
  | { readonly _tag: "SetNote"; readonly note: Uint8Array }

export type StoreResult =
  | { readonly _tag: "Written"; readonly deltas: ReadonlyArray<Delta>; readonly latest: Timestamp | undefined }
  | { readonly _tag: "Merged"; readonly changed: number; readonly latest: Timestamp | undefined }
  | { readonly _tag: "Got"; readonly deltas: ReadonlyArray<Delta> }
  | { readonly _tag: "Chunk"; readonly chunk: Content["chunks"][number] }
  | { readonly _tag: "End" }
  /** The end of a scan closes it. */
  | { readonly _tag: "Page"; readonly deltas: ReadonlyArray<Delta>; readonly isEnd: boolean }
  | { readonly _tag: "Size"; readonly records: number; readonly version: number }
  | { readonly _tag: "Dropped"; readonly dropped: boolean }
  | { readonly _tag: "Digests"; readonly digests: ReadonlyArray<RecordDigest> }
  | { readonly _tag: "KeyDigests"; readonly keys: ReadonlyArray<KeyDigest> }
  | { readonly _tag: "Done" }
  /** Nothing has been stored. */
  | { readonly _tag: "Failed"; readonly reason: "invalid" | "failed" | "full"; readonly detail: string }

/** What a client is told, exactly once. */
export type Outcome =
  /** With the latest stamp of a write; without one there was nothing to change. */
  | { readonly _tag: "Done"; readonly latest: Timestamp | undefined }
  | { readonly _tag: "Value"; readonly deltas: ReadonlyArray<Delta> }
  /** Without a cursor it is the last. */
  | { readonly _tag: "Page"; readonly deltas: ReadonlyArray<Delta>; readonly cursor: ScanCursor | undefined }
  /** Nothing has happened, and whoever was asked would not do it within the time. */
  | { readonly _tag: "Refused"; readonly reason: RefusalReason; readonly detail: string; readonly copies: number }
  /** No owner could be asked within the time. Nothing has happened. */
  | { readonly _tag: "Unavailable"; readonly detail: string }
  /** It may have taken effect, or may yet, at most once. */
  | { readonly _tag: "Unknown"; readonly detail: string }

/** Told to whoever watches. */
export type DataChange =
  | {
      readonly _tag: "CopyProgress"
      readonly partitionId: number
      readonly destination: NodeId
      readonly phase: "started" | "ready" | "finished" | "abandoned"
      readonly chunks: number
      readonly bytes: number
      readonly elapsedMs: number
    }
  /** Data of a partition that this node does not hold any more has been handed over and dropped. */
  | { readonly _tag: "StrayHandedOver"; readonly partitionId: number }
  /** Data that was away for too long is kept and not merged. */
  | { readonly _tag: "StraySetAside"; readonly partitionId: number }

export type DataCommand =
  | { readonly _tag: "Store"; readonly token: number; readonly partitionId: number; readonly request: StoreRequest }
  /** As the payload of `OP_FORWARD`, over this connection. */
  | {
      readonly _tag: "Tell"
      readonly to: NodeId
      readonly connection: ConnectionId
      readonly partitionId: number
      readonly message: DataMessage
    }
  | {
      readonly _tag: "Send"
      readonly to: NodeId
      readonly connection: ConnectionId
      readonly message: ClusterMessage
    }
  /** To the kernel of this very node, which acts as master: as if it had come from itself. */
  | {
      readonly _tag: "ToMaster"
      readonly message: ClusterMessageOf<"MIGRATE_READY"> | ClusterMessageOf<"MIGRATE_CANCEL">
    }
  /** To the kernel, which acts as master: an owner has heard from everyone who might hold these. */
  | {
      readonly _tag: "Recovered"
      readonly from: NodeId
      readonly partitionIds: ReadonlyArray<number>
      readonly empty: ReadonlyArray<number>
    }
  /** To the kernel: does the store hold data that belongs to others, and that they have not been given? Told when it changes. */
  | { readonly _tag: "Holds"; readonly strays: boolean }
  | { readonly _tag: "Answer"; readonly id: number; readonly outcome: Outcome }
  | { readonly _tag: "Changed"; readonly change: DataChange }
  /** `Woken` is to follow after so many milliseconds, at least 1. */
  | { readonly _tag: "Wake"; readonly afterMs: number }
  | { readonly _tag: "Note"; readonly level: "debug" | "info" | "warn"; readonly text: string }

/** What a store holds of a partition when it is opened. */
export interface StoredPartition {
  readonly partitionId: number
  readonly hasRecords: boolean
  /** As `SetNote` left it. */
  readonly note: Uint8Array | undefined
}

export type DataEvent =
  /** The store has been opened: partitions that hold records or a note. Comes once. */
  | { readonly _tag: "Opened"; readonly partitions: ReadonlyArray<StoredPartition> }
  /** The node sees its cluster differently. */
  | { readonly _tag: "Seen"; readonly sight: Sight }
  | { readonly _tag: "Told"; readonly from: NodeId; readonly message: DataMessage }
  /** `MIGRATE_*` that the kernel has delivered. */
  | { readonly _tag: "Received"; readonly from: NodeId; readonly message: ClusterMessage }
  | { readonly _tag: "Stored"; readonly token: number; readonly result: StoreResult }
  /** A client of this node asks; `id` is its own and unique among those under way. */
  | {
      readonly _tag: "Asked"
      readonly id: number
      readonly partitionId: number
      readonly work: Work
      readonly ack: AckLevel
      readonly minCopies: number
      readonly timeoutMs: number
    }
  | { readonly _tag: "Tick" }
  /** The time has come for which a `Wake` asked. */
  | { readonly _tag: "Woken" }
