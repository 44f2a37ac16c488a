/**
 * Real processes, sockets and signals: each main scenario comes to the same as in the simulator, a stalled process
 * accuses nobody, and hostile strangers change nothing. `node test/long/Processes.ts [PART OF A NAME]`.
 */
import { hostility } from "./Hostility.ts"
import { ProcessStage } from "./ProcessStage.ts"
import { play, type Scenario, type Stage } from "./Scenario.ts"
import { scenarios } from "./Scenarios.ts"
import { SimulatedStage } from "./SimulatedStage.ts"
import { stalls } from "./Stalls.ts"

/** Runs of the simulator, each with other delays, clocks and phases. */
const seeds = 3

const playOn = async (stage: Stage, scenario: Scenario, where: string): Promise<ReadonlyArray<number>> => {
  try {
    return await play(stage, scenario)
  } catch (error) {
    throw new Error(`${where}: ${error instanceof Error ? error.message : String(error)}\n${stage.describe()}`, {
      cause: error
    })
  } finally {
    stage.dispose()
  }
}

const compare = async (scenario: Scenario): Promise<string> => {
  const simulated: Array<ReadonlyArray<number>> = []
  for (let seed = 1; seed <= seeds; seed++) {
    simulated.push(await playOn(new SimulatedStage(scenario.settings, seed), scenario, `simulated, seed ${seed}`))
  }
  const stage = await ProcessStage.start(scenario.settings)
  const real = await playOn(stage, scenario, "real")
  const defects = stage.defects()
  if (defects.length > 0) throw new Error(defects.join("\n"))
  return scenario.acts
    .map(({ what }, act) => {
      const times = simulated.map((run) => Math.round(run[act] ?? 0)).join(", ")
      return `\n         ${what}: simulated ${times} ms, real ${Math.round(real[act] ?? 0)} ms`
    })
    .join("")
}

const checks: ReadonlyArray<readonly [name: string, run: () => Promise<string>]> = [
  ...scenarios.map((scenario) => [scenario.name, () => compare(scenario)] as const),
  ["stalled processes accuse nobody and are not removed", stalls],
  ["hostile strangers", hostility]
]

const wanted = process.argv[2] ?? ""
const chosen = checks.filter(([name]) => name.includes(wanted))
let failures = 0
for (const [name, run] of chosen) {
  const startMs = performance.now()
  try {
    const outcome = await run()
    console.log(`ok     ${name} (${((performance.now() - startMs) / 1000).toFixed(1)} s): ${outcome}`)
  } catch (error) {
    failures++
    console.log(`FAILED ${name}: ${error instanceof Error ? error.message : String(error)}`)
  }
}
console.log(`${chosen.length - failures} of ${chosen.length} scenarios with real processes hold`)
process.exit(failures === 0 && chosen.length > 0 ? 0 : 1)
