/**
 * How long it takes until a node that is gone is suspected, and until its partitions are in other hands: whole
 * clusters in virtual time, the deed at a random phase of the heartbeats, one run for each seed. And what stalls of
 * five seconds do with the defaults: nothing.
 *
 * `node bench/Detection.ts [SEEDS]` ends with 1 when a target is missed.
 */
import { pathToFileURL } from "node:url"
import type { ClusterConfig } from "../src/domain/model/ClusterConfig.ts"
import { available } from "../src/domain/protocol/Quorum.ts"
import { disagreement } from "../src/testing/simulation/Agreement.ts"
import type { Process } from "../src/testing/simulation/Process.ts"
import { random } from "../src/testing/simulation/Random.ts"
import { nodeNames } from "../src/testing/simulation/Setup.ts"
import { freeze } from "../src/testing/simulation/Strike.ts"
import { World } from "../src/testing/simulation/World.ts"
import { formatRows, type Row } from "./Harness.ts"

const defaultSeeds = 300
const firstPort = 9000
/** Delays of a message: those of a local network. */
const delay = { minMs: 0.2, maxMs: 3 }
/** Longer than any run. */
const forEverMs = 1e9
const lookMs = 5

const start = (seed: number, nodes: number, config: Partial<ClusterConfig>): World => {
  const world = new World({
    seed,
    policy: available,
    skewedClocks: true,
    delay,
    codec: false,
    transcript: undefined,
    observe: () => undefined,
    heard: () => undefined
  })
  const names = nodeNames(nodes)
  for (const [index, nodeId] of names.entries()) {
    world.residences.put(nodeId, { nodeId, port: firstPort + index, seeds: names.slice(0, 16), config, node: {} })
    world.start(nodeId)
  }
  while (disagreement(world.living) !== undefined) world.run(lookMs)
  return world
}

/** Milliseconds of virtual time until all hold. */
const until = (world: World, holds: () => boolean, limitMs: number): number => {
  const startMs = world.nowMs
  while (!holds()) {
    if (world.nowMs - startMs >= limitMs) return Infinity
    world.run(lookMs)
  }
  return world.nowMs - startMs
}

const stateIn = ({ joined }: Process, id: string): string | undefined =>
  joined?.view.members.find(({ nodeId }) => nodeId === id)?.state

const namesNot = ({ joined }: Process, id: string): boolean =>
  joined !== undefined &&
  joined.settled &&
  joined.table.rows.every((row) => row !== undefined && row.owner !== id && !row.backups.includes(id))

interface Case {
  readonly name: string
  readonly deed: "kill" | "freeze"
  readonly master: boolean
  readonly suspicionTimeoutMs: number
  /** For the slowest of a hundred, milliseconds. */
  readonly suspectedWithinMs: number
  readonly promotedWithinMs: number
}

const cases: ReadonlyArray<Case> = [false, true].flatMap((master) => {
  const who = master ? "master" : "follower"
  return [
    {
      name: `killed ${who}`,
      deed: "kill",
      master,
      suspicionTimeoutMs: 10_000,
      suspectedWithinMs: 1000,
      promotedWithinMs: 1000
    },
    {
      name: `frozen ${who}, defaults`,
      deed: "freeze",
      master,
      suspicionTimeoutMs: 10_000,
      suspectedWithinMs: 3000,
      promotedWithinMs: 13_000
    },
    {
      name: `frozen ${who}, suspicionTimeoutMs 2500`,
      deed: "freeze",
      master,
      suspicionTimeoutMs: 2500,
      suspectedWithinMs: 3000,
      promotedWithinMs: 5000
    }
  ] as const
})

const clusterSize = 5

/** Times of one run: until anybody's view doubts the victim, and until all tables are without it. */
const detect = ({ deed, master, suspicionTimeoutMs }: Case, seed: number): readonly [number, number] => {
  const draw = random(seed)
  const world = start(seed, clusterSize, { suspicionTimeoutMs })
  // A rhythm first; then any phase of it.
  world.run(8000 + draw.between(0, 4000))
  const acting = world.living.find((process) => process.isActing)
  const victim = master ? acting : draw.pick(world.living.filter((process) => process !== acting))
  if (victim === undefined) return [Infinity, Infinity]
  if (deed === "kill") world.kill(victim, false)
  else freeze(world, victim, forEverMs)
  const others = world.living.filter((process) => process !== victim)
  const suspectedMs = until(world, () => others.some((one) => stateIn(one, victim.id) !== "active"), 60_000)
  const moreMs = until(world, () => others.every((one) => namesNot(one, victim.id)), 60_000)
  return [suspectedMs, suspectedMs + moreMs]
}

const quantile = (sorted: ReadonlyArray<number>, share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? Infinity

const shown = (times: ReadonlyArray<number>, group: string, name: string, limitMs: number): ReadonlyArray<Row> => {
  const sorted = times.toSorted((a, b) => a - b)
  return [
    { group, name: `${name}, p50`, value: quantile(sorted, 0.5), unit: "ms" },
    { group, name: `${name}, p99`, value: quantile(sorted, 0.99), unit: "ms", target: `< ${limitMs} ms` },
    { group, name: `${name}, slowest`, value: quantile(sorted, 1), unit: "ms" }
  ]
}

/** Nodes of which a tenth stall for five seconds, again and again. */
const stalledClusterSize = 20
const stallMs = 5000
const stallRounds = 5

interface Blame {
  /** Members that were declared dead, of all runs. */
  readonly dead: number
  /** Members that ran all the time and that a node suspected after its own stall. */
  readonly accused: number
}

const stallTenth = (seed: number): Blame => {
  const draw = random(seed)
  const world = start(seed, stalledClusterSize, {})
  world.run(8000)
  const dead = new Set<string>()
  const accused = new Set<string>()
  for (let round = 0; round < stallRounds; round++) {
    world.run(draw.between(0, 1000))
    const stalled = draw.shuffle(world.living).slice(0, stalledClusterSize / 10)
    const startMs = world.nowMs
    for (const process of stalled) world.later(draw.between(0, 1000), () => freeze(world, process, stallMs))
    while (world.nowMs - startMs < stallMs + 6000) {
      world.run(50)
      for (const { id, isFrozen, joined } of world.living) {
        if (isFrozen) continue
        for (const member of joined?.view.members ?? []) if (member.state === "dead") dead.add(member.nodeId)
        for (const suspect of joined?.suspected ?? []) {
          if (!stalled.some((process) => process.id === suspect)) accused.add(`${id} ${suspect}`)
        }
      }
    }
  }
  return { dead: dead.size, accused: accused.size }
}

/** Runs of each case; the stalls, which take longer, a tenth as often. */
export const rows = (seeds = defaultSeeds): ReadonlyArray<Row> => {
  const each = Array.from({ length: seeds }, (_, i) => i + 1)
  const times = cases.flatMap((one) => {
    const runs = each.map((seed) => detect(one, seed))
    const suspected = runs.map(([ms]) => ms)
    const promoted = runs.map(([, ms]) => ms)
    const group = `detection, ${one.name}, ${seeds} runs of ${clusterSize} nodes`
    return shown(suspected, group, "suspected", one.suspectedWithinMs).concat(
      shown(promoted, group, "promoted away", one.promotedWithinMs)
    )
  })
  const blames = each.slice(0, Math.ceil(seeds / 10)).map(stallTenth)
  const sum = (of: (blame: Blame) => number): number => blames.reduce((total, blame) => total + of(blame), 0)
  const stalls = blames.length * stallRounds * (stalledClusterSize / 10)
  const group = `${stalls} stalls of 5 s, a tenth of ${stalledClusterSize} nodes at a time, defaults`
  return [
    ...times,
    { group, name: "declared dead", value: sum(({ dead }) => dead), unit: "", target: "≤ 0" },
    { group, name: "accused without cause", value: sum(({ accused }) => accused), unit: "", target: "≤ 0" }
  ]
}

const isMissed = ({ target = "", value }: Row): boolean => {
  const limit = Number(/[\d.]+/.exec(target)?.[0] ?? Infinity)
  return target.startsWith("≤") ? value > limit : value >= limit
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const measured = rows(Number(process.argv[2] ?? defaultSeeds))
  console.log(formatRows(measured))
  const missed = measured.filter((row) => row.target !== undefined && isMissed(row))
  for (const { group, name, target } of missed) console.log(`missed: ${group}: ${name} is not ${target}`)
  process.exitCode = missed.length === 0 ? 0 : 1
}
