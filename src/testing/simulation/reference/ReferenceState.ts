/** What a node of the reference knows, and what it does: as observed from outside, with its faults. */
import { MembersView } from "../../../domain/model/MembersView.ts"
import type { MemberInfo } from "../../../domain/model/MemberInfo.ts"
import type { PartitionAssignment } from "../../../domain/model/Partition.ts"
import type { NodeId } from "../../../domain/model/Scalars.ts"
import type { ClusterMessage } from "../../../domain/wire/ClusterMessage.ts"

export interface ReferenceOptions {
  readonly nodeId: NodeId
  readonly host: string
  readonly clientPort: number
  readonly clusterPort: number
  /** The real server always uses "". */
  readonly clusterId: string
  /** Addresses, dialled in this order. Without any it founds at once. */
  readonly seeds: ReadonlyArray<string>
  readonly partitionCount: number
  readonly backupCount: number
}

/** A connection, and the peer that has said on it who it is. */
export interface ReferenceConnection {
  readonly dialled: string | undefined
  readonly nodeId: NodeId | undefined
}

/** How a peer was heard. It is kept when the peer goes and comes back (fault 5). */
export interface Heard {
  /** By the sender's clock (fault 8). */
  readonly timestampMs: number
  readonly silentSinceMs: number | undefined
}

export interface ReferenceState {
  readonly options: ReferenceOptions
  /** It has a view: it was accepted, or it has promoted itself. */
  readonly isMember: boolean
  readonly view: MembersView
  readonly assignments: ReadonlyArray<PartitionAssignment>
  readonly tableVersion: number
  readonly connections: ReadonlyMap<number, ReferenceConnection>
  readonly heard: ReadonlyMap<NodeId, Heard>
  /** Of the seeds, the one that is asked next. */
  readonly nextSeed: number
  /** Without a view it promotes itself then. */
  readonly promotesAtMs: number
  readonly beatsAtMs: number
}

export type ReferenceAction =
  | { readonly _tag: "Send"; readonly connection: number; readonly message: ClusterMessage }
  | { readonly _tag: "Dial"; readonly address: string }

/** Milliseconds of one clock, which is all that it reads. */
export const heartbeatMs = 1000
/** By its wall clock a timer may be this early. */
export const timerSlackMs = 5
/** One missed heartbeat is enough for its detector (fault 7). */
export const suspicionMs = 1560
export const suspicionTimeoutMs = 10_000
/** A node whose seeds do not accept it founds a cluster of its own after this (faults 15 and 19). */
export const promotionMs = 6000

export const referenceStart = (options: ReferenceOptions, nowMs: number): ReferenceState => ({
  options,
  isMember: false,
  view: { version: 0, members: [] },
  assignments: [],
  tableVersion: 0,
  connections: new Map(),
  heard: new Map(),
  nextSeed: 0,
  promotesAtMs: options.seeds.length === 0 ? nowMs : nowMs + promotionMs,
  beatsAtMs: nowMs + heartbeatMs
})

export const selfInfo = ({ options }: ReferenceState, joinVersion: number): MemberInfo => ({
  nodeId: options.nodeId,
  host: options.host,
  clientPort: options.clientPort,
  clusterPort: options.clusterPort,
  state: "active",
  joinVersion
})

/** Whom it takes for the master: the oldest active member of its own view. */
export const believedMaster = (state: ReferenceState): NodeId | undefined => MembersView.master(state.view)?.nodeId

export const believesToLead = (state: ReferenceState): boolean =>
  state.isMember && believedMaster(state) === state.options.nodeId
