/** Whole clusters with data under faults: seeds of each kind, and what has cost other systems their users' data. */
import { describe, expect, it } from "vitest"
import { available, majority, staticQuorum } from "../../../src/domain/protocol/Quorum.ts"
import { Simulation } from "../../../src/testing.ts"

type Faults = ReadonlyArray<Simulation.Fault>

const kill = (node: string, atMs: number): Simulation.Fault => ({ _tag: "Kill", node, atMs, withHost: false })
const start = (node: string, atMs: number): Simulation.Fault => ({ _tag: "Restart", node, atMs })
const reset = (from: string, to: string, atMs: number): Simulation.Fault => ({ _tag: "BreakLink", from, to, atMs })

describe("no acknowledged write is lost, and all copies are equal in the end", () => {
  it.each([
    { profile: "calm", policy: available, seed: 1 },
    { profile: "crashes", policy: available, seed: 2 },
    { profile: "crashes", policy: majority, seed: 3 },
    { profile: "partitions", policy: available, seed: 8 },
    { profile: "partitions", policy: majority, seed: 5 },
    { profile: "chaos", policy: available, seed: 6 },
    { profile: "chaos", policy: majority, seed: 7 }
  ] as const)("$profile under $policy.name, seed $seed", ({ policy, profile, seed }) => {
    const outcome = Simulation.run({
      seed,
      nodes: 4,
      profile,
      policy,
      config: { backupCount: 1 },
      data: {},
      virtualMs: 15_000
    })
    expect(outcome.violation).toBeUndefined()
    expect(outcome.data?.acknowledged).toBeGreaterThan(20)
  })
})

it("drawn from the seed it is as many backups, and as much loss, each time", () => {
  const runs = [2, 20].map((seed) => Simulation.run({ seed, nodes: 6, policy: majority, data: "drawn" }))
  expect(runs.map(({ violation }) => violation)).toEqual([undefined, undefined])
  const again = Simulation.run({ seed: 20, nodes: 6, policy: majority, data: "drawn" })
  expect([again.traceHash, again.data]).toEqual([runs[1]?.traceHash, runs[1]?.data])
  expect(runs.map(({ data }) => data?.lost.length ?? 0)).toEqual([0, expect.toSatisfy((lost: number) => lost > 0)])
})

/** An incident of another system; the same with another node in it. */
interface Incident {
  readonly name: string
  readonly backupCount: number
  readonly variants: ReadonlyArray<Faults>
  /** Faults, at least, that strike a migration while it is open, in all variants together. */
  readonly strikes: number
}

const join: Simulation.Fault = { _tag: "Join", node: "z1", atMs: 8000 }
const deepBackup: Faults = [kill("n1", 8000), kill("n2", 8020), start("n1", 12_000), start("n2", 13_000)]

const play = (
  backupCount: number,
  faults: Faults,
  data: Exclude<Simulation.Options["data"], "drawn"> = {}
): Simulation.Outcome =>
  Simulation.run({
    seed: 11,
    nodes: 4,
    profile: "calm",
    config: { backupCount, suspicionTimeoutMs: 4000 },
    // Copies take so long that what strikes them finds them.
    data: { aim: 0, settings: { copyBytesPerSecond: 1000 }, ...data },
    virtualMs: Math.max(...faults.map(({ atMs }) => atMs)) + 6000,
    faults: faults.toSorted((a, b) => a.atMs - b.atMs)
  })

describe("incidents of other systems", () => {
  const incidents: ReadonlyArray<Incident> = [
    {
      name: "a node crashes while partitions are on their way to a new one",
      backupCount: 1,
      // The master, the one that they are on their way to, and of the others whoever is a source.
      strikes: 3,
      variants: ["n1", "n2", "n3", "n4", "z1"].map((node) => [join, kill(node, 9500), start(node, 12_000)])
    },
    {
      name: "the only copy that survives is a deep backup",
      backupCount: 2,
      strikes: 0,
      variants: [deepBackup]
    },
    {
      name: "a network partition heals during a migration",
      backupCount: 1,
      strikes: 1,
      // Before anybody is removed for it, and after.
      variants: [2000, 6000].map((forMs) => [
        join,
        { _tag: "Partition", side: ["n1", "n2"], oneWay: false, forMs, atMs: 10_000 }
      ])
    },
    {
      name: "failed migrations do not freeze the table",
      backupCount: 1,
      strikes: 1,
      variants: [[join, ...Array.from({ length: 20 }, (_, i) => reset(`n${1 + (i % 4)}`, "z1", 8800 + 40 * i))]]
    },
    {
      name: "what is handed to a process that dies is handed to its successor",
      backupCount: 1,
      strikes: 1,
      variants: [[join, kill("z1", 9000), start("z1", 9100)]]
    },
    {
      name: "a restart races the old incarnation",
      backupCount: 1,
      strikes: 0,
      variants: [
        [
          { _tag: "Cut", from: "n1", to: "n3", oneWay: true, forMs: 3000, atMs: 7900 },
          kill("n3", 8000),
          start("n3", 8010)
        ]
      ]
    },
    {
      name: "a frozen owner comes back and still takes itself for the owner",
      backupCount: 1,
      strikes: 0,
      variants: [[{ _tag: "Freeze", node: "n2", forMs: 16_000, atMs: 8000 }]]
    },
    {
      name: "clocks jump",
      backupCount: 1,
      strikes: 0,
      variants: [
        [
          { _tag: "ClockJump", node: "n1", byMs: 86_400_000, atMs: 8000 },
          { _tag: "ClockJump", node: "n2", byMs: -86_400_000, atMs: 9000 },
          kill("n1", 11_000),
          start("n1", 12_000)
        ]
      ]
    }
  ]

  it.each(incidents)("$name", ({ backupCount, strikes, variants }) => {
    let struck = 0
    for (const faults of variants) {
      const { data, violation } = play(backupCount, faults)
      expect(violation).toBeUndefined()
      // It has taken place, while there was something to lose.
      expect(data?.acknowledged).toBeGreaterThan(200)
      expect(data?.kills).toBe(faults.filter(({ _tag }) => _tag === "Kill").length)
      struck += data?.struck ?? 0
    }
    expect(struck).toBeGreaterThanOrEqual(strikes)
  })

  it("without the deep backup that one would have lost something", () => {
    const { data, violation } = play(1, deepBackup, { losesData: true, durable: 0 })
    expect(violation).toBeUndefined()
    expect(data?.lost.length).toBeGreaterThan(0)
  })
})

describe("removals that are forgotten (rule 22)", () => {
  const nodes = ["n1", "n2", "n3", "n4"]
  const afterAll: Faults = [
    ...nodes.filter((node) => node !== "n2").map((node, i) => kill(node, 50_000 + i)),
    ...nodes.map((node, i) => start(node, 50_500 + 100 * i))
  ]
  it.each([
    { how: "who was away alone", faults: [start("n2", 20_600)], virtualMs: 25_000 },
    { how: "who was away, though all nodes start anew", faults: afterAll, virtualMs: 60_000 }
  ])("do not come back with $how", ({ faults, virtualMs }) => {
    const outcome = Simulation.run({
      seed: 32,
      nodes: 4,
      profile: "calm",
      config: { backupCount: 1, suspicionTimeoutMs: 4000 },
      data: { aim: 0, durable: 1, losesData: true, requestEveryMs: 60, settings: { tombstoneHorizonMs: 6000 } },
      virtualMs,
      faults: [kill("n2", 9000), ...faults]
    })
    expect(outcome.violation).toBeUndefined()
  })
})

describe("runs in which writes were lost once, or the simulator was wrong about them", () => {
  it.each([
    { seed: 96, nodes: 3, policy: majority, why: "the owner's marks judged what the other part had written" },
    {
      seed: 72,
      nodes: 3,
      policy: staticQuorum(2),
      why: "founders' rows are full before what one still holds is copied"
    },
    { seed: 121, nodes: 4, policy: staticQuorum(3), why: "the same, with a split" },
    { seed: 254, nodes: 5, policy: available, why: "who was cut off took the time of leaving for that of parting" },
    { seed: 358, nodes: 5, policy: available, why: "the same, with what the cut-off owner had written alone" },
    { seed: 926, nodes: 5, policy: available, why: "half of what was handed over was told as all there is" },
    { seed: 2360, nodes: 3, policy: available, why: "a clock that jumped ahead made removals old" },
    { seed: 5384, nodes: 3, policy: available, why: "an owner took what it had been told of for too old" },
    { seed: 4424, nodes: 3, policy: available, why: "a copy came before what its destination knew to be gone" },
    {
      seed: 2717,
      nodes: 4,
      policy: staticQuorum(3),
      why: "a copy was merged with data that was out of touch for long"
    },
    {
      seed: 8348,
      nodes: 3,
      policy: available,
      why: "what a lone owner wrote was as old as its last touch with others"
    },
    { seed: 8692, nodes: 3, policy: available, why: "the same, after a promotion" },
    { seed: 968, nodes: 3, policy: available, why: "empty partitions of a founding that nobody opened were reported" },
    { seed: 3316, nodes: 3, policy: available, why: "a part reported what the other part held" },
    { seed: 4457, nodes: 4, policy: majority, why: "the simulator moved a partition to fewer replicas than it had" },
    {
      seed: 664,
      nodes: 3,
      policy: staticQuorum(2),
      why: "the simulator killed the only one left for whoever was dead"
    },
    { seed: 7966, nodes: 5, policy: staticQuorum(3), why: "the same" },
    {
      seed: 8350,
      nodes: 5,
      policy: staticQuorum(3),
      why: "a part stayed away for longer than the horizon after healing"
    },
    {
      seed: 2115,
      nodes: 6,
      policy: majority,
      why: "a copy was broken off while its destination stored the first part, which was handed over"
    },
    { seed: 12557, nodes: 4, policy: available, why: "what an owner had from a repair alone was no data to it" }
  ])("seed $seed: $why", ({ nodes, policy, seed }) => {
    const profile = (["crashes", "partitions"] as const)[seed % 3] ?? "chaos"
    expect(Simulation.run({ seed, nodes, policy, profile, data: "drawn" }).violation).toBeUndefined()
  })
})

describe("where nothing breaks every write is done, none is refused or of unknown outcome", () => {
  // Those whose start makes the most connections that are too many; one node starts seconds after the others.
  it.each([131, 146, 185, 246])("while the cluster forms, seed %i", (seed) => {
    const { data, violation } = Simulation.run({
      seed,
      nodes: 3 + (seed % 3),
      faults: [],
      virtualMs: 12_000,
      config: { backupCount: 1 + (seed % 2) },
      data: { aim: 0, storeFailures: 0, requestEveryMs: 5, requestTimeoutMs: 30_000 }
    })
    expect(violation).toBeUndefined()
    expect(data).toMatchObject({ unknown: 0, refused: 0, waiting: 0 })
    expect(data?.acknowledged).toBeGreaterThan(2000)
  })

  it.each([1, 9, 16, 25])("while nodes join and leave, seed %i", (seed) => {
    const { data, violation } = Simulation.run({
      seed,
      nodes: 3 + (seed % 3),
      profile: "calm",
      faults: [
        { _tag: "Join", atMs: 8000 + (seed % 997), node: "a10" },
        { _tag: "Leave", atMs: 12_000 + ((seed * 7) % 1997), node: seed % 2 === 1 ? "master" : "n2" },
        { _tag: "Join", atMs: 15_000 + ((seed * 5) % 4997), node: "z10" }
      ],
      virtualMs: 25_000,
      config: { backupCount: 1 + (seed % 2) },
      data: { aim: 0, storeFailures: 0, requestEveryMs: 10, requestTimeoutMs: 30_000 }
    })
    expect(violation).toBeUndefined()
    // Those of the clients of the leaver may wait when it has gone.
    expect(data).toMatchObject({ unknown: 0, refused: 0 })
    expect(data?.acknowledged).toBeGreaterThan(2000)
  })
})

describe("copies to a slow node", () => {
  it("are not made again and again", () => {
    const outcome = Simulation.run({
      seed: 5,
      nodes: 4,
      profile: "calm",
      config: { backupCount: 1 },
      data: { aim: 0, requestEveryMs: 100 },
      virtualMs: 25_000,
      faults: [
        { _tag: "Join", node: "z1", atMs: 8000 },
        { _tag: "SlowNode", node: "z1", extraMs: 1600, forMs: 17_000, atMs: 8500 }
      ]
    })
    expect(outcome.violation).toBeUndefined()
    expect(outcome.data?.copies).toBeLessThan(10)
  })
})

describe("whoever leaves hands over first", () => {
  it.each([0, 1])("a rolling restart of nodes without disks loses nothing, with %i backups", (backupCount) => {
    for (const policy of [available, majority]) {
      const outcome = Simulation.run({
        seed: 41,
        nodes: 3,
        profile: "calm",
        policy,
        config: { backupCount },
        data: { aim: 0, durable: 0, freeLeaves: true },
        virtualMs: 24_000,
        faults: ["n1", "n2", "n3"]
          .flatMap((node, i): Faults => [
            { _tag: "Leave", node, atMs: 8000 + 5000 * i },
            start(node, 11_000 + 5000 * i)
          ])
          .toSorted((a, b) => a.atMs - b.atMs)
      })
      expect(outcome.violation).toBeUndefined()
      expect(outcome.data?.lost).toEqual([])
    }
  })
})

describe("with more crashes than backups", () => {
  it.each([21, 22, 23])("exactly the partitions without a surviving replica are reported lost, seed %i", (seed) => {
    const outcome = Simulation.run({
      seed,
      nodes: 5,
      profile: "calm",
      config: { backupCount: 1, suspicionTimeoutMs: 4000 },
      data: { aim: 0, durable: 0, losesData: true },
      virtualMs: 30_000,
      faults: [kill("n2", 9000), kill("n4", 9001), start("n2", 13_000), start("n4", 20_000)]
    })
    expect(outcome.violation).toBeUndefined()
    expect(outcome.data?.lost.length).toBeGreaterThan(0)
  })

  it("a restart of all nodes with their data loses nothing and reports nothing", () => {
    const nodes = ["n1", "n2", "n3", "n4"]
    const outcome = Simulation.run({
      seed: 24,
      nodes: 4,
      profile: "calm",
      config: { backupCount: 1 },
      data: { aim: 0, durable: 1, losesData: true },
      virtualMs: 30_000,
      faults: [
        ...nodes.map((node, i) => kill(node, 9000 + i)),
        ...nodes.map((node, i) => start(node, 10_000 + 100 * i))
      ]
    })
    expect(outcome.violation).toBeUndefined()
    expect(outcome.data?.lost).toEqual([])
  })
})
