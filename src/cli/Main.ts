/** The program `squadron`: its commands, and how it ends. */
import { readFileSync } from "node:fs"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Console, Effect, Exit, Layer, Option, Schema } from "effect"
import { CliError, CliOutput, Command } from "effect/cli"
import { demo } from "./DemoCommand.ts"
import { CommandFailed, explain } from "./Failure.ts"
import { node } from "./NodeCommand.ts"
import { Signals } from "./Signals.ts"
import { simulate } from "./SimulateCommand.ts"
import { presenter } from "./Usage.ts"

const PackageJson = Schema.fromJsonString(Schema.Struct({ version: Schema.String }))

// Both src/cli and dist/cli lie two folders below package.json.
const readVersion = (): string =>
  Schema.decodeUnknownSync(PackageJson)(readFileSync(new URL("../../package.json", import.meta.url), "utf8")).version

const squadron = Command.make("squadron").pipe(
  Command.withDescription(
    "Clustering for Effect applications: membership, failure detection and partition ownership. " +
      "Run one node of a cluster, or watch a cluster of real processes survive kill -9."
  ),
  Command.withExamples([
    { command: "squadron demo", description: "Watch four processes form a cluster and lose members" },
    { command: "squadron node --node-id a --cluster-port 9001", description: "Found a cluster" },
    {
      command: "squadron node --node-id b --cluster-port 9002 --seeds 127.0.0.1:9001",
      description: "Join it"
    }
  ]),
  Command.withSubcommands([node, demo, simulate])
)

// What is still to be said when a command has ended, and the exit code.
const verdict = (
  cause: Cause.Cause<{ readonly message: string }>
): { readonly line: string; readonly code: number } => {
  const error = Option.getOrUndefined(Cause.findErrorOption(cause))
  // A mistake in the program, not of its user: here a stack trace is what helps.
  if (error === undefined) return { line: `squadron: internal error\n${Cause.pretty(cause)}`, code: 1 }
  if (error instanceof CommandFailed) {
    return { line: error.message === "" ? "" : `squadron: ${explain(error)}`, code: error.exitCode }
  }
  // The presenter has shown it.
  if (error instanceof CliError.ShowHelp) return { line: "", code: error.errors.length === 0 ? 0 : 1 }
  return { line: `squadron: ${explain(error)}`, code: 1 }
}

/** Runs the program with these arguments, says what is to be said, and gives its exit code. */
export const main = (args: ReadonlyArray<string>): Effect.Effect<number> =>
  Effect.suspend(() => Command.runWith(squadron, { version: readVersion() })(args)).pipe(
    Effect.provide(Layer.mergeAll(NodeServices.layer, Signals.layer, CliOutput.layerPresenter(presenter))),
    Effect.exit,
    Effect.flatMap((exit) => {
      if (Exit.isSuccess(exit)) return Effect.succeed(0)
      const { code, line } = verdict(exit.cause)
      return Effect.as(line === "" ? Effect.void : Console.error(line), code)
    })
  )

// Nothing but a timer keeps a process alive while its program waits for a value.
const keepAliveMs = 2 ** 31 - 1

/** Milliseconds that output which is under way may take at the end; then it is lost. */
const flushMs = 1000

// Completes when everything written before has gone out, or cannot any more.
const flushed = (stream: NodeJS.WritableStream): Promise<void> =>
  new Promise((resolve) => {
    stream.write("", () => resolve())
  })

/** Runs the program with the arguments of this process, and ends the process with its exit code. */
export const run = async (): Promise<void> => {
  // A node, or a demo's clean-up, does not end because nobody reads its output any more.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {})
  const keepAlive = setInterval(() => {}, keepAliveMs)
  const code = await Effect.runPromise(main(process.argv.slice(2)))
  clearInterval(keepAlive)
  setTimeout(() => process.exit(code), flushMs)
  await Promise.all([flushed(process.stdout), flushed(process.stderr)])
  process.exit(code)
}
