/**
 * `npm run bench:maps`: `put` with one backup, and `get`, against Redis with one replica on the same machine in the same
 * run. Three nodes in processes of their own; the client is one of them.
 *
 * A `remote` key has its owner and its backup on the two other nodes, so that an operation takes the same way as with
 * Redis: from the client to the owner, to the replica, and back. Contenders take turns; medians of their turns count.
 */
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { cpus } from "node:os"
import { Flags } from "../test/Flags.ts"
import { median } from "./Harness.ts"
import { Exchanged, type Keys, Nothing, Profile } from "./nodes/Commands.ts"
import { type NodeProcess, withNodes } from "./nodes/Nodes.ts"
import { exchange, type RedisExchange } from "./redis/RedisLoad.ts"
import { type RedisServers, withRedis } from "./redis/RedisServers.ts"

const help = `npm run bench:maps -- [flags]

  --quick          a short cut of half a minute
  --without-redis  leaves the peer out; otherwise Debian's redis-server must be there
  --depth N        operations that a pipeline has under way, at most 4096 (default 256)
  --value-bytes N  size of a value, at most 1 MiB (default 64)
  --json           prints the rows as JSON on the last line
  --help`

const flags = new Flags(help, { valued: ["depth", "value-bytes"], switches: ["quick", "json", "without-redis"] })
const isQuick = flags.has("quick")
const depth = flags.wholeNumber("depth", 256)
const valueBytes = flags.wholeNumber("value-bytes", 64)
if (depth > 4096) flags.fail(`--depth ${depth} is more than 4096`)
if (valueBytes > 2 ** 20) flags.fail(`--value-bytes ${valueBytes} is more than 1 MiB`)
const rounds = isQuick ? 3 : 7
const warmUps = isQuick ? 1 : 3
const durationMs = isQuick ? 250 : 700

type Operation = "put" | "get"

interface Contender {
  readonly group: string
  readonly name: string
  readonly run: () => Promise<Exchanged>
}

interface Measured {
  readonly group: string
  readonly name: string
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
  /** CPU time of all processes for an operation, in microseconds. */
  readonly cpuMicros: number
}

const redisName = "Redis"

// ---- contenders ---------------------------------------------------------------------------------

const groupOf = (operation: Operation, inFlight: number): string => {
  const what = operation === "put" ? "put, one backup" : "get"
  return inFlight === 1 ? `${what}, one at a time` : `${what}, ${inFlight} under way`
}

const squadron = (client: NodeProcess, operation: Operation, inFlight: number, keys: Keys): Contender => ({
  group: groupOf(operation, inFlight),
  name: `Squadron, ${keys}`,
  run: () => client.ask({ type: "exchange", operation, keys, inFlight, durationMs, valueBytes }, Exchanged)
})

const redis = (
  { port }: RedisServers,
  operation: Operation,
  inFlight: number,
  over: RedisExchange["over"] = "pipeline"
): Contender => ({
  group: groupOf(operation, inFlight),
  name: over === "pipeline" ? redisName : `${redisName}, as many connections`,
  run: () => exchange(port, { operation, inFlight, over, durationMs, valueBytes })
})

const contendersOf = (client: NodeProcess, servers: RedisServers | undefined): ReadonlyArray<Contender> => {
  const contenders: Array<Contender> = []
  for (const operation of ["put", "get"] as const) {
    for (const inFlight of [1, depth]) {
      for (const keys of ["remote", "local", "mixed"] as const) {
        contenders.push(squadron(client, operation, inFlight, keys))
      }
      if (servers === undefined) continue
      contenders.push(redis(servers, operation, inFlight))
      if (inFlight > 1) contenders.push(redis(servers, operation, inFlight, "connections"))
    }
  }
  return contenders
}

// ---- measuring ----------------------------------------------------------------------------------

/** Clock ticks of Linux, 100 in a second, as microseconds. */
const tickMicros = 10_000

const cpuMicrosOf = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1")
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  return (Number(fields[11]) + Number(fields[12])) * tickMicros
}

const cpuMicros = (pids: ReadonlyArray<number>): number =>
  process.platform === "linux" ? pids.reduce((sum, pid) => sum + cpuMicrosOf(pid), 0) : Number.NaN

const measure = async (
  contenders: ReadonlyArray<Contender>,
  pids: ReadonlyArray<number>
): Promise<ReadonlyArray<Measured>> => {
  const taken = contenders.map(() => new Array<Exchanged & { readonly cpu: number }>())
  for (let round = -warmUps; round < rounds; round++) {
    process.stderr.write(`\rround ${round + warmUps + 1} of ${warmUps + rounds} …`)
    for (const [index, { run }] of contenders.entries()) {
      const before = cpuMicros(pids)
      const startMs = performance.now()
      const exchanged = await run()
      const operations = (exchanged.perSecond * (performance.now() - startMs)) / 1000
      // The first rounds warm up.
      if (round >= 0) taken[index]?.push({ ...exchanged, cpu: (cpuMicros(pids) - before) / operations })
    }
  }
  process.stderr.write("\r\n")
  return contenders.map(({ group, name }, index) => {
    const of = taken[index] ?? []
    const middle = (value: (one: (typeof of)[number]) => number) => median(of.map(value))
    return {
      group,
      name,
      perSecond: middle((one) => one.perSecond),
      p50: middle((one) => one.p50),
      p99: middle((one) => one.p99),
      cpuMicros: middle((one) => one.cpu)
    }
  })
}

// ---- where the time goes ------------------------------------------------------------------------

const profileOf = async (nodes: ReadonlyArray<NodeProcess>, client: NodeProcess, operation: Operation) => {
  await Promise.all(nodes.map((node) => node.ask({ type: "startProfile" }, Nothing)))
  const ms = isQuick ? 1000 : 3000
  const { perSecond } = await client.ask(
    { type: "exchange", operation, keys: "remote", inFlight: depth, durationMs: ms, valueBytes },
    Exchanged
  )
  const profiles = await Promise.all(nodes.map((node) => node.ask({ type: "stopProfile" }, Profile)))
  const micros = new Map<string, number>()
  const operations = (perSecond * ms) / 1000
  for (const profile of profiles) {
    for (const [part, spentMs] of Object.entries(profile)) {
      micros.set(part, (micros.get(part) ?? 0) + (spentMs * 1000) / operations)
    }
  }
  return micros
}

const total = (of: ReadonlyMap<string, number>): number => [...of.values()].reduce((sum, one) => sum + one, 0)

const formatProfiles = (puts: ReadonlyMap<string, number>, gets: ReadonlyMap<string, number>): string => {
  const cell = (of: ReadonlyMap<string, number>, part: string) => {
    const micros = of.get(part) ?? 0
    return `${micros.toFixed(1).padStart(8)} ${`${((100 * micros) / total(of)).toFixed(0)} %`.padStart(5)}`
  }
  const parts = [...puts.keys()].toSorted((a, b) => (puts.get(b) ?? 0) - (puts.get(a) ?? 0))
  return [
    `\nwhere the CPU time of a remote operation goes, ${depth} under way, all nodes together, µs (sampled)`,
    `  ${"".padEnd(26)}${"put".padStart(14)}${"get".padStart(15)}`,
    ...parts.map((part) => `  ${part.padEnd(26)}${cell(puts, part)} ${cell(gets, part)}`),
    `  ${"all".padEnd(26)}${total(puts).toFixed(1).padStart(8)}       ${total(gets).toFixed(1).padStart(8)}`
  ].join("\n")
}

// ---- printing -----------------------------------------------------------------------------------

const whole = (value: number): string => Math.round(value).toLocaleString("en")

const format = (rows: ReadonlyArray<Measured>): string => {
  const heading = `${"".padEnd(28)}${"op/s".padStart(10)}${"p50 ms".padStart(9)}${"p99 ms".padStart(9)}${"CPU µs/op".padStart(11)}   against Redis: op/s, CPU`
  const lines = rows.map((row, i) => {
    const peer = rows.find(({ group, name }) => group === row.group && name === redisName)
    const ratios =
      peer === undefined || row === peer
        ? ""
        : `   ${(row.perSecond / peer.perSecond).toFixed(2)}×  ${(row.cpuMicros / peer.cpuMicros).toFixed(1)}×`
    const group = rows[i - 1]?.group === row.group ? "" : `${row.group}\n`
    const cells = [whole(row.perSecond).padStart(10), row.p50.toFixed(2).padStart(9), row.p99.toFixed(2).padStart(9)]
    return `${group}  ${row.name.padEnd(26)}${cells.join("")}${row.cpuMicros.toFixed(1).padStart(11)}${ratios}`
  })
  return [heading, ...lines].join("\n")
}

const legend = `
remote: the client's node holds nothing of the key, as with Redis; local: it owns the key; mixed: any key of three nodes.
Redis: SET and WAIT 1, GET, on one connection, by a client in a process of its own; its pipeline waits once for all
puts of a batch, because WAIT holds up what follows it on its connection. CPU: of all processes, clients included.`

// ---- running ------------------------------------------------------------------------------------

const bench = async (servers: RedisServers | undefined): Promise<void> => {
  await withNodes({ ids: ["n1", "n2", "n3"], partitionCount: 271 }, async (nodes) => {
    const [, , client] = nodes
    if (client === undefined) throw new Error("three nodes were started")
    const pids = [process.pid, ...nodes.map(({ pid }) => pid), ...(servers?.pids ?? [])]
    const peer = servers === undefined ? "without Redis" : `Redis ${servers.version} with one replica`
    console.log(`${cpus().length} × ${cpus()[0]?.model ?? "unknown CPU"}, Node ${process.version}, ${peer}`)
    console.log(`values of ${valueBytes} bytes, ${rounds} rounds of ${durationMs} ms each\n`)
    const rows = await measure(contendersOf(client, servers), pids)
    console.log(`${format(rows)}\n${legend}`)
    const puts = await profileOf(nodes, client, "put")
    const gets = await profileOf(nodes, client, "get")
    console.log(formatProfiles(puts, gets))
    if (flags.has("json")) {
      const where = { put: Object.fromEntries(puts), get: Object.fromEntries(gets) }
      console.log(JSON.stringify({ rows, cpuMicrosOf: where }))
    }
  })
}

const main = async (): Promise<number> => {
  if (flags.has("without-redis")) {
    await bench(undefined)
    return 0
  }
  if (spawnSync("redis-server", ["--version"]).error !== undefined) {
    console.error("redis-server is not installed: apt-get install redis-server, or run with --without-redis")
    return 1
  }
  await withRedis(bench)
  return 0
}

process.exitCode = await main()
