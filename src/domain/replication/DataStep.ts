/** One step of the data plane: its state, the time, and the commands that it gathers. */
import { HybridClock } from "../data/HybridClock.ts"
import { Timestamp } from "../data/Timestamp.ts"
import type { Incarnation, NodeId } from "../model/Scalars.ts"
import { memberOf } from "../protocol/ClusterView.ts"
import { masterByAge } from "../protocol/ClusterView.ts"
import type { ClusterMessage } from "../wire/ClusterMessage.ts"
import type { DataChange, DataCommand, Outcome, StoreRequest } from "./DataCommand.ts"
import type { DataBody } from "./DataMessage.ts"
import { type Awaited, type DataState, newPartition, type PartitionData } from "./DataState.ts"
import { linkTo, memberIncarnation, type Sight } from "./Sight.ts"

export class DataStep {
  readonly state: DataState
  /** Reading of the process's monotonic clock. */
  readonly nowMs: number
  /** Wall clock, milliseconds since 1970. */
  readonly wallMs: number
  readonly commands: Array<DataCommand> = []

  constructor(state: DataState, nowMs: number, wallMs: number) {
    this.state = state
    this.nowMs = nowMs
    this.wallMs = wallMs
  }

  get sight(): Sight {
    return this.state.sight
  }
  get selfId(): NodeId {
    return this.state.sight.self.nodeId
  }
  get tableVersion(): number {
    return this.state.sight.table.version
  }
  get masterId(): NodeId | undefined {
    const { view } = this.state.sight
    return view === undefined ? undefined : masterByAge(view)?.nodeId
  }

  run(command: DataCommand): void {
    this.commands.push(command)
  }
  note(text: string, level: "debug" | "info" | "warn" = "debug"): void {
    this.commands.push({ _tag: "Note", level, text })
  }
  changed(change: DataChange): void {
    this.commands.push({ _tag: "Changed", change })
  }
  /** Asks to be woken after so many milliseconds, unless that is to happen before. */
  wake(afterMs: number): void {
    const ms = Math.max(1, Math.ceil(afterMs))
    const { wakeAtMs } = this.state
    // A time that has passed does not come any more: a timer that goes by another clock was early.
    if (wakeAtMs !== undefined && wakeAtMs > this.nowMs && wakeAtMs <= this.nowMs + ms) return
    this.state.wakeAtMs = this.nowMs + ms
    this.commands.push({ _tag: "Wake", afterMs: ms })
  }
  /** A time for which it asked has come, perhaps a later one than the earliest. */
  woken(): void {
    if (this.nowMs >= (this.state.wakeAtMs ?? 0) - 1) this.state.wakeAtMs = undefined
  }
  answer(id: number, outcome: Outcome): void {
    this.commands.push({ _tag: "Answer", id, outcome })
  }

  /** A number never used before in this process. */
  nextId(): number {
    return ++this.state.lastId
  }
  partition(id: number): PartitionData {
    const known = this.state.partitions.get(id)
    if (known !== undefined) return known
    const made = newPartition(id, this.nowMs)
    this.state.partitions.set(id, made)
    return made
  }

  /** The store is about to take records of the partition, which may be the first. */
  takes(partition: PartitionData): void {
    partition.storing++
    partition.hasData = true
  }
  store(partitionId: number, request: StoreRequest, awaited: Awaited): void {
    const token = this.nextId()
    this.state.awaited.set(token, awaited)
    this.commands.push({ _tag: "Store", token, partitionId, request })
  }

  /** Tells a member; `to` is the process that is meant, by default the one of the view. Whether it can be reached. */
  tell(nodeId: NodeId, partitionId: number, body: DataBody, to?: Incarnation): boolean {
    const connection = linkTo(this.sight, nodeId)
    const incarnation = to ?? memberIncarnation(this.sight, nodeId)
    if (connection === undefined || incarnation === undefined) return false
    this.commands.push({
      _tag: "Tell",
      to: nodeId,
      connection,
      partitionId,
      message: { from: this.sight.self.incarnation, to: incarnation, stamp: this.state.stamp, body }
    })
    return true
  }
  send(nodeId: NodeId, message: ClusterMessage): boolean {
    const connection = linkTo(this.sight, nodeId)
    if (connection === undefined) return false
    this.commands.push({ _tag: "Send", to: nodeId, connection, message })
    return true
  }

  // ---- time -----------------------------------------------------------------------------------------

  /** A stamp later than all before. */
  tick(): Timestamp {
    const { nodeId, incarnation } = this.sight.self
    const [clock, reading] = HybridClock.tick(this.state.clock, this.wallMs, Timestamp.nodeOf(nodeId, incarnation))
    this.state.clock = clock
    return reading
  }
  observe(seen: Timestamp | undefined): void {
    if (seen === undefined) return
    this.state.clock = HybridClock.observe(this.state.clock, seen, this.wallMs, this.state.settings.maxClockDriftMs)
  }

  // ---- who -------------------------------------------------------------------------------------------

  /** Is a node a member that keeps data? */
  isPeer(nodeId: NodeId): boolean {
    const { view } = this.sight
    return view !== undefined && memberOf(view, nodeId)?.carriesData === true
  }
}
