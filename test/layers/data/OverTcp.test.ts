/** Maps over real connections, all nodes in one process. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Layer, Option, Result, Schedule, Scope } from "effect"
import { parseAddress } from "../../../src/domain/model/Address.ts"
import { ClusterConfig } from "../../../src/domain/model/ClusterConfig.ts"
import { NodeConfig } from "../../../src/domain/model/NodeConfig.ts"
import * as NodeCluster from "../../../src/layers/NodeCluster.ts"
import * as PartitionStoreMemory from "../../../src/layers/PartitionStoreMemory.ts"
import { PartitionData, PartitionedMaps } from "../../../src/maps.ts"
import { ClusterService } from "../../../src/services/ClusterService.ts"
import { Transport } from "../../../src/services/Transport.ts"

const start = (nodeId: string, seedAddresses: ReadonlyArray<string>) =>
  Layer.build(
    NodeCluster.layer({
      config: { ...ClusterConfig.defaults, seedAddresses },
      node: NodeConfig.of({ nodeId, clusterPort: 0, partitionCount: 31 }),
      store: PartitionStoreMemory.layer()
    })
  )

type Node = Effect.Success<ReturnType<typeof start>>

const addressOf = (node: Node): string => {
  const address = parseAddress(Context.get(node, Transport).localAddress)
  return Result.isSuccess(address) ? `127.0.0.1:${address.success.port}` : ""
}

/** Every partition has a backup, and nothing is on its way. */
const settled = (nodes: ReadonlyArray<Node>) =>
  Effect.gen(function* () {
    for (const node of nodes) {
      const { rows } = yield* Context.get(node, ClusterService).partitionTable
      const { copies, strays } = yield* Context.get(node, PartitionData).status
      if (copies.length + strays.length > 0 || rows.some((row) => row?.backups.length !== 1)) return false
    }
    return true
  }).pipe(
    Effect.repeat({ until: (holds: boolean) => holds, schedule: Schedule.spaced("20 millis") }),
    Effect.timeout("15 seconds"),
    Effect.orDie
  )

const write = (node: Node, from: number, to: number) => {
  const map = Context.get(node, PartitionedMaps).lww({ name: "numbers", value: "bytes", minCopies: 2 })
  const keys = Array.from({ length: to - from }, (_, i) => from + i)
  return Effect.forEach(keys, (i) => map.put(`key ${i}`, Uint8Array.of(i & 255, i >> 8)), { concurrency: 500 })
}

describe("maps over TCP", () => {
  it.live(
    "every write that was acknowledged is there after a node has joined and another has left",
    () =>
      Effect.gen(function* () {
        const first = yield* start("n1", [])
        const leaving = yield* Scope.make()
        const second = yield* start("n2", [addressOf(first)]).pipe(Scope.provide(leaving))
        yield* settled([first, second])
        yield* write(second, 0, 800)
        const third = yield* start("n3", [addressOf(first)])
        yield* write(first, 800, 1200)
        yield* settled([first, second, third])
        yield* write(third, 1200, 1600)
        yield* Scope.close(leaving, Exit.void)
        yield* settled([first, third])
        for (const node of [first, third]) {
          const map = Context.get(node, PartitionedMaps).lww({ name: "numbers", value: "bytes" })
          const keys = Array.from({ length: 1600 }, (_, i) => i)
          const values = yield* Effect.forEach(keys, (i) => map.get(`key ${i}`), { concurrency: 500 })
          for (const [i, value] of values.entries())
            assert.deepStrictEqual([...Option.getOrThrow(value)], [i & 255, i >> 8])
        }
      }).pipe(Effect.scoped),
    30_000
  )
})
