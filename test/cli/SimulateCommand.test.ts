/** `squadron simulate`, run in this process: the last line for programs, the exit code, one line for each mistake. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { TestConsole } from "effect/testing"
import { main } from "../../src/cli/Main.ts"
import { Simulation } from "../../src/testing.ts"

const run = (...args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const code = yield* main(["simulate", ...args])
    const out = (yield* TestConsole.logLines).map(String)
    const errors = (yield* TestConsole.errorLines).map(String)
    return { code, out, errors }
  }).pipe(Effect.provide(TestConsole.layer))

const decode = Schema.decodeUnknownSync(Schema.fromJsonString(Simulation.Report))
const few = ["--nodes", "3", "--seeds", "3", "--first-seed", "5"]

describe("squadron simulate", () => {
  it.live("prints the figures as the last line, the same trace each time", () =>
    Effect.gen(function* () {
      const first = yield* run(...few, "--json")
      const report = decode(first.out.at(-1))
      assert.strictEqual(first.out.length, 1)
      assert.strictEqual(first.code, 0)
      assert.deepStrictEqual([report.ok, report.seeds, report.violations], [true, 3, 0])
      assert.isAbove(report.steps, 1000)
      const again = decode((yield* run(...few, "--json", "--codec")).out.at(-1))
      assert.strictEqual(again.traceHash, report.traceHash)
    })
  )

  it.live("replays one seed with what happens in it", () =>
    Effect.gen(function* () {
      const { code, out } = yield* run("--seed", "7", "--nodes", "3", "--policy", "majority")
      assert.strictEqual(code, 0)
      assert.match(out.join("\n"), /n1@\d+ starts[^]*1 seeds in /)
    })
  )

  it.live("with data clients write, and the run is another than without", () =>
    Effect.gen(function* () {
      const one = ["--nodes", "3", "--seeds", "1", "--profile", "calm", "--json"]
      const [plain, data] = yield* Effect.all([run(...one), run(...one, "--data")])
      const reports = [plain, data].map(({ out }) => decode(out.at(-1)))
      assert.deepStrictEqual([plain.code, data.code], [0, 0])
      assert.isAbove(reports[1]?.steps ?? 0, reports[0]?.steps ?? 0)
    })
  )

  it.live("runs on rings, and without the flag as with all of five", () =>
    Effect.gen(function* () {
      const seven = ["--nodes", "7", "--seeds", "2", "--json"]
      const [all, plain, ring] = yield* Effect.all([
        run(...seven, "--topology", "all"),
        run(...seven),
        run(...seven, "--topology", "rings:3")
      ])
      const hashes = [all, plain, ring].map(({ out }) => decode(out.at(-1)).traceHash)
      assert.strictEqual(hashes[0], hashes[1])
      assert.notStrictEqual(hashes[2], hashes[0])
    })
  )

  it.live.each([
    { args: ["--topology", "rings:2"], said: /--topology.*rings:2.*3…64/ },
    { args: ["--nodes", "0"], said: /--nodes: "0".*1…1000/ },
    { args: ["--seeds", "x"], said: /--seeds: "x"/ },
    { args: ["--profile", "storm"], said: /--profile.*storm.*chaos/ },
    { args: ["--policy", "none"], said: /--policy.*none.*available, majority/ }
  ])("refuses $args in one line", ({ args, said }) =>
    Effect.gen(function* () {
      const { code, errors, out } = yield* run(...args)
      assert.strictEqual(code, 1)
      assert.strictEqual(errors.length, 1)
      assert.match(errors[0] ?? "", said)
      assert.deepStrictEqual(out, [])
    })
  )
})

describe("a failure", () => {
  it("is told with its seed, the faults that are enough, and how to replay it", () => {
    const options = {
      seed: 3,
      nodes: 3,
      tamper: (after, before) =>
        after.phase._tag === "Joined" && before.phase._tag === "Fresh"
          ? { ...after, phase: before.phase, peers: before.peers }
          : after
    } satisfies Simulation.Options
    const failed = Simulation.run(options)
    const text = Simulation.failureLines(failed, Simulation.shrink(options), "squadron simulate --seed 3").join("\n")
    assert.match(text, /^seed 3 FAILED: no agreement/)
    assert.match(text, /none of its \d+ faults is needed/)
    assert.match(text, /VIOLATION[^]*replay: squadron simulate --seed 3/)
  })
})
