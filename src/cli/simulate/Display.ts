/** What `squadron simulate` tells: how far it is, what it added up to, and the first failure. */
import { Simulation } from "../../testing.ts"

const rate = (virtualMs: number, elapsedMs: number): string =>
  elapsedMs <= 0 ? "" : `, ${Math.round(virtualMs / elapsedMs)} virtual s/s`

const countOf = (violations: number): string => (violations === 1 ? "1 violation" : `${violations} violations`)

/** One line for a terminal. */
export const progressLine = (progress: Simulation.Progress, seeds: number, elapsedMs: number): string =>
  `${progress.seeds} of ${seeds} seeds${rate(progress.virtualMs, elapsedMs)}, ${countOf(progress.violations)}`

/** The figures of a campaign. */
export const summaryLines = (report: Simulation.Report, elapsedMs: number): ReadonlyArray<string> => {
  const faults = Object.entries(report.faults).toSorted(([, a], [, b]) => b - a)
  return [
    `${report.seeds} seeds in ${(elapsedMs / 1000).toFixed(1)} s: ${countOf(report.violations)}`,
    `${report.virtualSecondsPerSecond} virtual seconds per second, ${report.steps} steps, trace ${report.traceHash}`,
    `faults: ${faults.length === 0 ? "none" : faults.map(([kind, count]) => `${kind} ${count}`).join(", ")}`
  ]
}
