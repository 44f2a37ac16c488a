/**
 * The owner compares what it holds with its replicas: one message for all partitions that a pair shares, and when they
 * are equal one answer. Of a partition that differs the two descend its digest tree to the leaves that do, compare
 * their keys, and exchange records of those keys.
 *
 * A round in which all replicas were equal is also what lets the owner forget tombstones: see `Tombstones`.
 */
import { DigestTree } from "../data/DigestTree.ts"
import type { KeyDigest } from "../data/KeyName.ts"
import type { NodeId } from "../model/Scalars.ts"
import { accepts, ackSet, acts, isRecovering, suspend } from "./Authority.ts"
import { bytesOf, type DataBodyOf, type Stamp } from "./DataMessage.ts"
import type { Awaited, PartitionData, RepairStep, WantedKey } from "./DataState.ts"
import type { DataStep } from "./DataStep.ts"
import type { StoreResult } from "./DataCommand.ts"
import * as Owner from "./Owner.ts"
import * as Tombstones from "./Tombstones.ts"

/** Time for the replicas to confirm what a repair has brought. */
const repairPatienceMs = 10_000

const ask = (step: DataStep, partition: PartitionData, request: Parameters<DataStep["store"]>[1], next: RepairStep) =>
  step.store(partition.id, request, { _tag: "Repair", partitionId: partition.id, next })

// ---- a round --------------------------------------------------------------------------------------

/** The owner begins a round for everything that it owns. */
export const begin = (step: DataStep): void => {
  for (const partition of step.state.partitions.values()) {
    if (!acts(step, partition) || isRecovering(step, partition.id)) continue
    const round = step.nextId()
    partition.repair = { round, changes: -1, equal: new Set(), markMs: 0 }
    ask(step, partition, { _tag: "Digests", nodes: [DigestTree.root] }, { _tag: "OwnerRoot", round })
  }
}

/** Partitions in one message of a round. */
const maxDigestsPerMessage = 1024

// The store has answered for one partition: those that are known by now go out together, see `flush`.
const ownerRoot = (step: DataStep, partition: PartitionData, round: number, digest: number): void => {
  if (partition.repair.round !== round || !acts(step, partition)) return
  partition.repair.changes = partition.changes
  partition.repair.markMs = Tombstones.nextMark(step, partition)
  const entry = { partitionId: partition.id, digest, epoch: partition.epoch }
  const replicas = ackSet(step, partition)
  if (replicas.length === 0) return Tombstones.allEqual(step, partition)
  for (const { nodeId } of replicas) {
    const waiting = step.state.digests.get(nodeId)
    if (waiting === undefined) step.state.digests.set(nodeId, [entry])
    else waiting.push(entry)
  }
}

/** Sends the digests that have come together since the last tick. */
export const flush = (step: DataStep): void => {
  for (const [nodeId, entries] of step.state.digests) {
    for (let i = 0; i < entries.length; i += maxDigestsPerMessage) {
      const partitions = entries.slice(i, i + maxDigestsPerMessage)
      step.tell(nodeId, 0, { type: "digests", round: 0, partitions })
    }
  }
  step.state.digests.clear()
}

/** A replica is asked to compare. */
export const compare = (step: DataStep, from: NodeId, { partitions }: DataBodyOf<"digests">, stamp: Stamp): void => {
  for (const { digest, epoch, partitionId } of partitions) {
    const partition = step.partition(partitionId)
    if (!accepts(step, partition, from, stamp)) continue
    suspend(step, partition, stamp)
    Tombstones.adopt(step, partition, epoch)
    const next = { _tag: "ReplicaRoot" as const, owner: from, round: 0, digest, epoch }
    ask(step, partition, { _tag: "Digests", nodes: [DigestTree.root] }, next)
  }
}

/** A replica is equal. */
export const equal = (step: DataStep, from: NodeId, { partitionIds }: DataBodyOf<"equal">): void => {
  for (const partitionId of partitionIds) {
    const partition = step.partition(partitionId)
    const { repair } = partition
    if (!acts(step, partition) || repair.changes !== partition.changes) continue
    repair.equal.add(from)
    if (ackSet(step, partition).every(({ nodeId }) => repair.equal.has(nodeId))) {
      Tombstones.allEqual(step, partition)
    }
  }
}

// ---- what differs ---------------------------------------------------------------------------------

/** A replica's digests of some nodes: the owner looks which of them differ. */
export const nodes = (step: DataStep, from: NodeId, body: DataBodyOf<"nodes">): void => {
  const partition = step.partition(body.partitionId)
  if (!acts(step, partition) || !body.nodes.every(DigestTree.isNode)) return
  const next = { _tag: "OwnerNodes" as const, replica: from, nodes: body.nodes, theirs: body.digests }
  ask(step, partition, { _tag: "Digests", nodes: body.nodes }, next)
}

const ownerNodes = (step: DataStep, partition: PartitionData, next: NodesStep, ours: ReadonlyArray<number>): void => {
  const { maxDigestNodes } = step.state.settings
  const differing = next.nodes.filter((_, index) => ours[index] !== next.theirs[index])
  const inner = differing.filter((node) => !DigestTree.isLeaf(node)).slice(0, maxDigestNodes)
  const { epoch, id: partitionId } = partition
  if (inner.length > 0) step.tell(next.replica, partitionId, { type: "descend", partitionId, nodes: inner, epoch })
  for (const leaf of differing.filter(DigestTree.isLeaf).slice(0, maxDigestNodes)) {
    ask(step, partition, { _tag: "KeyDigests", node: leaf }, { _tag: "OwnerKeys", replica: next.replica, leaf })
  }
}
type NodesStep = Extract<RepairStep, { readonly _tag: "OwnerNodes" }>

/** The owner wants to see below nodes that differ. */
export const descend = (step: DataStep, from: NodeId, body: DataBodyOf<"descend">, stamp: Stamp): void => {
  const partition = step.partition(body.partitionId)
  if (!accepts(step, partition, from, stamp) || !body.nodes.every(DigestTree.isNode)) return
  for (const node of body.nodes) {
    const children = DigestTree.children(node)
    ask(step, partition, { _tag: "Digests", nodes: children }, { _tag: "ReplicaNodes", owner: from, nodes: children })
  }
}

const nameOf = ({ key, mapName, mapType }: WantedKey): string => JSON.stringify([mapName, mapType, key])

/** The owner's keys of a leaf that differs. */
export const keys = (step: DataStep, from: NodeId, body: DataBodyOf<"keys">, stamp: Stamp): void => {
  const partition = step.partition(body.partitionId)
  if (!accepts(step, partition, from, stamp) || !DigestTree.isLeaf(body.leaf) || !DigestTree.isNode(body.leaf)) return
  const theirs = new Map(body.keys.map((key) => [nameOf(key), key.digest]))
  const next = { _tag: "ReplicaKeys" as const, owner: from, theirs, wanted: body.keys, epoch: body.epoch }
  ask(step, partition, { _tag: "KeyDigests", node: body.leaf }, next)
}

const bare = ({ key, mapName, mapType }: WantedKey): WantedKey => ({ mapName, mapType, key })

const replicaKeys = (
  step: DataStep,
  partition: PartitionData,
  next: Extract<RepairStep, { readonly _tag: "ReplicaKeys" }>,
  ours: ReadonlyArray<KeyDigest>
): void => {
  const mine = new Map(ours.map((key) => [nameOf(key), key.digest]))
  const wanted = next.wanted.filter((key) => mine.get(nameOf(key)) !== key.digest).map(bare)
  const extra = ours.filter((key) => !next.theirs.has(nameOf(key))).map(bare)
  const differing = ours.filter((key) => (next.theirs.get(nameOf(key)) ?? key.digest) !== key.digest).map(bare)
  // What the owner has removed and collected goes here as well; the rest it may lack.
  if (extra.length > 0) {
    step.store(partition.id, { _tag: "Collect", epoch: next.epoch, keys: extra }, { _tag: "Nothing" })
  }
  ask(
    step,
    partition,
    { _tag: "Records", keys: [...extra, ...differing] },
    { _tag: "ReplicaRecords", owner: next.owner, wanted }
  )
}

/** A replica wants records, and has some that the owner may lack. */
export const differences = (step: DataStep, from: NodeId, body: DataBodyOf<"differences">): void => {
  const partition = step.partition(body.partitionId)
  if (!acts(step, partition)) return
  if (body.content.deltas.length + body.content.chunks.length > 0) {
    step.takes(partition)
    const request = { _tag: "Merge" as const, content: body.content, epoch: partition.epoch }
    ask(step, partition, request, { _tag: "OwnerMerged", replica: from, content: body.content })
  }
  if (body.wanted.length > 0) {
    ask(
      step,
      partition,
      { _tag: "Records", keys: body.wanted },
      { _tag: "OwnerRecords", replica: from, keys: body.wanted }
    )
  }
}

/** The owner sends records that the replica has asked for. */
export const fill = (step: DataStep, from: NodeId, body: DataBodyOf<"fill">, stamp: Stamp): void => {
  const partition = step.partition(body.partitionId)
  if (!accepts(step, partition, from, stamp)) return
  suspend(step, partition, stamp)
  step.takes(partition)
  // These are all records that the owner has of their keys: what else is here of them from before its mark is gone.
  if (partition.epoch.markMs > 0) {
    const request = { _tag: "Collect" as const, epoch: partition.epoch, keys: body.keys }
    step.store(partition.id, request, { _tag: "Nothing" })
  }
  ask(step, partition, { _tag: "Merge", content: body.content, epoch: undefined }, { _tag: "Filled" })
}

// ---- answers of the store -------------------------------------------------------------------------

const records = (result: StoreResult) => (result._tag === "Got" ? result.deltas : [])

export const stored = (
  step: DataStep,
  { partitionId, next }: Extract<Awaited, { readonly _tag: "Repair" }>,
  result: StoreResult
): void => {
  const partition = step.partition(partitionId)
  if (next._tag === "OwnerMerged" || next._tag === "Filled") {
    partition.storing--
    partition.changes++
  }
  // A store that fails is asked again in the next round.
  if (result._tag === "Failed") return
  const digests = result._tag === "Digests" ? result.digests : []
  const keyDigests = result._tag === "KeyDigests" ? result.keys : []
  switch (next._tag) {
    case "OwnerRoot":
      return ownerRoot(step, partition, next.round, digests[0] ?? 0)
    case "ReplicaRoot":
      if (digests[0] === next.digest) {
        Tombstones.inSync(step, partition)
        step.tell(next.owner, partitionId, { type: "equal", round: next.round, partitionIds: [partitionId] })
        return
      }
      return replicaNodes(step, partition, next.owner)
    case "ReplicaNodes":
      step.tell(next.owner, partitionId, { type: "nodes", partitionId, nodes: next.nodes, digests })
      return
    case "OwnerNodes":
      return ownerNodes(step, partition, next, digests)
    case "OwnerKeys": {
      const { epoch } = partition
      step.tell(next.replica, partitionId, { type: "keys", partitionId, leaf: next.leaf, keys: keyDigests, epoch })
      return
    }
    case "ReplicaKeys":
      return replicaKeys(step, partition, next, keyDigests)
    case "ReplicaRecords": {
      const content = { chunks: [], deltas: records(result) }
      step.tell(next.owner, partitionId, { type: "differences", partitionId, wanted: next.wanted, content })
      return
    }
    case "OwnerRecords": {
      const content = { chunks: [], deltas: records(result) }
      if (bytesOf(content) > 0)
        step.tell(next.replica, partitionId, { type: "fill", partitionId, keys: next.keys, content })
      return
    }
    case "OwnerMerged":
      if (result._tag !== "Merged") return
      step.observe(result.latest)
      if (result.changed === 0) return
      Tombstones.unsettle(step, partition)
      Owner.replicate(step, partition, next.content, { _tag: "Repair" }, step.nowMs + repairPatienceMs, partition.epoch)
      return
    case "Filled":
      if (result._tag === "Merged") step.observe(result.latest)
  }
}

const replicaNodes = (step: DataStep, partition: PartitionData, owner: NodeId): void => {
  const children = DigestTree.children(DigestTree.root)
  ask(step, partition, { _tag: "Digests", nodes: children }, { _tag: "ReplicaNodes", owner, nodes: children })
}
