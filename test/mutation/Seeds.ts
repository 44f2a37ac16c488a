/**
 * Runs seeds of the simulator until one breaks a rule, or so many have passed; prints what happened as one line of
 * JSON. `node --import ./Hook.ts Seeds.ts COUNT`.
 */
import { available, majority, staticQuorum } from "../../src/domain/protocol/Quorum.ts"
import { Simulation } from "../../src/testing.ts"

/** What one process has found. */
export interface Found {
  /** Runs until then. */
  readonly runs: number
  readonly seed?: number
  readonly nodes?: number
  readonly policy?: string
  readonly violation?: string
}

const search = (count: number): Found => {
  let runs = 0
  for (let seed = 1; seed <= count; seed++) {
    const nodes = 2 + (seed % 5)
    for (const policy of [available, majority, staticQuorum(Math.floor(nodes / 2) + 1)]) {
      runs++
      const { violation } = Simulation.run({ seed, nodes, policy })
      if (violation !== undefined) return { runs, seed, nodes, policy: policy.name, violation }
    }
  }
  return { runs }
}

console.log(JSON.stringify(search(Number(process.argv[2] ?? 300))))
