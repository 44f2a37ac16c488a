import { assert, it } from "@effect/vitest"
import { Effect, Exit, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import type { StepResult } from "../../../src/cli/demo/DemoResult.ts"
import type { Fleet } from "../../../src/cli/demo/Fleet.ts"
import * as FleetState from "../../../src/cli/demo/FleetState.ts"
import * as LiveDisplay from "../../../src/cli/demo/LiveDisplay.ts"

const still: Fleet = {
  start: () => Effect.void,
  kill: () => Effect.succeed(0),
  leave: () => Effect.void,
  freeze: () => Effect.succeed(0),
  thaw: () => Effect.void,
  send: () => true,
  onDriven: () => {},
  state: Effect.succeed(FleetState.empty),
  changes: Stream.empty,
  until: () => Effect.succeed(FleetState.empty)
}

const result: StepResult = {
  name: "kill",
  ms: 120,
  ownersMoved: 1,
  withoutReplica: 0,
  promotedMs: 100,
  masterId: "n1",
  owned: [],
  acknowledged: 0,
  gapMs: 0
}

// oxlint-disable-next-line no-control-regex -- control sequences are what is read
const sequences = /\u001b\[(\d+)F\u001b\[J|(\u001b\[\?25[lh])|([^\u001b\n]*\n?)/g

/** What a terminal shows after all this was written to it; knows only the sequences that the display uses. */
const shown = (written: string): ReadonlyArray<string> => {
  const rows = [""]
  for (const [, up, hidden, text] of written.matchAll(sequences)) {
    if (up !== undefined) rows.splice(rows.length - 1 - Number(up), Number(up) + 1, "")
    else if (hidden === undefined && text !== undefined) {
      rows[rows.length - 1] += text.replace("\n", "")
      if (text.endsWith("\n")) rows.push("")
    }
  }
  return rows
}

const display = Effect.gen(function* () {
  const written: Array<string> = []
  const scope = yield* Scope.make()
  const output = {
    write: (text: string) => Effect.sync(() => void written.push(text)),
    columns: () => 60,
    canColor: false
  }
  const made = LiveDisplay.make(output, still, {
    nodes: ["n1", "n2"],
    partitionCount: 271,
    writes: () => ({ writes: 100, acknowledged: 50, unknown: 0 })
  })
  return {
    display: yield* Effect.provideService(made, Scope.Scope, scope),
    close: Scope.close(scope, Exit.void),
    screen: () => shown(written.join("")),
    written
  }
})

it.effect("the view is drawn in place, below what stays", () =>
  Effect.gen(function* () {
    const { close, display: live, screen } = yield* display
    yield* live.started("kill", "kill -9 n2")
    yield* TestClock.adjust("1 seconds")
    assert.strictEqual(screen().length, 1 + 1 + 1 + 2 + 2 + 1)
    assert.match(screen()[2] ?? "", /kill kill -9 n2 0\.[89] s|kill kill -9 n2 1\.0 s/)
    yield* Effect.forkChild(live.finished(result, "done"))
    yield* TestClock.adjust("1 seconds")
    assert.strictEqual(screen()[2], "✔ kill 120 ms: done")
    assert.strictEqual(screen().length, 3 + 6 + 1)
    yield* close
  })
)

it.effect("at the end the view is gone, what was printed stays, and the cursor is back", () =>
  Effect.gen(function* () {
    const { close, display: live, screen, written } = yield* display
    yield* live.print(["the summary"])
    yield* close
    assert.deepStrictEqual(screen(), ["Squadron: 2 nodes, each a process of its own", "the summary", ""])
    assert.include(written.at(0), "\u001b[?25l")
    assert.isTrue(written.at(-1)?.endsWith("\u001b[?25h"))
    const drawn = written.length
    yield* TestClock.adjust("1 seconds")
    assert.strictEqual(written.length, drawn)
  })
)

it.effect("what stays is broken between words, so that the terminal breaks nothing itself", () =>
  Effect.gen(function* () {
    const { close, display: live, screen } = yield* display
    yield* Effect.forkChild(
      live.finished(result, "n4 is gone: its 68 partitions have living owners after 753 ms, 68 of them")
    )
    yield* TestClock.adjust("1 seconds")
    assert.deepStrictEqual(screen().slice(2, 4), [
      "✔ kill 120 ms: n4 is gone: its 68 partitions have living",
      "  owners after 753 ms, 68 of them"
    ])
    yield* live.print([`FAILED: ${"word ".repeat(20)}`, `┌${"─".repeat(66)}┐`])
    yield* close
    const long = screen().filter((row) => row.length > 60)
    assert.deepStrictEqual(long, [`┌${"─".repeat(66)}┐`])
  })
)
