/** Starts node processes for a benchmark, asks them, and stops them. */
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import { Schema } from "effect"
import { type Command, Reply, Settled, Started } from "./Commands.ts"

export interface NodesOptions {
  readonly ids: ReadonlyArray<string>
  readonly partitionCount: number
  readonly copyBytesPerSecond?: number
}

const settleTimeoutMs = 60_000

export interface NodeProcess {
  readonly nodeId: string
  readonly pid: number
  readonly ask: <A>(command: Command, answer: Schema.Codec<A, unknown>) => Promise<A>
  readonly kill: () => void
}

const path = fileURLToPath(new URL("./Node.ts", import.meta.url))

const start = async (nodeId: string, seeds: ReadonlyArray<string>, options: NodesOptions) => {
  const { copyBytesPerSecond, partitionCount } = options
  const args = [JSON.stringify({ nodeId, seeds, partitionCount, copyBytesPerSecond })]
  const child: ChildProcess = fork(path, args, {
    execArgv: ["--expose-gc"],
    stdio: ["ignore", "ignore", "inherit", "ipc"]
  })
  const waiting = new Map<number, { resolve: (answer: unknown) => void; reject: (error: Error) => void }>()
  const gone = new Promise<never>((_, reject) => {
    child.on("exit", (code, signal) => {
      const error = new Error(`node ${nodeId} ended: ${signal ?? code}`)
      for (const { reject: refuse } of waiting.values()) refuse(error)
      reject(error)
    })
  })
  // Only of interest while it starts.
  gone.catch(() => undefined)
  const [first]: Array<unknown> = await Promise.race([once(child, "message"), gone])
  const { address } = Schema.decodeUnknownSync(Started)(first)
  child.on("message", (raw: unknown) => {
    const { answer, id } = Schema.decodeUnknownSync(Reply)(raw)
    waiting.get(id)?.resolve(answer)
    waiting.delete(id)
  })
  let lastId = 0
  const node: NodeProcess = {
    nodeId,
    pid: child.pid ?? 0,
    ask: async (command, answer) => {
      const id = ++lastId
      const answered = new Promise<unknown>((resolve, reject) => waiting.set(id, { resolve, reject }))
      child.send({ id, command })
      return Schema.decodeUnknownSync(answer)(await answered)
    },
    kill: () => {
      waiting.clear()
      child.kill("SIGKILL")
    }
  }
  return { node, address }
}

const all = async (nodes: ReadonlyArray<NodeProcess>, command: Command): Promise<boolean> => {
  const answers = await Promise.all(nodes.map((node) => node.ask(command, Settled)))
  return answers.every((holds) => holds)
}

/** Until every node says that all is where the table has it; `balanced`: and that the table is as it is to be. */
export const settle = async (
  nodes: ReadonlyArray<NodeProcess>,
  balanced: boolean,
  timeoutMs: number = settleTimeoutMs
): Promise<void> => {
  const untilMs = performance.now() + timeoutMs
  while (performance.now() < untilMs) {
    const isSettled = await all(nodes, { type: "settled", nodes: nodes.length })
    if (isSettled && (!balanced || (await all(nodes, { type: "balanced" })))) return
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error("the nodes did not settle")
}

/** The node that acts as master. Throws if there is none. */
export const masterOf = async (nodes: ReadonlyArray<NodeProcess>): Promise<NodeProcess> => {
  for (const node of nodes) if (await node.ask({ type: "isMaster" }, Settled)) return node
  throw new Error("no node acts as master")
}

/** Runs a benchmark with nodes that have agreed; the first is the master. */
export const withNodes = async <A>(
  options: NodesOptions,
  run: (nodes: ReadonlyArray<NodeProcess>) => Promise<A>
): Promise<A> => {
  const nodes: Array<NodeProcess> = []
  const seeds: Array<string> = []
  try {
    for (const id of options.ids) {
      const { address, node } = await start(id, seeds, options)
      nodes.push(node)
      if (seeds.length === 0) seeds.push(address)
    }
    await settle(nodes, true)
    return await run(nodes)
  } finally {
    for (const node of nodes) node.kill()
  }
}
