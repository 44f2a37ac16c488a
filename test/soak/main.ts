/** `npm run soak`: as many seeds of the simulator as wanted, in parallel processes, resumed from a ledger. */
import { type ChildProcess, fork } from "node:child_process"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { Schema } from "effect"
import { hashOfSources, Ledger } from "./Ledger.ts"
import { PolicyName, replayCommand, type Share, ShareResult, sharesOf, Size } from "./Share.ts"

const help = `npm run soak -- [flags]

Runs seeds of the simulator under profile chaos, mixed clusters under profile reference, and clusters with data under
several, for every policy and size of cluster, and prints a table.
A seed that breaks a rule is printed with the command that replays it. What has been run on the same
sources is not run again: results are kept in .soak/<hash of src>.jsonl.

  --policy available|majority|static   this one; static is the majority of the nodes at the start (default all)
  --nodes small|mixed|data|25|100      this size; small is 2 to 9 nodes, by the seed, mixed 1 to 5 and nodes of the
                                       reference beside them, data 3 to 6 that keep data (default all)
  --seeds N                            seeds for each policy and size (default 50,000 small, 20,000 mixed, 10,000 with
                                       data, 3,000 of 25, 50 of 100)
  --first-seed N                       the first of them (default 1)
  --processes N                        that run side by side (default one for each core)
  --quick                              a hundredth of the default seeds
  --help`

const defaultSeeds: Readonly<Record<Size, number>> = {
  small: 50_000,
  mixed: 20_000,
  data: 10_000,
  "25": 3000,
  "100": 50
}

const fail = (text: string): never => {
  console.error(`${text}\n\n${help}`)
  process.exit(2)
}

const wholeNumber = (name: string, text: string | undefined): number | undefined => {
  if (text === undefined) return undefined
  const value = Number(text)
  return Number.isSafeInteger(value) && value > 0 ? value : fail(`--${name} ${text} is no whole number from 1`)
}

const oneOf = <A extends string>(name: string, all: ReadonlyArray<A>, text: string | undefined): ReadonlyArray<A> => {
  if (text === undefined) return all
  const chosen = all.filter((one) => one === text)
  return chosen.length > 0 ? chosen : fail(`--${name} ${text} is none of ${all.join(", ")}`)
}

const readFlags = () => {
  try {
    return parseArgs({
      options: {
        policy: { type: "string" },
        nodes: { type: "string" },
        seeds: { type: "string" },
        "first-seed": { type: "string" },
        processes: { type: "string" },
        quick: { type: "boolean" },
        help: { type: "boolean" }
      }
    }).values
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error))
  }
}
const flags = readFlags()
if (flags.help === true) {
  console.log(help)
  process.exit(0)
}

const policies = oneOf("policy", PolicyName.literals, flags.policy)
const sizes = oneOf("nodes", Size.literals, flags.nodes)
const wanted = wholeNumber("seeds", flags.seeds)
const firstSeed = wholeNumber("first-seed", flags["first-seed"]) ?? 1
const processes = wholeNumber("processes", flags.processes) ?? availableParallelism()
const seedsOf = (size: Size): number =>
  wanted ?? (flags.quick === true ? Math.ceil(defaultSeeds[size] / 100) : defaultSeeds[size])

const root = join(import.meta.dirname, "../..")
const hash = hashOfSources(root)
const ledger = new Ledger(join(root, ".soak"), hash)
const groups = sizes.flatMap((size) => policies.map((policy) => ({ size, policy })))
const sharesOfGroup = ({ policy, size }: Pick<Share, "policy" | "size">) =>
  sharesOf(policy, size, firstSeed, firstSeed + seedsOf(size) - 1)
const shares = groups.flatMap(sharesOfGroup)
const open = shares.filter((share) => ledger.resultOf(share) === undefined)

const decodeResult = Schema.decodeUnknownSync(ShareResult)
const startMs = performance.now()
let ended = 0

const report = (result: ShareResult): void => {
  ledger.add(result)
  ended++
  if (result.first !== undefined) {
    const { seed, violation } = result.first
    console.log(`\n${result.policy}, seed ${seed}: ${violation}\n  ${replayCommand(result, seed)}`)
  }
  const seconds = (performance.now() - startMs) / 1000
  const left = (seconds / ended) * (open.length - ended)
  const line = `${ended} of ${open.length} shares, ${seconds.toFixed(0)} s, about ${left.toFixed(0)} s to go`
  if (process.stderr.isTTY) process.stderr.write(`\r${line}   `)
  else if (ended % 20 === 0) console.error(line)
}

// What a step leaves behind is dead before a young space of this size is full: a fifth less time than with Node's default.
const youngSpace = ["--min-semi-space-size=32", "--max-semi-space-size=64"]
const queue = [...open]

// One child, until no share is left.
const work = (): Promise<void> =>
  new Promise((resolve, reject) => {
    const child: ChildProcess = fork(join(import.meta.dirname, "Worker.ts"), {
      execArgv: [...process.execArgv, ...youngSpace]
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
    child.on("exit", (code) => {
      if (current === undefined) resolve()
      else reject(new Error(`a process ended with ${code} at ${JSON.stringify(current)}`))
    })
    next()
  })

const row = (cells: ReadonlyArray<string>): string =>
  cells.map((cell, i) => (i < 2 ? cell.padEnd(12) : cell.padStart(14))).join("")

const labels: Readonly<Record<Size, string>> = {
  small: "2–9",
  mixed: "1–5 mixed",
  data: "3–6 data",
  "25": "25",
  "100": "100"
}

const printTable = (): number => {
  let violations = 0
  console.log(`\nsources ${hash}, profile chaos, mixed: reference, data: crashes, partitions or chaos\n`)
  console.log(row(["policy", "nodes", "seeds", "violations", "virtual hours", "virtual s/s"]))
  for (const group of groups) {
    const { policy, size } = group
    const results = sharesOfGroup(group).flatMap((share) => ledger.resultOf(share) ?? [])
    const sum = (of: (result: ShareResult) => number): number =>
      results.reduce((total, result) => total + of(result), 0)
    const bad = sum((result) => result.violations)
    violations += bad
    const ran = sum((result) => result.to - result.from + 1)
    const virtualMs = sum((result) => result.virtualMs)
    const speed = Math.round(
      virtualMs /
        Math.max(
          1,
          sum((result) => result.elapsedMs)
        )
    )
    console.log(row([policy, labels[size], String(ran), String(bad), (virtualMs / 3.6e6).toFixed(1), String(speed)]))
  }
  for (const result of shares.flatMap((share) => ledger.resultOf(share) ?? [])) {
    if (result.first === undefined) continue
    console.log(`${result.policy}, seed ${result.first.seed}: ${result.first.violation}`)
    console.log(`  ${replayCommand(result, result.first.seed)}`)
  }
  return violations
}

console.error(`${open.length} of ${shares.length} shares to run on sources ${hash}, ${processes} processes`)
await Promise.all(Array.from({ length: Math.min(processes, open.length) }, work))
process.exitCode = printTable() === 0 ? 0 : 1
