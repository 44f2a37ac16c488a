/** Maps under the simulator: whole nodes with their layers, any order of fibers, faults of all kinds. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Random, Result } from "effect"
import { MapStore, type MapStoreShape, PartitionStoreMemory } from "../../../src/index.ts"
import { PartitionedMaps } from "../../../src/maps.ts"
import { hashToPartition } from "../../../src/domain/placement/HashToPartition.ts"
import { SimulatedCluster } from "../../../src/testing.ts"

/** What a run has been told, and the disks of its nodes. */
interface Told {
  readonly acknowledged: Set<string>
  readonly disks: Map<string, MapStoreShape>
}

const mapName = "ledger"

/** Takes its time, as a disk does: requests of different partitions overtake each other. */
const late = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.flatMap(Random.next, (drawn) =>
    drawn < 0.5 ? effect : Effect.andThen(Effect.sleep(drawn * (drawn < 0.95 ? 5 : 80)), effect)
  )
const slow = (store: MapStoreShape): MapStoreShape => ({
  ...store,
  size: (...given) => late(store.size(...given)),
  merge: (...given) => late(store.merge(...given)),
  apply: (...given) => late(store.apply(...given)),
  drop: (...given) => late(store.drop(...given)),
  digests: (...given) => late(store.digests(...given)),
  records: (...given) => late(store.records(...given)),
  collect: (...given) => late(store.collect(...given)),
  write: (...given) => late(store.write(...given)),
  get: (...given) => late(store.get(...given))
})

/** Every node writes a key of its own after another, and keeps in mind which were acknowledged by the backups. */
const writes = (told: Told, perNode: number): SimulatedCluster.Scenario => {
  const { acknowledged, disks } = told
  const diskOf = (nodeId: string): MapStoreShape => {
    const disk = disks.get(nodeId) ?? Effect.runSync(PartitionStoreMemory.make())
    disks.set(nodeId, disk)
    return disk
  }
  return {
    store: ({ nodeId }) => Layer.succeed(MapStore, slow(diskOf(nodeId))),
    settings: { repairIntervalMs: 3000, recoveryTimeoutMs: 6000 },
    program: ({ nodeId, start }) =>
      Effect.gen(function* () {
        const ledger = (yield* PartitionedMaps).lww({ name: mapName, value: "bytes", minCopies: 2, timeoutMs: 3000 })
        for (let i = 0; i < perNode; i++) {
          const key = `${nodeId}#${start} ${i}`
          const put = yield* Effect.result(ledger.put(key, Uint8Array.of(i)))
          if (Result.isSuccess(put)) acknowledged.add(key)
          yield* Effect.sleep("300 millis")
        }
      }),
    completes: true,
    eventually: {
      "every acknowledged write is with the owner of its key": ({ nodes }) => {
        for (const key of acknowledged) {
          const owner = nodes[0]?.ownerOf(key)
          const disk = owner === undefined ? undefined : disks.get(owner)
          const partitionId = hashToPartition(key, nodes[0]?.state.node.partitionCount ?? 1)
          const records = disk && Effect.runSync(disk.get(partitionId, { mapName, mapType: "lww", key }))
          if (records?.length !== 1) return `"${key}" of partition ${partitionId} is not with ${owner ?? "anybody"}`
        }
        return undefined
      }
    }
  }
}

describe("maps under the simulator", () => {
  it("no acknowledged write is lost while durable nodes crash, freeze and are cut off", { timeout: 60_000 }, () => {
    const runs: Array<Told> = []
    const scenario = () => {
      const told = { acknowledged: new Set<string>(), disks: new Map<string, MapStoreShape>() }
      runs.push(told)
      return writes(told, 40)
    }
    const { faults, violations } = SimulatedCluster.check(scenario, { nodes: 3, seeds: 3, virtualMs: 15_000 })
    assert.strictEqual(violations, 0)
    // It has not been true of nothing.
    assert.isAbove(Object.keys(faults).length, 3)
    assert.isAbove(
      runs.reduce((sum, { acknowledged }) => sum + acknowledged.size, 0),
      100
    )
  })
})
