/** `squadron demo`: a cluster of processes on this host that loses members and recovers. */
import { extname } from "node:path"
import { isatty } from "node:tty"
import { fileURLToPath } from "node:url"
import { Console, Effect, Result } from "effect"
import { Command, Flag, TerminalCapabilities } from "effect/cli"
import * as Demo from "./demo/Demo.ts"
import { reportOf, summary, toJson, writesSummary } from "./demo/DemoResult.ts"
import { type Output, plain } from "./demo/Display.ts"
import type { Fleet } from "./demo/Fleet.ts"
import { freePorts } from "./demo/FreePorts.ts"
import * as LiveDisplay from "./demo/LiveDisplay.ts"
import type { Program } from "./demo/NodeProcess.ts"
import { CommandFailed } from "./Failure.ts"
import { exitCodeOf, Signals } from "./Signals.ts"

const host = "127.0.0.1"

/** Writes that can be asked for: the books of all of them are in memory. */
const maxWrites = 1_000_000

type Stream = typeof process.stdout | typeof process.stderr

// The nodes run what this process runs: TypeScript from the sources, JavaScript from the built package.
const program = (): Program => {
  const self = fileURLToPath(import.meta.url)
  return { command: process.execPath, args: [fileURLToPath(new URL(`./bin${extname(self)}`, import.meta.url))] }
}

const outputTo = (stream: Stream, canColor: boolean): Output => ({
  write: (text) => Effect.sync(() => void stream.write(text)),
  columns: () => stream.columns || 80,
  canColor
})

const failureLines = (error: Demo.StepFailed): ReadonlyArray<string> => [
  "",
  `FAILED: ${error.message}`,
  ...error.logs.flatMap(({ lines, nodeId }) => [
    `last log lines of ${nodeId}:`,
    ...(lines.length === 0 ? ["  (none)"] : lines.map((line) => `  ${line}`))
  ])
]

// Plays on a fleet that outlives the display: whoever watches does not see the nodes being cleared away.
const playOn = Effect.fnUntraced(function* (options: Demo.DemoOptions, fleet: Fleet, stream: Stream) {
  const signals = yield* Signals
  const { canAnimate, canColor } = yield* TerminalCapabilities.TerminalCapabilities
  const isTerminal = isatty(stream.fd)
  const output = outputTo(stream, canColor && isTerminal)
  const writer = yield* Demo.writerFor(options, fleet)
  const { books } = writer
  const shown = {
    nodes: Demo.allNodes(options),
    partitionCount: options.partitionCount,
    writes: () => ({ writes: options.writes, acknowledged: books.acknowledged(), unknown: books.unknown() })
  }
  const display = canAnimate && isTerminal ? yield* LiveDisplay.make(output, fleet, shown) : yield* plain(output)
  const demo = yield* Demo.make(options, fleet, writer, display)
  const interrupted = Effect.gen(function* () {
    const signal = yield* signals.next
    const error = yield* demo.failure(`interrupted by ${signal}`)
    return yield* Effect.fail({ error, lines: ["", error.message], exitCode: exitCodeOf(signal) })
  })
  const played = Effect.mapError(demo.play, (error) => ({ error, lines: failureLines(error), exitCode: 1 }))
  const ended = yield* Effect.result(Effect.raceFirst(played, interrupted))
  const results = yield* demo.results
  const writes = yield* demo.writes
  if (results.length > 0) yield* display.print(["", ...summary(results), "", ...writesSummary(writes)])
  if (Result.isSuccess(ended)) return { report: reportOf(results, options.partitionCount, writes), exitCode: 0 }
  const { error, exitCode, lines } = ended.failure
  yield* display.print(lines)
  return { report: reportOf(results, options.partitionCount, writes, error), exitCode }
}, Effect.scoped)

// Whatever happens, the nodes are gone before the result is told.
const runDemo = Effect.fnUntraced(function* (writes: number, json: boolean) {
  const options = { ...Demo.defaults, writes }
  const ports = yield* freePorts(host, Demo.allNodes(options).length)
  const fleet = yield* Demo.fleetFor(options, { program: program(), host, ports })
  // With --json stdout is for the object alone.
  return yield* playOn(options, fleet, json ? process.stderr : process.stdout)
}, Effect.scoped)

export const demo = Command.make(
  "demo",
  {
    writes: Flag.Int("writes").pipe(
      Flag.withMetavar("count"),
      Flag.filter(
        (count) => count >= 0 && count <= maxWrites,
        () => `a whole number of 0…${maxWrites}`
      ),
      Flag.withDescription(`Entries to be written, 0…${maxWrites} (default ${Demo.defaults.writes})`),
      Flag.withDefault(Demo.defaults.writes)
    ),
    json: Flag.Boolean("json").pipe(
      Flag.withDescription("Print the result as one JSON object, the last line of stdout; progress goes to stderr"),
      Flag.withoutNegation,
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function* ({ json, writes }) {
    const { exitCode, report } = yield* runDemo(writes, json)
    if (json) yield* Console.log(toJson(report))
    if (exitCode !== 0) return yield* new CommandFailed({ message: "", exitCode })
  })
).pipe(
  Command.withShortDescription("Watch a cluster of processes lose members and recover"),
  Command.withDescription(
    "Starts four nodes as processes of their own on this host and writes 100,000 entries through all of them, while " +
      "it kills one with SIGKILL, starts it again, kills the master, starts it again, has a fifth join, lets one stand " +
      "still until it is put out, and wake up, and lets one leave; measures each step by what the nodes themselves " +
      "report. Then reads everything back. A silent node is declared dead after 2.5 s of suspicion, not the default " +
      "10. Ends by itself in under 50 seconds, with exit code 0 if every step went as it should and no acknowledged " +
      "write is missing, else 1."
  ),
  Command.withExamples([
    { command: "squadron demo", description: "Watch it" },
    { command: "squadron demo --json", description: "The figures for a program, as the last line" }
  ])
)
