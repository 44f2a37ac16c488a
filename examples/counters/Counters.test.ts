/** The store keeps the laws, and the service its promise: what was counted is in the total, whatever breaks. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { PartitionStoreLaws, SimulatedCluster, type Simulation } from "effect-squadron/testing"
import { Counters } from "./Counters.ts"
import { chunkOf, type Counter, layerOf, makeCounterStore, mergeCounters, recordOf } from "./CounterStore.ts"

/** Counters from a seed, some of them versions of the same. */
const content = (seed: number): PartitionStoreLaws.Content => {
  let state = seed * 7919
  const below = (n: number) => (state = (state * 48_271) % 0x7fff_ffff) % n
  const counter = () => {
    const key = `key-${below(40)}`
    const counts = Array.from({ length: 1 + below(3) }, () => ({ by: `n${below(4)}#1`, count: 1 + below(5) }))
    const none: Counter = { key, counts: [] }
    return counts.reduce((sum, count) => mergeCounters(sum, { key, counts: [count] }), none)
  }
  const deltas = Array.from({ length: 30 }, () => recordOf(counter()))
  return { chunks: Array.from({ length: 6 }, () => chunkOf(Array.from({ length: below(20) }, counter))), deltas }
}

describe("the store of counters", () => {
  const media = Effect.succeed({ open: Effect.map(makeCounterStore, ({ store }) => store) })
  for (const law of PartitionStoreLaws.laws({ media, content })) it.effect(law.name, () => law.check)
})

const keys = ["home", "news", "help", "shop"]

const add = (counts: Map<string, number>, key: string) => counts.set(key, (counts.get(key) ?? 0) + 1)

/** Made anew for every run: what the clients have counted, and what they have been told. */
const scenario = () => {
  const stores = new Map<string, ReturnType<typeof layerOf>>()
  const storeOf = ({ nodeId, start }: SimulatedCluster.NodeStart) => {
    const name = `${nodeId}#${start}`
    const store = stores.get(name) ?? layerOf(Effect.runSync(makeCounterStore))
    stores.set(name, store)
    return store
  }
  const begun = new Map(keys.map((key) => [key, 0]))
  const told = new Map(keys.map((key) => [key, 0]))
  /** The totals that each node sees. */
  const seen = new Map<string, ReadonlyMap<string, number>>()
  const made: SimulatedCluster.Scenario = {
    store: storeOf,
    program: (node) =>
      Effect.gen(function* () {
        const counters = yield* Counters
        for (const key of Array.from({ length: 10 }, () => keys).flat()) {
          add(begun, key)
          if (Result.isSuccess(yield* Effect.result(counters.count(key)))) add(told, key)
          yield* Effect.sleep("200 millis")
        }
        const look = Effect.forEach(keys, (key) => Effect.map(counters.total(key), (total) => [key, total] as const))
        const remember = Effect.map(look, (totals) => seen.set(node.nodeId, new Map(totals)))
        yield* Effect.forever(Effect.delay(Effect.ignore(remember), "1 second"))
      }).pipe(Effect.provide(Counters.layer(`${node.nodeId}#${node.start}`)), Effect.provide(storeOf(node))),
    eventually: {
      "every node sees all that was acknowledged, and no more than was counted": ({ nodes }) => {
        for (const { nodeId } of nodes) {
          for (const key of keys) {
            const total = seen.get(nodeId)?.get(key) ?? 0
            const [least = 0, most = 0] = [told.get(key), begun.get(key)]
            if (total < least || total > most) return `${nodeId} sees ${total} of ${key}, not ${least}…${most}`
          }
        }
        return undefined
      }
    }
  }
  return { ...made, told }
}

describe("counters", () => {
  it("count on while the owner's machine dies and another node stands still", { timeout: 60_000 }, () => {
    const faults: ReadonlyArray<Simulation.Fault> = [
      { _tag: "Delay", atMs: 6000, minMs: 20, maxMs: 400, forMs: 3000 },
      { _tag: "Kill", atMs: 8000, node: "master", withHost: true },
      { _tag: "Freeze", atMs: 22_000, node: "n3", forMs: 15_000 }
    ]
    const runs: Array<ReturnType<typeof scenario>> = []
    const remembered = () => {
      const run = scenario()
      runs.push(run)
      return run
    }
    SimulatedCluster.check(remembered, { nodes: 4, faults, seeds: 3, virtualMs: 40_000 })
    for (const { told } of runs) assert.isAbove(told.get("home") ?? 0, 20)
  })
})
