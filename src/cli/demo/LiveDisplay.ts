/** The demo on a terminal: finished steps stay above a view of the nodes that is drawn again and again. */
import { Effect, Ref, Semaphore, type Scope } from "effect"
import type { NodeId } from "../../domain/model/Scalars.ts"
import { line, type Span, span } from "../terminal/Paint.ts"
import { wrap } from "../terminal/Wrap.ts"
import { duration } from "./DemoResult.ts"
import type { Display, Output } from "./Display.ts"
import { type Fleet, nowMs } from "./Fleet.ts"
import * as FleetState from "./FleetState.ts"
import { frame, type WriteProgress } from "./Screen.ts"

/** Milliseconds between two frames. */
const frameMs = 100
/** Milliseconds that the outcome of a step stays in sight before the next begins. */
const pauseMs = 700

// Control sequences of ECMA-48 and DEC: to the first of `lines` lines and clear from there; hide and show the cursor.
const clearUp = (lines: number): string => (lines === 0 ? "" : `\u001b[${lines}F\u001b[J`)
const hideCursor = "\u001b[?25l"
const showCursor = "\u001b[?25h"

/** Before rows that go on. */
const indent = "  "
const isOfTable = /^[┌│├└]/

interface Drawn {
  readonly lines: number
  readonly frames: number
  readonly step:
    | { readonly name: string; readonly title: string; readonly startMs: number; readonly finishedBefore: number }
    | undefined
}

export interface LiveOptions {
  readonly nodes: ReadonlyArray<NodeId>
  readonly partitionCount: number
  /** How far the writes are. */
  readonly writes: () => WriteProgress
}

/** Draws until its scope closes; then the view is gone, what was printed stays, and the cursor is back. */
export const make = Effect.fnUntraced(function* (
  output: Output,
  fleet: Fleet,
  options: LiveOptions
): Effect.fn.Return<Display, never, Scope.Scope> {
  const drawn = yield* Ref.make<Drawn>({ lines: 0, frames: 0, step: undefined })
  const oneAtATime = yield* Semaphore.make(1)

  // Replaces the last view by lines that stay, and a new view.
  const draw = (stay: ReadonlyArray<string>): Effect.Effect<void> =>
    Effect.gen(function* () {
      const { frames, lines, step } = yield* Ref.get(drawn)
      const now = yield* nowMs
      const moment = {
        nodes: options.nodes,
        partitionCount: options.partitionCount,
        writes: options.writes(),
        step: step === undefined ? undefined : { ...step, elapsedMs: now - step.startMs },
        state: yield* fleet.state,
        frame: frames
      }
      const view = frame(moment, output.columns(), output.canColor)
      yield* output.write(`${clearUp(lines)}${[...stay, ...view].join("\n")}\n`)
      yield* Ref.update(drawn, (last) => ({ ...last, lines: view.length, frames: frames + 1 }))
    }).pipe(oneAtATime.withPermits(1))

  const setStep = (step: Drawn["step"]) => Ref.update(drawn, (last) => ({ ...last, step }))
  const paint = (spans: ReadonlyArray<Span>): string => line(spans, Number.POSITIVE_INFINITY, output.canColor)

  /** The outcome of a step, in rows that fit the terminal: it would break them within words. */
  const outcome = (name: string, took: string, story: string): ReadonlyArray<string> => {
    const columns = output.columns()
    const heading = `✔ ${name} ${took}: `
    const [first = "", ...rest] = wrap(story, columns - indent.length, columns - heading.length)
    return [
      paint([span("✔ ", "green"), span(name, "bold"), span(` ${took}: `), span(first, "dim")]),
      ...rest.map((row) => paint([span(indent), span(row, "dim")]))
    ]
  }
  const fitted = (text: string): ReadonlyArray<string> => {
    const columns = output.columns()
    if (text.length <= columns || isOfTable.test(text)) return [text]
    return wrap(text, columns - 2 * indent.length, columns).map((row, i) => (i === 0 ? row : indent + indent + row))
  }

  yield* Effect.acquireRelease(output.write(hideCursor), () =>
    Effect.flatMap(Ref.get(drawn), ({ lines }) => output.write(clearUp(lines) + showCursor))
  )
  yield* draw([paint([span("Squadron", "bold"), span(`: ${options.nodes.length} nodes, each a process of its own`)])])
  yield* Effect.sleep(frameMs).pipe(Effect.andThen(draw([])), Effect.forever, Effect.forkScoped)

  return {
    started: (name, title) =>
      Effect.gen(function* () {
        const { finished: finishedBefore } = FleetState.migrations(yield* fleet.state)
        yield* setStep({ name, title, startMs: yield* nowMs, finishedBefore })
      }),
    finished: (result, story) =>
      setStep(undefined).pipe(
        Effect.andThen(Effect.suspend(() => draw(["", ...outcome(result.name, duration(result.ms), story)]))),
        Effect.andThen(Effect.sleep(pauseMs))
      ),
    print: (lines) => Effect.andThen(setStep(undefined), draw(lines.flatMap(fitted)))
  }
})
