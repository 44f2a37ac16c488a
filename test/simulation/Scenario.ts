/**
 * One run from one number: nodes start, things go wrong, the network heals, and the cluster has to find
 * itself again. Safety is checked at every step, convergence at the end.
 */
import { ambush, strike, Fleet } from "./Faults.ts"
import { convergenceFault, sidesOf } from "./Liveness.ts"
import { available, majority, type QuorumPolicy, staticQuorum } from "../../src/domain/protocol/Quorum.ts"
import { random, type Random } from "./Random.ts"
import { Safety, Violation } from "./Safety.ts"
import { addressOf, VirtualCluster } from "./VirtualCluster.ts"

export interface Outcome {
  readonly seed: number
  /** What went wrong, `undefined` for nothing. */
  readonly fault: string | undefined
  readonly story: string
  /** Virtual time from healing to agreement; Infinity for a run that has halted. */
  readonly healMs: number
  readonly virtualMs: number
  readonly steps: number
  /** Lineages that lived when the network healed; all but one have to merge. */
  readonly lineages: number
  /** Nodes went for good, and where settling takes a quorum no agreement came: nothing can tell them from silent ones. */
  readonly isHalted: boolean
  readonly traceHash: number
  readonly log: ReadonlyArray<string>
}

export interface ScenarioOptions {
  readonly logs?: boolean
  /** Who must agree in a cluster of so many nodes; default `available`. */
  readonly policyFor?: (count: number) => QuorumPolicy
  /** No cuts. */
  readonly calm?: boolean
}

/** The policy of a run by its name and the number of its nodes. */
export const policies =
  (name: string) =>
  (count: number): QuorumPolicy => {
    if (name === "available") return available
    if (name === "majority") return majority
    return staticQuorum(name === "static" ? Math.floor(count / 2) + 1 : Math.min(count, Number(name)))
  }

/** Agreement must be reached this long after the last fault. */
const healLimitMs = 90_000
/** And then stay for this long. */
const stableMs = 4000

type SeedLists = "all" | "firstTwo" | "ring" | "random"

const seedsOf = (kind: SeedLists, ids: ReadonlyArray<string>, index: number, choose: Random): ReadonlyArray<string> => {
  const next = ids[(index + 1) % ids.length] ?? ""
  switch (kind) {
    case "all":
      return ids.map(addressOf)
    case "firstTwo":
      return ids.slice(0, 2).map(addressOf)
    case "ring":
      return [addressOf(next)]
    case "random":
      return [...new Set([next, choose.pick(ids)])].map(addressOf)
  }
}

const plan = (fleet: Fleet, choose: Random, count: number): void => {
  const ids = choose.shuffle(Array.from({ length: count }, (_, i) => `n${i + 1}`))
  const kind: SeedLists = choose.chance(0.55) ? "all" : choose.pick(["firstTwo", "ring", "random"])
  const config = { backupCount: choose.below(3), suspicionTimeoutMs: choose.pick([2500, 4000, 10_000]) }
  const node = { partitionCount: 11 + choose.below(20), leaveTimeoutMs: 20_000 }
  const start = choose.pick(["together", "together", "spread", "oneByOne"])
  fleet.haveSameSeeds = kind === "all"
  fleet.story.push(`${count} nodes, seeds ${kind}, start ${start}`)
  for (const [index, id] of ids.entries()) {
    fleet.add(id, { seeds: seedsOf(kind, ids, index, choose), config, node })
    const atMs =
      start === "together" ? choose.between(0, 50) : start === "spread" ? choose.between(0, 6000) : index * 1500
    fleet.later(atMs, () => fleet.start(id))
  }
}

/** From now on nothing goes wrong, and whoever should run is started again. */
const heal = (fleet: Fleet): void => {
  const { world } = fleet
  fleet.isHealed = true
  world.note(undefined, "HEALED")
  world.network.mendAll()
  world.network.delay = { minMs: 0.2, maxMs: 3 }
  for (const host of fleet.hosts) world.thaw(host)
  // An operator removes what uses another node's id.
  for (const process of world.living) if (!fleet.plans.has(process.host)) world.kill(process.host)
  supervise(fleet)
}

/** Starts what has stopped by itself, unless its id runs somewhere else. */
const supervise = (fleet: Fleet): void => {
  for (const [host, { id }] of fleet.plans) {
    if (fleet.world.living.some((process) => process.id === id)) continue
    if (fleet.world.processes.get(host)?.isAlive !== true) fleet.start(host)
  }
}

const converge = (fleet: Fleet, safety: Safety, policy: QuorumPolicy): number => {
  const { world } = fleet
  const startMs = world.nowMs
  let sinceMs: number | undefined
  let fault: string | undefined
  while (world.nowMs - startMs < healLimitMs + stableMs) {
    world.run(250)
    fault = convergenceFault(world.living)
    if (fault !== undefined) sinceMs = undefined
    else if (sinceMs === undefined) sinceMs = world.nowMs
    else if (world.nowMs - sinceMs >= stableMs) break
    // Whoever gave up before the end of the faults is started again; later giving up is a fault.
    if (world.nowMs - startMs < 40_000) supervise(fleet)
  }
  if (sinceMs === undefined && !policy.forks && fleet.hadLoss) return Number.POSITIVE_INFINITY
  if (sinceMs === undefined) return safety.fail(`no agreement ${healLimitMs} ms after healing: ${fault}`)
  for (const [host, { id }] of fleet.plans) {
    if (!world.living.some((process) => process.id === id)) {
      safety.fail(`${id} has given up: ${JSON.stringify(world.processes.get(host)?.stopped)}`)
    }
  }
  return sinceMs - startMs
}

export const scenario = (seed: number, options: ScenarioOptions = {}): Outcome => {
  const choose = random(seed * 2 + 1)
  const calm = options.calm ?? choose.chance(0.35)
  const delay = choose.chance(0.7) ? { minMs: 0.2, maxMs: 3 } : { minMs: 5, maxMs: choose.pick([60, 300, 900]) }
  const count = 2 + choose.below(6)
  const policy = (options.policyFor ?? (() => available))(count)
  const world = new VirtualCluster({ seed: seed * 2, delay, skewedClocks: true, policy, logs: options.logs === true })
  const safety = new Safety(world)
  world.observer = safety
  const fleet = new Fleet(world, choose)
  let fault: string | undefined
  let healMs = -1
  let lineages = 0
  try {
    safety.onLineage = (lineage) => {
      const mayRestart = fleet.hadRestart || !fleet.haveSameSeeds || policy.forks
      if (!mayRestart) safety.fail(`${lineage} is settled beside another lineage though nobody was restarted`)
    }
    plan(fleet, choose, count)
    const strikes = choose.below(7)
    const beginMs = choose.chance(0.15) ? 0 : 7000
    for (let i = 0; i < strikes; i++) fleet.later(beginMs + choose.between(0, 30_000), () => strike(fleet, calm))
    if (!calm && choose.chance(0.3)) safety.onProposal = ambush(fleet, choose.between(0.02, 0.2))
    world.run(beginMs + 32_000)
    lineages = sidesOf(world.living.filter((process) => process.joined !== undefined)).size
    heal(fleet)
    healMs = converge(fleet, safety, policy)
  } catch (error) {
    if (!(error instanceof Error)) throw error
    fault = error instanceof Violation ? error.message : `${error.stack}`
  }
  return {
    seed,
    fault,
    story: `${calm ? "calm, " : ""}${fleet.story.join("; ")}`,
    healMs,
    virtualMs: world.nowMs,
    steps: world.steps,
    lineages,
    isHalted: healMs === Number.POSITIVE_INFINITY,
    traceHash: world.traceHash,
    log: fault === undefined ? world.log : [...world.log, world.describe()]
  }
}
