/** What a soak is made of: shares of seeds for a policy and a size of cluster, each run in one piece. */
import { Schema } from "effect"
import type { Simulation } from "../../src/testing.ts"
import { available, majority, type QuorumPolicy, staticQuorum } from "../../src/domain/protocol/Quorum.ts"

export const PolicyName = Schema.Literals(["available", "majority", "static"])
export type PolicyName = typeof PolicyName.Type

/** `small`: 2 to 9 nodes, by the seed; `mixed`: 1 to 5, by the seed, and nodes of the reference beside them. */
export const Size = Schema.Literals(["small", "mixed", "25", "100"])
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
export const seedsPerShare: Readonly<Record<Size, number>> = { small: 500, mixed: 200, "25": 25, "100": 1 }

export const nodesOf = (size: Size, seed: number): number => {
  switch (size) {
    case "small":
      return 2 + (seed % 8)
    case "mixed":
      return 1 + (seed % 5)
    case "25":
    case "100":
      return Number(size)
  }
}

export const profileOf = (size: Size): Simulation.Profile => (size === "mixed" ? "reference" : "chaos")

/** `static` is the majority of the nodes that a run starts with. */
export const policyOf = (name: PolicyName, nodes: number): QuorumPolicy =>
  name === "available" ? available : name === "majority" ? majority : staticQuorum(Math.floor(nodes / 2) + 1)

/** How a person runs one of these seeds alone. */
export const replayCommand = (share: Pick<Share, "policy" | "size">, seed: number): string => {
  const nodes = nodesOf(share.size, seed)
  const policy = share.policy === "static" ? String(Math.floor(nodes / 2) + 1) : share.policy
  return `npm run squadron -- simulate --seed ${seed} --nodes ${nodes} --profile ${profileOf(share.size)} --policy ${policy}`
}

/** All shares of these seeds from 1, in order. */
export const sharesOf = (policy: PolicyName, size: Size, seeds: number): ReadonlyArray<Share> => {
  const step = seedsPerShare[size]
  return Array.from({ length: Math.ceil(seeds / step) }, (_, i) => ({
    policy,
    size,
    from: i * step + 1,
    to: Math.min(seeds, (i + 1) * step)
  }))
}
