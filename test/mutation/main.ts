/**
 * `npm run mutants`: switches off each rule of membership, plants each fault of the reference, and shows what
 * catches it: which spec, and after how many runs the simulator.
 *
 * `npm run mutants -- 9 19 F12` tries those of these rules; with `--first` what has caught a mutant is enough, and
 * nothing else is tried on it; `--quick` is that for every sixteenth.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { availableParallelism, tmpdir } from "node:os"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { Option, Schema } from "effect"
import { type Mutant, mutantVariable, mutate } from "./Mutant.ts"
import { mutants } from "./Mutants.ts"

/** Seeds of which each is run under three policies. */
const seeds = 120
/** Rounds of walks, of some 200,000 transitions each. */
const rounds = 5
const root = join(import.meta.dirname, "../..")
/** Seeds with data, each under one policy. */
const dataSeeds = 60
const dataSpecs = ["test/domain/replication", "test/domain/protocol/Migrating.test.ts"]

/** Rules of data have their own specs and seeds, and no walks. */
const isOfData = (mutant: Mutant | undefined): boolean => mutant?.rule.startsWith("D") === true
// What concerns detectors is caught by their specs, which take long.
const specsFor = (mutant: Mutant | undefined): ReadonlyArray<string> => {
  if (isOfData(mutant)) return dataSpecs
  return mutant?.file.startsWith("protocol/") === true
    ? ["test/domain/protocol"]
    : ["test/domain/protocol", "test/domain/detection"]
}

const args = process.argv.slice(2)
const isQuick = args.includes("--quick")
const stopsAtFirst = isQuick || args.includes("--first")

interface Caught {
  readonly mutant: Mutant
  readonly spec: string | undefined
  readonly simulator: string | undefined
  readonly walks: string | undefined
  readonly seconds: number
}

/** A run without a mutant that takes longer than this is given up. */
const longestMs = 600_000
/** Milliseconds that each kind of run has taken without a mutant, on this machine as it is now. */
const cleanMs = new Map<string, number>()
/** A mutant may run for ever; a busy machine, and the run beside it, may make it several times slower. */
const limitMs = (kind: string): number => {
  const ms = cleanMs.get(kind)
  return ms === undefined ? longestMs : Math.min(longestMs, 60_000 + 6 * ms)
}

/** The processes of the runs that go on: each leads a group of its own, for vitest has workers. */
const running = new Set<ChildProcess>()
const end = (child: ChildProcess): void => {
  if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
    process.kill(-child.pid, "SIGKILL")
}
process.on("exit", () => running.forEach(end))
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => process.exit(130))

const run = (kind: string, args: ReadonlyArray<string>, mutant: Mutant | undefined): Promise<string> =>
  new Promise((resolve, reject) => {
    const env = { ...process.env, ...(mutant === undefined ? {} : { [mutantVariable]: mutant.name }) }
    const child = spawn(process.execPath, [...args], {
      cwd: root,
      env,
      stdio: ["ignore", "pipe", "pipe"],
      detached: true
    })
    running.add(child)
    const startMs = performance.now()
    let text = ""
    child.stdout.on("data", (data: Buffer) => (text += data.toString()))
    child.stderr.on("data", (data: Buffer) => (text += data.toString()))
    child.on("error", reject)
    const limit = limitMs(kind)
    const timer = setTimeout(() => end(child), limit)
    child.on("close", (code) => {
      clearTimeout(timer)
      running.delete(child)
      if (mutant === undefined && code !== null) cleanMs.set(kind, performance.now() - startMs)
      resolve(code === null ? `${text}\n(did not end within ${(limit / 1000).toFixed(0)} s)` : text)
    })
  })

const VitestReport = Schema.fromJsonString(
  Schema.Struct({
    success: Schema.Boolean,
    testResults: Schema.Array(
      Schema.Struct({
        message: Schema.String,
        name: Schema.String,
        assertionResults: Schema.Array(Schema.Struct({ status: Schema.String, fullName: Schema.String }))
      })
    )
  })
)
const decodeReport = Schema.decodeUnknownOption(VitestReport)

/** The first spec that fails. */
const bySpecs = async (mutant: Mutant | undefined): Promise<string | undefined> => {
  const folder = mkdtempSync(join(tmpdir(), "mutant-"))
  try {
    const file = join(folder, "report.json")
    const vitest = join(root, "node_modules/vitest/vitest.mjs")
    const config = join(root, "test/mutation/vitest.config.ts")
    const args = [vitest, "run", ...specsFor(mutant), "--config", config, "--reporter", "json", "--outputFile", file]
    const output = await run("specs", args, mutant)
    const report = existsSync(file) ? Option.getOrUndefined(decodeReport(readFileSync(file, "utf8"))) : undefined
    if (report === undefined) return `no report: ${output.trim().split("\n").at(-1)}`
    if (report.success) return undefined
    const failed = report.testResults.flatMap(({ assertionResults }) =>
      assertionResults.filter(({ status }) => status === "failed")
    )
    return failed[0]?.fullName ?? report.testResults.find(({ message }) => message !== "")?.message ?? "a spec"
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  }
}

const Found = Schema.fromJsonString(
  Schema.Struct({
    runs: Schema.Int,
    seed: Schema.optionalKey(Schema.Int),
    nodes: Schema.optionalKey(Schema.Int),
    policy: Schema.optionalKey(Schema.String),
    violation: Schema.optionalKey(Schema.String)
  })
)

/** After how many runs, or steps, a search finds something, and what. */
const bySearch = async (script: string, size: number, mutant: Mutant | undefined): Promise<string | undefined> => {
  const hook = join(root, "test/mutation/Hook.ts")
  const output = await run(script, ["--import", hook, join(root, "test/mutation", script), String(size)], mutant)
  const last = output.trim().split("\n").at(-1) ?? ""
  const found = Option.getOrUndefined(Schema.decodeUnknownOption(Found)(last))
  if (found === undefined) return `the run ended: ${last.slice(0, 60)}`
  const { policy, runs, violation } = found
  return violation === undefined ? undefined : `${runs}, ${policy}: ${violation}`
}
const bySimulator = (mutant: Mutant | undefined) =>
  isOfData(mutant) ? bySearch("DataSeeds.ts", dataSeeds, mutant) : bySearch("Seeds.ts", seeds, mutant)
const byWalks = (mutant: Mutant | undefined) =>
  isOfData(mutant) ? Promise.resolve(undefined) : bySearch("Walks.ts", rounds, mutant)

const isEnough = (found: string | undefined): boolean => stopsAtFirst && found !== undefined

const tryMutant = async (mutant: Mutant): Promise<Caught> => {
  const startMs = performance.now()
  const spec = await bySpecs(mutant)
  const simulator = isEnough(spec) ? undefined : await bySimulator(mutant)
  const walks = isEnough(spec ?? simulator) ? undefined : await byWalks(mutant)
  return { mutant, spec, simulator, walks, seconds: (performance.now() - startMs) / 1000 }
}

const cell = (text: string, width: number): string =>
  (text.length > width ? `${text.slice(0, width - 1)}…` : text).padEnd(width)

const isCaught = ({ simulator, spec, walks }: Caught): boolean => (spec ?? simulator ?? walks) !== undefined

const show = (caught: Caught): void => {
  const { mutant, seconds, simulator, spec, walks } = caught
  const missed = mutant.equivalent === undefined ? "NOTHING" : "equivalent"
  const none = isCaught(caught) ? "–" : missed
  const cells = [cell(mutant.rule, 4), cell(mutant.name, 58), cell(spec ?? none, 48), cell(simulator ?? "–", 44)]
  console.log(`${cells.join(" ")} ${cell(walks ?? "–", 44)} ${seconds.toFixed(0).padStart(3)} s`)
}

const rules = args.filter((argument) => !argument.startsWith("--"))
const chosen = mutants.filter(
  ({ rule }, index) => (rules.length === 0 || rules.includes(rule)) && (!isQuick || index % 16 === 0)
)
if (chosen.length === 0) {
  console.error(
    `no mutant of rule ${rules.join(", ")}; there are ${[...new Set(mutants.map(({ rule }) => rule))].join(" ")}`
  )
  process.exit(2)
}

// Every edit has its place, also of those that are not tried now.
for (const mutant of mutants) mutate(mutant, readFileSync(join(root, "src/domain", mutant.file), "utf8"))
const cleanSpec = await bySpecs(undefined)
const cleanRun = (await bySimulator(undefined)) ?? (await byWalks(undefined))
if (cleanSpec !== undefined || cleanRun !== undefined) {
  console.error(`without a mutant something fails already: ${cleanSpec ?? cleanRun}`)
  process.exit(1)
}

const titles = [
  cell("rule", 4),
  cell("what is wrong", 58),
  cell("caught by the spec", 48),
  cell("by the simulator, after runs", 44)
]
console.log(`${titles.join(" ")} by walks of small models, after steps`)
const queue = [...chosen]
const survivors: Array<Mutant> = []
await Promise.all(
  Array.from({ length: availableParallelism() }, async () => {
    for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
      const caught = await tryMutant(mutant)
      show(caught)
      if (!isCaught(caught) && mutant.equivalent === undefined) survivors.push(mutant)
    }
  })
)
for (const { name, rule } of survivors) console.log(`rule ${rule}: nothing notices that ${name}`)
console.log(
  `${chosen.length - survivors.length} of ${chosen.length} mutants are caught, or equivalent for a reason that is recorded`
)
process.exitCode = survivors.length === 0 ? 0 : 1
