/**
 * How far the heap of a node grows before all of it is collected.
 *
 * What a node sends, receives and copies are buffers outside of V8's heap. V8 counts them against the room that it
 * leaves the heap to grow, which is little where little lives: a node with 35 MiB of heap that copies 4 MiB a second is
 * collected as a whole several times a second, and a collection holds up its operations for 5 to 30 ms. Almost all of
 * these buffers are free by the next minor collection. Room for them costs memory only where they are not.
 *
 * It holds for the whole process, so it is the program's to decide: `squadron node` has it, another program provides it.
 */
import { Effect, Layer } from "effect"
import { setFlagsFromString } from "node:v8"

const flag = "--heap-growing-percent"

/** The heap may grow to three times of what lives. */
export const defaultPercent = 200

const isChosen = (args: ReadonlyArray<string>): boolean => args.some((arg) => arg.replaceAll("_", "-").startsWith(flag))

/**
 * Lets the heap grow by `percent` (whole, 1…10,000) of what has survived a full collection before the next one; V8's
 * limits of the heap hold as before. A process that was started with `--heap-growing-percent` keeps what it says. It is
 * not taken back when the Layer is closed. Throws a RangeError for another percentage.
 */
export const layer = (percent: number = defaultPercent): Layer.Layer<never> => {
  if (!Number.isInteger(percent) || percent < 1 || percent > 10_000) {
    throw new RangeError(`HeapGrowth: ${percent} is no whole percentage in 1…10000`)
  }
  return Layer.effectDiscard(
    Effect.sync(() => {
      if (!isChosen(process.execArgv)) setFlagsFromString(`${flag}=${percent}`)
    })
  )
}
