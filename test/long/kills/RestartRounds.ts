/**
 * Rounds in each of which all processes of a cluster that keeps its data in files are killed at once, at a random moment
 * under writes, two of three times while partitions migrate, and started again under the same ids with the same files.
 * Everything acknowledged must be there, and nothing may be reported lost.
 */
import { setTimeout as wait } from "node:timers/promises"
import * as Columns from "./Columns.ts"
import { type Checked, check, untilRepaired, type World } from "./Round.ts"

/** Milliseconds of writing before anything happens. */
const minWritingMs = 300
const maxWritingMs = 1500
/** Until the kill, after a node was started or asked to leave: it takes about a second until partitions move. */
const maxDelayMs = 3000
/** Between the first and the last process that starts again. */
const maxStaggerMs = 1500

const columns: ReadonlyArray<Columns.Column> = [
  ["round", 5],
  ["before", 14],
  ["killed", 15],
  ["migrations open", 16],
  ["repaired", 9],
  ["acknowledged", 13],
  ["unknown", 8],
  ["read", 6],
  ["wrong", 5]
]
export const heading = Columns.heading(columns)

const told = (round: number, what: string, killed: ReadonlyArray<string>, open: number, checked: Checked): string =>
  Columns.row(columns, [
    String(round),
    what,
    killed.join(" "),
    String(open),
    `${(checked.repairedMs / 1000).toFixed(1)} s`,
    checked.acknowledged.toLocaleString("en"),
    String(checked.unknown),
    String(checked.read),
    String(checked.wrong.length)
  ])

const change = ({ cluster, random }: World): string => {
  const doing = random.pick(["nothing", "join", "leave"])
  if (doing === "join" && cluster.down.length > 0) {
    const id = random.pick(cluster.down)
    const what = cluster.hasRun(id) ? `${id} comes back` : `${id} joins`
    cluster.start(id)
    return what
  }
  if (doing === "nothing" || cluster.up.length < 4) return "nothing"
  const id = random.pick(cluster.up)
  cluster.leave(id)
  return `${id} leaves`
}

/** Plays rounds until something is wrong; gives that. `onRound` after each. */
export const restartRounds = async (
  world: World,
  count: number,
  onRound: () => void
): Promise<ReadonlyArray<string>> => {
  const { account, cluster, progress, random } = world
  for (let round = 1; round <= count; round++) {
    const name = `restart ${round}`
    await untilRepaired(world, `${name}: fills up`)
    account.go()
    await wait(random.between(minWritingMs, maxWritingMs))
    const what = change(world)
    await wait(random.between(0, what === "nothing" ? minWritingMs : maxDelayMs))
    const killed = cluster.up
    const open = cluster.copies.size
    await cluster.kill(killed)
    for (const id of random.shuffle(killed)) {
      cluster.start(id)
      await wait(random.between(0, maxStaggerMs / killed.length))
    }
    const checked = await check(world, name)
    progress.print(told(round, what, killed, open, checked))
    if (checked.wrong.length > 0) return checked.wrong
    onRound()
  }
  return []
}
