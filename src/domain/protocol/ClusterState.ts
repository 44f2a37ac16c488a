/**
 * Everything one node knows, as one immutable value: the only protocol state there is. A node is
 * either fresh (it has no view and looks for a cluster) or joined (it holds a view, settled or not).
 */
import type { ClusterConfig } from "../model/ClusterConfig.ts"
import type { MemberInfo } from "../model/MemberInfo.ts"
import type { NodeConfig } from "../model/NodeConfig.ts"
import type { Incarnation, Lineage, NodeId } from "../model/Scalars.ts"
import { ClusterPartitionTable } from "../placement/ClusterPartitionTable.ts"
import { planAssignment } from "../placement/PlanAssignment.ts"
import type { Seed, Voter } from "../wire/Extensions.ts"
import * as AwakeClock from "./AwakeClock.ts"
import { type ClusterView, incarnationOf, memberOf } from "./ClusterView.ts"
import type { Custody, MigrationDesk } from "./Custody.ts"
import { emptyMesh, type MeshState } from "./MeshState.ts"
import { PersistentMap } from "./PersistentMap.ts"
import type { QuorumPolicy } from "./Quorum.ts"
import { type Timing, timingOf } from "./Timing.ts"
import { defaultTopology, type Topology } from "./Topology.ts"
import { termOf } from "./Version.ts"

/** Places partitions on members. */
export type Planner = typeof planAssignment

/** To whom a node has given its vote, and in which term. */
export interface Promise {
  readonly term: number
  readonly to: NodeId
}

/** What a peer last said of itself in a heartbeat: its acknowledgement, its vote and its suspicions. */
export interface Report {
  readonly incarnation: Incarnation
  readonly lineage: Lineage
  readonly version: number
  /** The version that it knows to be settled, 0 for none. */
  readonly settled: number
  readonly promise: Promise
  readonly suspected: ReadonlyArray<NodeId>
  readonly tableVersion: number
  /** A peer that knows only the reference's fields cannot promise: it is heard, and its vote does not count. */
  readonly votes: boolean
}

/** Another node of the view or of its base, as this node hears it. */
export interface Peer {
  /** Of its last heartbeat; `undefined` before the first. */
  readonly incarnation: Incarnation | undefined
  /** When it was last heard, which is when it last reported, or when this node began to wait for it. */
  readonly heardAtMs: number
  /** Since when it should be heard as often as now; −∞ since it is known. */
  readonly expectedSinceMs: number
  readonly report: Report | undefined
  /** The incarnation that is proven dead. */
  readonly provenDead: Incarnation | undefined
  /** The founding that it left for a newer one: it will not adopt it. */
  readonly leftFounding: Incarnation | undefined
  readonly repairedAtMs: number
  readonly tableSentAtMs: number
  /** A node of the reference that was dialled anew: it has called this node dead meanwhile, in a view that it counts. */
  readonly isRedialled: boolean
}

/** A fresh node that asks for a cluster, as heard by another fresh node. */
export interface FreshNode {
  readonly incarnation: Incarnation
  readonly host: string
  readonly clusterPort: number
  /** The two as `host:port`. */
  readonly address: string
  readonly clientPort: number
  readonly zone: string | undefined
  /** It keeps partition data. */
  readonly carriesData: boolean
  readonly lastVersion: number
  readonly seeds: ReadonlyArray<Seed>
  readonly promise: Promise
  readonly noFound: boolean
  readonly heardAtMs: number
}

/** Where a live cluster is. */
export interface Target {
  readonly address: string
  readonly sinceMs: number
  /** A configured seed has named it. */
  readonly isReferred: boolean
}

/** Looks for a cluster, or founds one. */
export interface Fresh {
  readonly _tag: "Fresh"
  readonly sinceMs: number
  readonly seeds: ReadonlyArray<Seed>
  /** Addresses worth asking: seeds, and what others told. */
  readonly known: ReadonlyArray<string>
  /** An address that another told first and that found no room among the known: it may be the candidate's. */
  readonly beyondKnown: string | undefined
  readonly heard: PersistentMap<NodeId, FreshNode>
  readonly promise: Promise
  readonly claimedAtMs: number
  readonly nextJoinAtMs: number
  /** The node that answers for a live cluster, asked first. */
  readonly target: Target | undefined
  readonly liveClusterAtMs: number
  /** Voters of the live cluster that this node dropped out of: while a quorum of them may live it founds nothing. */
  readonly formerVoters: ReadonlyArray<Voter>
  /** Those of them that have come back as other processes. */
  readonly formerGone: ReadonlySet<NodeId>
  /** A refusal that may pass, and since when it is repeated. */
  readonly refusal:
    | { readonly reason: string; readonly by: NodeId; readonly sinceMs: number; readonly lastMs: number }
    | undefined
  /** What the last dial of each address failed with, for the error of a node that gives up. */
  readonly dialFailures: ReadonlyMap<string, string>
}

/** A join that waits for the next view. */
export interface QueuedJoin {
  readonly voter: Voter
  readonly host: string
  readonly clusterPort: number
  readonly clientPort: number
  readonly zone: string | undefined
  /** It keeps partition data. */
  readonly carriesData: boolean
  readonly lastVersion: number
  /** When the process last asked: it asks again until it is answered. */
  readonly askedAtMs: number
}

/** A leave that waits for the next view. */
export interface QueuedLeave {
  readonly incarnation: Incarnation
  /** The leaver hands over its partitions first. */
  readonly drains: boolean
}

/** Holds a view. */
export interface Joined {
  readonly _tag: "Joined"
  readonly view: ClusterView
  readonly settled: boolean
  readonly viewAtMs: number
  readonly promise: Promise
  /** The term in which this node won a claim or founded; −1 for none. */
  readonly ownTerm: number
  readonly claimedAtMs: number | undefined
  /** Since when the link to the master by age is bad. */
  readonly masterBadSinceMs: number | undefined
  /** What this node's own detector suspects, in view order. */
  readonly suspected: ReadonlyArray<NodeId>
  readonly nextHeartbeatAtMs: number
  /** When this node next reports to the stewards; −∞ while everyone beats to everyone. */
  readonly nextReportAtMs: number
  /** This node founded the view, which is not settled yet. */
  readonly founder: boolean
  /** The founding round that the view came from, 0 for none. */
  readonly foundingRound: number
  /** When this follower of a node of the reference asked it to be admitted again; `undefined` once it is. */
  readonly askedAtMs: number | undefined
  /** Since when processes that this follower sends to its leader come again and again, and when one was last here. */
  readonly referred: { readonly sinceMs: number; readonly lastMs: number } | undefined
  /** Members that did not say who they are, and until when they are not asked again. */
  readonly unanswered: ReadonlyMap<NodeId, number>
  // The acting master's desk.
  readonly sentAtMs: number
  readonly joins: ReadonlyMap<NodeId, QueuedJoin>
  readonly leaves: ReadonlyMap<NodeId, QueuedLeave>
  /** Nodes of the reference that the view admits, until they have their welcome: they take the first table and no other. */
  readonly unwelcomed: ReadonlySet<NodeId>
  /** Up to where nodes of the reference have counted their own views; the next one must be above. */
  readonly recountAbove: number
  /** When a view was last made for no other reason. */
  readonly recountedAtMs: number
  readonly suspectSince: ReadonlyMap<NodeId, number>
  readonly deadSince: ReadonlyMap<NodeId, number>
  /** Members that a master before had declared dead in the view from which this one took over: that may have settled. */
  readonly inheritedDead: ReadonlySet<NodeId>
  /** A term that the next view must reach, because someone holds a newer version. */
  readonly neededTerm: number
  /** This member as it was before its own leave was proposed. */
  readonly selfBeforeLeave: Voter | undefined
  readonly table: ClusterPartitionTable
  /** The view whose members the table was planned for; −1 for none. */
  readonly tableViewVersion: number
  /** What comes with the table where partitions carry data. */
  readonly custody: Custody
  /** The acting master's migrations. */
  readonly migrations: MigrationDesk
}

/** A former member. */
export interface Outsider {
  readonly address: string
  readonly sinceMs: number
  /** Of a node of the reference, which does not ask again when it is heard again. */
  readonly reference?: MemberInfo
}

/** What a node knows of other parts of a split cluster. It outlives views and incarnations. */
export interface SplitState {
  /** Former members that the view does not list any more, oldest first; at most `maxOutside`. */
  readonly outside: ReadonlyMap<NodeId, Outsider>
  readonly nextProbeAtMs: number
  /** When each foreign lineage was last probed; at most `maxForeignLineages`. */
  readonly askedAtMs: ReadonlyMap<Lineage, number>
  /** When this node last asked another part to merge into its own. */
  readonly wonAtMs: number
  /** Since when this node hears no quorum; `undefined` while it does. */
  readonly haltedSinceMs: number | undefined
}

/** This process as others see it. */
export interface LocalNode {
  readonly nodeId: NodeId
  readonly incarnation: Incarnation
}

export interface ClusterState {
  readonly self: LocalNode
  readonly node: NodeConfig
  readonly config: ClusterConfig
  readonly timing: Timing
  readonly policy: QuorumPolicy
  readonly topology: Topology
  readonly planner: Planner
  /** This node keeps partition data: it takes part in migrations. */
  readonly carriesData: boolean
  readonly clock: AwakeClock.AwakeClock
  readonly mesh: MeshState
  /** The others of the view and of its base; nobody while this node is fresh. They change with every heartbeat. */
  readonly peers: PersistentMap<NodeId, Peer>
  /** Before this nobody needs to be judged, unless somebody is suspected; −∞ for not known. */
  readonly calmUntilMs: number
  /** After a stall of its own this node neither proposes nor declares until then. */
  readonly holdUntilMs: number
  /** When this node was asked to leave, or had handed over what it held. */
  readonly leavingSinceMs: number | undefined
  /** Until when it stays at most to hand over; `undefined`: it does not hand over, or not any more. */
  readonly drainUntilMs: number | undefined
  /** Its store holds data that belongs to others. */
  readonly hasStrays: boolean
  /** Highest view version ever held: nothing lower is ever adopted again. */
  readonly lastVersion: number
  /** The last settled member list, as subscribers know it. */
  readonly published: { readonly members: ReadonlyArray<MemberInfo>; readonly masterId: NodeId | undefined }
  readonly split: SplitState
  readonly phase: Fresh | Joined
}

export interface ClusterStateOptions {
  readonly config: ClusterConfig
  readonly node: NodeConfig
  readonly policy: QuorumPolicy
  /** Who watches whom, the same on all nodes; default all-to-all up to 100 members and rings above. */
  readonly topology?: Topology
  /** How the acting master places partitions; default `planAssignment`. */
  readonly planner?: Planner
  /** Does the node keep partition data? Default false: its partitions change hands at once. */
  readonly carriesData?: boolean
  /** Never used before under this node id. */
  readonly incarnation: Incarnation
  /** Reading of the process's monotonic clock. */
  readonly nowMs: number
}

export const noPromise: Promise = { term: 0, to: "" }

export const noPeers = (): PersistentMap<NodeId, Peer> => PersistentMap.from<NodeId, Peer>([])

/** A node that has just started, or has just dropped its identity. */
export const freshPhase = (nowMs: number, seeds: ReadonlyArray<Seed>): Fresh => ({
  _tag: "Fresh",
  sinceMs: nowMs,
  seeds,
  known: seeds.map((seed) => seed.address),
  beyondKnown: undefined,
  heard: PersistentMap.from<NodeId, FreshNode>([]),
  promise: noPromise,
  claimedAtMs: Number.NEGATIVE_INFINITY,
  nextJoinAtMs: nowMs,
  target: undefined,
  liveClusterAtMs: Number.NEGATIVE_INFINITY,
  formerVoters: [],
  formerGone: new Set(),
  refusal: undefined,
  dialFailures: new Map()
})

/** The state of a node that has just started; its own address is no seed. */
export const initial = (options: ClusterStateOptions, ownAddress: string): ClusterState => {
  const addresses = new Set(options.config.seedAddresses)
  addresses.delete(ownAddress)
  return {
    self: { nodeId: options.node.nodeId, incarnation: options.incarnation },
    node: options.node,
    config: options.config,
    timing: timingOf(options.config),
    policy: options.policy,
    topology: options.topology ?? defaultTopology,
    planner: options.planner ?? planAssignment,
    carriesData: options.carriesData ?? false,
    clock: AwakeClock.start(options.nowMs),
    mesh: emptyMesh(),
    peers: noPeers(),
    calmUntilMs: Number.NEGATIVE_INFINITY,
    holdUntilMs: Number.NEGATIVE_INFINITY,
    leavingSinceMs: undefined,
    drainUntilMs: undefined,
    hasStrays: false,
    lastVersion: 0,
    published: { members: [], masterId: undefined },
    split: {
      outside: new Map(),
      nextProbeAtMs: options.nowMs + options.config.splitBrainCheckIntervalMs,
      askedAtMs: new Map(),
      wonAtMs: Number.NEGATIVE_INFINITY,
      haltedSinceMs: undefined
    },
    phase: freshPhase(
      options.nowMs,
      [...addresses].map((address) => ({ address }))
    )
  }
}

/** The member of the view that is this process, if it is in it. */
export const selfMember = (state: ClusterState, joined: Joined) => {
  const member = memberOf(joined.view, state.self.nodeId)
  return member !== undefined && incarnationOf(member) === state.self.incarnation ? member : undefined
}

/** Does this node act as master? It has promised itself the view's term and owns that term. */
export const isActing = (state: ClusterState, joined: Joined): boolean => {
  const term = termOf(joined.view.version)
  return joined.ownTerm === term && joined.promise.term === term && joined.promise.to === state.self.nodeId
}

export const emptyTable = (state: ClusterState): ClusterPartitionTable =>
  ClusterPartitionTable.make(state.node.partitionCount)
