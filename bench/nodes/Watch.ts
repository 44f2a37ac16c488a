/** Memory, buffers and heartbeats of this node while something else goes on. */
import { constants, PerformanceObserver } from "node:perf_hooks"
import { Clock, Context, Effect, Option } from "effect"
import * as AwakeClock from "../../src/domain/protocol/AwakeClock.ts"
import { ClusterDriver } from "../../src/services/ClusterDriver.ts"
import { ClusterService } from "../../src/services/ClusterService.ts"
import { FailureDetector } from "../../src/services/FailureDetector.ts"
import { PartitionData } from "../../src/services/PartitionData.ts"
import type { Node } from "./Client.ts"
import type { Watched } from "./Commands.ts"

const everyMs = 10

type Seen = { -readonly [Key in keyof Watched]: Watched[Key] }

let seen: Seen | undefined
let timer: NodeJS.Timeout | undefined
let cpuBefore = process.cpuUsage()
let startedMs = 0

const kindOf = (detail: unknown): number =>
  typeof detail === "object" && detail !== null && "kind" in detail && typeof detail.kind === "number" ? detail.kind : 0

const collector = new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) {
    const { duration } = entry
    const detail = "detail" in entry ? entry.detail : undefined
    const isMinor = kindOf(detail) === constants.NODE_PERFORMANCE_GC_MINOR
    const name = isMinor ? "minor" : "major"
    if (seen === undefined) continue
    const { count, longestMs, totalMs } = seen[name]
    seen[name] = { count: count + 1, totalMs: totalMs + duration, longestMs: Math.max(longestMs, duration) }
  }
})

const none = { count: 0, totalMs: 0, longestMs: 0 }

/** Resident bytes when garbage was collected last. */
let collectedRss = process.memoryUsage.rss()

/** Collects garbage. Of a large heap that takes a second, in which the process does nothing else. */
export const collect = Effect.sync(() => {
  // There with `--expose-gc`.
  for (let i = 0; i < 3; i++) globalThis.gc?.()
  collectedRss = process.memoryUsage.rss()
})

export const start = Effect.fnUntraced(function* (node: Node) {
  const rss = collectedRss
  const watched: Seen = {
    rssBefore: rss,
    rssPeak: process.memoryUsage.rss(),
    rssAfter: rss,
    buffered: 0,
    heartbeatGapMs: 0,
    suspicion: 0,
    stallMs: 0,
    cpuMs: 0,
    wallMs: 0,
    minor: none,
    major: none
  }
  seen = watched
  cpuBefore = process.cpuUsage()
  startedMs = performance.now()
  collector.observe({ entryTypes: ["gc"] })
  const cluster = Context.get(node, ClusterService)
  const detector = Context.get(node, FailureDetector)
  const data = Context.get(node, PartitionData)
  const driver = Context.get(node, ClusterDriver)
  const heard = new Map<string, { readonly atMs: number; readonly seenMs: number }>()
  let lastMs = performance.now()
  const look = Effect.gen(function* () {
    const { members } = yield* cluster.membersView
    for (const { nodeId } of members) {
      if (nodeId === cluster.nodeId) continue
      const atMs = Option.getOrUndefined(yield* detector.lastHeartbeat(nodeId))
      if (atMs === undefined) continue
      const nowMs = performance.now()
      const last = heard.get(nodeId)
      // Its reading is of the awake clock, which leaves out where this process stood still.
      if (last?.atMs !== atMs) heard.set(nodeId, { atMs, seenMs: nowMs })
      watched.heartbeatGapMs = Math.max(watched.heartbeatGapMs, nowMs - (last?.seenMs ?? nowMs))
      const { clock, timing } = yield* driver.state
      const [{ awakeMs }] = AwakeClock.advance(
        clock,
        Number(yield* Clock.monotonicTimeNanos) / 1e6,
        timing.tickIntervalMs
      )
      watched.suspicion = Math.max(watched.suspicion, yield* detector.suspicionLevel(nodeId, awakeMs))
    }
    const { copyBytes, sendingBytes } = yield* data.status
    watched.buffered = Math.max(watched.buffered, copyBytes + sendingBytes)
  })
  timer = setInterval(() => {
    const nowMs = performance.now()
    watched.stallMs = Math.max(watched.stallMs, nowMs - lastMs - everyMs)
    lastMs = nowMs
    watched.rssPeak = Math.max(watched.rssPeak, process.memoryUsage.rss())
    Effect.runSync(look)
  }, everyMs)
})

export const stop = Effect.gen(function* () {
  clearInterval(timer)
  collector.disconnect()
  if (seen === undefined) return null
  const { system, user } = process.cpuUsage(cpuBefore)
  seen.cpuMs = (system + user) / 1000
  seen.wallMs = performance.now() - startedMs
  yield* collect
  seen.rssAfter = collectedRss
  return seen satisfies Watched
})
