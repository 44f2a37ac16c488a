/**
 * Wrong input, with real processes: each ends with one line on stderr that names the value and says what
 * to do, an exit code other than 0, and no stack trace; and a node that runs is harmed by none of it.
 */
import { spawn } from "node:child_process"
import { fileURLToPath } from "node:url"
import { freePort, ProcessCluster } from "./ProcessCluster.ts"

const bin = fileURLToPath(new URL("../../src/cli/bin.ts", import.meta.url))

interface Ran {
  readonly code: number | string
  readonly stdout: string
  /** Lines of stderr that are no log lines. */
  readonly said: ReadonlyArray<string>
}

/** Milliseconds after which a process that should have ended is killed. */
const limitMs = 15_000

const run = (args: ReadonlyArray<string>, env: Readonly<Record<string, string>>): Promise<Ran> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [bin, ...args], {
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"]
    })
    let stdout = ""
    let stderr = ""
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()))
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()))
    child.on("error", reject)
    const timer = setTimeout(() => child.kill("SIGKILL"), limitMs)
    child.on("close", (code, signal) => {
      clearTimeout(timer)
      const lines = stderr.split("\n").filter((line) => line !== "")
      resolve({ code: code ?? signal ?? "?", stdout, said: lines.filter((line) => !line.startsWith("{")) })
    })
  })

interface Scenario {
  readonly name: string
  readonly args: ReadonlyArray<string>
  readonly env?: Readonly<Record<string, string>>
  /** What the one line must say: the value, and what to do. */
  readonly wanted: ReadonlyArray<string>
}

const node = (...args: ReadonlyArray<string>) => ["node", "--node-id=late", "--cluster-id=prod", ...args]

/** The address of a running node "a" of the cluster "prod" with a token, and a port on which nobody listens. */
const scenarios = (seed: string, port: number, deadSeed: string): ReadonlyArray<Scenario> => {
  const env = { SQUADRON_TOKEN: "right" }
  return [
    {
      name: "a port in use",
      args: node(`--cluster-port=${port}`),
      wanted: [seed, "EADDRINUSE", "choose another port"]
    },
    {
      name: "an unreachable seed",
      args: node(`--seeds=${deadSeed}`, "--join-timeout-ms=1500"),
      wanted: [deadSeed, "refused", "check the seed"]
    },
    {
      name: "a wrong cluster id",
      args: ["node", "--node-id=late", "--cluster-id=tset", `--seeds=${seed}`],
      env,
      wanted: ['"tset"', '"prod"', "set the"]
    },
    {
      name: "a duplicate node id",
      args: ["node", "--node-id=a", "--cluster-id=prod", `--seeds=${seed}`],
      env,
      wanted: ['"a"', seed, "another id"]
    },
    {
      name: "a wrong token",
      args: node(`--seeds=${seed}`),
      env: { SQUADRON_TOKEN: "wrong" },
      wanted: ["token", "set the join token"]
    },
    { name: "no token", args: node(`--seeds=${seed}`), wanted: ["token", "set the join token"] },
    { name: "an unknown flag", args: node("--cluster-prt=1"), wanted: ["--cluster-prt", "--cluster-port"] },
    { name: "an unknown command", args: ["nodes"], wanted: ['"nodes"', "node"] },
    {
      name: "a flag that is no number",
      args: node("--backup-count=two"),
      wanted: ["--backup-count", '"two"', "--help"]
    },
    {
      name: "a setting out of range",
      args: node("--heartbeat-interval-ms=5"),
      wanted: ["--heartbeat-interval-ms is 5", "10…60000"]
    },
    {
      name: "a seed that is no address",
      args: node("--seeds=example.org"),
      wanted: ["--seeds", "example.org", "host:port"]
    },
    {
      name: "a host that cannot be resolved",
      args: node("--host=no-such-host.invalid"),
      wanted: ["no-such-host.invalid"]
    },
    {
      name: "a store in a folder that is not there",
      args: node("--store=sqlite:/no/such/folder/x.db"),
      wanted: ["--store sqlite:/no/such/folder/x.db", "check that its folder is there"]
    },
    {
      name: "a store that is another file",
      args: node(`--store=sqlite:${bin}`),
      wanted: [`--store sqlite:${bin}`, "not a database", "choose another file"]
    },
    {
      name: "a store of an unknown kind",
      args: node("--store=redis"),
      wanted: ["--store", '"redis"', "sqlite:"]
    },
    { name: "a wrong flag of the demo", args: ["demo", "--jsn"], wanted: ["--jsn", "--json"] }
  ]
}

const faults = ({ code, said, stdout }: Ran, wanted: ReadonlyArray<string>): ReadonlyArray<string> => {
  const text = said.join("\n")
  return [
    ...(code === 1 ? [] : [`exit code ${code}, not 1`]),
    ...(said.length === 1 ? [] : [`${said.length} lines instead of one`]),
    ...(text.startsWith("squadron: ") ? [] : ["the line does not start with the program's name"]),
    ...(/^\s+at /m.test(text) ? ["a stack trace"] : []),
    ...(stdout === "" ? [] : ["output on stdout"]),
    ...wanted.filter((part) => !text.includes(part)).map((part) => `does not say ${part}`)
  ]
}

/** Runs all scenarios one after the other, prints a line for each, and counts those that failed. */
export const badInputScenarios = async (): Promise<number> => {
  const cluster = new ProcessCluster()
  let failed = 0
  const judge = (name: string, found: ReadonlyArray<string>, text: string): void => {
    if (found.length > 0) failed++
    console.log(found.length === 0 ? `ok     ${name}: ${text}` : `FAILED ${name}: ${found.join(", ")}\n${text}`)
  }
  try {
    const [port, dead] = await Promise.all([freePort(), freePort()])
    process.env["SQUADRON_TOKEN"] = "right"
    cluster.start("a", port, ["--cluster-id", "prod"])
    delete process.env["SQUADRON_TOKEN"]
    await cluster.until("the node that runs has founded its cluster", () => cluster.agree(["a"]), 20_000)
    const reportsBefore = cluster.get("a").reports.length
    for (const { args, env, name, wanted } of scenarios(`127.0.0.1:${port}`, port, `127.0.0.1:${dead}`)) {
      const ran = await run(args, env ?? {})
      judge(name, faults(ran, wanted), ran.said.join("\n"))
    }
    const more = cluster.get("a").reports.length - reportsBefore
    judge("the node that runs", more === 0 ? [] : ["what it reports has changed"], `${more} further reports`)
  } finally {
    cluster.dispose()
  }
  return failed
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const failed = await badInputScenarios()
  process.exitCode = failed === 0 ? 0 : 1
}
