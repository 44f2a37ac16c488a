/** Where a node's log goes: to stderr, since stdout is for reports; for people on a terminal, else for programs. */
import { Effect, Formatter, Layer, Logger, Stdio } from "effect"
import type { NodeId } from "../../domain/model/Scalars.ts"

const isFilled = (record: Readonly<Record<string, unknown>>): boolean => Object.keys(record).length > 0

/** One JSON object per line; it names the node, because logs of many nodes are read together. */
const jsonLines = (nodeId: NodeId): Logger.Logger<unknown, void> =>
  Logger.formatStructured.pipe(
    Logger.map(({ annotations, cause, level, message, spans, timestamp }) =>
      Formatter.formatJson({
        timestamp,
        level,
        nodeId,
        message,
        ...(isFilled(annotations) ? { annotations } : {}),
        ...(isFilled(spans) ? { spans } : {}),
        ...(cause === undefined ? {} : { cause })
      })
    ),
    Logger.withConsoleError
  )

/** Lines for people if stderr is a terminal, else JSON, one object per line. */
export const layer = (nodeId: NodeId): Layer.Layer<never, never, Stdio.Stdio> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const stdio = yield* Stdio.Stdio
      const isTerminal = yield* stdio.stderrIsTerminal
      return Layer.merge(
        Layer.succeed(Logger.LogToStderr, true),
        Logger.layer([isTerminal ? Logger.consolePretty() : jsonLines(nodeId)])
      )
    })
  )
