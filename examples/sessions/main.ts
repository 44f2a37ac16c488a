/** `node examples/sessions/main.ts n1 9001 8001 127.0.0.1:9001 127.0.0.1:9002`: one node, until Ctrl-C. */
import { randomUUID } from "node:crypto"
import { createServer } from "node:http"
import { NodeHttpServer, NodeRuntime } from "@effect/platform-node"
import { Effect, Layer } from "effect"
import { HttpRouter } from "effect/http"
import { ClusterConfig, NodeConfig } from "effect-squadron"
import { PartitionStoreMemory } from "effect-squadron/maps"
import { NodeCluster } from "effect-squadron/node"
import { routes } from "./Http.ts"
import { Sessions } from "./Sessions.ts"

const [nodeId = "n1", clusterPort = "9001", httpPort = "8001", ...seedAddresses] = process.argv.slice(2)

const cluster = NodeCluster.layer({
  config: { ...ClusterConfig.defaults, seedAddresses },
  node: NodeConfig.of({ nodeId, clusterPort: Number(clusterPort) }),
  store: PartitionStoreMemory.layer()
})

HttpRouter.serve(routes).pipe(
  Layer.provide(NodeHttpServer.layer(createServer, { port: Number(httpPort), host: "127.0.0.1" })),
  Layer.provide(Sessions.layer(Effect.sync(() => randomUUID()))),
  Layer.provide(cluster),
  Layer.launch,
  NodeRuntime.runMain
)
