/** What the demo shows while it runs. This file has the plain form: a line for each event. */
import { Clock, Effect } from "effect"
import { duration, type StepResult } from "./DemoResult.ts"

export interface Display {
  readonly started: (name: string, title: string) => Effect.Effect<void>
  readonly finished: (result: Pick<StepResult, "name" | "ms">, story: string) => Effect.Effect<void>
  /** Lines that stay, such as a summary. */
  readonly print: (lines: ReadonlyArray<string>) => Effect.Effect<void>
}

export interface Output {
  readonly write: (text: string) => Effect.Effect<void>
  /** Width of the terminal in columns. */
  readonly columns: () => number
  readonly canColor: boolean
}

/** One line for each event, with the seconds since the start. */
export const plain = (output: Output): Effect.Effect<Display> =>
  Effect.map(Clock.monotonicTimeNanos, (startNanos) => {
    const line = (text: string): Effect.Effect<void> =>
      Effect.flatMap(Clock.monotonicTimeNanos, (nanos) => {
        const seconds = (Number(nanos - startNanos) / 1e9).toFixed(2).padStart(6)
        return output.write(`[${seconds} s] ${text}\n`)
      })
    return {
      started: (name, title) => line(`${name}: ${title}`),
      finished: (result, story) => line(`${result.name}: done in ${duration(result.ms)}: ${story}`),
      print: (lines) => output.write(`${lines.join("\n")}\n`)
    }
  })
