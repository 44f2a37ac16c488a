/** What `nodes/Client.ts` does with maps, done with Redis. */
import { quantile } from "../Harness.ts"
import type { Exchanged } from "../nodes/Commands.ts"
import { connect, type RedisClient } from "./RedisClient.ts"

export interface RedisExchange {
  readonly operation: "put" | "get"
  readonly inFlight: number
  /** `connections`: each with one operation at a time. `pipeline`: all on one connection. */
  readonly over: "pipeline" | "connections"
  readonly durationMs: number
  readonly valueBytes: number
}

const keyCount = 4096
/** How long the replica may take, in milliseconds. */
const waitMs = "5000"

const replicated = (copies: string): void => {
  if (Number(copies) < 1) throw new Error("redis: no replica has confirmed the write")
}

export const exchange = async (port: number, options: RedisExchange): Promise<Exchanged> => {
  const { durationMs, inFlight, operation, over, valueBytes } = options
  const value = Buffer.alloc(valueBytes, 7)
  const clients = await Promise.all(Array.from({ length: over === "connections" ? inFlight : 1 }, () => connect(port)))
  const samples: Array<number> = []
  let next = 0
  const key = () => `key-${next++ % keyCount}`
  const [main] = clients
  if (main === undefined) throw new Error("no connection")
  await Promise.all(Array.from({ length: keyCount }, () => main.send(["SET", key(), value])))
  const startMs = performance.now()
  const endMs = startMs + durationMs

  const gets = async (client: RedisClient): Promise<void> => {
    while (performance.now() < endMs) {
      const sentMs = performance.now()
      await client.send(["GET", key()])
      samples.push(performance.now() - sentMs)
    }
  }
  /** `WAIT` holds up what comes after it on its connection, so a pipeline waits once for all of a batch. */
  const puts = async (client: RedisClient, batch: number): Promise<void> => {
    while (performance.now() < endMs) {
      const sentMs = performance.now()
      const sets = Array.from({ length: batch }, () => client.send(["SET", key(), value]))
      replicated(await client.send(["WAIT", "1", waitMs]))
      await Promise.all(sets)
      const tookMs = performance.now() - sentMs
      for (let i = 0; i < batch; i++) samples.push(tookMs)
    }
  }
  if (operation === "get") {
    const each = Array.from({ length: inFlight }, (_, i) => clients[i % clients.length] ?? main)
    await Promise.all(each.map(gets))
  } else {
    const batch = over === "connections" ? 1 : inFlight
    await Promise.all(clients.map((client) => puts(client, batch)))
  }
  const perSecond = (samples.length * 1000) / (performance.now() - startMs)
  for (const client of clients) client.close()
  return { perSecond, p50: quantile(samples, 0.5), p99: quantile(samples, 0.99) }
}
