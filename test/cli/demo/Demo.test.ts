/** The demo when nodes do not do as they should: it fails, says which step and why, and leaves no process behind. */
import { fileURLToPath } from "node:url"
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Demo from "../../../src/cli/demo/Demo.ts"
import type { Display } from "../../../src/cli/demo/Display.ts"

const fakeNode = fileURLToPath(new URL("./FakeNode.ts", import.meta.url))
const blind: Display = { started: () => Effect.void, finished: () => Effect.void, print: () => Effect.void }
const options = { ...Demo.defaults, nodes: ["n1", "n2"], joiner: "n3", formWithinMs: 1500 }

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

const play = (behaviour: string, command = process.execPath) =>
  Effect.gen(function* () {
    // `env` gives each run a variable of its own.
    const program = { command: "env", args: [`FAKE_NODE=${behaviour}`, command, fakeNode] }
    const fleet = yield* Demo.fleetFor(options, { program, host: "127.0.0.1", ports: [1, 2, 3] })
    const demo = yield* Demo.make(options, fleet, yield* Demo.writerFor(options, fleet), blind)
    const error = yield* Effect.flip(demo.play)
    const { nodes } = yield* fleet.state
    return { error, pids: [...nodes.values()].map(({ pid }) => pid), results: yield* demo.results }
  }).pipe(Effect.scoped, Effect.provide(NodeServices.layer))

describe("a demo that fails", () => {
  it.live("at once when a process ends by itself, with its exit code and last log lines", () =>
    Effect.gen(function* () {
      const { error, pids, results } = yield* play("crash:n2")
      assert.strictEqual(error.step, "form")
      assert.strictEqual(error.reason, "n2 ended by itself (exit code 7)")
      assert.deepStrictEqual(error.logs, [{ nodeId: "n2", lines: ["ERROR n2 has no luck"] }])
      assert.deepStrictEqual(results, [])
      assert.isNotEmpty(pids)
      for (const pid of pids) assert.isFalse(isAlive(pid))
    })
  )

  it.live("when nodes report nothing in time, and kills those that ignore SIGTERM", () =>
    Effect.gen(function* () {
      const { error, pids } = yield* play("silent")
      assert.strictEqual(error.step, "form")
      assert.include(error.reason, "n1 has reported nothing yet")
      assert.include(error.reason, "n2 has reported nothing yet")
      assert.deepStrictEqual(
        error.logs.map(({ lines }) => lines),
        [["n1 does nothing"], ["n2 does nothing"]]
      )
      assert.strictEqual(pids.length, 2)
      for (const pid of pids) assert.isFalse(isAlive(pid))
    })
  )

  it.live("when what they print is no report, and shows it", () =>
    Effect.gen(function* () {
      const { error } = yield* play("garbage:n1")
      assert.include(error.reason, "n1 has reported nothing yet")
      assert.deepStrictEqual(error.logs[0], { nodeId: "n1", lines: ["{]"] })
    })
  )

  it.live("when a process cannot be started", () =>
    Effect.gen(function* () {
      const { error } = yield* play("silent", "/nowhere/node")
      assert.strictEqual(error.step, "form")
      assert.match(error.reason, /ended by itself \(exit code 127\)/)
    })
  )
})
