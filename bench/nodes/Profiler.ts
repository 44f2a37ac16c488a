/** Where the CPU time of this process goes, by the parts of the program. */
import { Session } from "node:inspector/promises"
import { Effect } from "effect"

let session: Session | undefined
let cpuBefore = process.cpuUsage()

export const start = Effect.promise(async () => {
  session = new Session()
  session.connect()
  await session.post("Profiler.enable")
  await session.post("Profiler.setSamplingInterval", { interval: 500 })
  await session.post("Profiler.start")
  cpuBefore = process.cpuUsage()
})

/** The first whose words stand in a frame's address, or else its function's name, is the part that it belongs to. */
const parts: ReadonlyArray<readonly [part: string, words: ReadonlyArray<string>]> = [
  ["codec", ["src/domain/codec/", "src/domain/wire/", "src/domain/data/RecordCodec"]],
  ["data plane, rules", ["src/domain/replication/"]],
  ["store", ["src/layers/store/", "src/layers/PartitionStoreMemory", "src/domain/data/"]],
  ["data plane, interpreter", ["src/layers/data/", "src/layers/PartitionData"]],
  ["maps", ["src/layers/maps/", "src/layers/PartitionedMaps", "src/domain/placement/"]],
  ["transport", ["src/layers/tcp/", "src/layers/transport/", "src/layers/TransportTcp", "platform-node"]],
  ["membership", ["src/"]],
  ["Effect's runtime", ["node_modules/effect/"]],
  ["the bench's client", ["bench/"]],
  ["Node and sockets", ["node:"]],
  ["garbage collection", ["(garbage collector)"]],
  ["outside JavaScript", ["(program)"]]
]

/** Neither work nor the program's. */
const isApart = (frame: { readonly url: string; readonly functionName: string }): boolean =>
  frame.functionName === "(idle)" || frame.url === "node:inspector" || frame.url === "node:inspector/promises"

const partOf = (frame: { readonly url: string; readonly functionName: string }): string | undefined => {
  const place = frame.url === "" ? frame.functionName : frame.url
  return parts.find(([, words]) => words.some((word) => place.includes(word)))?.[0]
}

export const stop = Effect.promise(async (): Promise<Record<string, number>> => {
  if (session === undefined) return {}
  const { system, user } = process.cpuUsage(cpuBefore)
  const { profile } = await session.post("Profiler.stop")
  session.disconnect()
  session = undefined
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]))
  const parents = new Map(
    profile.nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node.id] as const))
  )
  // A built-in without an address belongs to whoever calls it.
  const owner = (id: number | undefined): string | undefined => {
    const node = id === undefined ? undefined : nodes.get(id)
    if (node === undefined) return "Node and sockets"
    if (isApart(node.callFrame)) return undefined
    return partOf(node.callFrame) ?? owner(parents.get(node.id))
  }
  const spent: Record<string, number> = {}
  const deltas = profile.timeDeltas ?? []
  for (const [index, id] of (profile.samples ?? []).entries()) {
    const part = owner(id)
    if (part !== undefined) spent[part] = (spent[part] ?? 0) + (deltas[index] ?? 0) / 1000
  }
  // Samples are of the wall time: on a busy machine others ran in some of it.
  const sampled = Object.values(spent).reduce((sum, ms) => sum + ms, 0)
  const scale = (user + system) / 1000 / sampled
  return Object.fromEntries(Object.entries(spent).map(([part, ms]) => [part, ms * scale]))
})
