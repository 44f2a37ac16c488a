/** `node examples/main.ts n1 9001 127.0.0.1:9001 127.0.0.1:9002`: one node of a cluster, until Ctrl-C. */
import { NodeRuntime } from "@effect/platform-node"
import { Effect } from "effect"
import { ClusterConfig, NodeConfig } from "effect-squadron"
import { NodeCluster } from "effect-squadron/node"
import { watch } from "./Watch.ts"

const [nodeId = "n1", port = "9001", ...seedAddresses] = process.argv.slice(2)

const cluster = NodeCluster.layer({
  config: { ...ClusterConfig.defaults, seedAddresses },
  node: NodeConfig.of({ nodeId, clusterPort: Number(port) })
})

watch.pipe(Effect.provide(cluster), NodeRuntime.runMain)
