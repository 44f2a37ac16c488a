/** What the node of a benchmark does with its maps: as an application would, through `PartitionedMaps`. */
import { Context, Effect, Fiber } from "effect"
import { hashToPartition } from "../../src/domain/placement/HashToPartition.ts"
import type * as Cluster from "../../src/layers/Cluster.ts"
import { ClusterPartitionService } from "../../src/services/ClusterPartitionService.ts"
import { ClusterService } from "../../src/services/ClusterService.ts"
import type { FailureDetector } from "../../src/services/FailureDetector.ts"
import { MigrationService } from "../../src/services/MigrationService.ts"
import { PartitionData } from "../../src/services/PartitionData.ts"
import { PartitionedMaps } from "../../src/services/PartitionedMaps.ts"
import type { Transport } from "../../src/services/Transport.ts"
import { quantile } from "../Harness.ts"
import type { Command, Exchanged, Keys, Load } from "./Commands.ts"

export type Node = Context.Context<Cluster.ClusterServices | Cluster.DataServices | Transport | FailureDetector>

type CommandOf<Type extends Command["type"]> = Extract<Command, { readonly type: Type }>

const tableOf = (node: Node) => Context.get(node, ClusterService).partitionTable
const mapOf = (node: Node) => Context.get(node, PartitionedMaps).lww({ name: "bench", value: "bytes", minCopies: 2 })

export const settled = Effect.fnUntraced(function* (node: Node, nodes: number) {
  const { members } = yield* Context.get(node, ClusterService).membersView
  const { rows } = yield* tableOf(node)
  const { copies, recovering, strays } = yield* Context.get(node, PartitionData).status
  const isFull = rows.length > 0 && rows.every((row) => row?.backups.length === 1)
  const { activeMigrations } = yield* Context.get(node, ClusterService).health
  const waiting = copies.length + strays.length + recovering.length + activeMigrations
  const active = members.filter(({ state }) => state === "active").length
  return active === nodes && isFull && waiting === 0
})

export const isMaster = Effect.fnUntraced(function* (node: Node) {
  return (yield* Context.get(node, ClusterService).health).isMaster
})

/** Nothing would be moved. */
export const isBalanced = Effect.fnUntraced(function* (node: Node) {
  return (yield* Context.get(node, ClusterPartitionService).rebalance).length === 0
})

export const partitionsOf = (node: Node, owner: string, backup: string) =>
  Effect.map(tableOf(node), ({ rows }) =>
    rows.flatMap((row, id) => (row?.owner === owner && row.backups.includes(backup) ? [id] : []))
  )

// ---- as much as possible -----------------------------------------------------------------------

const keyCount = 4096

const keysOf = Effect.fnUntraced(function* (node: Node, kind: Keys) {
  const self = Context.get(node, ClusterService).nodeId
  const { rows } = yield* tableOf(node)
  const keys: Array<string> = []
  for (let i = 0; keys.length < keyCount; i++) {
    const key = `key-${i}`
    const row = rows[hashToPartition(key, rows.length)]
    const isHeld = row?.owner === self || row?.backups.includes(self) === true
    if (kind === "mixed" || (kind === "local" ? row?.owner === self : !isHeld)) keys.push(key)
  }
  return keys
})

const written = new Set<string>()

export const exchange = Effect.fnUntraced(function* (
  node: Node,
  { durationMs, inFlight, keys: kind, operation, valueBytes }: CommandOf<"exchange">
) {
  const map = mapOf(node)
  const keys = yield* keysOf(node, kind)
  const value = new Uint8Array(valueBytes).fill(7)
  if (!written.has(kind)) yield* Effect.forEach(keys, (key) => map.put(key, value), { concurrency: 256, discard: true })
  written.add(kind)
  const samples: Array<number> = []
  let next = 0
  const startMs = performance.now()
  const endMs = startMs + durationMs
  const one = Effect.gen(function* () {
    while (performance.now() < endMs) {
      const key = keys[next++ % keyCount] ?? ""
      const sentMs = performance.now()
      yield* operation === "put" ? map.put(key, value) : map.get(key)
      samples.push(performance.now() - sentMs)
    }
  })
  yield* Effect.all(
    Array.from({ length: inFlight }, () => one),
    { concurrency: "unbounded", discard: true }
  )
  const perSecond = (samples.length * 1000) / (performance.now() - startMs)
  return { perSecond, p50: quantile(samples, 0.5), p99: quantile(samples, 0.99) } satisfies Exchanged
})

// ---- what moves ----------------------------------------------------------------------------------

/** The first keys of a partition. */
const keysIn = (partitionId: number, partitionCount: number, count: number, prefix: string): ReadonlyArray<string> => {
  const keys: Array<string> = []
  for (let i = 0; keys.length < count; i++) {
    const key = `${prefix}${i}`
    if (hashToPartition(key, partitionCount) === partitionId) keys.push(key)
  }
  return keys
}

export const fill = Effect.fnUntraced(function* (node: Node, { bytes, partitionId, valueBytes }: CommandOf<"fill">) {
  const map = mapOf(node)
  const { rows } = yield* tableOf(node)
  const keys = keysIn(partitionId, rows.length, Math.ceil(bytes / valueBytes), "fill-")
  // The same value again does no harm, and filling is not what is measured.
  yield* Effect.forEach(
    keys,
    (key, i) => Effect.retry(map.put(key, new Uint8Array(valueBytes).fill(i % 251)), { times: 5 }),
    { concurrency: 64, discard: true }
  )
})

export const move = (node: Node, { backup, destination, partitionIds, source }: CommandOf<"move">) =>
  Context.get(node, MigrationService).startMigrations(
    partitionIds.map((partitionId) => ({ partitionId, source, destination, newBackups: [backup] }))
  )

// ---- at even times -------------------------------------------------------------------------------

interface Running {
  readonly fiber: Fiber.Fiber<void, unknown>
  readonly puts: Array<number>
  readonly gets: Array<number>
  failed: number
  longestGapMs: number
}

let running: Running | undefined

/** The latency counts from when a request was due, so that a stall counts for all that it holds up. */
export const startLoad = Effect.fnUntraced(function* (node: Node, command: CommandOf<"startLoad">) {
  const { partitionIds, perSecond, valueBytes } = command
  const map = mapOf(node)
  const { rows } = yield* tableOf(node)
  const keys = partitionIds.flatMap((id) => keysIn(id, rows.length, 64, "load-"))
  const value = new Uint8Array(valueBytes)
  yield* Effect.forEach(keys, (key) => map.put(key, value), { concurrency: 64, discard: true })
  let acknowledgedMs = performance.now()
  const startMs = performance.now()
  const request = (i: number, dueMs: number) => {
    // Keys in turn, a put and a get of each.
    const key = keys[(i >> 1) % keys.length] ?? ""
    const isPut = i % 2 === 0
    const asked: Effect.Effect<unknown, unknown> = isPut ? map.put(key, value) : map.get(key)
    return Effect.matchCause(asked, {
      onFailure: () => {
        if (running !== undefined) running.failed++
      },
      onSuccess: () => {
        if (running === undefined) return
        const nowMs = performance.now()
        if (isPut) {
          running.puts.push(nowMs - dueMs)
          running.longestGapMs = Math.max(running.longestGapMs, nowMs - acknowledgedMs)
          acknowledgedMs = nowMs
        } else running.gets.push(nowMs - dueMs)
      }
    })
  }
  const pacing = Effect.gen(function* () {
    for (let i = 0; ; i++) {
      const dueMs = startMs + (i * 1000) / perSecond
      const nowMs = performance.now()
      if (dueMs > nowMs) yield* Effect.sleep(dueMs - nowMs)
      // A timer may fire a little early.
      yield* Effect.forkChild(request(i, Math.min(dueMs, performance.now())))
    }
  })
  running = { fiber: yield* Effect.forkDetach(pacing), puts: [], gets: [], failed: 0, longestGapMs: 0 }
})

const latency = (ms: ReadonlyArray<number>): Load["put"] => ({
  count: ms.length,
  p50: quantile(ms, 0.5),
  p99: quantile(ms, 0.99),
  max: quantile(ms, 1)
})

export const stopLoad = Effect.gen(function* () {
  const load = running
  running = undefined
  if (load === undefined) return null
  yield* Fiber.interrupt(load.fiber)
  const { failed, gets, longestGapMs, puts } = load
  return { put: latency(puts), get: latency(gets), failed, longestGapMs } satisfies Load
})
