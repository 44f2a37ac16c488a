/**
 * The data planes of all processes of a virtual world: the real core of each, over a store whose lanes answer in order
 * after seeded delays, and sometimes fail. A durable store outlives its process.
 */
import { Option, Result } from "effect"
import { ClusterConfig } from "../../../domain/model/ClusterConfig.ts"
import type { ClusterCommand } from "../../../domain/protocol/ClusterCommand.ts"
import type { ClusterState } from "../../../domain/protocol/ClusterState.ts"
import * as Draining from "../../../domain/protocol/Draining.ts"
import * as Inbound from "../../../domain/protocol/Inbound.ts"
import * as Migrating from "../../../domain/protocol/Migrating.ts"
import type { ConnectionId } from "../../../domain/protocol/MeshState.ts"
import type { Step } from "../../../domain/protocol/Transition.ts"
import type { DataCommand, DataEvent, Outcome, StoreResult } from "../../../domain/replication/DataCommand.ts"
import { decodeBundle, encodeBundle } from "../../../domain/replication/DataMessage.ts"
import * as DataPlane from "../../../domain/replication/DataPlane.ts"
import { type DataSettings, dataSettingsOf } from "../../../domain/replication/DataSettings.ts"
import { type DataState, initialData } from "../../../domain/replication/DataState.ts"
import { isSameSight, sightOf } from "../../../domain/replication/Sight.ts"
import type { ClusterMessage } from "../../../domain/wire/ClusterMessage.ts"
import type { Process } from "../Process.ts"
import type { Random } from "../Random.ts"
import { Violation } from "../Violation.ts"
import { VirtualStore } from "./VirtualStore.ts"

export interface DataOptions {
  /** What differs from {@link simulatedSettings}. */
  readonly settings?: Partial<DataSettings>
  /** Share of the hosts whose stores outlive their processes, 0…1. Default 0.5. */
  readonly durable?: number
  /** Mean milliseconds between two requests of all clients together. Default 25. */
  readonly requestEveryMs?: number
  /** Milliseconds that a client waits for an answer. Default 4000. */
  readonly requestTimeoutMs?: number
  /** Share of the store's answers that are failures, 0…1. Default 0.002. */
  readonly storeFailures?: number
  /**
   * How much goes wrong around migrations, 0…1: partitions are moved about, connections break, and processes are killed
   * within a moment after the row of one of their partitions has changed. Default 0.5.
   */
  readonly aim?: number
  /**
   * Any number of processes may end: data gets lost, and the partitions that are reported as lost must be those of which
   * no replica survives. Default false.
   */
  readonly losesData?: boolean
  /**
   * Processes that leave do not count as ended: they hand over first. For faults among which nobody is cut off from
   * those who could take over. Default false.
   */
  readonly freeLeaves?: boolean
}

/** Faster repairs and smaller parts than a real node's: more happens in little time. */
export const simulatedSettings: Partial<DataSettings> = {
  chunkBytes: 200,
  copyWindowBytes: 800,
  maxCopyBytes: 4000,
  maxDeltaBytes: 4000,
  maxPendingBytes: 200_000,
  repairIntervalMs: 3000,
  copyStallMs: 5000
}

/** How often a data plane is told the time. */
const tickMs = 50

/** What the data planes ask of their world. */
export interface DataSurroundings {
  readonly nowMs: number
  readonly random: Random
  later(delayMs: number, run: () => void): void
  /** A transition of the process's kernel. */
  ask(process: Process, run: (step: Step) => void): void
  transmit(process: Process, connection: ConnectionId, message: ClusterMessage): void
  wallMs(process: Process): number
  note(text: string): void
}

export interface Plane {
  readonly process: Process
  readonly state: DataState
  readonly store: VirtualStore
  readonly lanes: Map<number, number>
  readonly queue: Array<DataEvent>
  isRunning: boolean
}

/** What an observer is told. */
export interface DataObserver {
  readonly answered: (plane: Plane, id: number, outcome: Outcome) => void
  readonly stepped: (plane: Plane) => void
}

export class DataPlanes {
  readonly planes = new Map<Process, Plane>()
  /** Stores that outlive processes, by host. */
  readonly disks = new Map<string, VirtualStore>()
  /** Of nodes whose configuration is the default; each has those of its own. */
  readonly settings: DataSettings
  private readonly given: Partial<DataSettings>
  private readonly options: DataOptions
  private readonly world: DataSurroundings
  private readonly observer: DataObserver

  constructor(options: DataOptions, world: DataSurroundings, observer: DataObserver) {
    this.options = options
    this.world = world
    this.observer = observer
    this.given = { ...simulatedSettings, ...options.settings }
    this.settings = dataSettingsOf(ClusterConfig.defaults, this.given)
  }

  /** A process has started. */
  started(process: Process): void {
    const { host } = process
    const isDurable = this.disks.has(host) || this.world.random.chance(this.options.durable ?? 0.5)
    const store = (isDurable ? this.disks.get(host) : undefined) ?? new VirtualStore()
    store.closeReadings()
    if (isDurable) this.disks.set(host, store)
    const nowMs = process.monotonicMs(this.world.nowMs)
    const plane: Plane = {
      process,
      state: initialData(dataSettingsOf(process.state.config, this.given), sightOf(process.state), nowMs),
      store,
      lanes: new Map(),
      queue: [],
      isRunning: false
    }
    this.planes.set(process, plane)
    this.world.later(this.world.random.between(0, 300), () =>
      process.whenAwake(() => this.feed(plane, { _tag: "Opened", partitions: store.stored }))
    )
    const tick = (): void => {
      if (!process.isAlive) return
      process.whenAwake(() => {
        this.feed(plane, { _tag: "Tick" })
        this.world.later(tickMs, tick)
      })
    }
    this.world.later(this.world.random.between(0, tickMs), tick)
  }

  /** The kernel of a process has made a step: its data plane may see the cluster differently. */
  kernelStepped(process: Process, before: ClusterState): void {
    const plane = this.planes.get(process)
    if (plane === undefined || isSameSight(before, process.state)) return
    this.feed(plane, { _tag: "Seen", sight: sightOf(process.state) })
  }

  /** The kernel hands over a message. */
  delivered(process: Process, { from, message }: Extract<ClusterCommand, { readonly _tag: "Deliver" }>): void {
    const plane = this.planes.get(process)
    if (plane === undefined) return
    if (message.type !== "OP_FORWARD") return this.feed(plane, { _tag: "Received", from, message })
    const decoded = decodeBundle(message.payload)
    if (Result.isFailure(decoded)) throw new Violation(`a data message cannot be decoded: ${decoded.failure.message}`)
    for (const told of decoded.success) this.feed(plane, { _tag: "Told", from, message: told })
  }

  /** One event after another, each with all its commands. */
  feed(plane: Plane, event: DataEvent): void {
    plane.queue.push(event)
    if (plane.isRunning) return
    plane.isRunning = true
    for (let next = plane.queue.shift(); next !== undefined; next = plane.queue.shift()) {
      const { process } = plane
      if (!process.isAlive) break
      const nowMs = process.monotonicMs(this.world.nowMs)
      const commands = DataPlane.handle(plane.state, next, nowMs, this.world.wallMs(process))
      this.observer.stepped(plane)
      for (const command of commands) if (process.isAlive) this.execute(plane, command)
    }
    plane.isRunning = false
  }

  private execute(plane: Plane, command: DataCommand): void {
    const { process } = plane
    switch (command._tag) {
      case "Store":
        return this.lane(plane, command)
      case "Tell":
        return this.world.transmit(process, command.connection, {
          type: "OP_FORWARD",
          sourceNodeId: process.id,
          targetPartitionId: command.partitionId,
          clientId: Option.none(),
          payload: encodeBundle(command.message, [command.message.body])
        })
      case "Send":
        return this.world.transmit(process, command.connection, command.message)
      case "ToMaster":
        return this.world.ask(process, (step) => Inbound.onMigration(step, process.id, command.message))
      case "Recovered":
        return this.world.ask(process, (step) =>
          Migrating.recovered(step, command.from, command.partitionIds, command.empty)
        )
      case "Holds":
        return this.world.ask(process, (step) => Draining.keepsStrays(step, command.strays))
      case "Answer":
        return this.observer.answered(plane, command.id, command.outcome)
      case "Note":
        return this.world.note(`${process.name} ${command.text}`)
      case "Wake":
        return this.world.later(command.afterMs, () => {
          if (process.isAlive) process.whenAwake(() => this.feed(plane, { _tag: "Woken" }))
        })
      case "Changed":
        return
    }
  }

  // Each partition's requests are carried out one after another, each some time after it was made.
  private lane(plane: Plane, { partitionId, request, token }: Extract<DataCommand, { readonly _tag: "Store" }>): void {
    const { process, store } = plane
    const { random } = this.world
    const delayMs = random.chance(0.6) ? 0 : random.between(0, random.chance(0.9) ? 3 : 60)
    const atMs = Math.max(this.world.nowMs + delayMs, plane.lanes.get(partitionId) ?? 0)
    plane.lanes.set(partitionId, atMs)
    this.world.later(atMs - this.world.nowMs, () => {
      if (!process.isAlive) return
      const isRefused = random.chance(this.options.storeFailures ?? 0.002) && request._tag !== "CloseRead"
      const result: StoreResult = isRefused
        ? { _tag: "Failed", reason: random.chance(0.5) ? "failed" : "full", detail: "by the simulator" }
        : store.execute(partitionId, request)
      process.whenAwake(() => this.feed(plane, { _tag: "Stored", token, result }))
    })
  }
}
