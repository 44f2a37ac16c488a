/** `squadron simulate`: whole clusters in virtual time against faults from seeds. */
import { isatty } from "node:tty"
import { Clock, Console, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { available, majority, type QuorumPolicy, staticQuorum } from "../domain/protocol/Quorum.ts"
import { allToAll, defaultWatchers, type Topology, rings } from "../domain/protocol/Topology.ts"
import { Simulation } from "../testing.ts"
import { CommandFailed } from "./Failure.ts"
import { progressLine, summaryLines } from "./simulate/Display.ts"

/** Real milliseconds between two progress lines. */
const showEveryMs = 200
// Back to the first column, and clear the line (ECMA-48).
const clearLine = "\r\u001b[2K"

/** A policy and how it is written. */
interface NamedPolicy {
  readonly text: string
  readonly policy: QuorumPolicy
}

/** A topology and how it is written. */
interface NamedTopology {
  readonly text: string
  readonly topology: Topology
}

const policyOf = (text: string): Option.Option<NamedPolicy> => {
  if (text === "available") return Option.some({ text, policy: available })
  if (text === "majority") return Option.some({ text, policy: majority })
  return /^[1-9][0-9]{0,3}$/.test(text) ? Option.some({ text, policy: staticQuorum(Number(text)) }) : Option.none()
}

const topologyOf = (text: string): Option.Option<NamedTopology> => {
  if (text === "all") return Option.some({ text, topology: allToAll })
  const found = /^rings(?::([1-9][0-9]?))?$/.exec(text)
  if (found === null) return Option.none()
  const k = found[1] === undefined ? defaultWatchers : Number(found[1])
  return k < 3 || k > 64 ? Option.none() : Option.some({ text, topology: rings({ k, above: 0 }) })
}

const count = (name: string, description: string, from: number, to: number) =>
  Flag.Int(name).pipe(
    Flag.filter(
      (value) => value >= from && value <= to,
      () => `a whole number of ${from}…${to}`
    ),
    Flag.withDescription(description)
  )

const maxSeed = 2 ** 40

const flags = {
  nodes: count("nodes", "Nodes of each cluster, 1…1000 (default 5)", 1, 1000).pipe(Flag.withDefault(5)),
  seeds: count("seeds", "Seeds to run (default 100)", 1, 1e9).pipe(Flag.withDefault(100)),
  firstSeed: count("first-seed", "The first of them (default 1)", 0, maxSeed).pipe(Flag.withDefault(1)),
  seed: count("seed", "Replay this seed alone, and print what happens", 0, maxSeed).pipe(Flag.optional),
  profile: Flag.Literals("profile", Simulation.Profile.literals).pipe(
    Flag.withDescription("What goes wrong: nothing, processes, the network, or everything (default chaos)"),
    Flag.withDefault("chaos" as const)
  ),
  policy: Flag.String("policy").pipe(
    Flag.filterMap(policyOf, () => "available, majority, or a number of nodes from 1"),
    Flag.withMetavar("available|majority|n"),
    Flag.withDescription("Who goes on in a split (default available)"),
    Flag.withDefault({ text: "available", policy: available })
  ),
  topology: Flag.String("topology").pipe(
    Flag.filterMap(topologyOf, () => "all, rings, or rings:k with k of 3…64"),
    Flag.withMetavar("all|rings|rings:k"),
    Flag.withDescription("Who watches whom: everyone, or k others at any size (default: all up to 100, rings above)"),
    Flag.optional
  ),
  codec: Flag.Boolean("codec").pipe(
    Flag.withDescription("Encode and decode every message on its way"),
    Flag.withoutNegation,
    Flag.withDefault(false)
  ),
  data: Flag.Boolean("data").pipe(
    Flag.withDescription(
      "Nodes keep data and clients write it: backups, duration and more are drawn from each seed, and no acknowledged " +
        "write may be lost"
    ),
    Flag.withoutNegation,
    Flag.withDefault(false)
  ),
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("Print the result as one JSON object, the last line of stdout; the rest goes to stderr"),
    Flag.withoutNegation,
    Flag.withDefault(false)
  )
}

const nowMs = Effect.map(Clock.monotonicTimeNanos, (nanos) => Number(nanos) / 1e6)

// Runs the seeds, and gives way after each: a signal ends it between two of them.
const runAll = Effect.fnUntraced(function* (
  options: Simulation.Options,
  seeds: number,
  show: ((line: string) => void) | undefined
) {
  const startMs = yield* nowMs
  const campaign = Simulation.campaign(options, seeds)
  let shownMs = startMs
  let next = campaign.next()
  while (next.done !== true) {
    const elapsedMs = (yield* nowMs) - startMs
    if (show !== undefined && elapsedMs + startMs - shownMs >= showEveryMs) {
      shownMs = startMs + elapsedMs
      show(progressLine(next.value, seeds, elapsedMs))
    }
    yield* Effect.yieldNow
    next = campaign.next()
  }
  return { progress: next.value, elapsedMs: (yield* nowMs) - startMs }
})

export const simulate = Command.make(
  "simulate",
  flags,
  Effect.fnUntraced(function* ({ codec, data, firstSeed, json, nodes, policy, profile, seed, seeds, topology }) {
    const isReplay = Option.isSome(seed)
    const options: Simulation.Options = {
      seed: Option.getOrElse(seed, () => firstSeed),
      nodes,
      profile,
      policy: policy.policy,
      ...Option.match(topology, { onNone: () => ({}), onSome: ({ topology }) => ({ topology }) }),
      codec,
      ...(data ? { data: "drawn" } : {})
    }
    const print = json ? Console.error : Console.log
    const stream = json ? process.stderr : process.stdout
    const show = isatty(stream.fd) ? (line: string) => void stream.write(clearLine + line) : undefined
    const { elapsedMs, progress } = yield* runAll(options, isReplay ? 1 : seeds, show)
    if (show !== undefined) yield* Effect.sync(() => stream.write(clearLine))
    const report = Simulation.reportOf(progress, elapsedMs)
    const { failed } = progress
    if (failed !== undefined) {
      const shrunk = Simulation.shrink({ ...options, seed: failed.seed })
      const replay = [
        `squadron simulate --seed ${failed.seed} --nodes ${nodes} --profile ${profile} --policy ${policy.text}`,
        ...Option.match(topology, { onNone: () => [], onSome: ({ text }) => [`--topology ${text}`] }),
        ...(codec ? ["--codec"] : []),
        ...(data ? ["--data"] : [])
      ].join(" ")
      yield* print(Simulation.failureLines(failed, shrunk, replay).join("\n"))
    } else if (isReplay) {
      yield* print(Simulation.run({ ...options, transcript: true }).transcript.join("\n"))
    }
    yield* print(summaryLines(report, elapsedMs).join("\n"))
    if (json) yield* Console.log(Simulation.toJson(report))
    if (!report.ok) return yield* new CommandFailed({ message: "", exitCode: 1 })
  })
).pipe(
  Command.withShortDescription("Try clusters against seeded faults in virtual time"),
  Command.withDescription(
    "Runs whole clusters of the real protocol in this process, in virtual time, against faults drawn from seeds: " +
      "crashes, freezes, cuts, splits, leaves, slow nodes. Checks after every step what must never happen, and at " +
      "the end that the nodes agree again. Exit code 0 if every seed kept the rules, else 1. The same seed and " +
      "flags give the same run."
  ),
  Command.withExamples([
    { command: "squadron simulate --nodes 25 --seeds 1000 --profile chaos", description: "Hunt for a failure" },
    { command: "squadron simulate --seed 7 --nodes 5", description: "Replay one seed, with what happens in it" },
    {
      command: "squadron simulate --policy majority --json",
      description: "The figures for a program, as the last line"
    }
  ])
)
