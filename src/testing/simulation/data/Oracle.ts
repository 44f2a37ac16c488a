/**
 * Clients that write through random nodes, and what must be true of what they were told.
 *
 * 1. A write that was acknowledged by the backups is on a store that lives, or outlives its process, as long as at most
 *    `backupCount` processes have ended since the cluster was last repaired.
 * 2. At the end the owner has it, or something later.
 * 3. A value that was added once is there once; a removal that was acknowledged is not undone.
 * 4. Nothing grows beyond its bound.
 */
import { Timestamp } from "../../../domain/data/Timestamp.ts"
import { hashToPartition } from "../../../domain/placement/HashToPartition.ts"
import type { MapOperation } from "../../../domain/data/MapOperation.ts"
import type { Outcome } from "../../../domain/replication/DataCommand.ts"
import type { AckLevel } from "../../../domain/replication/DataMessage.ts"
import type { World } from "../World.ts"
import { Violation } from "../Violation.ts"
import type { DataOptions, DataPlanes, Plane } from "./DataPlanes.ts"
import type { VirtualStore } from "./VirtualStore.ts"

/** A request of a client, and what it was told. */
interface Written {
  readonly id: number
  readonly operation: MapOperation
  readonly partitionId: number
  readonly ack: AckLevel
  readonly startMs: number
  endMs: number
  outcome: Outcome["_tag"] | "Waiting"
  /** The latest stamp of what it changed. */
  stamp: Timestamp | undefined
}

/** What the run has seen of data. */
export interface DataCounts {
  readonly acknowledged: number
  readonly unknown: number
  readonly refused: number
  readonly waiting: number
  /** Processes that were ended. */
  readonly kills: number
  /** Partitions that were reported as lost. */
  readonly lost: ReadonlyArray<number>
  /** Copies that were begun by the last master. */
  readonly copies: number
  /**
   * Faults of the schedule that struck a migration that was open: an end of it, or the master, was ended, frozen or
   * asked to leave, or its ends were cut off from each other.
   */
  readonly struck: number
}

/** With a shorter horizon tombstones are forgotten during a run. */
const forgetfulMs = 600_000
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

export class Oracle {
  readonly written: Array<Written> = []
  private readonly waiting = new Map<number, Written>()
  private readonly world: () => World
  private readonly everyMs: number
  private readonly timeoutMs: number
  private isStopped = false
  /** Parts were apart for longer than removals are sure to be remembered: what one has removed may return from another. */
  mayReturn = false
  private added: Array<Written> = []

  constructor(world: () => World, { requestEveryMs = 25, requestTimeoutMs = 4000 }: DataOptions) {
    this.world = world
    this.everyMs = requestEveryMs
    this.timeoutMs = requestTimeoutMs
  }

  private get planes(): DataPlanes {
    const { planes } = this.world()
    if (planes === undefined) throw new RangeError("the world keeps no data")
    return planes
  }

  // ---- clients --------------------------------------------------------------------------------------

  start(): void {
    const world = this.world()
    world.later(world.random.between(0, 2 * this.everyMs), () => {
      if (this.isStopped) return
      this.write()
      this.start()
    })
  }
  stop(): void {
    this.isStopped = true
  }

  private operation(id: number): MapOperation {
    const { random } = this.world()
    const mapName = "m"
    const drawn = random.next()
    if (drawn < 0.35) return { type: "put", mapName, key: `u${id}`, value: bytes(`${id}`) }
    if (drawn < 0.65) return { type: "put", mapName, key: `h${random.below(6)}`, value: bytes(`${id}`) }
    if (drawn < 0.75) return { type: "delete", mapName, key: `h${random.below(6)}` }
    const known = this.added.length === 0 || drawn < 0.92 ? undefined : random.pick(this.added).operation
    return known?.type === "add"
      ? { type: "remove", mapName: "o", key: known.key, value: known.value }
      : { type: "add", mapName: "o", key: `o${random.below(4)}`, value: bytes(`${id}`) }
  }

  private write(): void {
    const world = this.world()
    const awake = [...this.planes.planes.values()].filter(({ process }) => process.isAlive && !process.isFrozen)
    if (awake.length === 0) return
    const plane = world.random.pick(awake)
    const id = this.written.length + 1
    const operation = this.operation(id)
    const partitionId = hashToPartition(operation.key, plane.process.state.node.partitionCount)
    const ack: AckLevel = world.random.chance(0.12) ? "owner" : "backups"
    const written: Written = {
      id,
      operation,
      partitionId,
      ack,
      startMs: world.nowMs,
      endMs: -1,
      outcome: "Waiting",
      stamp: undefined
    }
    this.written.push(written)
    this.waiting.set(id, written)
    const work = { type: "write" as const, operations: [operation] }
    this.planes.feed(plane, { _tag: "Asked", id, partitionId, work, ack, minCopies: 1, timeoutMs: this.timeoutMs })
  }

  answered(_plane: Plane, id: number, outcome: Outcome): void {
    const written = this.waiting.get(id)
    if (written === undefined) throw new Violation(`request ${id} is answered twice`)
    this.waiting.delete(id)
    written.endMs = this.world().nowMs
    written.outcome = outcome._tag
    if (outcome._tag !== "Done") return
    written.stamp = outcome.latest
    if (written.operation.type === "add") this.added.push(written)
  }

  // ---- checks ---------------------------------------------------------------------------------------

  private holds(store: VirtualStore, written: Written): boolean {
    const { operation, partitionId, stamp } = written
    if (stamp === undefined) return true
    const mapType = operation.type === "put" || operation.type === "delete" ? "lww" : "or"
    const records = store.records(partitionId, operation.mapName, mapType, operation.key)
    // A tombstone may be forgotten where that is soon; what it removed must not come back.
    const isRemoval = operation.type === "delete" || operation.type === "remove"
    if (isRemoval && this.mayReturn) return true
    if (isRemoval && this.planes.settings.tombstoneHorizonMs < forgetfulMs) {
      return records.every((record) =>
        record.type === "lww"
          ? record.value === undefined || Timestamp.compare(record.time, stamp) >= 0
          : record.removed !== undefined || operation.type !== "remove" || isOther(record.value, operation.value)
      )
    }
    // Or older values of a part that was away for too long are there again.
    const canBeLacking = records.length === 0 || operation.type === "add" || this.mayReturn
    if (canBeLacking && this.mayBeForgotten(written)) return true
    return records.some((record) =>
      record.type === "lww"
        ? Timestamp.compare(record.time, stamp) >= 0
        : operation.type === "add"
          ? Timestamp.compare(record.tag, stamp) === 0
          : record.removed !== undefined && Timestamp.compare(record.removed, stamp) >= 0
    )
  }

  // It was removed by somebody else, and the tombstone is gone as well.
  private mayBeForgotten({ operation, partitionId }: Written): boolean {
    if (this.planes.settings.tombstoneHorizonMs >= forgetfulMs) return false
    return this.written.some(
      (other) =>
        other.partitionId === partitionId &&
        other.operation.key === operation.key &&
        (other.operation.type === "delete" || other.operation.type === "remove")
    )
  }

  private get acknowledged(): ReadonlyArray<Written> {
    return this.written.filter(({ ack, outcome }) => outcome === "Done" && ack === "backups")
  }

  /** Stores of living processes, and those that outlive theirs. */
  get stores(): ReadonlyArray<VirtualStore> {
    const stores = new Set(this.planes.disks.values())
    for (const plane of this.planes.planes.values()) if (plane.process.isAlive) stores.add(plane.store)
    return [...stores]
  }

  /** A process has ended within the budget: what was acknowledged is still somewhere. */
  checkSurvival(): void {
    const { stores } = this
    for (const written of this.acknowledged) {
      if (!stores.some((store) => this.holds(store, written))) {
        throw new Violation(`lost: ${describe(written)}, acknowledged, is on no store`)
      }
    }
  }

  /** Everything has come to rest. */
  checkEnd(): void {
    const owners = this.owners()
    for (const written of this.acknowledged) {
      const owner = owners.get(written.partitionId)
      if (owner === undefined) throw new Violation(`partition ${written.partitionId} has no owner that lives`)
      if (!this.holds(owner.store, written) && !this.isSetAside(written)) {
        throw new Violation(`lost: ${describe(written)}, acknowledged, is not at ${owner.process.name}`)
      }
    }
    this.checkAdditions(owners)
  }

  // What was away for longer than the horizon is kept where it is, and told.
  private isSetAside(written: Written): boolean {
    if (!this.mayReturn) return false
    return [...this.planes.planes.values()].some(
      ({ process, state, store }) =>
        process.isAlive && state.partitions.get(written.partitionId)?.isSetAside === true && this.holds(store, written)
    )
  }

  private checkAdditions(owners: ReadonlyMap<number, Plane>): void {
    for (const { operation, partitionId } of this.written) {
      if (operation.type !== "add") continue
      const records = owners.get(partitionId)?.store.records(partitionId, "o", "or", operation.key) ?? []
      const text = new TextDecoder().decode(operation.value)
      const same = records.filter(
        (record) => record.value !== undefined && new TextDecoder().decode(record.value) === text
      )
      if (same.length > 1) throw new Violation(`value ${text} of ${operation.key} was added ${same.length} times`)
    }
  }

  private owners(): ReadonlyMap<number, Plane> {
    const owners = new Map<number, Plane>()
    for (const plane of this.planes.planes.values()) {
      if (!plane.process.isAlive || !plane.state.isListed) continue
      for (const row of plane.state.sight.table.rows) {
        if (row?.owner === plane.process.id) owners.set(row.partitionId, plane)
      }
    }
    return owners
  }

  stepped({ process, state }: Plane): void {
    const { settings } = state
    const within = (what: string, size: number, bound: number): void => {
      if (size > bound) throw new Violation(`${process.name} holds ${size} ${what}, more than ${bound}`)
    }
    within("requests", state.requests.size, settings.maxRequests)
    within("bytes in copies", state.copyBytes, settings.maxCopyBytes + 2 * settings.chunkBytes + 4096)
    if (state.pendingBytes < 0 || state.copyBytes < 0) throw new Violation(`${process.name} counts bytes below 0`)
  }

  get counts(): DataCounts {
    const count = (tag: Written["outcome"]) => this.written.filter(({ outcome }) => outcome === tag).length
    return {
      acknowledged: count("Done"),
      unknown: count("Unknown"),
      refused: count("Refused") + count("Unavailable"),
      waiting: count("Waiting"),
      kills: 0,
      lost: [],
      struck: 0,
      copies: Math.max(0, ...this.world().living.map(({ joined }) => joined?.migrations.started ?? 0))
    }
  }
}

// Values are texts of numbers.
const isOther = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
  new TextDecoder().decode(a) !== new TextDecoder().decode(b)

const describe = ({ endMs, id, operation, partitionId, stamp }: Written): string =>
  `${operation.type} ${operation.mapName}/${operation.key} (request ${id}, partition ${partitionId}, answered at ${Math.round(endMs)} ms, stamp ${stamp?.wallMs}.${stamp?.counter} ${stamp?.node})`
