/** Scenarios with real `squadron node` processes, signals, sockets, and a network that can be cut. */
import { setTimeout as wait } from "node:timers/promises"
import type { Simulation } from "../../src/testing.ts"
import { CuttingNetwork } from "./CuttingNetwork.ts"
import { freePort, ProcessCluster } from "./ProcessCluster.ts"
import { Deaths, type Settings, type Sighting, type Stage } from "./Scenario.ts"

export class ProcessStage implements Stage {
  readonly cluster = new ProcessCluster()
  readonly network = new CuttingNetwork()
  private readonly frozen = new Set<string>()
  private readonly args = new Map<string, { readonly port: number; readonly args: ReadonlyArray<string> }>()
  private readonly deaths = new Deaths()
  /** For each process the reports that were looked at for deaths. */
  private readonly looked = new Map<string, number>()
  private readonly ids: ReadonlyArray<string>

  private constructor(ids: ReadonlyArray<string>) {
    this.ids = ids
  }

  static async start(settings: Settings): Promise<ProcessStage> {
    const { ids, policy, splitBrainCheckIntervalMs, suspicionTimeoutMs } = settings
    const stage = new ProcessStage(ids)
    const homes: Array<{ readonly id: string; readonly port: number; readonly host: string }> = []
    for (const id of ids) {
      const port = await freePort()
      homes.push({ id, port, host: await stage.network.open(id, port) })
    }
    const common = [
      ["--seeds", homes.map(({ host, port }) => `${host}:${port}`).join(",")],
      ["--policy", policy],
      ["--suspicion-timeout-ms", String(suspicionTimeoutMs)],
      ["--split-brain-check-interval-ms", String(splitBrainCheckIntervalMs)]
    ].flat()
    for (const { host, id, port } of homes) {
      stage.args.set(id, { port, args: [...common, "--advertise-host", host] })
      await stage.run(id)
    }
    return stage
  }

  private async run(id: string): Promise<void> {
    const known = this.args.get(id)
    if (known === undefined) throw new Error(`${id} is none of the nodes`)
    await this.network.up(id)
    const node = this.cluster.start(id, known.port, known.args)
    this.looked.set(id, 0)
    this.deaths.forget(id)
    node.child.on("exit", () => this.network.down(id))
  }

  get nowMs(): number {
    return performance.now()
  }
  private isUp(id: string): boolean {
    return this.cluster.get(id).exitCode === undefined
  }
  async strike(fault: Simulation.Fault): Promise<void> {
    switch (fault._tag) {
      case "Kill":
        this.cluster.get(fault.node).child.kill("SIGKILL")
        return this.ended(fault.node)
      case "Leave":
        this.cluster.get(fault.node).child.kill("SIGTERM")
        return
      case "Restart":
        await this.ended(fault.node)
        return this.run(fault.node)
      case "Freeze": {
        const { child } = this.cluster.get(fault.node)
        child.kill("SIGSTOP")
        this.frozen.add(fault.node)
        setTimeout(() => {
          this.frozen.delete(fault.node)
          child.kill("SIGCONT")
        }, fault.forMs)
        return
      }
      case "Partition": {
        for (const one of fault.side) {
          for (const other of this.ids.filter((id) => !fault.side.includes(id))) {
            this.network.cut(one, other)
            if (!fault.oneWay) this.network.cut(other, one)
          }
        }
        setTimeout(() => this.network.heal(), fault.forMs).unref()
        return
      }
      case "Heal":
        return this.network.heal()
      case "BreakLink":
        return this.network.reset(fault.from, fault.to)
      default:
        throw new Error(`no way to do this to processes: ${fault._tag}`)
    }
  }
  private async ended(id: string): Promise<void> {
    await this.cluster.until(`${id} ends`, () => !this.isUp(id), 5000)
  }

  sightings(): ReadonlyArray<Sighting> {
    return this.ids
      .filter((id) => this.isUp(id) && !this.frozen.has(id))
      .map((nodeId) => {
        const { report } = this.cluster.get(nodeId)
        const named = report === undefined ? [] : [...report.owners, ...report.backups.flat()]
        return {
          nodeId,
          lineage: report?.lineage ?? "",
          version: report?.view.version ?? 0,
          members: report?.view.members ?? [],
          settled: report?.settled ?? false,
          isMaster: report?.isMaster ?? false,
          holders: new Set(named.map((index) => report?.nodes[index] ?? "nobody")),
          tableVersion: report?.tableVersion ?? 0
        }
      })
  }
  takeDead(): ReadonlySet<string> {
    for (const [id, from] of this.looked) {
      const { reports } = this.cluster.get(id)
      for (const { view } of reports.slice(from)) this.deaths.see(id, view.members)
      this.looked.set(id, reports.length)
    }
    return this.deaths.take()
  }
  async pass(ms: number): Promise<void> {
    await wait(ms)
  }
  describe(): string {
    return this.cluster.describe()
  }
  /** Lines of log that speak of a bug. */
  defects(): ReadonlyArray<string> {
    return [...this.cluster.nodes.values()].flatMap(({ id, stderr }) =>
      stderr.filter((line) => /"level":"(ERROR|FATAL)"/.test(line)).map((line) => `${id}: ${line}`)
    )
  }
  dispose(): void {
    this.cluster.dispose()
    this.network.dispose()
  }
}
