/**
 * One run from one seed: nodes start, faults strike, everything heals, and the cluster has to find itself
 * again. Safety is checked at every step, agreement at the end.
 */
import type { ClusterConfig } from "../../domain/model/ClusterConfig.ts"
import { available, type QuorumPolicy } from "../../domain/protocol/Quorum.ts"
import { disagreement, lineagesOf } from "./Agreement.ts"
import type { Fault, FaultKind } from "./Fault.ts"
import type { Tamper } from "./Process.ts"
import { drawFaults, type Profile } from "./Profile.ts"
import { random } from "./Random.ts"
import { Safety } from "./Safety.ts"
import { drawSetup, nodeNames, settle, usualDelay } from "./Setup.ts"
import { strike } from "./Strike.ts"
import { Transcript } from "./Transcript.ts"
import { Violation } from "./Violation.ts"
import { World } from "./World.ts"

export interface Options {
  /** Whole number; the same options with the same seed give the same run, step for step. */
  readonly seed: number
  /** Processes, 1…1000. Default 5. */
  readonly nodes?: number
  /** Which faults are drawn. Default `chaos`. */
  readonly profile?: Profile
  /** Who must agree. Default `available`. */
  readonly policy?: QuorumPolicy
  /** What differs from `ClusterConfig.defaults`. */
  readonly config?: Partial<ClusterConfig>
  /** Partitions of the table. Default 31. */
  readonly partitionCount?: number
  /** Milliseconds of virtual time before everything heals. Default 40,000. */
  readonly virtualMs?: number
  /** Every message is encoded and decoded on its way. Default false: messages travel as values. */
  readonly codec?: boolean
  /** These faults instead of drawn ones. */
  readonly faults?: ReadonlyArray<Fault>
  /** Keep a transcript also of a run without violation. Default false. */
  readonly transcript?: boolean
  /** Plants a bug, for specs of the simulator itself. */
  readonly tamper?: Tamper
}

export interface Outcome {
  /** No rule was broken, and the nodes agreed in time. */
  readonly ok: boolean
  /** The rule that was broken; absent if none was. */
  readonly violation?: string
  readonly seed: number
  /** Transitions. */
  readonly steps: number
  /** Virtual time that passed, healing included. */
  readonly virtualMs: number
  /** From healing to agreement; −1 if it was not reached. */
  readonly healMs: number
  /** Lineages when everything healed: several only where every side of a split may go on, or somebody founded again. */
  readonly lineages: number
  /** Faults that were injected, by kind. */
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>
  /** The schedule, in order of time. */
  readonly schedule: ReadonlyArray<Fault>
  /** Hash over every step, 32 bits: equal for equal runs. */
  readonly traceHash: number
  /** What happened, at most the last 400 lines; empty unless there was a violation or it was asked for. */
  readonly transcript: ReadonlyArray<string>
}

/** The nodes must agree this long after healing, and then go on agreeing. */
export const agreementLimitMs = 90_000
const stableMs = 4000
/** How often agreement is looked at. */
const lookMs = 250
/** Who gives up later than this after healing, because it finds no cluster, is not started again. */
const superviseMs = 40_000

// Starts what has stopped by itself, unless its id still runs somewhere else.
const restart = (world: World): void => {
  for (const host of world.residences.hosts) {
    const nodeId = world.residences.at(host)?.nodeId
    if (!world.living.some((process) => process.id === nodeId)) world.start(host)
  }
}

const heal = (world: World): void => {
  world.note("HEALED: no cuts, no delays, nobody frozen, and whoever is down is started")
  world.network.mendAll()
  world.network.delay = usualDelay
  world.network.slow.clear()
  world.network.loss.clear()
  world.isHealed = true
  // An operator ends what uses another node's id, or lives where nothing should.
  const homes = new Set(world.residences.hosts)
  for (const process of world.living) if (!homes.has(process.host)) world.kill(process, false)
  for (const process of world.living) process.thaw()
  restart(world)
}

/** Runs until the nodes have agreed for a while. Gives the time that it took them, or says why they did not. */
const awaitAgreement = (world: World): number => {
  const startMs = world.nowMs
  let sinceMs: number | undefined
  let fault: string | undefined
  while (world.nowMs - startMs < agreementLimitMs + stableMs) {
    world.run(lookMs)
    const isShort = world.living.length < world.residences.hosts.length
    fault = disagreement(world.living) ?? (isShort ? "not all nodes are running" : undefined)
    if (fault !== undefined) sinceMs = undefined
    else if (sinceMs === undefined) sinceMs = world.nowMs
    else if (world.nowMs - sinceMs >= stableMs) return sinceMs - startMs
    if (world.nowMs - startMs < superviseMs) restart(world)
  }
  throw new Violation(`no agreement within ${agreementLimitMs} ms after healing: ${fault ?? "it did not last"}`)
}

const countKinds = (faults: ReadonlyArray<Fault>): Partial<Record<FaultKind, number>> => {
  const counts: Partial<Record<FaultKind, number>> = {}
  for (const { _tag } of faults) counts[_tag] = (counts[_tag] ?? 0) + 1
  return counts
}

const runOnce = (options: Options, schedule: ReadonlyArray<Fault>, transcript: Transcript | undefined): Outcome => {
  const { nodes = 5, policy = available, virtualMs = 40_000 } = options
  const { profile = "chaos" } = options
  const drawn = drawSetup(profile, random(options.seed * 2 + 2), nodes)
  const partitionCount = options.partitionCount ?? drawn.node.partitionCount ?? 31
  const setup = { ...drawn, config: { ...drawn.config, ...options.config }, node: { ...drawn.node, partitionCount } }
  const world: World = new World({
    seed: options.seed * 2 + 1,
    policy,
    skewedClocks: true,
    delay: setup.delay,
    codec: options.codec ?? false,
    transcript,
    tamper: options.tamper,
    observe: (process, before) => safety.stepped(process, before),
    heard: (listener, speaker) => safety.heard(listener, speaker)
  })
  const safety = new Safety(() => world)
  world.hasSameSeeds = setup.hasSameSeeds
  let violation: string | undefined
  let healMs = -1
  let lineages = 0
  try {
    settle(world, setup)
    // Whatever lasts beyond the end is ended by the healing.
    for (const fault of schedule) world.later(fault.atMs, () => strike(world, fault))
    world.run(virtualMs)
    lineages = lineagesOf(world.living.filter((process) => process.joined !== undefined)).size
    heal(world)
    healMs = awaitAgreement(world)
  } catch (error) {
    // A defect of a transition ends a run as well: the seed is what is needed to find it.
    violation =
      error instanceof Violation ? error.message : `defect: ${error instanceof Error ? error.stack : String(error)}`
    world.note(`VIOLATION ${violation}`)
  }
  return {
    ok: violation === undefined,
    ...(violation === undefined ? {} : { violation }),
    seed: options.seed,
    steps: world.steps,
    virtualMs: world.nowMs,
    healMs,
    lineages,
    faults: countKinds(schedule),
    schedule,
    traceHash: world.traceHash,
    transcript: transcript?.text ?? []
  }
}

/**
 * Runs one seed to its end. Pure: no clock, no input or output. A defect of a transition counts as a violation.
 *
 * Throws a RangeError for a number of nodes outside 1…1000.
 */
export const run = (options: Options): Outcome => {
  const { nodes = 5, profile = "chaos", seed, virtualMs = 40_000 } = options
  if (!Number.isInteger(nodes) || nodes < 1 || nodes > 1000) throw new RangeError(`nodes is ${nodes}, not 1…1000`)
  const schedule = options.faults ?? drawFaults(profile, random(seed * 2), nodeNames(nodes), virtualMs)
  if (options.transcript === true) return runOnce(options, schedule, new Transcript())
  const outcome = runOnce(options, schedule, undefined)
  // The same run again tells what happened; nobody pays for it as long as nothing is wrong.
  return outcome.ok ? outcome : runOnce(options, schedule, new Transcript())
}
