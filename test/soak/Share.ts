/** What a soak is made of: shares of seeds for a policy and a size of cluster, each run in one piece. */
import { Schema } from "effect"
import type { Simulation } from "../../src/testing.ts"
import { available, majority, type QuorumPolicy, staticQuorum } from "../../src/domain/protocol/Quorum.ts"

export const PolicyName = Schema.Literals(["available", "majority", "static"])
export type PolicyName = typeof PolicyName.Type

/**
 * `small`: 2 to 9 nodes, by the seed; `mixed`: 1 to 5, by the seed, and nodes of the reference beside them; `data`: 3 to
 * 6, by the seed, that keep data.
 */
export const Size = Schema.Literals(["small", "mixed", "data", "25", "100"])
export type Size = typeof Size.Type

export const Share = Schema.Struct({
  policy: PolicyName,
  size: Size,
  /** First seed. */
  from: Schema.Int,
  /** Last seed. */
  to: Schema.Int
})
export type Share = typeof Share.Type

export const ShareResult = Schema.Struct({
  ...Share.fields,
  violations: Schema.Int,
  /** The first seed that broke a rule, and the rule. */
  first: Schema.optionalKey(Schema.Struct({ seed: Schema.Int, violation: Schema.String })),
  virtualMs: Schema.Number,
  /** Real time of one process. */
  elapsedMs: Schema.Number
})
export type ShareResult = typeof ShareResult.Type

/** Seeds of one share: some seconds of work. */
const seedsPerShare: Readonly<Record<Size, number>> = { small: 500, mixed: 200, data: 50, "25": 25, "100": 1 }

const nodesOf = (size: Size, seed: number): number => {
  switch (size) {
    case "small":
      return 2 + (seed % 8)
    case "mixed":
      return 1 + (seed % 5)
    case "data":
      return 3 + (seed % 4)
    case "25":
    case "100":
      return Number(size)
  }
}

const dataProfiles = ["crashes", "partitions", "chaos"] as const

const profileOf = (size: Size, seed: number): Simulation.Profile => {
  if (size === "mixed") return "reference"
  return size === "data" ? (dataProfiles[seed % dataProfiles.length] ?? "chaos") : "chaos"
}

/** `static` is the majority of the nodes that a run starts with. */
const policyOf = (name: PolicyName, nodes: number): QuorumPolicy =>
  name === "available" ? available : name === "majority" ? majority : staticQuorum(Math.floor(nodes / 2) + 1)

/** The run of one seed. */
export const optionsOf = ({ policy, size }: Pick<Share, "policy" | "size">, seed: number): Simulation.Options => {
  const nodes = nodesOf(size, seed)
  const data = size === "data" ? { data: "drawn" as const } : {}
  return { seed, nodes, profile: profileOf(size, seed), policy: policyOf(policy, nodes), ...data }
}

/** How a person runs one of these seeds alone. */
export const replayCommand = ({ policy, size }: Pick<Share, "policy" | "size">, seed: number): string => {
  const nodes = nodesOf(size, seed)
  const policyText = policy === "static" ? String(Math.floor(nodes / 2) + 1) : policy
  const run = `npm run squadron -- simulate --seed ${seed} --nodes ${nodes} --profile ${profileOf(size, seed)}`
  return `${run} --policy ${policyText}${size === "data" ? " --data" : ""}`
}

/** All shares of these seeds, in order. They begin where shares from 1 would, so that ledgers of other ranges count. */
export const sharesOf = (policy: PolicyName, size: Size, first: number, last: number): ReadonlyArray<Share> => {
  const step = seedsPerShare[size]
  const shares: Array<Share> = []
  for (let from = first; from <= last;) {
    const to = Math.min(last, Math.ceil(from / step) * step)
    shares.push({ policy, size, from, to })
    from = to + 1
  }
  return shares
}
