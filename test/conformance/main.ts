/**
 * `npm run conformance -- [folder]`: our code against recordings of what the reference really does. The
 * project's own fixtures always run; the folder (default: ../shared/vectors, if it is there) is checked
 * file by file, and a file that is missing is skipped with a note.
 */
import { existsSync } from "node:fs"
import { join, resolve } from "node:path"
import { assignment } from "./Assignment.ts"
import { hash } from "./Hash.ts"
import { liveJoin, liveJoinModel } from "./LiveJoin.ts"
import { merge } from "./Merge.ts"
import { phi } from "./Phi.ts"
import type { Report } from "./Report.ts"
import { tolerance } from "./Tolerance.ts"
import { types } from "./Types.ts"
import { wire } from "./Wire.ts"

interface Suite {
  /** Files of the folder that the suite reads. */
  readonly files: ReadonlyArray<string>
  readonly run: (folder: string) => Report | Promise<Report>
}

const suites: ReadonlyArray<Suite> = [
  { files: ["wire.json"], run: wire },
  { files: ["types.json"], run: types },
  { files: ["tolerance.json"], run: tolerance },
  { files: ["live-join.json"], run: liveJoin },
  { files: ["live-join.json"], run: liveJoinModel },
  { files: ["hash.json"], run: hash },
  { files: ["assignment.json", "hash.json"], run: assignment },
  { files: ["merge.json"], run: merge },
  { files: ["phi.json"], run: phi }
]

const ownFixtures: ReadonlyArray<Suite> = [
  { files: ["wire.json"], run: wire },
  { files: ["wireTypes.json"], run: (folder) => types(folder, "wireTypes.json") },
  { files: ["wireTolerance.json"], run: (folder) => tolerance(folder, "wireTolerance.json") }
]

const runAll = async (title: string, folder: string, list: ReadonlyArray<Suite>): Promise<ReadonlyArray<Report>> => {
  console.log(
    `\n${title}\n${"suite".padEnd(16)}${["cases", "passed", "failed"].map((word) => word.padStart(8)).join("")}`
  )
  const reports: Array<Report> = []
  for (const { files, run } of list) {
    const missing = files.filter((file) => !existsSync(join(folder, file)))
    if (missing.length > 0) {
      console.log(`${missing.join(", ")}: not there, skipped`)
    } else {
      const report = await run(folder)
      reports.push(report)
      print(report)
    }
  }
  return reports
}

const print = ({ suite, cases, failures }: Report): void => {
  const failed = failedCases(failures)
  console.log(suite.padEnd(16) + [cases, cases - failed, failed].map((count) => String(count).padStart(8)).join(""))
  for (const { name, reason } of failures) console.log(`  ${name}: ${reason}`)
}

/** One case may fail in several ways. */
const failedCases = (failures: Report["failures"]): number => new Set(failures.map(({ name }) => name)).size

const given = process.argv[2]
const folder = resolve(given ?? join("..", "shared", "vectors"))
if (given !== undefined && !existsSync(folder)) {
  console.error(`There is no folder ${folder}`)
  process.exit(1)
}

const fixtures = resolve(import.meta.dirname, "..", "fixtures")
const reports = [
  ...(await runAll("the project's own fixtures", fixtures, ownFixtures)),
  ...(existsSync(folder) ? await runAll(folder, folder, suites) : [])
]
const cases = reports.reduce((sum, report) => sum + report.cases, 0)
const failed = reports.reduce((sum, report) => sum + failedCases(report.failures), 0)
console.log(`\n${cases - failed} passed, ${failed} failed`)
process.exit(failed > 0 ? 1 : 0)
