/**
 * One run from one seed: nodes start, faults strike, everything heals, and the cluster has to find itself
 * again. Safety is checked at every step, agreement at the end.
 */
import type { ClusterConfig } from "../../domain/model/ClusterConfig.ts"
import type { ClusterCommand } from "../../domain/protocol/ClusterCommand.ts"
import { available, type QuorumPolicy } from "../../domain/protocol/Quorum.ts"
import type { Topology } from "../../domain/protocol/Topology.ts"
import { lineagesOf } from "./Agreement.ts"
import { DataKeeper } from "./data/DataKeeper.ts"
import type { DataOptions } from "./data/DataPlanes.ts"
import { drawData } from "./data/DrawData.ts"
import type { DataCounts } from "./data/Oracle.ts"
import type { Fault, FaultKind } from "./Fault.ts"
import { awaitAgreement, heal } from "./Healing.ts"
import type { Process, Tamper } from "./Process.ts"
import { drawFaults, type Profile } from "./Profile.ts"
import { random } from "./Random.ts"
import { Safety } from "./Safety.ts"
import { drawSetup, nodeNames, type Setup, settle, settleReferences } from "./Setup.ts"
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
  /** Who watches whom. Default: all-to-all up to 100 members, rings above. */
  readonly topology?: Topology
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
  /**
   * The nodes keep data, clients use it, and at most `backupCount` processes end between repairs. Default: no data.
   * `drawn`: from the seed, with number of backups and duration; then some runs lose data, which they must report.
   */
  readonly data?: DataOptions | "drawn"
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
  /** What clients were told; absent without data. */
  readonly data?: DataCounts
}

/** Options whose data, if there is any, is settled. */
interface Settled extends Options {
  readonly data?: DataOptions
}

// What is given counts before what is drawn, but for the data.
const withDrawnData = (options: Options): Settled => {
  const { data, ...given } = options
  if (data !== "drawn") return data === undefined ? given : { ...given, data }
  const { profile = given.profile, ...drawn } = drawData(given.seed, nodeNames(given.nodes ?? 5))
  const config = { ...drawn.config, ...given.config }
  return { ...drawn, ...given, ...(profile === undefined ? {} : { profile }), config, data: drawn.data }
}

/** Who is there, and how it begins. */
export const setupOf = ({ config, nodes = 5, partitionCount, profile = "chaos", seed }: Options): Setup => {
  const drawn = drawSetup(profile, random(seed * 2 + 2), nodes)
  const count = partitionCount ?? drawn.node.partitionCount ?? 31
  return { ...drawn, config: { ...drawn.config, ...config }, node: { ...drawn.node, partitionCount: count } }
}

/** The faults that are given, or those that are drawn. Throws a RangeError for a number of nodes outside 1…1000. */
export const scheduleOf = (options: Options) => {
  const { faults, nodes = 5, profile = "chaos", seed, virtualMs = 40_000 } = options
  if (!Number.isInteger(nodes) || nodes < 1 || nodes > 1000) throw new RangeError(`nodes is ${nodes}, not 1…1000`)
  const names = [...nodeNames(nodes), ...setupOf(options).references.map(({ nodeId }) => nodeId)]
  return faults ?? drawFaults(profile, random(seed * 2), names, virtualMs)
}

/** What ended a run: the rule that was broken, or a defect of a transition: the seed is what is needed to find it. */
export const describeEnd = (error: unknown): string =>
  error instanceof Violation ? error.message : `defect: ${error instanceof Error ? error.stack : String(error)}`

export const countKinds = (faults: ReadonlyArray<Fault>): Partial<Record<FaultKind, number>> => {
  const counts: Partial<Record<FaultKind, number>> = {}
  for (const { _tag } of faults) counts[_tag] = (counts[_tag] ?? 0) + 1
  return counts
}

const runOnce = (options: Settled, schedule: ReadonlyArray<Fault>, transcript: Transcript | undefined): Outcome => {
  const { policy = available, virtualMs = 40_000 } = options
  const setup = setupOf(options)
  const keeper = options.data === undefined ? undefined : new DataKeeper(options.data, () => world)
  const world: World = new World({
    seed: options.seed * 2 + 1,
    policy,
    topology: options.topology,
    skewedClocks: true,
    delay: setup.delay,
    codec: options.codec ?? false,
    transcript,
    tamper: options.tamper,
    observe: (process, before) => safety.stepped(process, before),
    heard: (listener, speaker) => safety.heard(listener, speaker),
    data: keeper?.hooks,
    ...(keeper === undefined
      ? {}
      : {
          executes: (process: Process, command: ClusterCommand) => {
            if (command._tag === "Publish") keeper.published(process, command.changes)
            if (command._tag === "Stop") keeper.left()
          }
        })
  })
  const safety = new Safety(() => world)
  world.hasSameSeeds = setup.hasSameSeeds
  // Whoever goes on without a node of the reference as leader begins a lineage, under every policy.
  world.hasForgotten = setup.references.length > 0
  let violation: string | undefined
  let healMs = -1
  let lineages = 0
  try {
    settle(world, setup)
    settleReferences(world, setup)
    // Whatever lasts beyond the end is ended by the healing.
    for (const fault of schedule) {
      world.later(fault.atMs, () => {
        if (keeper === undefined || keeper.allows(fault)) strike(world, fault)
      })
    }
    keeper?.start()
    world.run(virtualMs)
    lineages = lineagesOf(world.living.filter((process) => process.joined !== undefined)).size
    keeper?.stop()
    heal(world)
    healMs = awaitAgreement(world, () => keeper?.unrest())
    keeper?.checkEnd()
  } catch (error) {
    violation = describeEnd(error)
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
    traceHash: world.trace.value,
    transcript: transcript?.text ?? [],
    ...(keeper === undefined ? {} : { data: keeper.counts })
  }
}

/**
 * Runs one seed to its end. Pure: no clock, no input or output. A defect of a transition counts as a violation.
 *
 * Throws a RangeError for a number of nodes outside 1…1000.
 */
export const run = (given: Options): Outcome => {
  const options = withDrawnData(given)
  const schedule = scheduleOf(options)
  if (options.transcript === true) return runOnce(options, schedule, new Transcript())
  const outcome = runOnce(options, schedule, undefined)
  // The same run again tells what happened; nobody pays for it as long as nothing is wrong.
  return outcome.ok ? outcome : runOnce(options, schedule, new Transcript())
}
