/**
 * Rounds in each of which a node joins, comes back or leaves, so that partitions migrate, and a process is killed while
 * a migration is open: its source, its destination, the master, or one that has nothing to do with it. Before the next
 * round all rows are full again, so that a round takes no more of a row than its backups make up for.
 */
import { setTimeout as wait } from "node:timers/promises"
import * as Columns from "./Columns.ts"
import type { OpenCopy } from "./DrivenCluster.ts"
import { type Checked, check, untilRepaired, type World } from "./Round.ts"

type Role = "source" | "destination" | "master" | "bystander"
const roles: ReadonlyArray<Role> = ["source", "destination", "master", "bystander"]

/** Share of the kills that come at once when a copy has sent everything. */
const shareAtReady = 0.3
/** Otherwise up to so many milliseconds after the first copy has begun. */
const maxDelayMs = 1500
/** Milliseconds within which a change must make a partition migrate. */
const openLimitMs = 120_000
/** Milliseconds for a copy to open, or to send everything, once others have. */
const momentLimitMs = 3000
/** Rounds in which nothing was open at the moment are played again, so often. */
const maxMissed = 20

interface Kill {
  readonly victim: string
  readonly roles: ReadonlyArray<Role>
  readonly copy: OpenCopy
  /** Copies open beside it. */
  readonly others: number
  readonly afterMs: number
}

const until = async (world: World, holds: () => boolean, limitMs: number): Promise<boolean> => {
  if (holds()) return true
  const { cluster } = world
  try {
    return await new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), limitMs)
      cluster.onCopy = () => {
        if (!holds()) return
        clearTimeout(timer)
        resolve(true)
      }
    })
  } finally {
    cluster.onCopy = undefined
  }
}

const rolesOf = ({ cluster }: World, id: string): ReadonlyArray<Role> => {
  const open = [...cluster.copies.values()]
  const found: Array<Role> = []
  if (open.some(({ source }) => source === id)) found.push("source")
  if (open.some(({ destination }) => destination === id)) found.push("destination")
  if (cluster.masters.includes(id)) found.push("master")
  return found.length === 0 ? ["bystander"] : found
}

/** Kills a process at a random moment of a migration; `undefined` if none is open then. */
const strike = async (world: World, leaver: string | undefined): Promise<Kill | undefined> => {
  const { cluster, random } = world
  const isReady = () => [...cluster.copies.values()].some(({ phase }) => phase === "ready")
  const isOpen = () => cluster.copies.size > 0
  if (!(await until(world, isOpen, openLimitMs))) throw new Error("no partition migrates")
  await wait(random.between(0, maxDelayMs))
  const atReady = random.chance(shareAtReady)
  if (!(await until(world, atReady ? isReady : isOpen, momentLimitMs))) return undefined
  const open = [...cluster.copies.values()]
  const copy = random.pick(atReady ? open.filter(({ phase }) => phase === "ready") : open)
  const candidates = cluster.up.filter((id) => id !== leaver)
  const isThere = (role: Role) => candidates.some((id) => rolesOf(world, id).includes(role))
  const role = random.shuffle(roles).find(isThere) ?? "source"
  const ofRole = candidates.filter((id) => rolesOf(world, id).includes(role))
  const end = role === "source" || role === "destination" ? copy[role] : undefined
  const victim = end !== undefined && ofRole.includes(end) ? end : random.pick(ofRole)
  const kill: Kill = {
    victim,
    roles: rolesOf(world, victim),
    copy,
    others: open.length - 1,
    afterMs: performance.now() - copy.sinceMs
  }
  cluster.members = new Set([...cluster.members].filter((id) => id !== victim))
  await cluster.kill([victim])
  return kill
}

/** As many as in the beginning run before each round, and one more may start. */
const evenUp = async (world: World, name: string): Promise<void> => {
  const { cluster, random } = world
  while (cluster.up.length !== cluster.options.ids.length - 1) {
    if (cluster.down.length > 0) cluster.start(random.pick(cluster.down))
    else await cluster.kill([random.pick(cluster.up)])
    await untilRepaired(world, `${name}: evens up`)
  }
}

/** Makes partitions migrate. Gives what was done, and who leaves. */
const change = ({ cluster, random }: World): { readonly what: string; readonly leaver: string | undefined } => {
  const { backupCount } = cluster.options
  // One that leaves takes its copies with it: without a second backup the kill would take the last of some.
  if (backupCount > 1 && random.chance(0.4)) {
    const leaver = random.pick(cluster.up)
    cluster.leave(leaver)
    return { what: `${leaver} leaves`, leaver }
  }
  const id = random.pick(cluster.down)
  const what = cluster.hasRun(id) ? `${id} comes back` : `${id} joins`
  cluster.start(id)
  return { what, leaver: undefined }
}

const columns: ReadonlyArray<Columns.Column> = [
  ["round", 5],
  ["change", 14],
  ["killed", 7],
  ["as", 20],
  ["of a migration", 36],
  ["repaired", 9],
  ["acknowledged", 13],
  ["unknown", 8],
  ["read", 6],
  ["wrong", 5]
]
export const heading = Columns.heading(columns)

const told = (round: number, what: string, kill: Kill, checked: Checked): string => {
  const { copy, others } = kill
  const beside = others === 0 ? "" : `, ${others} beside`
  const moment = copy.phase === "ready" ? "all sent" : `copying ${Math.round(kill.afterMs)} ms`
  return Columns.row(columns, [
    String(round),
    what,
    kill.victim,
    kill.roles.join(", "),
    `${copy.partitionId}: ${copy.source} → ${copy.destination}, ${moment}${beside}`,
    `${(checked.repairedMs / 1000).toFixed(1)} s`,
    checked.acknowledged.toLocaleString("en"),
    String(checked.unknown),
    String(checked.read),
    String(checked.wrong.length) + (checked.blamed.length > 0 ? ` (taken for dead: ${checked.blamed.join(" ")})` : "")
  ])
}

/** Plays rounds until something is wrong; gives that. `onRound` after each. */
export const killRounds = async (
  world: World,
  first: number,
  count: number,
  onRound: () => void
): Promise<ReadonlyArray<string>> => {
  const { account, cluster, progress } = world
  let missed = 0
  for (let round = first; round < first + count;) {
    const name = `round ${round}`
    await evenUp(world, name)
    account.go()
    cluster.blamed.clear()
    cluster.members = new Set(cluster.up)
    const { leaver, what } = change(world)
    cluster.members = new Set([...cluster.members].filter((id) => id !== leaver))
    const kill = await strike(world, leaver)
    if (kill === undefined) {
      if (++missed > maxMissed) return [`no migration was open at the moment in ${missed} rounds`]
      await untilRepaired(world, `${name}: nothing was open`)
      continue
    }
    const checked = await check(world, name)
    progress.print(told(round, what, kill, checked))
    if (checked.wrong.length > 0) return checked.wrong
    onRound()
    round++
  }
  return []
}
