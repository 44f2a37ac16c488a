/**
 * Compares contenders in one process: they take turns in short rounds, so that what disturbs one
 * disturbs all, and the median of each one's rounds counts. Only ratios within a run mean much.
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
  /** Rounds of each contender. */
  readonly rounds: number
  /** Wall time of one round, milliseconds. */
  readonly roundMs: number
}

const defaultTiming: Timing = { rounds: 15, roundMs: 8 }

/** Median nanoseconds of one run of each contender. */
export const compare = (contenders: ReadonlyArray<Contender>, timing: Partial<Timing> = {}): Map<string, number> => {
  const { rounds, roundMs } = { ...defaultTiming, ...timing }
  const plans = contenders.map((contender) => ({ contender, runs: warmUp(contender, roundMs), samples: [0].slice(1) }))
  for (let round = 0; round < rounds; round++) {
    for (const { contender, runs, samples } of plans) samples.push(nanosecondsPerRun(contender, runs))
  }
  return new Map(plans.map(({ contender, samples }) => [contender.name, median(samples)]))
}

/** Runs until the optimizer has settled, and finds out how many runs fill a round. */
const warmUp = (contender: Contender, roundMs: number): number => {
  const until = performance.now() + Math.max(100, roundMs * 8)
  let runs = 1
  let perRun = nanosecondsPerRun(contender, runs)
  while (performance.now() < until) {
    runs = Math.max(1, Math.min(runs * 2, Math.round((roundMs * 1e6) / perRun)))
    perRun = nanosecondsPerRun(contender, runs)
  }
  return Math.max(1, Math.round((roundMs * 1e6) / perRun))
}

/** Results are looked at, so that no run can be optimized away. */
let observed = 0

const nanosecondsPerRun = ({ run }: Contender, runs: number): number => {
  const start = process.hrtime.bigint()
  for (let i = 0; i < runs; i++) if (run(i) === undefined) observed++
  return Number(process.hrtime.bigint() - start) / runs
}

/** The middle of the sorted values; NaN of none. */
export const median = (values: ReadonlyArray<number>): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN

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
