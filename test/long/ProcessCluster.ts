/** Real `squadron node` processes on loopback, watched through their own reports. For scenarios outside `npm test`. */
import { type ChildProcess, spawn } from "node:child_process"
import { createServer } from "node:net"
import { createInterface } from "node:readline"
import { setTimeout as wait } from "node:timers/promises"
import { Option } from "effect"
import { NodeReport } from "../../src/cli/NodeReport.ts"

const program = new URL("../../src/cli/bin.ts", import.meta.url).pathname

export interface NodeProcess {
  readonly id: string
  readonly port: number
  readonly child: ChildProcess
  report: NodeReport | undefined
  readonly reports: Array<NodeReport>
  readonly stderr: Array<string>
  exitCode: number | undefined
}

export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer()
    server.on("error", reject)
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0))
    })
  })

export class ProcessCluster {
  readonly nodes = new Map<string, NodeProcess>()
  /** Gets the lines on stdout that are no reports, and the end of a process. */
  onLine: ((node: NodeProcess, line: string) => void) | undefined
  onReport: ((node: NodeProcess, report: NodeReport) => void) | undefined
  onExit: ((node: NodeProcess) => void) | undefined

  /** Starts a process; `args` are added to those of `squadron node`. */
  start(id: string, port: number, args: ReadonlyArray<string>): NodeProcess {
    const child = spawn(
      process.execPath,
      [program, "node", "--node-id", id, "--cluster-port", String(port), "--report", "--stop-with-stdin", ...args],
      { stdio: ["pipe", "pipe", "pipe"] }
    )
    const node: NodeProcess = { id, port, child, report: undefined, reports: [], stderr: [], exitCode: undefined }
    this.nodes.set(id, node)
    createInterface({ input: child.stdout }).on("line", (line) => {
      const report = Option.getOrUndefined(NodeReport.fromLine(line))
      if (report === undefined) return this.onLine?.(node, line)
      node.report = report
      node.reports.push(report)
      this.onReport?.(node, report)
    })
    createInterface({ input: child.stderr }).on("line", (line) => node.stderr.push(line))
    child.on("exit", (code, signal) => {
      node.exitCode = code ?? (signal === null ? 1 : 128)
      this.onExit?.(node)
    })
    return node
  }

  get(id: string): NodeProcess {
    const node = this.nodes.get(id)
    if (node === undefined) throw new Error(`no process ${id}`)
    return node
  }

  /** Do these nodes hold one view in which exactly they are active, and one table that names only them? */
  agree(ids: ReadonlyArray<string>): boolean {
    const seen = ids.map((id) => {
      const report = this.get(id).report
      if (report === undefined) return "nothing"
      const active = report.view.members.filter((member) => member.state === "active").map((member) => member.nodeId)
      const owners = new Set(report.owners.map((owner) => report.nodes[owner] ?? "nobody"))
      const whole =
        active.toSorted().join() === ids.toSorted().join() && [...owners].every((owner) => ids.includes(owner))
      return whole ? `${report.view.version} ${report.tableVersion}` : "other"
    })
    return seen[0] !== "nothing" && seen[0] !== "other" && seen.every((one) => one === seen[0])
  }

  /** Waits for a condition; returns the milliseconds it took, or throws with what the nodes say. */
  async until(what: string, condition: () => boolean, limitMs: number): Promise<number> {
    const start = performance.now()
    while (!condition()) {
      if (performance.now() - start > limitMs) throw new Error(`${what}: not within ${limitMs} ms\n${this.describe()}`)
      await wait(10)
    }
    return performance.now() - start
  }

  describe(): string {
    return [...this.nodes.values()]
      .map((node) => {
        const members = node.report?.view.members.map((member) => `${member.nodeId}:${member.state}`).join(" ")
        const state = node.exitCode === undefined ? "runs" : `exited ${node.exitCode}`
        return `${node.id} ${state}, view ${node.report?.view.version ?? "none"} [${members ?? ""}], table ${node.report?.tableVersion ?? "none"}\n  ${node.stderr.slice(-4).join("\n  ")}`
      })
      .join("\n")
  }

  /** Ends all processes, frozen ones too. */
  dispose(): void {
    for (const { child } of this.nodes.values()) child.kill("SIGKILL")
  }
}
