/**
 * A process that writes to a store in a file is killed (SIGKILL) at random moments, again and again; after each
 * round everything that it acknowledged must be there.
 *
 * `node test/long/StoreKill.ts [rounds] [seed]`
 */
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { Effect, Stream } from "effect"
import * as PartitionStoreSqlite from "../../src/layers/PartitionStoreSqlite.ts"
import { random } from "../../src/testing/simulation/Random.ts"

/** What was acknowledged so far. */
interface Ledger {
  readonly written: Set<number>
  droppedUpTo: number
}

const partitions = 4

/** Lets a writer work until it has acknowledged something and a random time has passed, and kills it. */
const writeAndKill = (path: string, ledger: Ledger, first: number, delayMs: number): Promise<void> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(import.meta.dirname, "StoreWriter.ts"), path, `${first}`], {
      stdio: ["ignore", "pipe", "inherit"]
    })
    let rest = ""
    let timer: NodeJS.Timeout | undefined
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      timer ??= setTimeout(() => child.kill("SIGKILL"), delayMs)
      const lines = (rest + text).split("\n")
      rest = lines.pop() ?? ""
      for (const line of lines) note(ledger, line)
    })
    child.on("close", (code, signal) => {
      clearTimeout(timer)
      if (signal === "SIGKILL") resolve()
      else reject(new Error(`the writer ended by itself (${code ?? signal})`))
    })
  })

const note = (ledger: Ledger, line: string): void => {
  const [kind, number] = line.split(" ")
  const n = Number(number)
  if (kind === "w") ledger.written.add(n)
  else ledger.droppedUpTo = Math.max(ledger.droppedUpTo, n)
}

/** What is wrong with the store after a kill. */
const problems = (path: string, ledger: Ledger) =>
  Effect.gen(function* () {
    const store = yield* PartitionStoreSqlite.makeWithoutThread({ path })
    const found = new Set<number>()
    const wrong: Array<string> = []
    for (let partitionId = 0; partitionId <= partitions; partitionId++) {
      let records = 0
      yield* Stream.runForEach(store.iterate(partitionId, "numbers", "lww"), ({ key, value }) =>
        Effect.sync(() => {
          records++
          const n = Number(key)
          found.add(n)
          const content = value === undefined ? -1 : new DataView(value.buffer, value.byteOffset).getFloat64(0)
          if (content !== n || value?.length !== 8 + (n % 200)) wrong.push(`value ${n} is damaged`)
          if (partitionId === partitions && n <= ledger.droppedUpTo) wrong.push(`value ${n} was dropped and is back`)
        })
      )
      const size = yield* store.size(partitionId)
      if (size.records !== records) wrong.push(`partition ${partitionId} counts ${size.records}, has ${records}`)
    }
    for (const n of ledger.written) {
      // Those of the partition that is dropped may be gone, by a drop that was never acknowledged too.
      if (!found.has(n) && n % (partitions + 1) !== partitions) wrong.push(`value ${n} was acknowledged and is lost`)
    }
    return wrong
  }).pipe(Effect.scoped)

export interface Rounds {
  readonly acknowledged: number
  readonly problems: ReadonlyArray<string>
}

/** Some rounds on one file. */
export const killAgainAndAgain = async (rounds: number, seed: number): Promise<Rounds> => {
  const folder = mkdtempSync(join(tmpdir(), "squadron-kill-"))
  const path = join(folder, "store.db")
  const ledger: Ledger = { written: new Set(), droppedUpTo: 0 }
  const { between } = random(seed)
  try {
    for (let round = 0; round < rounds; round++) {
      await writeAndKill(path, ledger, round * 10_000_000, between(5, 500))
      const wrong = await Effect.runPromise(problems(path, ledger))
      if (wrong.length > 0) return { acknowledged: ledger.written.size, problems: wrong }
    }
    return { acknowledged: ledger.written.size, problems: [] }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [rounds = "6", seed = `${process.pid}`] = process.argv.slice(2)
  const result = await killAgainAndAgain(Number(rounds), Number(seed))
  for (const problem of result.problems.slice(0, 20)) console.log(problem)
  console.log(
    `${rounds} kills (seed ${seed}): ${result.acknowledged} writes acknowledged, ${result.problems.length} problems`
  )
  process.exitCode = result.problems.length === 0 ? 0 : 1
}
