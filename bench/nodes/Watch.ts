/** Memory, buffers and heartbeats of this node while something else goes on. */
import { Clock, Context, Effect, Option } from "effect"
import { ClusterService } from "../../src/services/ClusterService.ts"
import { FailureDetector } from "../../src/services/FailureDetector.ts"
import { PartitionData } from "../../src/services/PartitionData.ts"
import type { Node } from "./Client.ts"
import type { Watched } from "./Commands.ts"

const everyMs = 10

type Seen = { -readonly [Key in keyof Watched]: Watched[Key] }

let seen: Seen | undefined
let timer: NodeJS.Timeout | undefined

const collect = (): void => {
  // There with `--expose-gc`.
  for (let i = 0; i < 3; i++) globalThis.gc?.()
}

export const start = Effect.fnUntraced(function* (node: Node) {
  collect()
  const rss = process.memoryUsage.rss()
  const watched: Seen = {
    rssBefore: rss,
    rssPeak: rss,
    rssAfter: rss,
    buffered: 0,
    heartbeatGapMs: 0,
    suspicion: 0,
    stallMs: 0
  }
  seen = watched
  const cluster = Context.get(node, ClusterService)
  const detector = Context.get(node, FailureDetector)
  const data = Context.get(node, PartitionData)
  const heard = new Map<string, number>()
  let lastMs = performance.now()
  const look = Effect.gen(function* () {
    const { members } = yield* cluster.membersView
    for (const { nodeId } of members) {
      if (nodeId === cluster.nodeId) continue
      const atMs = Option.getOrUndefined(yield* detector.lastHeartbeat(nodeId))
      if (atMs === undefined) continue
      const before = heard.get(nodeId) ?? atMs
      heard.set(nodeId, atMs)
      watched.heartbeatGapMs = Math.max(watched.heartbeatGapMs, atMs - before)
      const nowMs = Number(yield* Clock.monotonicTimeNanos) / 1e6
      watched.heartbeatGapMs = Math.max(watched.heartbeatGapMs, nowMs - atMs)
      watched.suspicion = Math.max(watched.suspicion, yield* detector.suspicionLevel(nodeId, nowMs))
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

export const stop = Effect.sync((): Watched | null => {
  clearInterval(timer)
  if (seen === undefined) return null
  collect()
  seen.rssAfter = process.memoryUsage.rss()
  return seen
})
