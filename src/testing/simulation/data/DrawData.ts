/**
 * A run with data, drawn from its seed: how many backups there are, how soon removals are forgotten, and, in some runs
 * of five nodes or more, that more processes end at once than there are backups.
 */
import type { ClusterConfig } from "../../../domain/model/ClusterConfig.ts"
import type { Fault } from "../Fault.ts"
import type { Profile } from "../Profile.ts"
import { type Random, random } from "../Random.ts"
import type { DataOptions } from "./DataPlanes.ts"

interface Drawn {
  readonly config: Partial<ClusterConfig>
  readonly data: DataOptions
  readonly virtualMs: number
  readonly profile?: Profile
  readonly faults?: ReadonlyArray<Fault>
}

/** Seeds of the data's own draws, beside those of setup, faults and world. */
const stream = 0x5da7a

/** Share of the runs in which data gets lost, where the others remain a quorum. */
const losingShare = 0.15
const losingNodes = 5
const virtualMs = 25_000
/**
 * Share of the runs in which removals are forgotten within the run. Parts look for each other more often there: what is
 * recovered has to be younger than the horizon.
 */
const forgetfulShare = 0.2

// Two processes end within a moment while all is well: what both had is gone, and nothing else. Copies that the first
// death asks for are made within some ten milliseconds.
const twoEnd = (draw: Random, names: ReadonlyArray<string>): ReadonlyArray<Fault> => {
  const atMs = draw.between(10_000, 16_000)
  const withinMs = draw.pick([1, 1, 30, 200])
  return draw
    .shuffle(names)
    .slice(0, 2)
    .flatMap((node): ReadonlyArray<Fault> => {
      const killMs = atMs + draw.between(0, withinMs)
      const kill: Fault = { _tag: "Kill", atMs: killMs, node, withHost: false }
      return [kill, { _tag: "Restart", atMs: killMs + draw.between(100, 12_000), node }]
    })
    .toSorted((a, b) => a.atMs - b.atMs)
}

export const drawData = (seed: number, names: ReadonlyArray<string>): Drawn => {
  const draw = random(seed * 4 + stream)
  const backupCount = draw.pick([1, 1, 2])
  const forgetful = draw.chance(forgetfulShare)
  const settings = forgetful ? { settings: { tombstoneHorizonMs: 12_000 } } : {}
  const config = forgetful ? { splitBrainCheckIntervalMs: 2000 } : {}
  if (names.length < losingNodes || !draw.chance(losingShare)) {
    return { config: { ...config, backupCount }, data: settings, virtualMs }
  }
  return {
    config: { ...config, backupCount: 1, suspicionTimeoutMs: draw.pick([2500, 4000, 10_000]) },
    data: { ...settings, aim: 0, durable: 0, losesData: true },
    virtualMs: 35_000,
    profile: "calm",
    faults: twoEnd(draw, names)
  }
}
