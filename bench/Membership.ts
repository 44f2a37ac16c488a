/**
 * `npm run bench:membership`: what watching each other costs and how soon a death is noticed, all-to-all and on rings,
 * at 10, 100 and 1,000 nodes in virtual time. `-- 10 100` runs only these sizes, `--quick` a short cut of a minute,
 * `--rings` only rings, `--full` also what takes long at 1,000 nodes all-to-all; `--json` prints the rows as JSON on the last line.
 *
 * Every figure is of virtual time, so that it does not depend on the machine.
 */
import { pathToFileURL } from "node:url"
import { allToAll, defaultWatchers, rings, type Topology } from "../src/domain/protocol/Topology.ts"
import type { Process } from "../src/testing/simulation/Process.ts"
import { freeze } from "../src/testing/simulation/Strike.ts"
import { Fleet } from "./Fleet.ts"

/** How much is run. Milliseconds are virtual. */
interface Effort {
  readonly steadyMs: number
  /** Deaths of each kind; so many at a time. */
  readonly deaths: number
  readonly atOnce: number
  /** Of each kind of trouble; 0 for none, and no silent deaths either. */
  readonly troubleMs: number
}

interface Measured {
  readonly nodes: number
  readonly topology: string
  readonly effort: Effort
  readonly messages: number
  readonly bytes: number
  readonly killedMs: ReadonlyArray<number>
  readonly silentMs: ReadonlyArray<number>
  /** Dead declared though they live, and accusations of nodes that ran: under loss, with lossy nodes, under stalls. */
  readonly troubles: ReadonlyArray<{ readonly falseDeads: number; readonly accusations: number }>
  readonly startMs: number
}

const agreementLimitMs = 120_000
/** After trouble all is well for this long before anything else is measured. */
const recoveryMs = 20_000

// ---- measuring ----------------------------------------------------------------------------------

const measureSteady = (fleet: Fleet, forMs: number): { readonly messages: number; readonly bytes: number } => {
  fleet.isCounting = true
  fleet.world.run(forMs)
  fleet.isCounting = false
  const perNodeAndSecond = (count: number): number => count / fleet.size / (forMs / 1000)
  return { messages: perNodeAndSecond(fleet.sent.messages), bytes: perNodeAndSecond(fleet.sent.bytes) }
}

/** Kills some at random times within a heartbeat interval, and waits for their end to be declared. */
const measureDeaths = (fleet: Fleet, count: number, withHost: boolean): ReadonlyArray<number> => {
  const { random, world } = fleet
  const died = new Map<string, number>()
  const victims: Array<Process> = []
  while (victims.length < count) {
    const victim = fleet.pick()
    if (!victims.includes(victim)) victims.push(victim)
  }
  for (const victim of victims) {
    world.later(random.between(0, 1000), () => {
      died.set(victim.name, world.nowMs)
      world.kill(victim, withHost)
    })
  }
  const startMs = world.nowMs
  world.run(1000)
  while ([...died.keys()].some((name) => !fleet.declared.has(name)) && world.nowMs - startMs < agreementLimitMs) {
    world.run(100)
  }
  for (const { host } of victims) world.start(host)
  fleet.awaitAgreement(agreementLimitMs)
  // Who has just come back is watched as the others are before the next one dies.
  world.run(recoveryMs / 2)
  return [...died].map(([name, atMs]) => (fleet.declared.get(name) ?? Number.POSITIVE_INFINITY) - atMs)
}

const repeatDeaths = (fleet: Fleet, { atOnce, deaths }: Effort, withHost: boolean): ReadonlyArray<number> => {
  const times: Array<number> = []
  while (times.length < deaths) times.push(...measureDeaths(fleet, Math.min(atOnce, deaths - times.length), withHost))
  return times
}

const share = (fleet: Fleet, part: number): ReadonlyArray<Process> =>
  fleet.random.shuffle(fleet.world.living).slice(0, Math.max(1, Math.round(part * fleet.size)))

/** Share of what a node sends that is lost and sent again, and the nodes of which that is true. */
const loss = (lost: number, of: number) => (fleet: Fleet, forMs: number) => {
  for (const { host } of share(fleet, of)) fleet.world.network.loss.set(host, lost)
  fleet.world.run(forMs)
  fleet.world.network.loss.clear()
}

const stallMs = 5000
const stallEveryMs = 10_000
/** A tenth of the nodes stands still for five seconds, another tenth every ten seconds. */
const stalls = (fleet: Fleet, forMs: number): void => {
  for (let ms = 0; ms < forMs; ms += stallEveryMs) {
    for (const process of share(fleet, 0.1)) {
      fleet.world.later(fleet.random.between(0, stallEveryMs - stallMs), () => {
        freeze(fleet.world, process, stallMs)
        fleet.frozenUntilMs.set(process, fleet.world.nowMs + stallMs)
      })
    }
    fleet.world.run(stallEveryMs)
  }
}

const troubles = [loss(0.01, 1), loss(0.8, 0.01), stalls]

const measureTroubles = (fleet: Fleet, forMs: number): Measured["troubles"] =>
  troubles.map((trouble) => {
    const before = { falseDeads: fleet.falseDeads, accusations: fleet.accusations }
    trouble(fleet, forMs)
    const falseDeads = fleet.falseDeads - before.falseDeads
    const accusations = fleet.accusations - before.accusations
    fleet.world.run(recoveryMs)
    return { falseDeads, accusations }
  })

const measure = (nodes: number, topology: Topology, effort: Effort, progress: (text: string) => void): Measured => {
  const fleet = new Fleet(nodes, topology, nodes)
  progress("start")
  const startMs = fleet.awaitAgreement(agreementLimitMs)
  // The first heartbeats after a start come with its last views.
  fleet.world.run(recoveryMs / 4)
  progress("steady")
  const steady = measureSteady(fleet, effort.steadyMs)
  progress("killed")
  const killedMs = repeatDeaths(fleet, effort, false)
  const isShort = effort.troubleMs === 0
  progress("silent")
  const silentMs = isShort ? [] : repeatDeaths(fleet, effort, true)
  progress("trouble")
  const measured = isShort ? [] : measureTroubles(fleet, effort.troubleMs)
  return { nodes, topology: topology.name, effort, ...steady, killedMs, silentMs, troubles: measured, startMs }
}

// ---- printing -----------------------------------------------------------------------------------

const quantile = (values: ReadonlyArray<number>, part: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * part))] ?? Number.NaN

const seconds = (ms: number): string => (Number.isFinite(ms) ? (ms / 1000).toFixed(ms < 1000 ? 3 : 1) : "–")
const quantiles = (ms: ReadonlyArray<number>): string =>
  ms.length === 0 ? "–" : `${seconds(quantile(ms, 0.5))} / ${seconds(quantile(ms, 0.99))}`

const columns: ReadonlyArray<readonly [heading: string, cell: (row: Measured) => string]> = [
  ["nodes", ({ nodes }) => nodes.toLocaleString("en")],
  ["topology", ({ topology }) => topology],
  ["messages", ({ messages }) => messages.toFixed(1)],
  ["bytes", ({ bytes }) => Math.round(bytes).toLocaleString("en")],
  ["killed, s", ({ killedMs }) => quantiles(killedMs)],
  ["silent, s", ({ silentMs }) => quantiles(silentMs)],
  ...(["1 % loss", "80 % loss at 1 %", "5 s stalls of 10 %"] as const).map(
    (heading, index): readonly [string, (row: Measured) => string] => [
      heading,
      ({ troubles: measured }) => {
        const found = measured[index]
        return found === undefined ? "–" : `${found.falseDeads} (${found.accusations})`
      }
    ]
  ),
  ["start, s", ({ startMs }) => seconds(startMs)]
]

const table = (rows: ReadonlyArray<Measured>): string => {
  const cells = [columns.map(([heading]) => heading), ...rows.map((row) => columns.map(([, cell]) => cell(row)))]
  const widths = columns.map((_, index) => Math.max(...cells.map((line) => line[index]?.length ?? 0)))
  return cells.map((line) => line.map((text, index) => text.padStart(widths[index] ?? 0)).join("  ")).join("\n")
}

const legend = (rows: ReadonlyArray<Measured>): string => {
  const what = rows.map(({ effort, nodes, topology }) => {
    const { atOnce, deaths, steadyMs, troubleMs } = effort
    return `  ${nodes} ${topology}: ${steadyMs / 1000} s steady, ${deaths} deaths of each kind, ${atOnce} at a time, ${troubleMs / 1000} s of each trouble`
  })
  return `
messages, bytes: sent by a node in a second of a steady cluster, frames included
killed, silent:  from a death to the master's settled view that declares it, p50 / p99; silent: its machine is gone too,
                 so that nothing proves it: phi 8 or 5 s without a heartbeat, and then suspicionTimeoutMs, 10 s
1 % loss …:      false Deads, and in brackets accusations of nodes that did not stand still, nor had so short a time ago that
                 the accuser could not have heard them again (1 s; on rings 4.5 s, for stewards hear them every fourth time)
start:           all nodes started within 50 ms, to one settled view of all on all
One seed, heartbeats every second, default settings, delays of 0.2…3 ms, clocks that differ by up to 1 %. Run were:
${what.join("\n")}
– not run (--full runs it)

Beside these, as published (other hardware, other settings; nothing of it was run here):
  SWIM        the expected time to the first detection of a failure and the message load of a member do not grow with
              the group (Das, Gupta, Motivala, DSN 2002, abstract); that time is 1/(1 − e^−q) protocol periods, q the
              share of members that work (the paper's, as Wikipedia's "SWIM Protocol" gives it)
  memberlist  with Lifeguard more than 50 times fewer false positives than without; tuned, 45 % lower median latency of
              detection and still 3 times fewer (Dadgar, Phillips, Currey, arXiv 1707.00788v1, abstract)
  Rapid       starts clusters of 2,000 nodes 2 to 5.8 times faster than memberlist and ZooKeeper, and stays stable under
              one-way cuts and high packet loss (Suresh and others, USENIX ATC 2018, abstract)
  Akka        each node is monitored by 5 others (reference.conf, monitored-by-nr-of-members); with 1,500 nodes, adding
              20 takes 15 to 30 s, and 2,400 nodes were run (Nordwall, "Running a 2400 Akka Nodes Cluster on Google
              Compute Engine", Lightbend)`
}

// ---- running ------------------------------------------------------------------------------------

const efforts = (nodes: number, topology: string, args: ReadonlyArray<string>): Effort => {
  if (args.includes("--quick")) return { steadyMs: 4000, deaths: 2, atOnce: 2, troubleMs: 10_000 }
  if (nodes <= 10) return { steadyMs: 20_000, deaths: 20, atOnce: 1, troubleMs: 180_000 }
  if (nodes <= 100) return { steadyMs: 10_000, deaths: 20, atOnce: 5, troubleMs: 60_000 }
  const isLong = topology === allToAll.name && !args.includes("--full")
  return isLong
    ? { steadyMs: 2000, deaths: 5, atOnce: 5, troubleMs: 0 }
    : { steadyMs: 8000, deaths: 20, atOnce: 20, troubleMs: 20_000 }
}

const onRings = rings({ above: 0 })

const main = (args: ReadonlyArray<string>): number => {
  const named = args.filter((arg) => !arg.startsWith("--")).map(Number)
  if (named.some((size) => !Number.isInteger(size) || size < 2 || size > 1000)) {
    console.error("sizes are whole numbers of 2…1000")
    return 1
  }
  const sizes = named.length > 0 ? named : args.includes("--quick") ? [10, 100] : [10, 100, 1000]
  const rows: Array<Measured> = []
  for (const nodes of sizes) {
    for (const topology of args.includes("--rings") ? [onRings] : [allToAll, onRings]) {
      // So few all watch each other on any rings.
      if (topology !== allToAll && nodes <= defaultWatchers + 1) continue
      const start = performance.now()
      const show = (text: string) => process.stderr.write(`\r${nodes} ${topology.name}: ${text} …   `)
      rows.push(measure(nodes, topology, efforts(nodes, topology.name, args), show))
      show(`${((performance.now() - start) / 1000).toFixed(0)} s, done\n`)
    }
  }
  console.log(`${table(rows)}\n${legend(rows)}`)
  if (args.includes("--json")) console.log(JSON.stringify(rows))
  const isWrong = rows.some((row) => Number.isNaN(row.startMs) || [...row.killedMs, ...row.silentMs].includes(Infinity))
  if (isWrong) console.error("a cluster did not agree, or a death was not declared")
  return isWrong ? 1 : 0
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.exitCode = main(process.argv.slice(2))
}
