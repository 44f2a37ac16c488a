/** Clusters in memory whose nodes keep data, for specs of what is built on it. */
import { Context, Effect, Layer, type Scope } from "effect"
import { PartitionData } from "../../../src/maps.ts"
import { ClusterPartitionService, ClusterService, type MapStore } from "../../../src/index.ts"
import * as PartitionStoreMemory from "../../../src/layers/PartitionStoreMemory.ts"
import * as TransportMemory from "../../../src/layers/TransportMemory.ts"
import * as TestCluster from "../../../src/testing/TestCluster.ts"
import { until } from "../InVirtualTime.ts"

export type DataNode = Context.Context<TestCluster.TestDataServices>

export const partitionCount = 7

export interface NodesOptions {
  readonly config?: TestCluster.TestNodeOptions["config"]
  readonly settings?: TestCluster.TestDataOptions<never>["settings"]
  readonly store?: (index: number) => Layer.Layer<MapStore>
}

const seedAddresses = [9001, 9002, 9003].map((port) => `127.0.0.1:${port}`)

export const build = (
  network: TransportMemory.MemoryNetwork,
  index: number,
  { config, settings = {}, store = () => PartitionStoreMemory.layer() }: NodesOptions = {}
): Effect.Effect<DataNode, unknown, Scope.Scope> =>
  Layer.build(
    TestCluster.nodeWithData(network, {
      nodeId: `n${index}`,
      clusterPort: 9000 + index,
      config: { seedAddresses, ...config },
      node: { partitionCount },
      settings,
      store: store(index)
    })
  )

export const at = <A>(all: ReadonlyArray<A>, index: number): A => {
  const found = all[index]
  if (found === undefined) throw new RangeError(`there is no ${index}`)
  return found
}

/** The table is full and lists these nodes only, all nodes have it, and nothing is on its way. */
export const settled = (nodes: ReadonlyArray<DataNode>, backupCount = 1): Effect.Effect<void> =>
  until(
    Effect.gen(function* () {
      const ids = new Set(nodes.map((node) => Context.get(node, ClusterService).nodeId))
      const versions = new Set<number>()
      for (const node of nodes) {
        const { rows, version } = yield* Context.get(node, ClusterService).partitionTable
        const { copies, recovering, strays } = yield* Context.get(node, PartitionData).status
        versions.add(version)
        const expected = Math.min(backupCount, nodes.length - 1)
        if (rows.some((row) => row?.backups.length !== expected)) return false
        if (rows.some((row) => row === undefined || !ids.has(row.owner))) return false
        if (rows.some((row) => row?.backups.some((id) => !ids.has(id)))) return false
        if (copies.length + strays.length + recovering.length > 0) return false
      }
      return versions.size === 1 && !versions.has(0)
    })
  )

/** Nodes that have started at once and agree. */
export const nodes = (count: number, options: NodesOptions = {}) =>
  Effect.gen(function* () {
    const network = yield* TransportMemory.makeNetwork
    const indices = Array.from({ length: count }, (_, index) => index + 1)
    const built = yield* Effect.all(
      indices.map((index) => build(network, index, options)),
      { concurrency: count }
    )
    yield* settled(built, options.config?.backupCount)
    return { network, nodes: built }
  })

/** The node of several that owns the key's partition, by its own table. */
export const ownerOf = (all: ReadonlyArray<DataNode>, key: string): Effect.Effect<number> =>
  Effect.gen(function* () {
    for (const [index, node] of all.entries()) {
      const service = Context.get(node, ClusterPartitionService)
      if (yield* Effect.orDie(service.isLocalOwner(yield* service.hashToPartition(key)))) return index
    }
    return yield* Effect.die(`nobody owns "${key}"`)
  })
