/**
 * Every field that Squadron adds to the reference's messages. All are optional and unknown to other
 * implementations, which ignore them; a message without them is byte-identical to the reference's.
 * `JOIN_REQUEST` always carries its extensions, other messages carry theirs only towards peers that
 * have sent one.
 *
 * A peer without these fields cannot promise, so its vote does not count.
 */
import { Schema } from "effect"
import { Epoch } from "../data/Epoch.ts"
import { Incarnation, Lineage, NodeId, Text, U32, U64 } from "../model/Scalars.ts"

/** A voter of a view: one process that may be asked to acknowledge it. */
export const Voter = Schema.Struct({ nodeId: NodeId, incarnation: Incarnation })
export type Voter = typeof Voter.Type

/** What one founder of a cluster knew of its configured seeds (itself not counted). */
export const FoundingSeeds = Schema.Struct({
  /** Those that are founders too. */
  present: Schema.Array(NodeId),
  /** How many it has configured. */
  configured: U32
})
export type FoundingSeeds = typeof FoundingSeeds.Type

/** The voters that must agree beside the view's own: those of its last settled predecessor. */
export const ViewBase = Schema.Struct({
  voters: Schema.Array(Voter),
  /** Only in a founding view, aligned with `voters`. */
  founding: Schema.optionalKey(Schema.Array(FoundingSeeds))
})
export type ViewBase = typeof ViewBase.Type

/** The view that a view was made from. */
export const ViewParent = Schema.Struct({ lineage: Lineage, version: U64 })
export type ViewParent = typeof ViewParent.Type

/** A view, and what it was made from: enough to tell whether another one is of its history. */
export const ViewHistory = Schema.Struct({
  ...ViewParent.fields,
  /** Where each earlier lineage was left, newest first. */
  ancestors: Schema.Array(ViewParent)
})
export type ViewHistory = typeof ViewHistory.Type

/** On `MemberInfo`. */
export const MemberExtensions = {
  incarnation: Schema.optionalKey(Incarnation),
  zone: Schema.optionalKey(Text),
  /** It keeps partition data: partitions are copied before they change hands. */
  carriesData: Schema.optionalKey(Schema.Boolean)
}

/** On `MEMBERS_UPDATE` and `JOIN_RESPONSE`: what makes a bare member list a view that can be settled. */
export const ViewExtensions = {
  lineage: Schema.optionalKey(Lineage),
  parent: Schema.optionalKey(ViewParent),
  /** Where each earlier lineage that this one continues was left, newest first; at most `maxAncestors`. */
  ancestors: Schema.optionalKey(Schema.Array(ViewParent)),
  base: Schema.optionalKey(ViewBase),
  /** Why the master made this view, in words. */
  cause: Schema.optionalKey(Text),
  settled: Schema.optionalKey(Schema.Boolean)
}

/** On `HEARTBEAT`: the sender's report, which is also its acknowledgement of a view and its vote. */
export const ReportExtensions = {
  incarnation: Schema.optionalKey(Incarnation),
  lineage: Schema.optionalKey(Lineage),
  settled: Schema.optionalKey(U64),
  promise: Schema.optionalKey(U32),
  promisedTo: Schema.optionalKey(NodeId),
  /** Version of the sender's partition table, so that whoever holds a newer one can repair it. */
  tableVersion: Schema.optionalKey(U64)
}

/** A configured seed, and the node that was found to answer there. */
export const Seed = Schema.Struct({ address: Text, nodeId: Schema.optionalKey(NodeId) })
export type Seed = typeof Seed.Type

/** On `JOIN_REQUEST` and on answers of nodes that are not master: what fresh nodes need to found a cluster. */
export const BootstrapExtensions = {
  incarnation: Schema.optionalKey(Incarnation),
  /** Highest view version the node has ever held, 0 for none. */
  lastVersion: Schema.optionalKey(U64),
  seeds: Schema.optionalKey(Schema.Array(Seed)),
  /** Addresses worth asking, at most `maxKnownAddresses`. */
  known: Schema.optionalKey(Schema.Array(Text)),
  promise: Schema.optionalKey(U32),
  promisedTo: Schema.optionalKey(NodeId),
  /** The node knows of a live cluster and takes no part in founding another. */
  noFound: Schema.optionalKey(Schema.Boolean)
}

/** On `JOIN_REQUEST` alone: where the node stands, and what it can do beyond the reference. */
export const JoinExtensions = {
  /** Partitions that the node counts on; keys go astray where nodes disagree. */
  partitionCount: Schema.optionalKey(U32),
  zone: Schema.optionalKey(Text),
  features: Schema.optionalKey(Schema.Array(Text))
}

/** On `LEAVE_REQUEST` and `HEARTBEAT_COMPLAINT`: which process is meant. */
export const IncarnationExtension = { incarnation: Schema.optionalKey(Incarnation) }

/** On `LEAVE_REQUEST`: the leaver hands over its partitions first, and is not to be taken out until it says so. */
export const LeaveExtensions = { ...IncarnationExtension, drain: Schema.optionalKey(Schema.Boolean) }

/** A partition that none of its replicas has survived: it waits for what other members and returning nodes still hold. */
export const RecoveringPartition = Schema.Struct({
  partitionId: U32,
  /** The replicas that it had, the owner first; none if it has never had an owner. */
  replicas: Schema.Array(NodeId)
})
export type RecoveringPartition = typeof RecoveringPartition.Type

/** On `PARTITION_TABLE_UPDATE`: the lineage whose versions order it, and the view it was planned for. */
export const TableExtensions = {
  lineage: Schema.optionalKey(Lineage),
  viewVersion: Schema.optionalKey(U64),
  /** The processes that the rows mean: whoever comes back under a listed id as another process holds nothing. */
  holders: Schema.optionalKey(Schema.Array(Voter)),
  /** Partitions that none of their listed replicas has survived. */
  recovering: Schema.optionalKey(Schema.Array(RecoveringPartition))
}

/** On `MIGRATE_DATA`: which copy it is part of, so that parts of two copies cannot mix, and what its owner has forgotten. */
export const ChunkExtensions = { migrationId: Schema.optionalKey(Text), epoch: Schema.optionalKey(Epoch) }

/** On `MIGRATE_READY` of a source: how many parts the copy has. */
export const ReadyExtensions = { chunks: Schema.optionalKey(U32) }

/** On `MIGRATE_CANCEL`: it counts for whoever holds a table at least as new. */
export const CancelExtensions = {
  tableVersion: Schema.optionalKey(U64),
  /** To the master: the sender asks what has become of it, and wants nothing cancelled that is open. */
  isQuestion: Schema.optionalKey(Schema.Boolean)
}

/** On probes and `MERGE_REQUEST`. */
export const MergeExtensions = {
  lineage: Schema.optionalKey(Lineage),
  voters: Schema.optionalKey(Schema.Array(Voter)),
  /** The process that sends it, which need not be the master that it names. */
  speaker: Schema.optionalKey(Voter),
  /** `host:port` of the part's acting master, and the version with which it joined. */
  masterAddress: Schema.optionalKey(Text),
  masterJoinVersion: Schema.optionalKey(U64),
  /** Voters that the sender hears; 0 when they form no quorum. */
  reach: Schema.optionalKey(U32),
  /** The token of a cluster that asks joiners for one. */
  authToken: Schema.optionalKey(Text)
}

/** On `MERGE_REQUEST`, which does not name its master otherwise. */
export const MergeMasterExtension = { masterId: Schema.optionalKey(NodeId) }
