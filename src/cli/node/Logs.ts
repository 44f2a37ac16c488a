/** Where a node's log goes: to stderr, since stdout is for reports; for people on a terminal, else for programs. */
import { Layer, Logger } from "effect"

const jsonLines = Logger.withConsoleError(Logger.formatJson)

/** Lines for people if stderr is a terminal, else JSON, one object per line. */
export const layer = (stderrIsTerminal: boolean): Layer.Layer<never> =>
  Layer.mergeAll(
    Layer.succeed(Logger.LogToStderr, true),
    Logger.layer([stderrIsTerminal ? Logger.consolePretty() : jsonLines])
  )
