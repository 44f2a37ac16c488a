/**
 * What the demo has asked the cluster to write, and what became of it. Pure bookkeeping, one value that changes in
 * place: time and chance are arguments.
 *
 * Every value is written once and tells its write. Of one key one write is under way at a time, so that of two that
 * were acknowledged the later one must be found. A write whose outcome is unknown may take effect at any later time:
 * its key is not written again, and both it and the last acknowledged value are right. A write that was refused has
 * not happened, and is tried again.
 */
import { hashToPartition } from "../../domain/placement/HashToPartition.ts"

export interface BooksOptions {
  /** Writes to be made. */
  readonly writes: number
  /** Keys that they go to; a key that is given up is replaced by a new one. */
  readonly keys: number
  readonly partitionCount: number
  /** Writes of one partition that may be under way: one without an owner must not use up all that may be. */
  readonly maxPerPartition: number
}

interface Key {
  readonly name: string
  readonly partitionId: number
  /** Value of the last write that was acknowledged. */
  acknowledged: string | undefined
  /** Value of the write whose outcome is unknown: the key's last. */
  unknown: string | undefined
  /** The write that was refused and is wanted still. */
  refused: Write | undefined
}

interface Line {
  readonly free: Array<Key>
  /** Keys whose write was refused; they come first. */
  readonly again: Array<Key>
  underWay: number
  /** Since when a write has been wanted without any having been acknowledged. */
  waitingSinceMs: number | undefined
  longestGapMs: number
}

interface UnderWay {
  readonly key: Key
  readonly line: Line
  readonly write: Write
  /** It counts no more among what is under way in its partition. */
  isParked: boolean
}

export interface Write {
  readonly id: number
  readonly key: string
  readonly value: string
}

export interface WriteFigures {
  readonly acknowledged: number
  readonly unknown: number
  /** Answers that a write was refused, after which it was made again. */
  readonly refusals: number
  /** How long acknowledged writes took, milliseconds; 0 without any. */
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
  /** Of any partition: the longest time without an acknowledged write while one was wanted of a node that runs, milliseconds. */
  readonly longestGapMs: number
  readonly longestGapPartition: number
  /** The same of the partition in the middle. */
  readonly medianGapMs: number
}

export type WriteOutcome = "done" | "refused" | "unknown"

export interface Books {
  /** The next write; none while every partition is busy, or when all have been made. `random` 0 ≤ r < 1 chooses. */
  readonly next: (random: number, nowMs: number) => Write | undefined
  /**
   * Whoever was asked for the write stands still: the partition is free for other writes, and nobody waits for this one.
   * Its outcome may come yet.
   */
  readonly park: (id: number, nowMs: number) => void
  /** The outcome of a write; `tookMs` is how long the node says it took. Unknown ids are ignored. */
  readonly settle: (id: number, outcome: WriteOutcome, tookMs: number, nowMs: number) => void
  /** Writes that have been begun, each counted once. */
  readonly begun: () => number
  readonly acknowledged: () => number
  readonly unknown: () => number
  /** Writes that were refused and wait to be made again. */
  readonly refused: () => number
  /** All writes have been made, and their outcomes are here. */
  readonly isDone: () => boolean
  /** The longest gap that ended, or was still open, since the last call. */
  readonly takeGapMs: (nowMs: number) => number
  readonly figures: (nowMs: number) => WriteFigures
  /** Keys of which something is to be found, in the order of their making. */
  readonly written: () => ReadonlyArray<string>
  /** May this be what is read of the key in the end? */
  readonly isRight: (key: string, found: string | undefined) => boolean
  /** What is right, in words. */
  readonly expected: (key: string) => string
}

/** Characters of a value; longer than a write's number, so that copies have something to copy. */
const valueLength = 32

/** The value at this share of the sorted list, by the nearest rank. */
export const quantile = (sorted: ReadonlyArray<number>, share: number): number =>
  sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0

const ascending = (a: number, b: number): number => a - b

const isWanted = (line: Line): boolean => line.underWay + line.again.length > 0

export const make = ({ keys: keyCount, maxPerPartition, partitionCount, writes }: BooksOptions): Books => {
  const keys = new Map<string, Key>()
  const lines = Array.from({ length: partitionCount }, (): Line => ({
    free: [],
    again: [],
    underWay: 0,
    waitingSinceMs: undefined,
    longestGapMs: 0
  }))
  const underWay = new Map<number, UnderWay>()
  const tookMs: Array<number> = []
  let begun = 0
  let unknown = 0
  let refusals = 0
  let refused = 0
  let gapMs = 0

  const addKey = (): void => {
    const name = `k${keys.size}`
    const partitionId = hashToPartition(name, partitionCount)
    const key = { name, partitionId, acknowledged: undefined, unknown: undefined, refused: undefined }
    keys.set(name, key)
    lines[partitionId]?.free.push(key)
  }
  for (let i = 0; i < keyCount; i++) addKey()

  const begin = (line: Line, nowMs: number): Write | undefined => {
    if (line.underWay >= maxPerPartition) return undefined
    const key = line.again.shift() ?? (begun < writes ? line.free.shift() : undefined)
    if (key === undefined) return undefined
    const id = key.refused?.id ?? ++begun
    const write = key.refused ?? { id, key: key.name, value: `${id} `.padEnd(valueLength, ".") }
    if (key.refused !== undefined) refused--
    key.refused = undefined
    line.waitingSinceMs ??= nowMs
    line.underWay++
    underWay.set(id, { key, line, write, isParked: false })
    return write
  }

  const noteGap = (line: Line, nowMs: number): void => {
    if (line.waitingSinceMs === undefined) return
    const lastedMs = nowMs - line.waitingSinceMs
    line.longestGapMs = Math.max(line.longestGapMs, lastedMs)
    gapMs = Math.max(gapMs, lastedMs)
  }

  const settle: Books["settle"] = (id, outcome, took, nowMs) => {
    const found = underWay.get(id)
    if (found === undefined) return
    const { isParked, key, line, write } = found
    underWay.delete(id)
    if (!isParked) line.underWay--
    noteGap(line, nowMs)
    switch (outcome) {
      case "done":
        key.acknowledged = write.value
        tookMs.push(took)
        line.free.push(key)
        line.waitingSinceMs = nowMs
        break
      case "refused":
        refusals++
        refused++
        key.refused = write
        line.again.push(key)
        break
      case "unknown":
        unknown++
        key.unknown = write.value
        addKey()
    }
    if (!isWanted(line)) line.waitingSinceMs = undefined
  }

  const park: Books["park"] = (id, nowMs) => {
    const found = underWay.get(id)
    if (found === undefined || found.isParked) return
    const { line } = found
    found.isParked = true
    line.underWay--
    noteGap(line, nowMs)
    if (!isWanted(line)) line.waitingSinceMs = undefined
  }

  const expected = (name: string): string => {
    const { acknowledged = "nothing", unknown } = keys.get(name) ?? {}
    return unknown === undefined ? acknowledged : `${acknowledged} or ${unknown}`
  }

  return {
    next: (random, nowMs) => {
      const first = Math.floor(random * partitionCount)
      for (let i = 0; i < partitionCount; i++) {
        const line = lines[(first + i) % partitionCount]
        const write = line === undefined ? undefined : begin(line, nowMs)
        if (write !== undefined) return write
      }
      return undefined
    },
    park,
    settle,
    begun: () => begun,
    acknowledged: () => tookMs.length,
    unknown: () => unknown,
    refused: () => refused,
    isDone: () => tookMs.length + unknown >= writes,
    takeGapMs: (nowMs) => {
      for (const line of lines) noteGap(line, nowMs)
      const taken = gapMs
      gapMs = 0
      return taken
    },
    figures: (nowMs) => {
      for (const line of lines) noteGap(line, nowMs)
      const sorted = tookMs.toSorted(ascending)
      const gaps = lines.map(({ longestGapMs }) => longestGapMs)
      const longestGapMs = Math.max(0, ...gaps)
      return {
        acknowledged: tookMs.length,
        unknown,
        refusals,
        p50Ms: quantile(sorted, 0.5),
        p99Ms: quantile(sorted, 0.99),
        maxMs: sorted.at(-1) ?? 0,
        longestGapMs,
        longestGapPartition: gaps.indexOf(longestGapMs),
        medianGapMs: quantile(gaps.toSorted(ascending), 0.5)
      }
    },
    written: () =>
      [...keys.values()]
        .filter(({ acknowledged, unknown }) => acknowledged !== undefined || unknown !== undefined)
        .map(({ name }) => name),
    isRight: (name, found) => {
      const key = keys.get(name)
      return found === key?.acknowledged || (key?.unknown !== undefined && found === key.unknown)
    },
    expected
  }
}
