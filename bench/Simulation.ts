/** What virtual time costs at protocol level: 25 nodes, calm and under chaos, messages as values and through the codec. */
import { majority } from "../src/domain/protocol/Quorum.ts"
import { Simulation } from "../src/testing.ts"
import type { Row } from "./Harness.ts"

const warmUpSeeds = 2
const seeds = 6

/** Virtual seconds per second of processor time: other programs on the machine do not count. */
const speedOf = (profile: Simulation.Profile, codec: boolean): number => {
  const runFrom = (first: number, count: number): number => {
    let virtualMs = 0
    for (let seed = first; seed < first + count; seed++) {
      virtualMs += Simulation.run({ seed, nodes: 25, profile, codec, policy: majority }).virtualMs
    }
    return virtualMs
  }
  runFrom(1, warmUpSeeds)
  const before = process.cpuUsage()
  const virtualMs = runFrom(1 + warmUpSeeds, seeds)
  const { system, user } = process.cpuUsage(before)
  return (virtualMs * 1000) / (system + user)
}

export const rows = async (): Promise<ReadonlyArray<Row>> => {
  const group = "simulator, 25 nodes: virtual seconds per second of processor time"
  const row = (profile: Simulation.Profile, codec: boolean, target?: string): Row => ({
    group,
    name: `${profile}, ${codec ? "through the codec" : "values"}`,
    value: speedOf(profile, codec),
    unit: "s/s",
    ...(target === undefined ? {} : { target })
  })
  return [row("calm", false, "300"), row("calm", true, "100"), row("chaos", false), row("chaos", true)]
}
