/** A failure for a person to read. */
import { describeFault } from "./Fault.ts"
import type { Outcome } from "./Run.ts"
import type { Shrunk } from "./Shrink.ts"

const enough = (needed: number, drawn: number): string =>
  needed === 0
    ? `none of its ${drawn} faults is needed: the order of what happens is enough`
    : `${needed} of its ${drawn} faults ${needed === 1 ? "is" : "are"} enough`

/** The first failure: what broke, by which faults, how it went, and how to see it again. */
export const failureLines = (failed: Outcome, { outcome, runs }: Shrunk, replay: string): ReadonlyArray<string> => [
  `seed ${failed.seed} FAILED: ${failed.violation ?? ""}`,
  "",
  `${enough(outcome.schedule.length, failed.schedule.length)} (${runs} runs): ${outcome.violation ?? ""}`,
  ...outcome.schedule.map((fault) => `  ${describeFault(fault)}`),
  "",
  "what happened with these:",
  ...outcome.transcript.map((line) => `  ${line}`),
  "",
  `replay: ${replay}`,
  ""
]
