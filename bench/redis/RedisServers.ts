/** A Redis primary and its replica, on free ports of the loopback, for the length of a benchmark. */
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import * as Net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { connect } from "./RedisClient.ts"

export interface RedisServers {
  readonly port: number
  readonly pids: ReadonlyArray<number>
  readonly version: string
}

const startTimeoutMs = 10_000

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = Net.createServer()
    server.on("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const bound = server.address()
      server.close(() => resolve(typeof bound === "object" && bound !== null ? bound.port : 0))
    })
  })

/** In memory only, like the store that it is compared with. */
const inMemory = "--bind 127.0.0.1 --appendonly no --repl-diskless-sync-delay 0 --save".split(" ").concat("")

const until = async (what: string, holds: () => Promise<boolean>): Promise<void> => {
  const untilMs = performance.now() + startTimeoutMs
  while (!(await holds().catch(() => false))) {
    if (performance.now() > untilMs) throw new Error(`redis: ${what} took longer than ${startTimeoutMs} ms`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const ask = async (port: number, ...command: ReadonlyArray<string>): Promise<string> => {
  const client = await connect(port)
  const reply = await client.send(command)
  client.close()
  return reply
}

const stop = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve()
    child.once("exit", () => resolve())
    child.kill("SIGKILL")
  })

/** Runs with both servers; they have ended when this completes. */
export const withRedis = async <A>(run: (servers: RedisServers) => Promise<A>): Promise<A> => {
  const directory = mkdtempSync(join(tmpdir(), "bench-redis-"))
  const children: Array<ChildProcess> = []
  const start = async (port: number, ...more: ReadonlyArray<string>) => {
    const child = spawn("redis-server", ["--port", String(port), "--dir", directory, ...inMemory, ...more], {
      stdio: "ignore"
    })
    children.push(child)
    await until("the start", async () => (await ask(port, "PING")) === "PONG")
    return child.pid ?? 0
  }
  try {
    const port = await freePort()
    const primary = await start(port, "--min-replicas-to-write", "1")
    const replica = await start(await freePort(), "--replicaof", "127.0.0.1", String(port))
    await until("the replica's sync", async () => (await ask(port, "SET", "probe", "1")) === "OK")
    const version = /redis_version:(\S+)/.exec(await ask(port, "INFO", "server"))?.[1] ?? "?"
    return await run({ port, pids: [primary, replica], version })
  } finally {
    await Promise.all(children.map(stop))
    rmSync(directory, { recursive: true })
  }
}
