/**
 * `npm run bench:migration`: moves partitions between real processes while a client on a third node reads and writes in
 * them, and tells what that costs: memory, latency, gaps, heartbeats. When they have moved, the source hands over what
 * it still holds and drops it; a minute of that is measured as well.
 */
import { cpus, loadavg } from "node:os"
import { ClusterConfig } from "../src/domain/model/ClusterConfig.ts"
import { defaultDataSettings } from "../src/domain/replication/DataSettings.ts"
import { Flags } from "../test/Flags.ts"
import { Load, Nothing, Partitions, Watched } from "./nodes/Commands.ts"
import { masterOf, type NodeProcess, settle, withNodes } from "./nodes/Nodes.ts"

const mib = 2 ** 20
const defaultRate = defaultDataSettings.copyBytesPerSecond / mib

const help = `npm run bench:migration -- [flags]

  --quick          a partition of 64 MiB, and four of 16 MiB at once: three minutes
  --mib N          size of the one partition, in MiB (default 1024)
  --partitions N   how many move at once after that (default 10, at most 16)
  --each-mib N     size of each of these (default 128); with the defaults it takes 25 minutes
  --rate N         MiB per second that are copied (default ${defaultRate})
  --per-second N   operations of the client, half of them puts (default 200)
  --value-bytes N  size of a value, at most 1 MiB (default 4096)
  --json           prints the results as JSON on the last line
  --help

Exits with 1 if data or a node is lost, or an operation fails; a missed target is printed. Measure on a machine that
does nothing else: the latencies are those of three processes and a client on all of its cores.`

const flags = new Flags(help, {
  valued: ["mib", "partitions", "each-mib", "rate", "per-second", "value-bytes"],
  switches: ["quick", "json"]
})
const isQuick = flags.has("quick")
const rate = flags.wholeNumber("rate", defaultRate)
const perSecond = flags.wholeNumber("per-second", 200)
const valueBytes = flags.wholeNumber("value-bytes", 4096)
const one = { count: 1, bytes: flags.wholeNumber("mib", isQuick ? 64 : 1024) * mib }
const many = {
  count: flags.wholeNumber("partitions", isQuick ? 4 : 10),
  bytes: flags.wholeNumber("each-mib", isQuick ? 16 : 128) * mib
}
if (valueBytes > mib) flags.fail(`--value-bytes ${valueBytes} is more than 1 MiB`)
if (many.count > 16) flags.fail(`--partitions ${many.count}: no more than 16 have the same owner and backup`)
const baselineMs = isQuick ? 5000 : 15_000
/** Some of both ends of the copy belong to it: the load goes on so long before and after. */
const aroundMs = 500
/** Until everybody is heard again: to collect a gigabyte takes seconds. */
const calmMs = ({ bytes, count }: Size): number => Math.max(500, (5000 * count * bytes) / 2 ** 30)

interface Size {
  readonly count: number
  readonly bytes: number
}

interface Moved {
  readonly size: Size
  readonly seconds: number
  readonly baseline: Load
  readonly during: Load
  /** Until the source has handed over what it still held, and has dropped it. */
  readonly handOver: Load
  readonly handOverSeconds: number
  readonly source: Watched
  readonly destination: Watched
  readonly client: Watched
}

const roles = { client: "client", source: "source", destination: "destination" } as const
/** As long as all of it may take at a quarter of the rate. */
const settleMs = ({ bytes, count }: Size): number => 30_000 + (8000 * count * bytes) / (rate * mib)
/** The hand-over is looked at for so long. */
const handOverMs = 60_000
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const say = (text: string) => process.stderr.write(`\r${text.padEnd(60)}`)

// ---- measuring ----------------------------------------------------------------------------------

const loaded = async (client: NodeProcess, partitionIds: ReadonlyArray<number>, work: () => Promise<void>) => {
  await client.ask({ type: "startLoad", partitionIds, perSecond, valueBytes }, Nothing)
  await work()
  return client.ask({ type: "stopLoad" }, Load)
}

const isMoved = async (master: NodeProcess, partitionIds: ReadonlyArray<number>): Promise<boolean> => {
  const owned = await master.ask({ type: "partitions", owner: roles.destination, backup: roles.client }, Partitions)
  return partitionIds.every((id) => owned.includes(id))
}

const measure = async (size: Size, nodes: ReadonlyArray<NodeProcess>): Promise<Moved> => {
  const [client, source, destination] = nodes
  if (client === undefined || source === undefined || destination === undefined) throw new Error("three nodes")
  const from = { owner: roles.source, backup: roles.client }
  const all = await client.ask({ type: "partitions", ...from }, Partitions)
  const partitionIds = all.slice(0, size.count)
  if (partitionIds.length < size.count) throw new Error(`only ${all.length} partitions have that owner and backup`)
  for (const [index, partitionId] of partitionIds.entries()) {
    say(`fills partition ${index + 1} of ${size.count} …`)
    await source.ask({ type: "fill", partitionId, bytes: size.bytes, valueBytes }, Nothing)
  }
  say("collects garbage …")
  for (const node of nodes) {
    await node.ask({ type: "collect" }, Nothing)
    // Meanwhile it stands still, and another may have taken its mastership over.
    await pause(calmMs(size))
  }
  await settle(nodes, false)
  say("baseline …")
  // Until code is compiled.
  await loaded(client, partitionIds, () => pause(3000))
  const baseline = await loaded(client, partitionIds, () => pause(baselineMs))
  const watched = [source, destination, client]
  await Promise.all(watched.map((node) => node.ask({ type: "startWatch" }, Nothing)))
  let seconds = 0
  say("moves …")
  const during = await loaded(client, partitionIds, async () => {
    await pause(aroundMs)
    const startMs = performance.now()
    const { source: owner, destination: to, client: backup } = roles
    const master = await masterOf(nodes)
    await master.ask({ type: "move", partitionIds, source: owner, destination: to, backup }, Nothing)
    while (!(await isMoved(client, partitionIds))) await pause(20)
    seconds = (performance.now() - startMs) / 1000
    await pause(aroundMs)
  })
  say("hands over …")
  const handedMs = performance.now()
  let handOverSeconds = 0
  const handOver = await loaded(client, partitionIds, async () => {
    const settled = settle(nodes, false, settleMs(size))
    // Once the minute is over nobody waits for it any more: the processes are about to end.
    settled.catch(() => undefined)
    await Promise.race([settled, pause(handOverMs)])
    handOverSeconds = (performance.now() - handedMs) / 1000
    await pause(1000)
  })
  const [atSource, atDestination, atClient] = await Promise.all(
    watched.map((node) => node.ask({ type: "stopWatch" }, Watched))
  )
  if (atSource === undefined || atDestination === undefined || atClient === undefined) throw new Error("three nodes")
  say("")
  return {
    size,
    seconds,
    baseline,
    during,
    handOver,
    handOverSeconds,
    source: atSource,
    destination: atDestination,
    client: atClient
  }
}

// ---- printing -----------------------------------------------------------------------------------

const inMib = (bytes: number): string => `${(bytes / mib).toFixed(1)} MiB`
const inMs = (ms: number): string => `${ms.toFixed(ms < 10 ? 2 : 0)} ms`

/** Above what there was before, and what the data takes as it lies at the destination when all is done. */
const beyond = (moved: Moved) => ({
  source: moved.source.rssPeak - moved.source.rssBefore,
  destination: moved.destination.rssPeak - Math.max(moved.destination.rssAfter, moved.destination.rssBefore)
})

const latencies = (load: Load, kind: "put" | "get"): string => {
  const { count, max, p50, p99 } = load[kind]
  return `p50 ${inMs(p50)}, p99 ${inMs(p99)}, max ${inMs(max)} of ${count}`
}

const pauses = ({ count, longestMs, totalMs }: Watched["major"]): string =>
  `${count} of ${totalMs.toFixed(0)} ms, longest ${inMs(longestMs)}`

const busy = ({ cpuMs, major, minor, wallMs }: Watched): string =>
  `${((cpuMs * 100) / wallMs).toFixed(0)} % of a core; collections: major ${pauses(major)}; minor ${pauses(minor)}`

const judged = (text: string, holds: boolean, target: string): string =>
  `${text}  (${holds ? "holds" : "MISSED"}: ${target})`

const format = (moved: Moved): string => {
  const { baseline, client, destination, during, seconds, size, source } = moved
  const buffered = Math.max(source.buffered, destination.buffered)
  const { destination: destinationBeyond, source: sourceBeyond } = beyond(moved)
  const gapMs = Math.max(source.heartbeatGapMs, destination.heartbeatGapMs, client.heartbeatGapMs)
  const suspicion = Math.max(source.suspicion, destination.suspicion, client.suspicion)
  const held = (load: Load, kind: "put" | "get"): string => {
    const ratio = load[kind].p99 / baseline[kind].p99
    return judged(latencies(load, kind), ratio <= 2, `p99 ${ratio.toFixed(1)}×, ≤ 2×`)
  }
  const { handOver, handOverSeconds } = moved
  const lines: ReadonlyArray<readonly [string, string]> = [
    ["moved in", `${seconds.toFixed(1)} s, ${((size.count * size.bytes) / mib / seconds).toFixed(1)} MiB/s`],
    ["buffered, own books", judged(inMib(buffered), buffered <= 32 * mib, "≤ 32 MiB")],
    ["source, peak beyond data", judged(inMib(sourceBeyond), sourceBeyond <= 96 * mib, "≤ 96 MiB")],
    ["destination, the same", judged(inMib(destinationBeyond), destinationBeyond <= 96 * mib, "≤ 96 MiB")],
    ["put, before", latencies(baseline, "put")],
    ["put, meanwhile", held(during, "put")],
    ["get, before", latencies(baseline, "get")],
    ["get, meanwhile", held(during, "get")],
    ["longest write gap, before", inMs(baseline.longestGapMs)],
    ["meanwhile", judged(inMs(during.longestGapMs), during.longestGapMs <= 100, "≤ 100 ms")],
    [
      "handed over in",
      `${handOverSeconds.toFixed(1)} s${handOverSeconds * 1000 >= handOverMs ? ", and not all of it" : ""}`
    ],
    ["put, then", held(handOver, "put")],
    ["get, then", held(handOver, "get")],
    ["longest write gap, then", judged(inMs(handOver.longestGapMs), handOver.longestGapMs <= 100, "≤ 100 ms")],
    ["operations failed", `${during.failed + handOver.failed} (before ${baseline.failed})`],
    [
      "heartbeats, one a second",
      judged(
        `longest gap ${inMs(gapMs)}, phi ${suspicion.toFixed(1)}`,
        gapMs < 2000 && suspicion < ClusterConfig.defaults.phiThreshold,
        "none missed, nobody suspected"
      )
    ],
    [
      "event loops, longest turn",
      `source ${inMs(source.stallMs)}, destination ${inMs(destination.stallMs)}, client ${inMs(client.stallMs)}`
    ],
    ["source, meanwhile", busy(source)],
    ["destination, meanwhile", busy(destination)],
    ["destination, its data", `${inMib(destination.rssAfter - destination.rssBefore)} resident, collected`]
  ]
  return [
    `\n${size.count} × ${inMib(size.bytes)}`,
    ...lines.map(([what, value]) => `  ${what.padEnd(26)}${value}`)
  ].join("\n")
}

// ---- running ------------------------------------------------------------------------------------

const main = async (): Promise<number> => {
  const isDefault = rate === defaultRate
  console.log(
    `${cpus().length} × ${cpus()[0]?.model ?? "unknown CPU"}, Node ${process.version}, load ${loadavg()[0]?.toFixed(1)}`
  )
  console.log(
    `values of ${valueBytes} bytes, copies at ${rate} MiB/s${isDefault ? " (default)" : ""}, client: ${perSecond} operations/s, half of them puts`
  )
  const results: Array<Moved> = []
  for (const size of [one, many]) {
    const options = {
      ids: [roles.client, roles.source, roles.destination],
      partitionCount: 61,
      copyBytesPerSecond: rate * mib
    }
    // New processes for each: what one leaves in memory is not the other's.
    const moved = await withNodes(options, (nodes) => measure(size, nodes))
    console.log(format(moved))
    results.push(moved)
  }
  if (flags.has("json")) console.log(JSON.stringify(results))
  const failed = results.reduce((sum, { during, handOver }) => sum + during.failed + handOver.failed, 0)
  if (failed > 0) console.error(`${failed} operations failed`)
  return failed > 0 ? 1 : 0
}

process.exitCode = await main()
