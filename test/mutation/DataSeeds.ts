/** As `Seeds.ts`, with data. `node --import ./Hook.ts DataSeeds.ts COUNT`. */
import { available, majority } from "../../src/domain/protocol/Quorum.ts"
import { Simulation } from "../../src/testing.ts"
import type { Found } from "./Seeds.ts"

const profiles = ["crashes", "partitions", "chaos"] as const

const search = (count: number): Found => {
  for (let seed = 1; seed <= count; seed++) {
    const nodes = 3 + (seed % 4)
    const policy = seed % 2 === 0 ? available : majority
    const profile = profiles[seed % profiles.length] ?? "chaos"
    const config = { backupCount: 1 + (seed % 2) }
    const data = seed % 5 === 0 ? { settings: { tombstoneHorizonMs: 12_000 } } : {}
    const { violation } = Simulation.run({ seed, nodes, policy, profile, config, data, virtualMs: 25_000 })
    if (violation !== undefined) return { runs: seed, seed, nodes, policy: policy.name, violation }
  }
  return { runs: count }
}

console.log(JSON.stringify(search(Number(process.argv[2] ?? 60))))
