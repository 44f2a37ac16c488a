/** Two clusters over TCP that find each other become one: probes open real connections, within their limits. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Result, Schedule } from "effect"
import { parseAddress } from "../../src/domain/model/Address.ts"
import { ClusterConfig } from "../../src/domain/model/ClusterConfig.ts"
import { NodeConfig } from "../../src/domain/model/NodeConfig.ts"
import { available, majority, type QuorumPolicy } from "../../src/domain/protocol/Quorum.ts"
import * as NodeCluster from "../../src/layers/NodeCluster.ts"
import { ClusterService } from "../../src/services/ClusterService.ts"
import { Transport } from "../../src/services/Transport.ts"

const start = (nodeId: string, policy: QuorumPolicy, clusterPort: number, seeds: ReadonlyArray<string>) =>
  Layer.build(
    NodeCluster.layer({
      config: {
        ...ClusterConfig.defaults,
        seedAddresses: seeds,
        heartbeatIntervalMs: 100,
        maxNoHeartbeatMs: 500,
        suspicionTimeoutMs: 1000,
        splitBrainCheckIntervalMs: 300
      },
      node: NodeConfig.of({ nodeId, clusterPort, authToken: "secret" }),
      policy
    })
  )

const freePort = Effect.scoped(
  Effect.gen(function* () {
    const { localAddress } = Context.get(yield* start("probe", available, 0, []), Transport)
    const address = parseAddress(localAddress)
    return Result.isSuccess(address) ? address.success.port : 0
  })
)

describe("merging over TCP", () => {
  it.live.each([available, majority])(
    "a cluster of two and one of one become one cluster of three under $name",
    (policy) =>
      Effect.gen(function* () {
        const ports = [yield* freePort, yield* freePort, yield* freePort]
        const seeds = ports.map((port) => `127.0.0.1:${port}`)
        const [port1 = 0, port2 = 0, port3 = 0] = ports
        const pair = yield* Effect.all([start("n1", policy, port1, seeds), start("n2", policy, port2, seeds)], {
          concurrency: 2
        })
        // Without seeds it founds a cluster of its own; the others have it among theirs.
        const alone = yield* start("n3", policy, port3, [])
        const views = Effect.all([...pair, alone].map((context) => Context.get(context, ClusterService).membersView))
        const merged = yield* views.pipe(
          Effect.filterOrFail((all) => all.every(({ members }) => members.length === 3)),
          Effect.retry(Schedule.spaced("50 millis")),
          Effect.timeout("15 seconds")
        )
        for (const view of merged) {
          assert.deepStrictEqual(view.members.map(({ nodeId }) => nodeId).toSorted(), ["n1", "n2", "n3"])
        }
      }),
    30_000
  )
})
