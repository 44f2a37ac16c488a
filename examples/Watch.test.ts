/** The same program under test layers: no sockets, and time passes only when the spec says so. */
import { assert, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock, TestConsole } from "effect/testing"
import { TestCluster } from "effect-squadron/testing"
import { watch } from "./Watch.ts"

it.effect("a lonely node owns all partitions", () =>
  Effect.gen(function* () {
    const program = yield* Effect.forkChild(Effect.provide(watch, TestCluster.layer({ nodeId: "n1" })))
    yield* TestClock.adjust("1 second")
    yield* Fiber.interrupt(program)
    const lines = (yield* TestConsole.logLines).join("\n")
    assert.include(lines, "271 partitions here, 1 members")
  })
)
