/** Scenarios in virtual time, every step watched for what must never happen. */
import { majority, available } from "../../src/domain/protocol/Quorum.ts"
import { strike } from "../../src/testing/simulation/Strike.ts"
import type { Process } from "../../src/testing/simulation/Process.ts"
import type { Simulation } from "../../src/testing.ts"
import { addressOf, VirtualCluster } from "../simulation/VirtualCluster.ts"
import { Deaths, type Settings, type Sighting, type Stage } from "./Scenario.ts"

const sightingOf = ({ id, isActing, joined }: Process): Sighting => ({
  nodeId: id,
  lineage: joined?.view.lineage ?? "",
  version: joined?.view.version ?? 0,
  members: joined?.view.members ?? [],
  settled: joined?.settled ?? false,
  isMaster: isActing,
  holders: new Set(joined?.table.rows.flatMap((row) => (row === undefined ? [] : [row.owner, ...row.backups]))),
  tableVersion: joined?.table.version ?? 0
})

export class SimulatedStage implements Stage {
  private readonly cluster: VirtualCluster
  private readonly deaths = new Deaths()

  constructor({ ids, policy, splitBrainCheckIntervalMs, suspicionTimeoutMs }: Settings, seed = 1) {
    this.cluster = new VirtualCluster({
      seed,
      policy: policy === "majority" ? majority : available,
      skewedClocks: true,
      delay: { minMs: 0.1, maxMs: 1 }
    })
    const seeds = ids.map(addressOf)
    for (const id of ids) this.cluster.start(id, { seeds, config: { splitBrainCheckIntervalMs, suspicionTimeoutMs } })
  }

  get nowMs(): number {
    return this.cluster.nowMs
  }
  strike(fault: Simulation.Fault): Promise<void> {
    if (fault._tag === "Restart") this.deaths.forget(fault.node)
    strike(this.cluster.world, fault)
    return Promise.resolve()
  }
  sightings(): ReadonlyArray<Sighting> {
    return this.cluster.living
      .filter((process) => !process.isFrozen)
      .map(sightingOf)
      .toSorted((a, b) => (a.nodeId < b.nodeId ? -1 : 1))
  }
  takeDead(): ReadonlySet<string> {
    return this.deaths.take()
  }
  pass(ms: number): Promise<void> {
    for (const untilMs = this.nowMs + ms; this.nowMs < untilMs;) {
      this.cluster.run(Math.min(20, untilMs - this.nowMs))
      for (const { members, nodeId } of this.sightings()) this.deaths.see(nodeId, members)
    }
    return Promise.resolve()
  }
  describe(): string {
    return this.cluster.log.slice(-30).join("\n")
  }
  dispose(): void {
    // Nothing runs.
  }
}
