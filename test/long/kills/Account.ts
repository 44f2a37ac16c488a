/**
 * Writes to a cluster without end, keeps account of what was acknowledged, and reads all of it back. Some keys have
 * large values in few partitions, so that copies of these take long enough to be struck.
 */
import { setTimeout as wait } from "node:timers/promises"
import * as Books from "../../../src/cli/demo/Books.ts"
import { hashToPartition } from "../../../src/domain/placement/HashToPartition.ts"
import type { Random } from "../../../src/testing/simulation/Random.ts"
import type { DrivenCluster } from "./DrivenCluster.ts"

const keys = 600
const maxPerPartition = 2
const tickMs = 20
/** Operations under way at a node. */
const maxPerNode = 64

/** Large partitions, their entries, and characters in each. */
const largePartitions = 8
const entriesEach = 40
const largeCharacters = 16 * 1024

/** An unknown write has had its time when this many milliseconds have passed and nothing is under way. */
const settledAfterMs = 12_000

export interface Verdict {
  readonly read: number
  readonly lost: ReadonlyArray<string>
  readonly unread: number
}

const short = (text: string | undefined): string => (text === undefined ? "nothing" : text.slice(0, 24))

interface Unknown {
  readonly sinceMs: number
  /** What was read of the key when its fate could not change any more; it must stay so. */
  found: { readonly value: string | undefined } | undefined
}

export class Account {
  readonly books: Books.Books
  private readonly cluster: DrivenCluster
  private readonly random: Random
  private readonly perSecond: number
  private readonly unknown = new Map<string, Unknown>()
  /** Keys of the large partitions, with what was acknowledged of each. */
  private readonly large = new Map<string, string | undefined>()
  /** A node that nothing is asked of any more. */
  avoided: string | undefined
  private underWay = 0
  private timer: NodeJS.Timeout | undefined
  private due = 0

  constructor(cluster: DrivenCluster, random: Random, perSecond: number) {
    const { partitionCount } = cluster.options
    this.cluster = cluster
    this.random = random
    this.perSecond = perSecond
    this.books = Books.make({ writes: Number.MAX_SAFE_INTEGER, keys, partitionCount, maxPerPartition })
    const partitions = random.shuffle(Array.from({ length: partitionCount }, (_, id) => id)).slice(0, largePartitions)
    for (let i = 0; this.large.size < entriesEach * partitions.length; i++) {
      const key = `large ${i}`
      if (partitions.includes(hashToPartition(key, partitionCount))) this.large.set(key, undefined)
    }
  }

  get acknowledged(): number {
    return this.books.acknowledged() + [...this.large.values()].filter((value) => value !== undefined).length
  }

  /** Writes the large entries; for a cluster that stays as it is meanwhile. */
  async fill(): Promise<void> {
    for (const key of this.large.keys()) {
      const value = `${key} `.padEnd(largeCharacters, "abcdefghijklmnopqrstuvwxyz")
      const { outcome, reason } = await this.cluster.ask(this.anyNode(), { type: "put", key, value })
      if (outcome !== "done") throw new Error(`a large entry was not written: ${reason ?? outcome}`)
      this.large.set(key, value)
    }
  }

  /** Goes on writing until `rest`. */
  go(): void {
    this.timer ??= setInterval(() => this.tick(), tickMs)
  }

  /** Begins no more writes. */
  stop(): void {
    clearInterval(this.timer)
    this.timer = undefined
  }

  /** Writes no more; until all outcomes are here. */
  async rest(): Promise<void> {
    this.stop()
    while (this.underWay > 0) await wait(tickMs)
  }

  private anyNode(): string {
    const open = this.cluster.up.filter(
      (id) =>
        id !== this.avoided &&
        this.cluster.processes.get(id).report !== undefined &&
        this.cluster.underWay(id) < maxPerNode
    )
    return open.length === 0 ? "" : this.random.pick(open)
  }

  private tick(): void {
    this.due = Math.min(this.due + (this.perSecond * tickMs) / 1000, this.perSecond / 4)
    while (this.due >= 1) {
      const nodeId = this.anyNode()
      const write = nodeId === "" ? undefined : this.books.next(this.random.next(), performance.now())
      if (write === undefined) return
      this.due--
      void this.put(nodeId, write)
    }
  }

  private async put(nodeId: string, { id, key, value }: Books.Write): Promise<void> {
    this.underWay++
    const { ms, outcome } = await this.cluster.ask(nodeId, { type: "put", key, value })
    this.underWay--
    const nowMs = performance.now()
    if (outcome === "unknown") this.unknown.set(key, { sinceMs: nowMs, found: undefined })
    this.books.settle(id, outcome, ms, nowMs)
  }

  /** Reads everything through random nodes. For a cluster that stays as it is, while nothing is written. */
  async verify(limitMs: number): Promise<Verdict> {
    const untilMs = performance.now() + limitMs
    const left = [...this.books.written(), ...this.large.keys()]
    const lost: Array<string> = []
    let read = 0
    let unread = 0
    const work = async (): Promise<void> => {
      for (let key = left.pop(); key !== undefined; key = left.pop()) {
        const answer = await this.read(key, untilMs)
        if (answer === undefined) {
          unread++
          continue
        }
        read++
        const wrong = this.judge(key, answer.value)
        if (wrong !== undefined) lost.push(wrong)
      }
    }
    await Promise.all(Array.from({ length: 48 }, work))
    return { read, lost, unread }
  }

  private async read(key: string, untilMs: number): Promise<{ readonly value: string | undefined } | undefined> {
    while (performance.now() < untilMs) {
      const nodeId = this.anyNode()
      const answer = nodeId === "" ? undefined : await this.cluster.ask(nodeId, { type: "get", key })
      if (answer?.outcome === "done") return { value: answer.value }
      await wait(tickMs)
    }
    return undefined
  }

  /** What is wrong with what was read of a key. */
  private judge(key: string, value: string | undefined): string | undefined {
    if (this.large.has(key)) {
      return this.large.get(key) === value ? undefined : `${key} is ${short(value)}`
    }
    if (!this.books.isRight(key, value)) return `${key} should be ${this.books.expected(key)}, and is ${short(value)}`
    const unknown = this.unknown.get(key)
    if (unknown === undefined) return undefined
    if (unknown.found !== undefined && unknown.found.value !== value) {
      return `${key} was ${short(unknown.found.value)} long after its last write, and is ${short(value)}`
    }
    if (performance.now() - unknown.sinceMs > settledAfterMs) unknown.found = { value }
    return undefined
  }
}
