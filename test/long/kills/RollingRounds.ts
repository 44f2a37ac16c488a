/**
 * Rounds in each of which a node leaves in good order (SIGTERM), ends, and comes back empty, as when a new version is
 * rolled out. Nothing breaks in them: so no write may be refused or be of unknown outcome, at whichever node that stays
 * it is asked for.
 */
import * as Columns from "./Columns.ts"
import { check, untilRepaired, type World } from "./Round.ts"

/** Until a node has answered all that it was asked before it was taken out, and until it has handed over. */
const answerLimitMs = 10_000
const drainLimitMs = 60_000

const columns: ReadonlyArray<Columns.Column> = [
  ["round", 5],
  ["leaves", 7],
  ["gone after", 10],
  ["back after", 10],
  ["acknowledged", 13],
  ["refused", 8],
  ["unknown", 8],
  ["longest gap", 11],
  ["read", 6],
  ["wrong", 5]
]

export const heading = Columns.heading(columns)

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

/** Plays rounds until something is wrong; gives that. `onRound` after each. */
export const rollingRounds = async (
  world: World,
  count: number,
  onRound: () => void
): Promise<ReadonlyArray<string>> => {
  const { account, cluster, progress, random } = world
  for (let round = 1; round <= count; round++) {
    const name = `rolling ${round}`
    account.books.takeGapMs(performance.now())
    account.go()
    const id = random.pick(cluster.up)
    account.avoided = id
    const isAsked = () => (cluster.underWay(id) > 0 ? [`${id} owes answers`] : [])
    await cluster.until(`${name}: ${id} is taken out`, isAsked, answerLimitMs)
    const startMs = performance.now()
    cluster.leave(id)
    const runs = () => (cluster.up.includes(id) ? [`${id} still runs`] : [])
    await cluster.until(`${name}: ${id} leaves`, runs, drainLimitMs)
    const goneMs = performance.now() - startMs
    await untilRepaired(world, `${name}: ${id} is away`)
    cluster.start(id)
    const backMs = await untilRepaired(world, `${name}: ${id} comes back`)
    account.avoided = undefined
    const gapMs = account.books.takeGapMs(performance.now())
    const { acknowledged, read, unknown, wrong: found } = await check(world, name)
    const { refusals } = account.books.figures(performance.now())
    const wrong = [...found]
    if (unknown > 0) wrong.push(`${unknown} writes are of unknown outcome, although nothing broke`)
    if (refusals > 0) wrong.push(`${refusals} writes were refused, although nothing broke`)
    progress.print(
      Columns.row(columns, [
        String(round),
        id,
        seconds(goneMs),
        seconds(backMs),
        acknowledged.toLocaleString("en"),
        String(refusals),
        String(unknown),
        `${Math.round(gapMs)} ms`,
        String(read),
        String(wrong.length)
      ])
    )
    if (wrong.length > 0) return wrong
    onRound()
  }
  return []
}
