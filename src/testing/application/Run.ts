/** One run of a scenario from one seed: nodes start, faults strike, everything heals, and what should be true comes true. */
import { available } from "../../domain/protocol/Quorum.ts"
import { defaultTopology } from "../../domain/protocol/Topology.ts"
import type { TransportLimits } from "../../services/TransportLimits.ts"
import { lineagesOf } from "../simulation/Agreement.ts"
import type { Fault } from "../simulation/Fault.ts"
import { awaitAgreement, heal } from "../simulation/Healing.ts"
import * as Protocol from "../simulation/Run.ts"
import { settle } from "../simulation/Setup.ts"
import { strike } from "../simulation/Strike.ts"
import { Transcript } from "../simulation/Transcript.ts"
import { ProgramWorld } from "./ProgramWorld.ts"
import type { Scenario } from "./Scenario.ts"

/** As for the protocol alone, and with the same meaning: one seed draws the same nodes and faults at both levels. */
export interface Options extends Omit<Protocol.Options, "tamper"> {
  /** The transcript tells of every message but heartbeats too. Default false: of the programs and of what nodes decide. */
  readonly messages?: boolean
  /** Bounds of every node's transport that differ from `TransportLimits.defaults`. */
  readonly limits?: Partial<TransportLimits>
}

export interface Outcome extends Protocol.Outcome {
  /** Turns that fibers have taken. `steps` counts the commits of the nodes' drivers. */
  readonly turns: number
}

const runOnce = (
  makeScenario: () => Scenario,
  options: Options,
  schedule: ReadonlyArray<Fault>,
  transcript: Transcript | undefined
): Outcome => {
  const setup = Protocol.setupOf(options)
  const world = new ProgramWorld({
    seed: options.seed * 2 + 1,
    policy: options.policy ?? available,
    topology: options.topology ?? defaultTopology,
    limits: options.limits ?? {},
    delay: setup.delay,
    codec: options.codec ?? false,
    transcript,
    messages: options.messages === true && transcript !== undefined,
    scenario: makeScenario()
  })
  world.hasSameSeeds = setup.hasSameSeeds
  let violation: string | undefined
  let healMs = -1
  let lineages = 0
  try {
    settle(world, setup)
    for (const fault of schedule) world.later(fault.atMs, () => strike(world, fault))
    world.run(options.virtualMs ?? 40_000)
    lineages = lineagesOf(world.living.filter((process) => process.joined !== undefined)).size
    heal(world)
    healMs = awaitAgreement(world, () => world.unfinished())
  } catch (error) {
    violation = Protocol.describeEnd(error)
    world.note(`VIOLATION ${violation}`)
  }
  return {
    ok: violation === undefined,
    ...(violation === undefined ? {} : { violation }),
    seed: options.seed,
    steps: world.steps,
    turns: world.turns.count,
    virtualMs: world.nowMs,
    healMs,
    lineages,
    faults: Protocol.countKinds(schedule),
    schedule,
    traceHash: world.trace.value,
    transcript: transcript?.text ?? []
  }
}

/**
 * Runs one seed to its end, in this turn of the real event loop and without the real clock. `makeScenario` is called
 * for every run: what a scenario collects about a run lives in there. A program that fails, a broken check and a
 * defect are violations.
 *
 * Throws a RangeError for a number of nodes outside 1…1000.
 */
export const run = (makeScenario: () => Scenario, options: Options): Outcome => {
  const schedule = Protocol.scheduleOf(options)
  if (options.transcript === true) return runOnce(makeScenario, options, schedule, new Transcript())
  const outcome = runOnce(makeScenario, options, schedule, undefined)
  return outcome.ok ? outcome : runOnce(makeScenario, options, schedule, new Transcript())
}
