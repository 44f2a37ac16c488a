/** Where a node's log goes: to stderr, since stdout is for reports; for people on a terminal, else for programs. */
import { Effect, Layer, Logger, Stdio } from "effect"

const jsonLines = Logger.withConsoleError(Logger.formatJson)

/** Lines for people if stderr is a terminal, else JSON, one object per line. */
export const layer: Layer.Layer<never, never, Stdio.Stdio> = Layer.unwrap(
  Effect.gen(function* () {
    const stdio = yield* Stdio.Stdio
    const isTerminal = yield* stdio.stderrIsTerminal
    return Layer.merge(
      Layer.succeed(Logger.LogToStderr, true),
      Logger.layer([isTerminal ? Logger.consolePretty() : jsonLines])
    )
  })
)
