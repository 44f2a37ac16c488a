/** What the rounds of both kinds have in common: a cluster under writes, its check after a round, and what is told. */
import { mkdtempSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { random, type Random } from "../../../src/testing/simulation/Random.ts"
import { Account } from "./Account.ts"
import { DrivenCluster, type DrivenOptions } from "./DrivenCluster.ts"
import type { Progress } from "../../Progress.ts"

/** Milliseconds until a cluster must be repaired, also on a machine that has other things to do. */
const repairLimitMs = 180_000
const readLimitMs = 30_000
/** Replicas that differ are found and mended once in ten seconds. */
const equalLimitMs = 30_000

export interface World {
  readonly cluster: DrivenCluster
  readonly account: Account
  readonly random: Random
  readonly progress: Progress
}

/** What a round came to, if it came to its end. */
export interface Checked {
  readonly acknowledged: number
  readonly unknown: number
  readonly read: number
  /** What breaks a promise, in words. */
  readonly wrong: ReadonlyArray<string>
  /** Living nodes that somebody took for dead. */
  readonly blamed: ReadonlyArray<string>
  readonly repairedMs: number
}

export interface Total {
  readonly acknowledged: number
  readonly unknown: number
  /** Of what breaks a promise. */
  readonly wrong: number
}

const waiting = (world: World, what: string): void => {
  const { account, cluster, progress } = world
  const acknowledged = account.acknowledged.toLocaleString("en")
  progress.say(
    `${what} · ${acknowledged} writes acknowledged · ${cluster.up.join(" ")} · ${cluster.copies.size} copies`
  )
}

/** Waits for a condition, and shows on the way how things stand. */
export const untilRepaired = (world: World, what: string): Promise<number> =>
  world.cluster.until(
    what,
    async () => {
      waiting(world, what)
      return world.cluster.unrepaired()
    },
    repairLimitMs
  )

/** Waits until all is repaired, and reads everything back. */
export const check = async (world: World, what: string): Promise<Checked> => {
  const { account, cluster } = world
  const repairedMs = await untilRepaired(world, `${what}: repairs`)
  await account.rest()
  waiting(world, `${what}: reads`)
  const { lost, read, unread } = await account.verify(readLimitMs)
  const wrong = [...lost]
  if (unread > 0) wrong.push(`${unread} keys could not be read`)
  try {
    await cluster.until("the replicas hold the same", () => cluster.unequal(), equalLimitMs)
  } catch (error) {
    wrong.push(error instanceof Error ? error.message : String(error))
  }
  for (const partitionId of cluster.lost) wrong.push(`partition ${partitionId} was reported lost`)
  for (const partitionId of cluster.setAside) wrong.push(`strays of partition ${partitionId} were set aside`)
  const blamed = [...cluster.blamed]
  cluster.lost.clear()
  cluster.setAside.clear()
  cluster.blamed.clear()
  const { acknowledged } = account
  return { acknowledged, unknown: account.books.unknown(), read, wrong, blamed, repairedMs }
}

export interface WorldOptions extends DrivenOptions {
  readonly seed: number
  readonly perSecond: number
  /** Nodes that run at the beginning. */
  readonly first: ReadonlyArray<string>
}

/** Keeps what all processes have said, and says where. */
const keepLogs = ({ history }: DrivenCluster): string => {
  const folder = mkdtempSync(join(tmpdir(), "squadron-kills-"))
  for (const [i, { id, reports, stderr }] of history.entries()) {
    const name = `${String(i).padStart(3, "0")}-${id}`
    writeFileSync(join(folder, `${name}.log`), stderr.join("\n"))
    writeFileSync(join(folder, `${name}.reports`), reports.map((report) => JSON.stringify(report)).join("\n"))
  }
  return folder
}

/** Plays rounds in a cluster of their own. `play` gives what is wrong. */
export const inWorld = async (
  options: WorldOptions,
  progress: Progress,
  play: (world: World) => Promise<ReadonlyArray<string>>
): Promise<Total> => {
  const cluster = await DrivenCluster.of(options)
  const account = new Account(cluster, random(options.seed + 1), options.perSecond)
  const world = { cluster, account, random: random(options.seed), progress }
  let wrong: ReadonlyArray<string>
  try {
    for (const id of options.first) cluster.start(id)
    await untilRepaired(world, "starts")
    await account.fill()
    account.go()
    wrong = await play(world)
    await account.rest()
  } catch (error) {
    wrong = [error instanceof Error ? error.message : String(error)]
  } finally {
    account.stop()
    cluster.dispose()
  }
  progress.clear()
  if (wrong.length > 0) {
    for (const line of wrong.slice(0, 20)) console.log(`  ${line}`)
    console.log(`  what the processes said is in ${keepLogs(cluster)}`)
  }
  return { acknowledged: account.acknowledged, unknown: account.books.unknown(), wrong: wrong.length }
}
