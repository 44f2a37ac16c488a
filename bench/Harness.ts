/**
 * Compares contenders in one process: they take turns in short rounds, so that what disturbs one
 * disturbs all. The lower quartile of each one's rounds counts: other programs on the machine can only
 * add time, and on a busy one a median would measure them. Only ratios within a run mean much.
 */

/** One line of a benchmark table. */
export interface Row {
  readonly group: string
  readonly name: string
  /** In `unit`. */
  readonly value: number
  readonly unit: string
  /** How many times as fast as each named peer of the same run. */
  readonly ratios?: Record<string, number>
  readonly target?: string
}

/** Something to time. `run` is given a rising counter, to choose its input by. */
export interface Contender {
  readonly name: string
  readonly run: (i: number) => unknown
}

export interface Timing {
  /** Wall time of one round, milliseconds: shorter than a scheduler's time slice. */
  readonly roundMs: number
  /** Wall time of all rounds of one contender, milliseconds; a slow one still has `leastRounds`. */
  readonly totalMs: number
}

const defaultTiming: Timing = { roundMs: 1.5, totalMs: 120 }

const leastRounds = 7

/** Nanoseconds of one run of each contender: the lower quartile over its rounds. */
export const compare = (contenders: ReadonlyArray<Contender>, timing: Partial<Timing> = {}): Map<string, number> => {
  const { roundMs, totalMs } = { ...defaultTiming, ...timing }
  const plans = contenders.map((contender) => {
    const runs = warmUp(contender, roundMs)
    const rounds = Math.max(leastRounds, Math.round(totalMs / Math.max(roundMs, runs.roundMs)))
    return { contender, runs: runs.count, rounds, samples: new Array<number>() }
  })
  const most = Math.max(...plans.map(({ rounds }) => rounds))
  for (let round = 0; round < most; round++) {
    for (const { contender, runs, rounds, samples } of plans) {
      if (round < rounds) samples.push(nanosecondsPerRun(contender, runs))
    }
  }
  return new Map(plans.map(({ contender, samples }) => [contender.name, quantile(samples, 0.25)]))
}

/** Runs until the optimizer has settled, and finds out how many runs fill a round. */
const warmUp = (contender: Contender, roundMs: number): { readonly count: number; readonly roundMs: number } => {
  const until = performance.now() + 150
  let count = 1
  let perRun = nanosecondsPerRun(contender, count)
  while (performance.now() < until) {
    count = Math.max(1, Math.min(count * 2, Math.round((roundMs * 1e6) / perRun)))
    perRun = Math.min(perRun, nanosecondsPerRun(contender, count))
  }
  count = Math.max(1, Math.round((roundMs * 1e6) / perRun))
  return { count, roundMs: (count * perRun) / 1e6 }
}

/** Results are looked at, so that no run can be optimized away. */
let observed = 0

const nanosecondsPerRun = ({ run }: Contender, runs: number): number => {
  const start = process.hrtime.bigint()
  for (let i = 0; i < runs; i++) if (run(i) === undefined) observed++
  return Number(process.hrtime.bigint() - start) / runs
}

/** The value that `share` (0…1) of the sorted values lie below; NaN of none. */
export const quantile = (values: ReadonlyArray<number>, share: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN

/** The middle of the sorted values; NaN of none. */
export const median = (values: ReadonlyArray<number>): number => quantile(values, 0.5)

/** Rows as an aligned text table, grouped. */
export const formatRows = (rows: ReadonlyArray<Row>): string => {
  const lines = rows.map((row, i) => {
    const ratios = Object.entries(row.ratios ?? {}).map(([peer, ratio]) => `${ratio.toFixed(1)}× ${peer}`)
    const heading = rows[i - 1]?.group === row.group ? "" : `\n${row.group}\n`
    const cells = [row.name.padEnd(36), formatNumber(row.value).padStart(10), row.unit.padEnd(5), ratios.join(", ")]
    return `${heading}  ${cells.join(" ")}${row.target === undefined ? "" : `  (target ${row.target})`}`.trimEnd()
  })
  return lines.join("\n")
}

const formatNumber = (value: number): string =>
  value >= 1000 ? Math.round(value).toLocaleString("en") : value >= 10 ? value.toFixed(0) : value.toFixed(2)
