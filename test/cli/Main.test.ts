/**
 * Wrong input, run in this process: one line on stderr that names the value and says what to do, and an
 * exit code other than 0. The same with real processes: test/long/BadInput.ts.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, References } from "effect"
import { TestConsole } from "effect/testing"
import { main } from "../../src/cli/Main.ts"
import { ClusterConfig } from "../../src/domain/model/ClusterConfig.ts"
import { parseAddress } from "../../src/domain/model/Address.ts"
import { NodeConfig } from "../../src/domain/model/NodeConfig.ts"
import * as NodeCluster from "../../src/layers/NodeCluster.ts"
import { Transport } from "../../src/services/Transport.ts"

interface Ran {
  readonly code: number
  readonly out: string
  /** Lines of stderr that are no log lines. */
  readonly said: ReadonlyArray<string>
}

const run = (...args: ReadonlyArray<string>): Effect.Effect<Ran> =>
  Effect.gen(function* () {
    const code = yield* main(args)
    const out = (yield* TestConsole.logLines).map(String).join("\n")
    const errors = (yield* TestConsole.errorLines).flatMap((text) => String(text).split("\n"))
    return { code, out, said: errors.filter((line) => !line.startsWith("{")) }
  }).pipe(Effect.provide(TestConsole.layer))

const node = (...args: ReadonlyArray<string>) => ["node", "--node-id", "late", ...args]

interface Mistake {
  readonly what: string
  readonly args: ReadonlyArray<string>
  readonly said: RegExp
}

const mistakes: ReadonlyArray<Mistake> = [
  { what: "a flag without value", args: ["node", "--node-id"], said: /--node-id/ },
  { what: "a policy that is none", args: node("--policy", "most"), said: /--policy.*most|most.*policy/s },
  { what: "a quorum of nobody", args: node("--policy", "0"), said: /available, majority, or a number/ },
  { what: "a missing flag", args: ["node"], said: /--node-id/ },
  { what: "an empty id", args: ["node", "--node-id", ""], said: /--node-id is "".*1…255 characters/ },
  { what: "an unknown flag", args: node("--cluster-prt", "1"), said: /--cluster-prt.*--cluster-port/ },
  { what: "an unknown command", args: ["nod"], said: /"nod".*node/ },
  { what: "a stray argument", args: node("stray"), said: /"stray"/ },
  { what: "a port that is no number", args: node("--cluster-port", "x1"), said: /--cluster-port: "x1"/ },
  { what: "a port out of range", args: node("--cluster-port", "65536"), said: /--cluster-port: "65536".*1…65535/ },
  { what: "a negative count", args: node("--backup-count", "-1"), said: /--backup-count: "-1".*0 or more/ },
  { what: "a fraction of a count", args: node("--max-members", "1.5"), said: /--max-members: "1.5"/ },
  {
    what: "a setting out of range",
    args: node("--heartbeat-interval-ms", "5"),
    said: /--heartbeat-interval-ms is 5.*10…60000/
  },
  { what: "too many backups", args: node("--backup-count", "16"), said: /--backup-count is 16.*0…15/ },
  { what: "a threshold of 0", args: node("--phi-threshold", "0"), said: /--phi-threshold is 0.*above 0/ },
  { what: "no partitions", args: node("--partition-count", "0"), said: /--partition-count is 0.*1…1048576/ },
  {
    what: "settings that contradict each other",
    args: node("--suspicion-timeout-ms", "500"),
    said: /--suspicion-timeout-ms is 500.*at least heartbeatIntervalMs/
  },
  {
    what: "an interval of checks that is too short",
    args: node("--split-brain-check-interval-ms", "99"),
    said: /--split-brain-check-interval-ms is 99.*100…86400000/
  },
  { what: "a seed that is no address", args: node("--seeds", "10.0.0.1"), said: /--seeds is .*10\.0\.0\.1.*host:port/ },
  { what: "an address of another host", args: node("--host", "192.0.2.1"), said: /192\.0\.2\.1.*one of its own/ },
  { what: "a wildcard to advertise", args: node("--host", "0.0.0.0"), said: /--advertise-host is "0\.0\.0\.0".*dial/ },
  {
    what: "a line break in a value",
    args: node("--cluster-port", '1\n{"level":"INFO"}'),
    said: /--cluster-port: "1 \{/
  }
]

describe("wrong arguments and settings", () => {
  it.live.each(mistakes)("$what: one line that names it, exit code 1", ({ args, said }) =>
    Effect.gen(function* () {
      const ran = yield* run(...args)
      assert.strictEqual(ran.code, 1)
      assert.strictEqual(ran.said.length, 1, ran.said.join("\n"))
      assert.match(ran.said[0] ?? "", said)
      assert.match(ran.said[0] ?? "", /^squadron: /)
      assert.strictEqual(ran.out, "")
    })
  )
})

/** A running cluster of one, over TCP, which keeps its log to itself. */
const running = NodeCluster.layer({
  config: { ...ClusterConfig.defaults, clusterId: "prod" },
  node: NodeConfig.of({ nodeId: "a" })
}).pipe(Layer.provideMerge(Layer.succeed(References.MinimumLogLevel, "None")))

const withRunning = <A, E>(body: (seed: string) => Effect.Effect<A, E>) =>
  Effect.flatMap(Transport, ({ localAddress }) => body(localAddress)).pipe(Effect.provide(Layer.fresh(running)))

const assertRefused = (ran: Ran, said: RegExp) => {
  assert.strictEqual(ran.code, 1)
  assert.strictEqual(ran.said.length, 1, ran.said.join("\n"))
  assert.match(ran.said[0] ?? "", said)
}

describe("a cluster that does not take the node", () => {
  it.live("a port in use is named, with what to do", () =>
    withRunning((seed) =>
      Effect.gen(function* () {
        const port = seed.split(":").at(-1) ?? ""
        assert.isTrue(parseAddress(seed)._tag === "Success")
        const ran = yield* run(...node("--cluster-port", port))
        assertRefused(ran, new RegExp(`cannot listen on 127\\.0\\.0\\.1:${port}.*choose another port`))
      })
    )
  )

  it.live("a wrong cluster id is named, with the right one", () =>
    withRunning((seed) =>
      Effect.gen(function* () {
        const ran = yield* run(...node("--seeds", seed, "--cluster-id", "test"))
        assertRefused(ran, /"late" could not join.*"prod", not "test".*set the cluster id/)
      })
    )
  )

  it.live("a node id in use is named, with where it runs", () =>
    withRunning((seed) =>
      Effect.gen(function* () {
        const twin = ["node", "--node-id=a", "--cluster-id=prod", "--max-no-heartbeat-ms=1000"]
        const ran = yield* run(...twin, "--seeds", seed)
        assertRefused(
          ran,
          new RegExp(`"a" could not join: node id "a" is in use by ${seed}; give this node another id`)
        )
      })
    )
  )

  it.live("a seed that does not answer is named, with what happened", () =>
    Effect.gen(function* () {
      // A port that was just free.
      const dead = yield* withRunning((seed) => Effect.succeed(seed))
      const ran = yield* run(...node("--seeds", dead, "--join-timeout-ms", "1000"))
      assertRefused(ran, new RegExp(`found no cluster: ${dead.replaceAll(".", "\\.")} refused.*check the seed`))
    })
  )

  it.live("help and version go to stdout, with exit code 0", () =>
    Effect.gen(function* () {
      const help = yield* run("node", "--help")
      assert.strictEqual(help.code, 0)
      assert.include(help.out, "--suspicion-timeout-ms")
      assert.include(help.out, "--split-brain-check-interval-ms")
      assert.include(help.out, "SQUADRON_TOKEN")
      assert.deepStrictEqual(help.said, [])
      const version = yield* run("--version")
      assert.match(version.out, /^squadron \d+\.\d+\.\d+/)
    })
  )
})
