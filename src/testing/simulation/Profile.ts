/** Named kinds of trouble: each draws a schedule of faults from a seed. */
import { Schema } from "effect"
import type { Fault } from "./Fault.ts"
import type { Random } from "./Random.ts"

/**
 * - `calm`: nothing breaks; delays vary and wall clocks jump.
 * - `crashes`: processes and machines end, restart, freeze, stall and leave; the network is whole.
 * - `partitions`: one-way and two-way cuts, splits, reset connections; processes live.
 * - `chaos`: all of it, more of it at a time, half of it aimed at the acting master, with ambushes at decisions,
 *   hostile strangers, and any seed lists and order of start.
 * - `reference`: one to three nodes of the reference beside the others, in half of the runs as founder and leader;
 *   both kinds end, freeze, leave, and lose connections.
 */
export const Profile = Schema.Literals(["calm", "crashes", "partitions", "chaos", "reference"])
export type Profile = typeof Profile.Type

/** Nothing goes wrong before this: a cluster has to form first. */
const quietMs = 7000
/** In a share of the runs under `chaos` trouble starts with the nodes. */
const earlyShare = 0.15

interface Draw {
  readonly random: Random
  readonly nodes: ReadonlyArray<string>
  readonly atMs: number
  readonly node: string
}
type Drawn = readonly [weight: number, draw: (draw: Draw) => ReadonlyArray<Fault>]

const calm: ReadonlyArray<Drawn> = [
  [
    2,
    ({ atMs, random }) => [
      { _tag: "Delay", atMs, minMs: 0.2, maxMs: random.between(3, 60), forMs: random.between(500, 5000) }
    ]
  ],
  [1, ({ atMs, node, random }) => [{ _tag: "ClockJump", atMs, node, byMs: random.between(-1e8, 1e8) }]]
]

const restartedAfter = ({ atMs, node, random }: Draw): ReadonlyArray<Fault> => {
  const downMs = random.chance(0.4) ? random.between(0, 300) : random.between(0, 20_000)
  // Of the master only the id that it has then is known: whoever is down is started again at the end.
  return node === "master" || random.chance(0.3) ? [] : [{ _tag: "Restart", atMs: atMs + downMs, node }]
}

const endings: ReadonlyArray<Drawn> = [
  [
    6,
    (draw) => [
      { _tag: "Kill", atMs: draw.atMs, node: draw.node, withHost: draw.random.chance(0.3) },
      ...restartedAfter(draw)
    ]
  ],
  [
    4,
    ({ atMs, node, random }) => [
      {
        _tag: "Freeze",
        atMs,
        node,
        forMs: random.chance(0.5) ? random.between(500, 4000) : random.between(4000, 25_000)
      }
    ]
  ],
  [2, ({ atMs, node, random }) => [{ _tag: "Stall", atMs, node, forMs: random.between(50, 1400) }]],
  [2, (draw) => [{ _tag: "Leave", atMs: draw.atMs, node: draw.node }, ...restartedAfter(draw)]]
]

const crashes: ReadonlyArray<Drawn> = [
  ...endings,
  [1, ({ atMs, random }) => [{ _tag: "RestartAll", atMs, withinMs: random.between(0, 1500) }]],
  [
    1,
    ({ atMs, random }) => [
      { _tag: "RollingRestart", atMs, gapMs: random.between(2000, 6000), downMs: random.between(100, 1000) }
    ]
  ],
  [1, ({ atMs, random }) => [{ _tag: "Join", atMs, node: `${random.pick(["a", "z"])}${random.below(90) + 10}` }]],
  [1, ({ atMs, node }) => [{ _tag: "Duplicate", atMs, node }]],
  [1, ({ atMs, node, random }) => [{ _tag: "Move", atMs, node, downMs: random.between(0, 8000) }]],
  [1, ({ atMs, node, random }) => [{ _tag: "TakeOver", atMs, node, by: `x${random.below(90) + 10}` }]],
  [1, ({ atMs, node }) => [{ _tag: "OlderRelease", atMs, node }]],
  ...calm
]

const forMs = (random: Random): number => random.between(200, random.chance(0.5) ? 4000 : 25_000)

const partitions: ReadonlyArray<Drawn> = [
  [
    4,
    ({ atMs, nodes, random }) => {
      const side = nodes.filter(() => random.chance(0.5))
      return [{ _tag: "Partition", atMs, side, oneWay: random.chance(0.2), forMs: forMs(random) }]
    }
  ],
  [
    4,
    ({ atMs, node, nodes, random }) => [
      { _tag: "Cut", atMs, from: node, to: random.pick(nodes), oneWay: random.chance(0.4), forMs: forMs(random) }
    ]
  ],
  [3, ({ atMs, node, nodes, random }) => [{ _tag: "BreakLink", atMs, from: node, to: random.pick(nodes) }]],
  [1, ({ atMs }) => [{ _tag: "Heal", atMs }]],
  [
    1,
    ({ atMs, node, random }) => [
      { _tag: "SlowNode", atMs, node, extraMs: random.between(50, 900), forMs: forMs(random) }
    ]
  ],
  [
    1,
    ({ atMs, node, random }) => [
      { _tag: "Loss", atMs, node, share: random.pick([0.01, 0.1, 0.4, 0.8]), forMs: forMs(random) }
    ]
  ],
  ...calm
]

const hostile: Drawn = [
  1,
  ({ atMs, node, random }) => [
    {
      _tag: "Hostile",
      atMs,
      node,
      frames: random.pick(["hugeVersion", "mastersName", "unaskedWelcome", "othersHeartbeat", "floodOfJoins"])
    }
  ]
]

const ambushes: Drawn = [
  8,
  ({ atMs, random }) => [
    {
      _tag: "Ambush",
      atMs,
      on: random.pick(["proposal", "claim", "promise", "settlement"]),
      deed: random.pick(["kill", "freeze", "freeze", "isolate", "others"]),
      delayMs: random.chance(0.5) ? 0 : random.between(0, 10),
      forMs: forMs(random)
    }
  ]
]

const kinds: Readonly<Record<Profile, ReadonlyArray<Drawn>>> = {
  calm,
  crashes,
  partitions,
  chaos: [...crashes, ...partitions, hostile, ambushes],
  // A wall clock that is off makes its node dead for every node of the reference.
  reference: [...endings, ...partitions.filter((one) => !calm.includes(one))]
}

/** The most faults that begin by themselves in one run; those that come in groups count once. */
const mostFaults: Readonly<Record<Profile, number>> = { calm: 4, crashes: 6, partitions: 6, chaos: 8, reference: 6 }

const drawOne = (profile: Profile, draw: Draw): ReadonlyArray<Fault> => {
  const drawn = kinds[profile]
  let point = draw.random.next() * drawn.reduce((sum, [weight]) => sum + weight, 0)
  const chosen = drawn.find(([weight]) => (point -= weight) < 0)
  return chosen === undefined ? [] : chosen[1](draw)
}

/** A schedule, in order of time, of which everything begins within `virtualMs`. */
export const drawFaults = (
  profile: Profile,
  random: Random,
  nodes: ReadonlyArray<string>,
  virtualMs: number
): ReadonlyArray<Fault> => {
  const fromMs = profile === "chaos" && random.chance(earlyShare) ? 0 : Math.min(quietMs, virtualMs / 2)
  const aimedShare = profile === "chaos" ? 0.5 : 0.25
  const count = random.below(mostFaults[profile] + 1)
  return Array.from({ length: count }, () =>
    drawOne(profile, {
      random,
      nodes,
      atMs: random.between(fromMs, virtualMs),
      node: random.chance(aimedShare) ? "master" : random.pick(nodes)
    })
  )
    .flat()
    .filter((fault) => fault.atMs <= virtualMs)
    .toSorted((a, b) => a.atMs - b.atMs)
}
