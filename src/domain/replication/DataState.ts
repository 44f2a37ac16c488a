/**
 * What the data plane of one node remembers. Records are not in it: they are in the store.
 *
 * **Used linearly.** One writer owns the state; a step changes it in place and returns commands. Thousands of writes
 * under way in maps that are copied for each of them would cost more than all the rest. Nobody else may change it.
 */
import { Epoch } from "../data/Epoch.ts"
import { HybridClock } from "../data/HybridClock.ts"
import type { Timestamp } from "../data/Timestamp.ts"
import type { PartitionMeta } from "../model/Partition.ts"
import type { Incarnation, NodeId } from "../model/Scalars.ts"
import type { ConnectionId } from "../protocol/MeshState.ts"
import type { ViewHistory, ViewParent, Voter } from "../wire/Extensions.ts"
import type { AckLevel, Content, Delta, PartitionDigest, RefusalReason, Stamp, Work } from "./DataMessage.ts"
import type { DataSettings } from "./DataSettings.ts"
import { type Sight, stampOf } from "./Sight.ts"

/** Whom to answer: a process, and its number of the request. */
export interface ReplyTo {
  readonly nodeId: NodeId
  readonly incarnation: Incarnation
  readonly id: number
}

/** Why a write waits for replicas. */
export type Purpose =
  | {
      readonly _tag: "Request"
      readonly replyTo: ReplyTo
      readonly minCopies: number
      readonly latest: Timestamp | undefined
      /** It has been acknowledged already; the replicas are told all the same. */
      readonly isAnswered: boolean
    }
  | { readonly _tag: "Offer"; readonly nodeId: NodeId; readonly incarnation: Incarnation; readonly batch: number }
  | { readonly _tag: "Repair" }

/** A change in the owner's store that its replicas have not all confirmed. */
export interface PendingWrite {
  readonly id: number
  readonly content: Content
  readonly bytes: number
  /** What the replicas refuse of it. */
  readonly epoch: Epoch | undefined
  readonly purpose: Purpose
  readonly deadlineMs: number
  /** The processes that hold it. */
  acked: ReadonlyArray<Voter>
  sentAtMs: number
  /** When it is sent again without an answer; twice as long after each time. */
  resendAfterMs: number
}

/** The source's side of a copy. */
export interface CopyOut {
  readonly migrationId: string
  readonly destination: NodeId
  readonly incarnation: Incarnation
  readonly connection: ConnectionId
  /** `ready`: all has been sent. From then on only the master ends it. */
  phase: "copy" | "ready"
  readonly reader: number
  isReading: boolean
  isRead: boolean
  /** Parts sent, and sent and not yet merged, oldest first. */
  sent: number
  readonly inFlight: Array<{ readonly sequence: number; readonly bytes: number }>
  inFlightBytes: number
  /** Chunks that are read and wait for room, and changes since before the first was read. */
  readonly chunks: Array<Content["chunks"][number]>
  readonly deltas: Array<Content>
  deltaBytes: number
  readonly startedAtMs: number
  /** The destination has broken it off after all was sent. */
  isRefused: boolean
  progressAtMs: number
  askedAtMs: number
  bytes: number
}

/** The destination's side of a copy. */
export interface CopyIn {
  readonly migrationId: string
  readonly source: NodeId
  readonly incarnation: Incarnation
  next: number
  /** Parts that the store is merging. */
  merging: number
  /** All parts have arrived. */
  isEnded: boolean
  heardAtMs: number
  epoch: Epoch | undefined
}

/** A complete copy whose fate only the master knows. */
export interface Readied {
  readonly migrationId: string
  readonly source: NodeId
  readonly epoch: Epoch | undefined
  toldAtMs: number
}

/** Data of a partition that this node does not hold by the table, on its way to the owner. */
export interface StrayHandOff {
  readonly owner: NodeId
  readonly incarnation: Incarnation
  readonly reader: number
  /** Of the partition when the hand-off began: if it is another at the end, it begins anew. */
  version: number | undefined
  batch: number
  chunk: Content["chunks"][number] | undefined
  isRead: boolean
  sentAtMs: number
  /** When it is offered again without an answer; twice as long after each time. */
  resendAfterMs: number
}

/** The owner of a partition without survivors waits for what others hold. */
export interface Recovery {
  readonly sinceMs: number
  readonly declared: Map<NodeId, Incarnation>
  /** The owner has something of it from before, which its backups are to have. */
  hasOwn: boolean
  hasReceived: boolean
  /** The processes that hand over what they hold, and what that is worth. */
  readonly offers: Map<NodeId, { readonly incarnation: Incarnation; readonly epoch: Epoch }>
  toldAtMs: number
}

export interface PartitionData {
  readonly id: number
  /** The store may hold something of it. */
  hasData: boolean
  /** This node has promised itself to wait for this version of the table, because a newer owner may act. */
  suspendedTo: number
  wasSuspended: boolean
  /** Who has to hold its writes, and what that follows from. */
  ackers: {
    readonly row: PartitionMeta | undefined
    readonly holders: DataState["holders"] | undefined
    readonly ready: CopyOut | undefined
    readonly set: ReadonlyArray<Voter>
  }
  /** Who had to, when what waits was last judged. */
  judgedBy: ReadonlyArray<Voter>
  readonly pending: Map<number, PendingWrite>
  /** Requests that the store is carrying out and that may change it. */
  storing: number
  copyOut: CopyOut | undefined
  copyIn: CopyIn | undefined
  readied: Readied | undefined
  stray: StrayHandOff | undefined
  recovery: Recovery | undefined
  /** The process (`id#incarnation`) that has confirmed all that this listed replica had from before. */
  handedTo: string | undefined
  /** The store had a complete copy when this process dropped out of its cluster. */
  wasHeld: boolean
  /** The table stopped listing this process, so that those whom it lists now hold all that it held. */
  isReleased: boolean
  /** Out of touch for too long: kept, and not merged. */
  isSetAside: boolean
  epoch: Epoch
  /** The history of which the epoch tells, beside the present one; `undefined` for none. */
  epochIn: ViewHistory | undefined
  /** The mark up to which it tells of that: later ones tell of the present history alone. */
  epochInMarkMs: number
  /** When that history parted from the present one: of what was written here since, the epoch tells nothing. +∞: it did not. */
  epochPartedMs: number
  /** It is that of somebody who hands over, and has not handed over all: what is lacking here is not gone. */
  isEpochPartial: boolean
  wasOwner: boolean
  wasReplica: boolean
  /** Counts changes of the store: equal digests say nothing once it has moved on. */
  changes: number
  /** Since when the owner has neither taken the partition over nor merged what others held. */
  steadySinceMs: number
  /** The wall clock at that moment. */
  steadyWallMs: number
  /** When this copy last was one that counts; before the start of the process if a note said so. */
  syncedAtMs: number
  /** The view in which that was; `undefined` if it never was. */
  syncedIn: ViewHistory | undefined
  /** The last touch in each history before that one, the latest last; at most eight. */
  touches: Array<ViewParent & { readonly atMs: number }>
  /** When the note was last written; −∞ for never. */
  notedAtMs: number
  repair: { round: number; changes: number; readonly equal: Set<NodeId>; markMs: number }
}

/** A request of a client of this node. */
export interface OriginRequest {
  readonly id: number
  readonly partitionId: number
  readonly work: Work
  readonly ack: AckLevel
  readonly minCopies: number
  readonly deadlineMs: number
  /** Where it is now; `undefined` while it waits to be sent. */
  sent:
    | { readonly nodeId: NodeId; readonly incarnation: Incarnation; readonly connection: ConnectionId | undefined }
    | undefined
  retryAtMs: number
  /** Stamped by an owner that could not acknowledge it. */
  stamped: ReadonlyArray<Delta> | undefined
  refusal: { readonly reason: RefusalReason; readonly detail: string; readonly copies: number } | undefined
}

/** What happens with the answer of the store. */
export type Awaited =
  | {
      readonly _tag: "Write"
      readonly partitionId: number
      readonly replyTo: ReplyTo
      readonly ack: AckLevel
      readonly minCopies: number
      readonly deadlineMs: number
      /** Entries that were stamped before. */
      readonly stamped: ReadonlyArray<Delta> | undefined
    }
  | { readonly _tag: "Get"; readonly replyTo: ReplyTo }
  | { readonly _tag: "Scan"; readonly reader: number; readonly replyTo: ReplyTo }
  | {
      readonly _tag: "Replicate"
      readonly partitionId: number
      readonly nodeId: NodeId
      readonly incarnation: Incarnation
      readonly writeId: number
    }
  | { readonly _tag: "Part"; readonly partitionId: number; readonly copy: CopyIn; readonly sequence: number }
  | { readonly _tag: "CopyRead"; readonly partitionId: number; readonly copy: CopyOut }
  | {
      readonly _tag: "Offer"
      readonly partitionId: number
      readonly nodeId: NodeId
      readonly incarnation: Incarnation
      readonly batch: number
      readonly content: Content
      /** What the replicas refuse of it. */
      readonly epoch: Epoch | undefined
    }
  | { readonly _tag: "Stray"; readonly partitionId: number; readonly session: StrayHandOff }
  | { readonly _tag: "Repair"; readonly partitionId: number; readonly next: RepairStep }
  | { readonly _tag: "Nothing" }

/** What a store's answer is wanted for when replicas are compared. */
export type RepairStep =
  | { readonly _tag: "OwnerRoot"; readonly round: number }
  | {
      readonly _tag: "ReplicaRoot"
      readonly owner: NodeId
      readonly round: number
      readonly digest: number
      readonly epoch: Epoch
    }
  | { readonly _tag: "ReplicaNodes"; readonly owner: NodeId; readonly nodes: ReadonlyArray<number> }
  | {
      readonly _tag: "OwnerNodes"
      readonly replica: NodeId
      readonly nodes: ReadonlyArray<number>
      readonly theirs: ReadonlyArray<number>
    }
  | { readonly _tag: "OwnerKeys"; readonly replica: NodeId; readonly leaf: number }
  | {
      readonly _tag: "ReplicaKeys"
      readonly owner: NodeId
      readonly theirs: ReadonlyMap<string, number>
      readonly wanted: ReadonlyArray<{ mapName: string; mapType: "lww" | "or"; key: string; digest: number }>
      readonly epoch: Epoch
    }
  | { readonly _tag: "ReplicaRecords"; readonly owner: NodeId; readonly wanted: ReadonlyArray<WantedKey> }
  | { readonly _tag: "OwnerRecords"; readonly replica: NodeId; readonly keys: ReadonlyArray<WantedKey> }
  | { readonly _tag: "OwnerMerged"; readonly replica: NodeId; readonly content: Content }
  | { readonly _tag: "Filled" }

export interface WantedKey {
  readonly mapName: string
  readonly mapType: "lww" | "or"
  readonly key: string
}

/** A scan that is open here. */
export interface OpenScan {
  readonly partitionId: number
  usedAtMs: number
  /** The store is reading a page. */
  isBusy: boolean
}

export interface DataState {
  readonly settings: DataSettings
  sight: Sight
  /** What this node says of itself with each message. */
  stamp: Stamp
  /** The view and the table mean this very process. */
  isListed: boolean
  /** Incarnations that the table's rows mean. */
  holders: ReadonlyMap<NodeId, Incarnation>
  recovering: ReadonlyMap<number, ReadonlyArray<NodeId>>
  clock: HybridClock
  /** The partitions that this node has had to do with. */
  readonly partitions: Map<number, PartitionData>
  readonly requests: Map<number, OriginRequest>
  readonly awaited: Map<number, Awaited>
  /** By reader; at most `maxScans`. */
  readonly scans: Map<number, OpenScan>
  pendingBytes: number
  copyBytes: number
  /** Partitions that are being copied from here; the one whose turn it is stands first. */
  readonly copies: Set<PartitionData>
  /** Partitions of which a chunk to hand over waits for its time. */
  readonly waitingStrays: Set<PartitionData>
  isTurnOfStrays: boolean
  /** Bytes that may be sent in copies now; below 0 what was sent too early. */
  copyBudget: { bytes: number; atMs: number }
  /** When the node is to be woken next, the earliest if there are several times. */
  wakeAtMs: number | undefined
  /** Numbers of store requests, writes, batches and readers. */
  lastId: number
  /** Views that this process was a member of, oldest first, and when it went on from each; see `Touch`. */
  readonly memberships: Array<ViewParent & { readonly leftAtMs: number }>
  isOpened: boolean
  /** What the kernel was last told of strays. */
  hasStrays: boolean
  /** Digests that wait for the next tick, by replica. */
  readonly digests: Map<NodeId, Array<PartitionDigest>>
  nextRepairAtMs: number
  nextResendAtMs: number
}

/** The state of a process that has just started. */
export const initialData = (settings: DataSettings, sight: Sight, nowMs: number): DataState => ({
  settings,
  sight,
  stamp: stampOf(sight),
  isListed: false,
  holders: new Map(),
  recovering: new Map(),
  clock: HybridClock.start,
  partitions: new Map(),
  requests: new Map(),
  awaited: new Map(),
  scans: new Map(),
  pendingBytes: 0,
  copyBytes: 0,
  copies: new Set(),
  waitingStrays: new Set(),
  isTurnOfStrays: false,
  copyBudget: { bytes: 0, atMs: nowMs },
  wakeAtMs: undefined,
  lastId: 0,
  memberships: [],
  isOpened: false,
  hasStrays: false,
  digests: new Map(),
  nextRepairAtMs: nowMs + settings.repairIntervalMs,
  nextResendAtMs: nowMs
})

export const newPartition = (id: number, nowMs: number): PartitionData => ({
  id,
  hasData: false,
  suspendedTo: 0,
  wasSuspended: false,
  ackers: { row: undefined, holders: undefined, ready: undefined, set: [] },
  judgedBy: [],
  pending: new Map(),
  storing: 0,
  copyOut: undefined,
  copyIn: undefined,
  readied: undefined,
  stray: undefined,
  recovery: undefined,
  handedTo: undefined,
  wasHeld: false,
  isReleased: false,
  isSetAside: false,
  epoch: Epoch.none,
  epochIn: undefined,
  epochInMarkMs: 0,
  epochPartedMs: Number.POSITIVE_INFINITY,
  isEpochPartial: false,
  wasOwner: false,
  wasReplica: false,
  changes: 0,
  steadySinceMs: nowMs,
  steadyWallMs: 0,
  syncedAtMs: nowMs,
  syncedIn: undefined,
  touches: [],
  notedAtMs: Number.NEGATIVE_INFINITY,
  repair: { round: 0, changes: -1, equal: new Set(), markMs: 0 }
})
