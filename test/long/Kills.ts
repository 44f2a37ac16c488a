/**
 * `npm run check:kills`: real processes under a steady stream of writes, killed in the middle of migrations, and all
 * at once, or restarted in turn. Every write that was acknowledged must be found, and all replicas must hold the same.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Flags } from "../Flags.ts"
import { Progress } from "../Progress.ts"
import * as KillRounds from "./kills/KillRounds.ts"
import * as RestartRounds from "./kills/RestartRounds.ts"
import * as RollingRounds from "./kills/RollingRounds.ts"
import { inWorld, type World, type WorldOptions } from "./kills/Round.ts"

const help = `npm run check:kills -- [flags]

  --rounds N      in each of which a node joins, comes back or leaves, and SIGKILL goes to a process at a random moment
                  of a migration that is open; three of five with one backup, the others with two (default 50)
  --restarts N    in each of which all processes are killed at once, and come back with their files (default 10)
  --rolling N     in each of which a node leaves in good order and comes back empty: no write may be refused then, or
                  be of unknown outcome (default 8)
  --seed N        from which all that is random is drawn; printed (default another one each time)
  --per-second N  writes (default 150)
  --help

Exits with 1 when an acknowledged write is missing, replicas differ, or a cluster is not repaired in time.`

const flags = new Flags(help, { valued: ["rounds", "restarts", "rolling", "seed", "per-second"] })
const rounds = flags.wholeNumber("rounds", 50, 0)
const restarts = flags.wholeNumber("restarts", 10, 0)
const rolling = flags.wholeNumber("rolling", 8, 0)
const seed = flags.wholeNumber("seed", Date.now() % 1_000_000_000)
const perSecond = flags.wholeNumber("per-second", 150)

const ids = ["n1", "n2", "n3", "n4", "n5"]
const base: WorldOptions = {
  seed,
  perSecond,
  ids,
  first: ids.slice(0, 4),
  partitionCount: 31,
  backupCount: 1,
  copyBytesPerSecond: 384 * 1024,
  suspicionTimeoutMs: 2500,
  storeOf: () => "memory"
}

const progress = new Progress()
const done = { rounds: 0, restarts: 0, rolling: 0 }
const totals = { acknowledged: 0, unknown: 0, wrong: 0 }
const play = async (options: WorldOptions, rounds: (world: World) => Promise<ReadonlyArray<string>>): Promise<void> => {
  const { acknowledged, unknown, wrong } = await inWorld(options, progress, rounds)
  totals.acknowledged += acknowledged
  totals.unknown += unknown
  totals.wrong += wrong
}

const startMs = performance.now()
console.log(`seed ${seed}, ${perSecond} writes a second, ${base.partitionCount} partitions`)
const withTwo = Math.floor(rounds * 0.4)
const shares = [
  { backupCount: 1, count: rounds - withTwo, first: 1 },
  { backupCount: 2, count: withTwo, first: rounds - withTwo + 1 }
]
for (const { backupCount, count, first } of shares.filter(({ count }) => count > 0)) {
  console.log(`\none process killed during a migration, partitions in memory, backups: ${backupCount}\n`)
  console.log(KillRounds.heading)
  await play({ ...base, backupCount, seed: seed + 2 * first }, (world) =>
    KillRounds.killRounds(world, first, count, () => done.rounds++)
  )
}
if (restarts > 0) {
  console.log("\nall processes killed at once, partitions in files, backups: 1\n")
  console.log(RestartRounds.heading)
  const folder = mkdtempSync(join(tmpdir(), "squadron-restarts-"))
  await play({ ...base, seed: seed + 1_000_000, storeOf: (id) => `sqlite:${join(folder, `${id}.db`)}` }, (world) =>
    RestartRounds.restartRounds(world, restarts, () => done.restarts++)
  )
  rmSync(folder, { recursive: true })
}

if (rolling > 0) {
  console.log("\nnodes leave and come back in turn, partitions in memory, backups: 1\n")
  console.log(RollingRounds.heading)
  await play({ ...base, copyBytesPerSecond: 4 * 2 ** 20, seed: seed + 2_000_000 }, (world) =>
    RollingRounds.rollingRounds(world, rolling, () => done.rolling++)
  )
}

const whole = done.rounds === rounds && done.restarts === restarts && done.rolling === rolling && totals.wrong === 0
console.log(
  `\n${done.rounds} of ${rounds} rounds with a kill during a migration, ${done.restarts} of ${restarts} restarts of all, ` +
    `${done.rolling} of ${rolling} restarts in turn: ` +
    `${totals.acknowledged.toLocaleString("en")} writes acknowledged, ${totals.wrong} faults found, ` +
    `${totals.unknown.toLocaleString("en")} of unknown outcome; ${((performance.now() - startMs) / 1000).toFixed(0)} s, seed ${seed}`
)
process.exitCode = whole ? 0 : 1
