/** `npm run mutants`: what notices that a rule is switched off, or that a fault of the reference is planted. */
import { type ChildProcess, spawn } from "node:child_process"
import { availableParallelism, tmpdir } from "node:os"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { type Mutant, mutantVariable, mutate } from "./Mutant.ts"
import { mutants } from "./Mutants.ts"
import { describe, type Ended, notRun, ofSearch, ofSpecs, overall, type Verdict } from "./Verdict.ts"

/** Seeds of which each is run under three policies. */
const seeds = 120
/** Rounds of walks, of some 200,000 transitions each. */
const rounds = 5
const root = join(import.meta.dirname, "../..")
/** Seeds with data, each under one policy. */
const dataSeeds = 60
const dataSpecs = [
  "test/domain/replication",
  "test/domain/protocol/Migrating.test.ts",
  "test/domain/protocol/Mesh.test.ts"
]

/** Rules of data have their own specs and seeds, and no walks. */
type Kind = "membership" | "data"
const kindOf = ({ rule }: Mutant): Kind => (rule.startsWith("D") ? "data" : "membership")
// What concerns detectors is caught by their specs, which take long.
const specsFor = (kind: Kind, mutant: Mutant | undefined): ReadonlyArray<string> => {
  if (kind === "data") return dataSpecs
  return mutant?.file.startsWith("protocol/") === true
    ? ["test/domain/protocol"]
    : ["test/domain/protocol", "test/domain/detection"]
}

const help = `npm run mutants -- [flags] [rules]

Switches off each rule of membership and of data, plants each fault of the reference, and shows what catches it: which
spec, after how many runs the simulator, after how many steps the walks of small models. Exits with 1 if nothing
notices a mutant, and if no run of one came to a verdict.

  9 19 F12 D22   only those of these rules (default all; about 35 minutes on two cores, less with --first)
  --first        what has caught a mutant is enough, and nothing else is tried on it
  --quick        the same for every sixteenth
  --help`

const fail = (text: string): never => {
  console.error(`${text}\n\n${help}`)
  process.exit(2)
}

const readArguments = () => {
  try {
    const flag = { type: "boolean" } as const
    return parseArgs({ options: { first: flag, quick: flag, help: flag }, allowPositionals: true })
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error))
  }
}

const { positionals: rules, values: flags } = readArguments()
if (flags.help === true) {
  console.log(help)
  process.exit(0)
}
const isQuick = flags.quick === true
const stopsAtFirst = isQuick || flags.first === true

interface Tried {
  readonly mutant: Mutant
  readonly spec: Verdict
  readonly simulator: Verdict
  readonly walks: Verdict
  readonly seconds: number
}

/** A run without a mutant that takes longer than this is given up. */
const longestMs = 1_800_000
/** Milliseconds that each kind of run has taken without a mutant, on this machine as it is now. */
const cleanMs = new Map<string, number>()
/** A mutant may run for ever; a busy machine, and the run beside it, may make it several times slower. */
const limitMs = (what: string): number => {
  const ms = cleanMs.get(what)
  return ms === undefined ? longestMs : Math.min(longestMs, 120_000 + 6 * ms)
}

/** The processes of the runs that go on: each leads a group of its own, for vitest has workers. */
const running = new Set<ChildProcess>()
const end = (child: ChildProcess): void => {
  if (child.pid !== undefined && child.exitCode === null && child.signalCode === null)
    process.kill(-child.pid, "SIGKILL")
}
process.on("exit", () => running.forEach(end))
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => process.exit(130))

const run = (what: string, args: ReadonlyArray<string>, mutant: Mutant | undefined): Promise<Ended> =>
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
    const limit = limitMs(what)
    const timer = setTimeout(() => end(child), limit)
    child.on("close", (code) => {
      clearTimeout(timer)
      running.delete(child)
      if (mutant === undefined && code !== null) cleanMs.set(what, performance.now() - startMs)
      resolve(code === null ? { output: text, limitMs: limit } : { output: text })
    })
  })

const bySpecs = async (kind: Kind, mutant?: Mutant): Promise<Verdict> => {
  const folder = mkdtempSync(join(tmpdir(), "mutant-"))
  try {
    const file = join(folder, "report.json")
    const vitest = join(root, "node_modules/vitest/vitest.mjs")
    const config = join(root, "test/mutation/vitest.config.ts")
    const args = [
      vitest,
      "run",
      ...specsFor(kind, mutant),
      "--config",
      config,
      "--reporter",
      "json",
      "--outputFile",
      file
    ]
    const ended = await run(`specs of ${kind}`, args, mutant)
    return ofSpecs(ended, existsSync(file) ? readFileSync(file, "utf8") : undefined)
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
  }
}

const bySearch = async (script: string, size: number, mutant: Mutant | undefined): Promise<Verdict> => {
  const hook = join(root, "test/mutation/Hook.ts")
  return ofSearch(await run(script, ["--import", hook, join(root, "test/mutation", script), String(size)], mutant))
}
const bySimulator = (kind: Kind, mutant?: Mutant) =>
  kind === "data" ? bySearch("DataSeeds.ts", dataSeeds, mutant) : bySearch("Seeds.ts", seeds, mutant)
const byWalks = (kind: Kind, mutant?: Mutant) =>
  kind === "data" ? Promise.resolve(notRun) : bySearch("Walks.ts", rounds, mutant)

const isEnough = ({ _tag }: Verdict): boolean => stopsAtFirst && _tag === "Caught"

const tryMutant = async (mutant: Mutant): Promise<Tried> => {
  const startMs = performance.now()
  const kind = kindOf(mutant)
  const spec = await bySpecs(kind, mutant)
  const simulator = isEnough(spec) ? notRun : await bySimulator(kind, mutant)
  const walks = isEnough(spec) || isEnough(simulator) ? notRun : await byWalks(kind, mutant)
  return { mutant, spec, simulator, walks, seconds: (performance.now() - startMs) / 1000 }
}

const cell = (text: string, width: number): string =>
  (text.length > width ? `${text.slice(0, width - 1)}…` : text).padEnd(width)

const outcomeOf = ({ simulator, spec, walks }: Tried) => overall([spec, simulator, walks])

const show = (tried: Tried): void => {
  const { mutant, seconds, simulator, spec, walks } = tried
  const missed = mutant.equivalent === undefined ? "NOTHING" : "equivalent"
  const bySpec = outcomeOf(tried) === "unnoticed" ? missed : describe(spec)
  const cells = [cell(mutant.rule, 4), cell(mutant.name, 58), cell(bySpec, 48), cell(describe(simulator), 44)]
  console.log(`${cells.join(" ")} ${cell(describe(walks), 44)} ${seconds.toFixed(0).padStart(3)} s`)
}

const known = [...new Set(mutants.map(({ rule }) => rule))]
for (const rule of rules) if (!known.includes(rule)) fail(`no mutant of rule ${rule}; there are ${known.join(" ")}`)
const chosen = mutants.filter(
  ({ rule }, index) => (rules.length === 0 || rules.includes(rule)) && (!isQuick || index % 16 === 0)
)

// Every edit has its place, also of those that are not tried now.
for (const mutant of mutants) mutate(mutant, readFileSync(join(root, "src/domain", mutant.file), "utf8"))
for (const kind of new Set(chosen.map(kindOf))) {
  for (const clean of [await bySpecs(kind), await bySimulator(kind), await byWalks(kind)]) {
    if (clean._tag === "Unnoticed" || clean._tag === "NotRun") continue
    console.error(`without a mutant something fails already: ${describe(clean)}`)
    process.exit(1)
  }
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
const unknown: Array<Mutant> = []
await Promise.all(
  Array.from({ length: availableParallelism() }, async () => {
    for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
      const tried = await tryMutant(mutant)
      show(tried)
      const outcome = outcomeOf(tried)
      if (outcome === "noVerdict") unknown.push(mutant)
      else if (outcome === "unnoticed" && mutant.equivalent === undefined) survivors.push(mutant)
    }
  })
)
for (const { name, rule } of survivors) console.log(`rule ${rule}: nothing notices that ${name}`)
for (const { name, rule } of unknown) console.log(`rule ${rule}: no verdict about ${name}; try it again`)
const sound = chosen.length - survivors.length - unknown.length
console.log(
  `${sound} of ${chosen.length} mutants are caught, or equivalent for a reason that is recorded; ${survivors.length} are not noticed, about ${unknown.length} there is no verdict`
)
process.exitCode = sound === chosen.length ? 0 : 1
