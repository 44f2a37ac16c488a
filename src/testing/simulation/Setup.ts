/** How a run begins: drawn from its seed, so that a seed stands for nodes and configuration as well as for faults. */
import { formatAddress } from "../../domain/model/Address.ts"
import { ClusterConfig } from "../../domain/model/ClusterConfig.ts"
import { NodeConfig } from "../../domain/model/NodeConfig.ts"
import type { DelayRange } from "./Network.ts"
import type { Profile } from "./Profile.ts"
import type { Random } from "./Random.ts"
import type { Arena } from "./Arena.ts"
import type { World } from "./World.ts"

export interface Setup {
  /** In the order in which they start. */
  readonly nodes: ReadonlyArray<NodeSetup>
  readonly delay: DelayRange
  readonly config: Partial<ClusterConfig>
  readonly node: Partial<NodeConfig>
  /** Every node has all nodes as seeds: then one founding takes place, while nobody loses its memory. */
  readonly hasSameSeeds: boolean
  /** Nodes of the reference beside them. */
  readonly references: ReadonlyArray<NodeSetup>
}

interface NodeSetup {
  readonly nodeId: string
  readonly seeds: ReadonlyArray<string>
  readonly startMs: number
}

/** The ids of a run: `n1`, `n2`, … */
export const nodeNames = (count: number): ReadonlyArray<string> => Array.from({ length: count }, (_, i) => `n${i + 1}`)

/** Nodes of the reference: at most three. */
export const referenceNames: ReadonlyArray<string> = ["r1", "r2", "r3"]

/** Delays of a local network, when nothing is wrong. */
export const usualDelay: DelayRange = { minMs: 0.2, maxMs: 3 }
/** Nodes that start together start within this. */
const togetherMs = 50
/** Seeds in a list: of a large cluster the first names. */
const maxSeeds = 16
/** The token of every node: strangers do not have it. */
const authToken = "of this run"

type SeedLists = "all" | "firstTwo" | "ring" | "random"

const seedsOf = (kind: SeedLists, ids: ReadonlyArray<string>, index: number, random: Random): ReadonlyArray<string> => {
  const next = ids[(index + 1) % ids.length] ?? ""
  switch (kind) {
    case "all":
      return ids.slice(0, maxSeeds)
    case "firstTwo":
      return ids.slice(0, 2)
    case "ring":
      return [next]
    case "random":
      return [...new Set([next, random.pick(ids)])]
  }
}

type Start = "together" | "spread" | "oneByOne"

const startMsOf = (start: Start, index: number, random: Random): number =>
  start === "together" ? random.between(0, togetherMs) : start === "spread" ? random.between(0, 6000) : index * 1500

/** `calm` starts all nodes together with one list of seeds; the others draw that too. */
export const drawSetup = (profile: Profile, random: Random, count: number): Setup => {
  if (profile === "reference") return drawMixed(random, count)
  const names = nodeNames(count)
  // Many nodes one by one, or with a seed each, would be a run about nothing else.
  const isPlain = profile === "calm" || count > 9
  const ids = isPlain ? names : random.shuffle(names)
  const kind: SeedLists = isPlain || random.chance(0.55) ? "all" : random.pick(["firstTwo", "ring", "random"])
  const start: Start = isPlain ? "together" : random.pick(["together", "together", "spread", "oneByOne"])
  const slow = { minMs: 5, maxMs: random.pick([60, 300, 900]) }
  return {
    nodes: ids.map((nodeId, index) => ({
      nodeId,
      seeds: seedsOf(kind, ids, index, random),
      startMs: startMsOf(start, index, random)
    })),
    delay: isPlain || random.chance(0.7) ? usualDelay : slow,
    config: isPlain ? {} : { backupCount: random.below(3), suspicionTimeoutMs: random.pick([2500, 4000, 10_000]) },
    node: { partitionCount: 11 + random.below(20), leaveTimeoutMs: 20_000, authToken },
    hasSameSeeds: kind === "all",
    references: []
  }
}

// A node of the reference that founds or joins knows the one that leads: its own clusters ask for as much.
const drawMixed = (random: Random, count: number): Setup => {
  const names = nodeNames(count)
  const references = referenceNames.slice(0, 1 + random.below(referenceNames.length))
  const isLed = random.chance(0.5)
  const seeds = isLed ? [...referenceNames.slice(0, 1), ...names] : names
  return {
    nodes: names.map((nodeId) => ({
      nodeId,
      seeds,
      startMs: isLed ? random.between(500, 6000) : random.between(0, 50)
    })),
    delay: usualDelay,
    config: { backupCount: random.below(3), suspicionTimeoutMs: random.pick([2500, 4000, 10_000]) },
    node: { partitionCount: 11 + random.below(20), leaveTimeoutMs: 20_000 },
    hasSameSeeds: false,
    references: references.map((nodeId, index) =>
      isLed
        ? { nodeId, seeds: referenceNames.slice(0, Math.min(1, index)), startMs: index * random.between(0, 3000) }
        : { nodeId, seeds: names, startMs: random.between(4000, 8000) }
    )
  }
}

const firstPort = 9000

/** Gives every node its home, and starts it when its time has come. */
export const settle = (world: Arena, setup: Setup): void => {
  for (const [index, { nodeId, seeds, startMs }] of setup.nodes.entries()) {
    world.residences.put(nodeId, { nodeId, port: firstPort + index, seeds, config: setup.config, node: setup.node })
    world.later(startMs, () => world.start(nodeId))
  }
}

const firstReferencePort = 8000

/** The same for the nodes of the reference. */
export const settleReferences = (
  world: Pick<World, "references" | "later">,
  { config, node, nodes, references }: Setup
): void => {
  const addressOf = (nodeId: string): string => {
    const index = nodes.findIndex((one) => one.nodeId === nodeId)
    const port = index < 0 ? firstReferencePort + referenceNames.indexOf(nodeId) : firstPort + index
    return formatAddress("127.0.0.1", port)
  }
  for (const { nodeId, seeds, startMs } of references) {
    const clusterPort = firstReferencePort + referenceNames.indexOf(nodeId)
    world.references.put({
      nodeId,
      host: "127.0.0.1",
      clientPort: clusterPort + 1000,
      clusterPort,
      clusterId: "",
      seeds: seeds.map(addressOf),
      partitionCount: node.partitionCount ?? NodeConfig.of({ nodeId, clusterPort }).partitionCount,
      backupCount: config.backupCount ?? ClusterConfig.defaults.backupCount
    })
    world.later(startMs, () => world.references.start(nodeId))
  }
}
