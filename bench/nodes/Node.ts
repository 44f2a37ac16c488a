/**
 * A node of a benchmark, in a process of its own: the cluster as `squadron node` runs it, over TCP, with its data in
 * memory. It is told by messages what to do, and ends with the process that started it.
 */
import { Context, Effect, Layer, Schema } from "effect"
import { ClusterConfig } from "../../src/domain/model/ClusterConfig.ts"
import { NodeConfig } from "../../src/domain/model/NodeConfig.ts"
import * as HeapGrowth from "../../src/layers/HeapGrowth.ts"
import * as NodeCluster from "../../src/layers/NodeCluster.ts"
import * as PartitionStoreMemory from "../../src/layers/PartitionStoreMemory.ts"
import { Transport } from "../../src/services/Transport.ts"
import * as Client from "./Client.ts"
import { type Command, Question } from "./Commands.ts"
import * as Profiler from "./Profiler.ts"
import * as Watch from "./Watch.ts"

const Options = Schema.fromJsonString(
  Schema.Struct({
    nodeId: Schema.String,
    seeds: Schema.Array(Schema.String),
    partitionCount: Schema.Number,
    copyBytesPerSecond: Schema.optionalKey(Schema.Number)
  })
)

const execute = (node: Client.Node, command: Command): Effect.Effect<unknown, unknown> => {
  switch (command.type) {
    case "settled":
      return Client.settled(node, command.nodes)
    case "isMaster":
      return Client.isMaster(node)
    case "balanced":
      return Client.isBalanced(node)
    case "exchange":
      return Client.exchange(node, command)
    case "partitions":
      return Client.partitionsOf(node, command.owner, command.backup)
    case "fill":
      return Effect.as(Client.fill(node, command), null)
    case "startLoad":
      return Effect.as(Client.startLoad(node, command), null)
    case "stopLoad":
      return Client.stopLoad
    case "move":
      return Effect.as(Client.move(node, command), null)
    case "collect":
      return Effect.as(Watch.collect, null)
    case "startWatch":
      return Effect.as(Watch.start(node), null)
    case "stopWatch":
      return Watch.stop
    case "startProfile":
      return Effect.as(Profiler.start, null)
    case "stopProfile":
      return Profiler.stop
  }
}

const program = Effect.gen(function* () {
  const { copyBytesPerSecond, nodeId, partitionCount, seeds } = yield* Schema.decodeUnknownEffect(Options)(
    process.argv[2]
  )
  const node = yield* Layer.build(
    NodeCluster.layer({
      config: { ...ClusterConfig.defaults, seedAddresses: seeds },
      node: NodeConfig.of({ nodeId, host: "127.0.0.1", clusterPort: 0, partitionCount }),
      store: PartitionStoreMemory.layer({ maxBytes: 8 * 2 ** 30 }),
      ...(copyBytesPerSecond === undefined ? {} : { settings: { copyBytesPerSecond } })
    })
  )
  const run = Effect.runPromiseWith(node)
  const answer = async (raw: unknown) => {
    const { command, id } = Schema.decodeUnknownSync(Question)(raw)
    process.send?.({ id, answer: await run(execute(node, command)) })
  }
  process.on("message", (raw) => void answer(raw))
  process.on("disconnect", () => process.exit(0))
  process.send?.({ address: Context.get(node, Transport).localAddress })
  return yield* Effect.never
}).pipe(Effect.scoped, Effect.provide(HeapGrowth.layer()))

await Effect.runPromise(program)
