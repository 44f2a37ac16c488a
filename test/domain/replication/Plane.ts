/**
 * One data plane, driven by hand over a table that the spec writes down: each event is written with the commands that
 * it causes. Nodes are named `a`, `b`, …; the incarnation of a node is 1 unless the spec says otherwise.
 */
import { ClusterPartitionTable } from "../../../src/domain/placement/ClusterPartitionTable.ts"
import type {
  DataCommand,
  DataEvent,
  StoredPartition,
  StoreRequest,
  StoreResult
} from "../../../src/domain/replication/DataCommand.ts"
import type { Content, DataBody, Stamp, Touch } from "../../../src/domain/replication/DataMessage.ts"
import * as DataPlane from "../../../src/domain/replication/DataPlane.ts"
import { type DataSettings, defaultDataSettings } from "../../../src/domain/replication/DataSettings.ts"
import { type DataState, initialData, type PartitionData } from "../../../src/domain/replication/DataState.ts"
import type { Sight } from "../../../src/domain/replication/Sight.ts"
import type { ClusterMessage, ClusterMessageOf } from "../../../src/domain/wire/ClusterMessage.ts"
import type { RecoveringPartition } from "../../../src/domain/wire/Extensions.ts"

export interface TableOptions {
  /** Of the table. */
  readonly version: number
  /** `a+b`: owner and backups, by partition. */
  readonly rows: ReadonlyArray<string>
  /** Members, oldest first. Default a, b, c, d. */
  readonly members?: ReadonlyArray<string>
  /** Those that are not of incarnation 1. */
  readonly incarnations?: Readonly<Record<string, number>>
  /** Default: the incarnations of the members. */
  readonly holders?: Readonly<Record<string, number>>
  readonly completed?: ReadonlyArray<string>
  readonly recovering?: ReadonlyArray<RecoveringPartition>
  /** Connections by node; default one for each other member. */
  readonly links?: Readonly<Record<string, number | ReadonlyArray<number>>>
  readonly lineage?: string
}

export const lineage = "a.1"
const connectionOf = (nodeId: string): number => nodeId.charCodeAt(0) - 96

export const sight = (self: string, options: TableOptions): Sight => {
  const { incarnations = {}, members = ["a", "b", "c", "d"], rows, version } = options
  const of = (nodeId: string): number => incarnations[nodeId] ?? 1
  const assignments = rows.map((row, partitionId) => {
    const [owner = "", ...backups] = row.split("+")
    return { partitionId, owner, backups }
  })
  const table = ClusterPartitionTable.applyAssignments(ClusterPartitionTable.make(rows.length), assignments)
  const others = members.filter((nodeId) => nodeId !== self)
  const links = options.links ?? Object.fromEntries(others.map((nodeId) => [nodeId, connectionOf(nodeId)]))
  return {
    self: { nodeId: self, incarnation: of(self) },
    view: {
      lineage: options.lineage ?? lineage,
      version: 1,
      parent: { lineage: "", version: 0 },
      ancestors: [],
      members: members.map((nodeId, index) => ({
        nodeId,
        host: nodeId,
        clientPort: 0,
        clusterPort: 0,
        state: "active",
        joinVersion: index,
        incarnation: of(nodeId),
        carriesData: true
      })),
      base: { voters: [] },
      cause: ""
    },
    table: ClusterPartitionTable.withVersion(table, version),
    custody: {
      holders: members.map((nodeId) => ({ nodeId, incarnation: options.holders?.[nodeId] ?? of(nodeId) })),
      completed: options.completed ?? [],
      recovering: options.recovering ?? []
    },
    links: new Map(Object.entries(links).map(([nodeId, connections]) => [nodeId, [connections].flat()]))
  }
}

const content = ({ chunks, deltas }: Content): string =>
  [...chunks.map(({ mapName }) => `chunk of ${mapName}`), ...deltas.map(({ key }) => key)].join(" ") || "nothing"

const bodyText = (body: DataBody): string => {
  switch (body.type) {
    case "request":
      return `request ${body.id}: ${body.work.type}`
    case "reply":
      return `reply ${body.id}: ${body.reply.type}${body.reply.type === "refused" ? ` ${body.reply.reason}` : ""}`
    case "replicate":
      return `replicate ${content(body.content)}`
    case "replicated":
      return `replicated: ${body.accepted}`
    case "copied":
      return `copied ${body.sequence}: ${body.accepted}`
    case "offer":
      return `offer ${content(body.content)}`
    case "offered":
      return `offered: ${body.accepted}`
    default:
      return body.type
  }
}

const messageText = (message: ClusterMessage): string => {
  switch (message.type) {
    case "MIGRATE_DATA":
      return `MIGRATE_DATA ${message.sourceVersion}: ${content({ chunks: message.mapStates, deltas: message.deltaOps })}`
    case "MIGRATE_READY":
      return `MIGRATE_READY ${message.migrationId}${message.chunks === undefined ? "" : ` of ${message.chunks}`}`
    case "MIGRATE_CANCEL":
      return `MIGRATE_CANCEL ${message.migrationId}: ${message.reason}`
    default:
      return message.type
  }
}

const commandText = (command: DataCommand): ReadonlyArray<string> => {
  switch (command._tag) {
    case "Store":
      return [`store ${command.partitionId} ${command.request._tag}`]
    case "Tell":
      return [`${command.to} <- ${bodyText(command.message.body)}`]
    case "Send":
      return [`${String.fromCharCode(96 + command.connection)} <- ${messageText(command.message)}`]
    case "ToMaster":
      return [`master <- ${messageText(command.message)}`]
    case "Recovered":
      return [`recovered ${command.partitionIds.join()}, empty ${command.empty.join()}`]
    case "Holds":
      return []
    case "Answer":
      return [`answer ${command.id}: ${command.outcome._tag}`]
    case "Changed":
      return [command.change._tag === "CopyProgress" ? `copy ${command.change.phase}` : command.change._tag]
    case "Wake":
      return [`wake in ${command.afterMs} ms`]
    case "Note":
      return [`note ${command.text}`]
  }
}

export class Plane {
  readonly state: DataState
  nowMs = 0
  /** Of the wall clock, before what it should show. */
  aheadMs = 0
  private readonly self: string
  private readonly tokens: Array<number> = []
  /** What the store was asked for, in order. */
  readonly requests: Array<StoreRequest> = []
  private lines: Array<string> = []
  /** What went to other kernels, in order. */
  readonly sent: Array<ClusterMessage> = []
  /** Of the last replicate that was sent. */
  writeId = 0
  /** What was last said of data that was offered. */
  offered: Touch | undefined
  /** Of which partitions it last said that it had a complete copy. */
  held: ReadonlyArray<number> = []

  constructor(
    self: string,
    options: TableOptions,
    settings: Partial<DataSettings> = {},
    partitions: ReadonlyArray<StoredPartition> = []
  ) {
    this.self = self
    const empty = { ...sight(self, options), view: undefined, table: ClusterPartitionTable.make(0) }
    this.state = initialData({ ...defaultDataSettings, ...settings }, empty, 0)
    this.feed("opened", { _tag: "Opened", partitions })
    this.table(options)
    this.text()
  }

  private feed(text: string, event: DataEvent): this {
    const commands = DataPlane.handle(this.state, event, this.nowMs, 1000 + this.nowMs + this.aheadMs)
    for (const command of commands) {
      if (command._tag === "Store") {
        this.tokens.push(command.token)
        this.requests.push(command.request)
      }
      if (command._tag === "Send") this.sent.push(command.message)
      if (command._tag === "Tell" && command.message.body.type === "replicate") {
        this.writeId = command.message.body.writeId
      }
      if (command._tag === "Tell" && command.message.body.type === "offer") {
        this.offered = command.message.body.touch
      }
      if (command._tag === "Tell" && command.message.body.type === "declare") {
        this.held = command.message.body.held ?? []
      }
    }
    this.lines.push(text, ...commands.flatMap(commandText).map((line) => `  ${line}`))
    return this
  }

  table(options: TableOptions): this {
    return this.feed(`table ${options.version}: ${options.rows.join(" ")}`, {
      _tag: "Seen",
      sight: sight(this.self, options)
    })
  }
  told(from: string, body: DataBody, stamp: Partial<Stamp> = {}, incarnation = 1): this {
    const full = { lineage, viewVersion: 1, tableVersion: this.state.sight.table.version, ...stamp }
    const message = { from: incarnation, to: this.state.sight.self.incarnation, stamp: full, body }
    const version = full.tableVersion === this.state.sight.table.version ? "" : ` at table ${full.tableVersion}`
    return this.feed(`${from} -> ${bodyText(body)}${version}`, { _tag: "Told", from, message })
  }
  receive(from: string, message: ClusterMessage): this {
    return this.feed(`${from} -> ${messageText(message)}`, { _tag: "Received", from, message })
  }
  /** The store answers the oldest request that waits. */
  stored(result: StoreResult): this {
    const token = this.tokens.shift()
    if (token === undefined) throw new Error("the store was not asked")
    return this.feed(`stored: ${result._tag}`, { _tag: "Stored", token, result })
  }
  put(id: number, key: string, ack: "owner" | "backups" = "backups", minCopies = 1): this {
    return this.feed(`put ${key}`, {
      _tag: "Asked",
      id,
      partitionId: 0,
      work: { type: "write", operations: [{ type: "put", mapName: "m", key, value: new Uint8Array([1]) }] },
      ack,
      minCopies,
      timeoutMs: 5000
    })
  }
  after(ms: number): this {
    this.nowMs += ms
    return this.feed(`${this.nowMs} ms`, { _tag: "Tick" })
  }

  /** The time of a wake-up has come. */
  woken(afterMs = 2): this {
    this.nowMs += afterMs
    return this.feed(`woken at ${this.nowMs} ms`, { _tag: "Woken" })
  }

  get partition(): PartitionData {
    const partition = this.state.partitions.get(0)
    if (partition === undefined) throw new Error("the node has nothing to do with partition 0")
    return partition
  }
  /** What was written since the last time. */
  text(): string {
    const { lines } = this
    this.lines = []
    return lines.join("\n")
  }
}

export const delta = (key: string) => ({ mapName: "m", key, entry: new Uint8Array([1]) })
export const deltas = (...keys: ReadonlyArray<string>): Content => ({ chunks: [], deltas: keys.map(delta) })
export const wrote = (...keys: ReadonlyArray<string>): StoreResult => ({
  _tag: "Written",
  deltas: keys.map(delta),
  latest: undefined
})
export const merged: StoreResult = { _tag: "Merged", changed: 1, latest: undefined }
export const chunk: StoreResult = { _tag: "Chunk", chunk: { mapName: "m", mapType: "lww", data: new Uint8Array([1]) } }
export const end: StoreResult = { _tag: "End" }
export const startOf = (migrationId: string, destinationNodeId: string, partitionId = 0): ClusterMessage => ({
  type: "MIGRATE_START",
  migrationId,
  partitionId,
  destinationNodeId
})
export const partOf = (migrationId: string, sourceVersion: number): ClusterMessageOf<"MIGRATE_DATA"> => ({
  type: "MIGRATE_DATA",
  partitionId: 0,
  mapStates: [],
  deltaOps: [],
  sourceVersion,
  migrationId
})
export const readyOf = (migrationId: string, sourceNodeId: string, chunks?: number): ClusterMessage => ({
  type: "MIGRATE_READY",
  migrationId,
  partitionId: 0,
  sourceNodeId,
  ...(chunks === undefined ? {} : { chunks })
})
export const cancelOf = (migrationId: string, tableVersion: number): ClusterMessage => ({
  type: "MIGRATE_CANCEL",
  migrationId,
  partitionId: 0,
  reason: "spec",
  tableVersion
})
