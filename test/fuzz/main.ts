/** `npm run fuzz`: as many damaged frames as wanted, in parallel processes, resumed from a ledger. */
import { type ChildProcess, fork } from "node:child_process"
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import { Schema } from "effect"
import { Flags } from "../Flags.ts"
import { Progress } from "../Progress.ts"
import { hashOfSources } from "../soak/Ledger.ts"
import { type Share, ShareResult, sharesOf } from "./Share.ts"

const help = `npm run fuzz -- [flags]

Tries damaged frames against all readers of the codec (test/domain/codec/Fuzz.ts says what must hold) and
prints how many there were. A frame that breaks a rule is printed in hex, with the seed of its share. What
has been run on the same sources is not run again: results are kept in .fuzz/<hash of src>.jsonl.

  --frames N      in shares of 250,000 (default 1,000,000)
  --seed N        of the first share; the others count on from it (default 1)
  --processes N   that run side by side (default one for each core)
  --help`

const flags = new Flags(help, { valued: ["frames", "seed", "processes"] })

/** The heap that a process may use: a reader that keeps what it read, or believes a claim, ends here. */
const heapMiB = 128

const root = join(import.meta.dirname, "../..")
const hash = hashOfSources(root)
const processes = flags.wholeNumber("processes", availableParallelism())
const shares = sharesOf(flags.wholeNumber("frames", 1_000_000), flags.wholeNumber("seed", 1))

const Line = Schema.fromJsonString(ShareResult)
const encodeLine = Schema.encodeSync(Line)
const decodeLine = Schema.decodeSync(Line)
const directory = join(root, ".fuzz")
mkdirSync(directory, { recursive: true })
const ledger = join(directory, `${hash}.jsonl`)

const keyOf = ({ frames, seed }: Share): string => `${seed} ${frames}`
const lines = existsSync(ledger) ? readFileSync(ledger, "utf8").split("\n") : []
const results = new Map(
  lines
    .filter((line) => line !== "")
    .map((line) => decodeLine(line))
    .map((result) => [keyOf(result), result])
)
const queue = shares.filter((share) => !results.has(keyOf(share)))
const open = queue.length

const decodeResult = Schema.decodeUnknownSync(ShareResult)
const progress = new Progress()
const startMs = performance.now()
let framesRun = 0

const report = (result: ShareResult): void => {
  results.set(keyOf(result), result)
  framesRun += result.frames
  // What failed is tried again, whatever has been mended.
  if (result.failure === undefined) appendFileSync(ledger, `${encodeLine(result)}\n`)
  else progress.print(`seed ${result.seed}: ${result.failure}`)
  const seconds = (performance.now() - startMs) / 1000
  const left = (queue.length + Math.min(processes, open)) * (seconds / Math.max(1, open - queue.length))
  const rate = Math.round(framesRun / seconds).toLocaleString("en")
  const line = `${framesRun.toLocaleString("en")} frames, ${rate} frames/s, at most ${left.toFixed(0)} s to go`
  progress.say(line)
  if (!progress.isShown && (open - queue.length) % 20 === 0) console.error(line)
}

// One child, until no share is left.
const work = (): Promise<void> =>
  new Promise((resolve, reject) => {
    const child: ChildProcess = fork(join(import.meta.dirname, "Worker.ts"), {
      execArgv: [`--max-old-space-size=${heapMiB}`]
    })
    let current: Share | undefined
    const next = (): void => {
      current = queue.shift()
      if (current !== undefined) child.send(current)
      else child.kill()
    }
    child.on("message", (message) => {
      report(decodeResult(message))
      next()
    })
    child.on("exit", (code, signal) => {
      if (current === undefined) resolve()
      else reject(new Error(`a process ended with ${code ?? signal} at ${JSON.stringify(current)}`))
    })
    next()
  })

console.error(`${open} of ${shares.length} shares to run on sources ${hash}, ${processes} processes`)
await Promise.all(Array.from({ length: Math.min(processes, open) }, work))
progress.clear()

const all = shares.flatMap((share) => results.get(keyOf(share)) ?? [])
const sum = (of: (result: ShareResult) => number): number => all.reduce((total, result) => total + of(result), 0)
const frames = sum((result) => result.frames)
const accepted = sum((result) => result.accepted)
const perProcess = Math.round(
  (frames /
    Math.max(
      1,
      sum((result) => result.elapsedMs)
    )) *
    1000
)
const residentMiB = Math.round(all.reduce((most, result) => Math.max(most, result.residentBytes), 0) / 2 ** 20)
const failures = all.filter(({ failure }) => failure !== undefined)
const said = [frames, accepted, frames - accepted, perProcess].map((number) => number.toLocaleString("en"))
console.log(
  failures.length === 0
    ? `\n${said[0]} frames: ${said[1]} accepted, ${said[2]} refused, all readers agree`
    : `\n${failures.length} of ${all.length} shares broke a rule, of seed ${failures.map(({ seed }) => seed).join(", ")}`
)
console.log(`${said[3]} frames/s by each process, which grew to ${residentMiB} MiB at most`)
process.exitCode = failures.length === 0 ? 0 : 1
