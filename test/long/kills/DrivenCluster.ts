/**
 * Node processes that are told what to write and to read (`squadron node --drive`), and what they themselves say of
 * the copies under way. Nothing here knows more of the cluster than its nodes say.
 */
import { once } from "node:events"
import { setTimeout as wait } from "node:timers/promises"
import { Option } from "effect"
import { unsettled } from "../../../src/cli/demo/Agreement.ts"
import {
  type Answer,
  type DriveLine,
  fromLine,
  maxBatch,
  type Operation,
  type Progress,
  toBatch
} from "../../../src/cli/DriveLine.ts"
import { NodeReport } from "../../../src/cli/NodeReport.ts"
import { freePort, type NodeProcess, ProcessCluster } from "../ProcessCluster.ts"

export interface DrivenOptions {
  /** All nodes that ever run. */
  readonly ids: ReadonlyArray<string>
  readonly partitionCount: number
  readonly backupCount: number
  readonly copyBytesPerSecond: number
  readonly suspicionTimeoutMs: number
  /** What `--store` says for a node. */
  readonly storeOf: (id: string) => string
}

/** A copy that its source has begun and not ended. */
export interface OpenCopy {
  readonly partitionId: number
  readonly source: string
  readonly destination: string
  /** `ready`: all has been sent, and only the master ends it. */
  readonly phase: "copy" | "ready"
  readonly sinceMs: number
}

/** An operation without its number. */
type Wanted = Operation extends infer O ? (O extends { id: number } ? Omit<O, "id"> : never) : never

/** Characters in one line of operations, about. */
const maxLineCharacters = 256 * 1024

const nothingKnown: Answer = { id: 0, outcome: "unknown", ms: 0, reason: "the process has ended" }

export class DrivenCluster {
  readonly processes = new ProcessCluster()
  readonly options: DrivenOptions
  /** Every process that ever ran, in the order of their starts. */
  readonly history: Array<NodeProcess> = []
  /** By source and partition. */
  readonly copies = new Map<string, OpenCopy>()
  /** Partitions that a node has called lost, and those that one has set aside. */
  readonly lost = new Set<number>()
  readonly setAside = new Set<number>()
  /** Nodes that somebody has taken for dead since `members` was set, of those that it names. */
  readonly blamed = new Set<string>()
  members: ReadonlySet<string> = new Set()
  onCopy: (() => void) | undefined
  private readonly progress = new Map<NodeProcess, Progress>()
  private readonly waiting = new Map<NodeProcess, Map<number, (answer: Answer) => void>>()
  private readonly unsent = new Map<NodeProcess, Array<Operation>>()
  private readonly ports = new Map<string, number>()
  private lastId = 0

  private constructor(options: DrivenOptions) {
    this.options = options
    this.processes.onLine = (node, line) => Option.map(fromLine(line), (said) => this.said(node, said))
    this.processes.onReport = (_, report) => this.seeDead(report)
    this.processes.onExit = (node) => this.ended(node)
  }

  /** Without running nodes. */
  static async of(options: DrivenOptions): Promise<DrivenCluster> {
    const cluster = new DrivenCluster(options)
    for (const id of options.ids) cluster.ports.set(id, await freePort())
    return cluster
  }

  // ---- processes ----------------------------------------------------------------------------------

  start(id: string): void {
    const { backupCount, copyBytesPerSecond, partitionCount, storeOf, suspicionTimeoutMs } = this.options
    const node = this.processes.start(id, this.ports.get(id) ?? 0, [
      "--drive",
      `--seeds=${[...this.ports.values()].map((port) => `127.0.0.1:${port}`).join(",")}`,
      `--store=${storeOf(id)}`,
      `--backup-count=${backupCount}`,
      `--partition-count=${partitionCount}`,
      `--copy-bytes-per-second=${copyBytesPerSecond}`,
      `--suspicion-timeout-ms=${suspicionTimeoutMs}`
    ])
    // Whoever is killed reads nothing any more; its end is told elsewhere.
    node.child.stdin?.on("error", () => undefined)
    this.history.push(node)
    this.waiting.set(node, new Map())
  }

  /** SIGKILL to all of them at once; until they are gone. */
  async kill(ids: ReadonlyArray<string>): Promise<void> {
    const nodes = ids.map((id) => this.processes.get(id)).filter(({ exitCode }) => exitCode === undefined)
    const ends = nodes.map(({ child }) => once(child, "exit"))
    for (const { child } of nodes) child.kill("SIGKILL")
    await Promise.all(ends)
  }

  /** SIGTERM: it leaves in good order, and ends some time later. */
  leave(id: string): void {
    this.processes.get(id).child.kill("SIGTERM")
  }

  get up(): ReadonlyArray<string> {
    return [...this.processes.nodes.values()].filter((node) => node.exitCode === undefined).map(({ id }) => id)
  }
  get down(): ReadonlyArray<string> {
    return this.options.ids.filter((id) => !this.up.includes(id))
  }
  hasRun(id: string): boolean {
    return this.processes.nodes.has(id)
  }
  /** Who takes itself for the acting master. */
  get masters(): ReadonlyArray<string> {
    return this.up.filter((id) => this.processes.get(id).report?.isMaster === true)
  }

  private ended(node: NodeProcess): void {
    for (const [key, copy] of this.copies) if (copy.source === node.id) this.copies.delete(key)
    const open = this.waiting.get(node)
    this.waiting.delete(node)
    this.unsent.delete(node)
    for (const settle of open?.values() ?? []) settle(nothingKnown)
  }

  private seeDead(report: NodeReport): void {
    for (const { nodeId, state } of report.view.members) {
      if (state === "dead" && this.members.has(nodeId)) this.blamed.add(nodeId)
    }
  }

  private said(node: NodeProcess, line: DriveLine): void {
    if ("progress" in line) this.progress.set(node, line.progress)
    else if ("answers" in line) for (const answer of line.answers) this.answered(node, answer)
    else this.changed(line.change)
  }

  private changed(change: Extract<DriveLine, { readonly change: unknown }>["change"]): void {
    if (change._tag === "PartitionLost") this.lost.add(change.partitionId)
    if (change._tag === "StraySetAside") this.setAside.add(change.partitionId)
    if (change._tag !== "MigrationProgress") return
    const { destination, partitionId, phase, source } = change
    const key = `${source} ${partitionId}`
    const sinceMs = this.copies.get(key)?.sinceMs ?? performance.now()
    if (phase === "finished" || phase === "abandoned") this.copies.delete(key)
    else this.copies.set(key, { partitionId, source, destination, sinceMs, phase: phase === "ready" ? phase : "copy" })
    this.onCopy?.()
  }

  // ---- operations ---------------------------------------------------------------------------------

  /** Operations that a node has not answered yet. */
  underWay(id: string): number {
    return this.waiting.get(this.processes.get(id))?.size ?? 0
  }

  /** The node's answer; `unknown` if it ends before. */
  ask(id: string, wanted: Wanted): Promise<Answer> {
    const node = this.processes.get(id)
    const waiting = this.waiting.get(node)
    if (waiting === undefined) return Promise.resolve(nothingKnown)
    const operation: Operation = { ...wanted, id: ++this.lastId }
    const unsent = this.unsent.get(node)
    if (unsent === undefined) {
      this.unsent.set(node, [operation])
      setImmediate(() => this.flush(node))
    } else unsent.push(operation)
    return new Promise((resolve) => waiting.set(operation.id, resolve))
  }

  private flush(node: NodeProcess): void {
    const operations = this.unsent.get(node) ?? []
    this.unsent.delete(node)
    let batch: Array<Operation> = []
    let characters = 0
    const send = (): void => {
      if (batch.length > 0) node.child.stdin?.write(`${toBatch({ operations: batch })}\n`)
      batch = []
      characters = 0
    }
    for (const operation of operations) {
      batch.push(operation)
      characters += operation.type === "put" ? operation.value.length : 0
      if (batch.length === maxBatch || characters > maxLineCharacters) send()
    }
    send()
  }

  private answered(node: NodeProcess, answer: Answer): void {
    const waiting = this.waiting.get(node)
    const settle = waiting?.get(answer.id)
    waiting?.delete(answer.id)
    settle?.(answer)
  }

  // ---- conditions ---------------------------------------------------------------------------------

  /** What keeps the cluster from being repaired: every row full, every member in, no strays, nothing on its way. */
  async unrepaired(): Promise<ReadonlyArray<string>> {
    const { backupCount, partitionCount } = this.options
    const live = this.up
    const reports = new Map(
      live.flatMap((id) => {
        const { report } = this.processes.get(id)
        return report === undefined ? [] : [[id, report] as const]
      })
    )
    const faults = unsettled(reports, { live, partitionCount, backupCount })
    if (faults.length > 0) return faults
    const moving = live.filter((id) => {
      const { open = 0, queued = 0 } = this.progress.get(this.processes.get(id)) ?? {}
      return open + queued > 0
    })
    if (moving.length > 0 || this.copies.size > 0) return ["copies are under way"]
    const looks = await Promise.all(live.map((id) => this.ask(id, { type: "look" })))
    return looks.flatMap(({ kept }, i) => {
      if (kept === undefined) return [`${live[i]} does not say what it keeps`]
      const { recovering, strays } = kept
      if (strays.length > 0) return [`${live[i]} keeps ${strays.join(", ")} as strays`]
      return recovering.length > 0 ? [`${live[i]} waits for what is left of ${recovering.join(", ")}`] : []
    })
  }

  /** Partitions whose replicas do not hold the same, in words. */
  async unequal(): Promise<ReadonlyArray<string>> {
    const live = this.up
    const [first = ""] = live
    const { report } = this.processes.get(first)
    const looks = await Promise.all(live.map((id) => this.ask(id, { type: "look" })))
    const digests = new Map(
      looks.map(({ kept }, i) => [
        live[i] ?? "",
        new Map(kept?.partitions.map(({ digest, partitionId, records }) => [partitionId, `${records}:${digest}`]))
      ])
    )
    const rows = report === undefined ? [] : NodeReport.placement(report)
    return rows.flatMap((row, partitionId) => {
      const replicas = row === undefined ? [] : [row.owner, ...row.backups]
      const found = replicas.map((id) => `${id} ${digests.get(id)?.get(partitionId) ?? "nothing"}`)
      const isEqual = new Set(found.map((one) => one.slice(one.indexOf(" ")))).size === 1
      return isEqual ? [] : [`partition ${partitionId}: ${found.join(", ")}`]
    })
  }

  /** Waits until nothing is missing; gives the milliseconds that it took. */
  async until(
    what: string,
    missing: () => ReadonlyArray<string> | Promise<ReadonlyArray<string>>,
    limitMs: number
  ): Promise<number> {
    const startMs = performance.now()
    while (true) {
      const faults = await missing()
      const tookMs = performance.now() - startMs
      if (faults.length === 0) return tookMs
      const crashed = this.history.filter(({ exitCode = 0 }) => exitCode !== 0 && exitCode !== 128)
      if (crashed.length > 0 || tookMs > limitMs) {
        const ended = crashed.map(({ exitCode, id }) => `${id} ended by itself with ${exitCode}`)
        throw new Error(`${what}: not within ${limitMs} ms: ${[...ended, ...faults].slice(0, 8).join("; ")}`)
      }
      await wait(50)
    }
  }

  dispose(): void {
    this.processes.dispose()
  }
}
