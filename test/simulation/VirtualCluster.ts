/** A cluster in virtual time, driven by hand: the simulator's world, watched for everything that must never happen. */
import type { ClusterChange } from "../../src/domain/model/ClusterChange.ts"
import type { ClusterConfig } from "../../src/domain/model/ClusterConfig.ts"
import type { NodeConfig } from "../../src/domain/model/NodeConfig.ts"
import { available, type QuorumPolicy } from "../../src/domain/protocol/Quorum.ts"
import { disagreement } from "../../src/testing/simulation/Agreement.ts"
import type { DelayRange } from "../../src/testing/simulation/Network.ts"
import type { Process } from "../../src/testing/simulation/Process.ts"
import { Safety } from "../../src/testing/simulation/Safety.ts"
import { freeze } from "../../src/testing/simulation/Strike.ts"
import { Transcript } from "../../src/testing/simulation/Transcript.ts"
import { World } from "../../src/testing/simulation/World.ts"

export interface StartOptions {
  /** Addresses. */
  readonly seeds?: ReadonlyArray<string>
  readonly config?: Partial<ClusterConfig>
  readonly node?: Partial<NodeConfig>
  /** Where it runs; default: its id. */
  readonly host?: string
}

export interface ClusterOptions {
  readonly seed?: number
  readonly delay?: DelayRange
  /** Clocks with random origins that run up to half a percent fast or slow. */
  readonly skewedClocks?: boolean
  /** Default: `available`. */
  readonly policy?: QuorumPolicy
  /** Several clusters may be founded, although nobody restarts. */
  readonly mayFoundAgain?: boolean
}

/** The address of a node by default: a port from the number in its id. */
export const addressOf = (id: string): string => `127.0.0.1:${portOf(id)}`
export const portOf = (id: string): number => 9000 + Number(id.replaceAll(/\D/g, ""))

/** Longer than any run. */
const forEverMs = 1e9

export class VirtualCluster {
  readonly world: World
  readonly safety: Safety
  private readonly transcript = new Transcript()
  private readonly changes = new Map<Process, Array<ClusterChange>>()

  constructor(options: ClusterOptions = {}) {
    this.safety = new Safety(() => this.world)
    this.world = new World({
      seed: options.seed ?? 1,
      policy: options.policy ?? available,
      skewedClocks: options.skewedClocks === true,
      delay: options.delay ?? { minMs: 1, maxMs: 1 },
      codec: false,
      transcript: this.transcript,
      observe: (process, before) => this.safety.stepped(process, before),
      heard: (listener, speaker) => this.safety.heard(listener, speaker),
      executes: (process, command) => {
        if (command._tag === "Publish") this.changesIn(process).push(...command.changes)
      }
    })
    this.world.hasSameSeeds = options.mayFoundAgain !== true
  }

  get network() {
    return this.world.network
  }
  get nowMs(): number {
    return this.world.nowMs
  }
  get log(): ReadonlyArray<string> {
    return this.transcript.text
  }
  get living(): ReadonlyArray<Process> {
    return this.world.living
  }
  /** The latest process on a host, dead or alive. */
  get(host: string): Process {
    const process = this.world.processes.get(host)
    if (process === undefined) throw new Error(`nothing was started on ${host}`)
    return process
  }
  /** What the latest process on a host has published, oldest first. */
  changesOf(host: string): ReadonlyArray<ClusterChange> {
    return this.changesIn(this.get(host))
  }
  private changesIn(process: Process): Array<ClusterChange> {
    const known = this.changes.get(process)
    if (known !== undefined) return known
    const none: Array<ClusterChange> = []
    this.changes.set(process, none)
    return none
  }
  forgetChanges(): void {
    this.changes.clear()
  }

  // ---- time -----------------------------------------------------------------------------------------

  run(ms: number): void {
    this.world.run(ms)
  }
  later(ms: number, run: () => void): void {
    this.world.later(ms, run)
  }
  /** Runs while `condition` holds. Returns the milliseconds that took, or −1 after `limitMs`. */
  runWhile(condition: () => boolean, limitMs = 60_000, pollMs = 10): number {
    const startMs = this.nowMs
    while (condition()) {
      if (this.nowMs - startMs >= limitMs) return -1
      this.run(pollMs)
    }
    return this.nowMs - startMs
  }
  /** Runs until all agree. Returns as {@link runWhile}. */
  converge(limitMs = 60_000): number {
    return this.runWhile(() => disagreement(this.living) !== undefined, limitMs)
  }

  // ---- processes --------------------------------------------------------------------------------------

  start(id: string, options: StartOptions = {}): void {
    const host = options.host ?? id
    const config = { seedAddresses: options.seeds ?? [], ...options.config }
    this.world.residences.put(host, { nodeId: id, port: portOf(host), seeds: [], config, node: options.node ?? {} })
    this.world.start(host)
  }
  private alive(host: string): Process | undefined {
    this.get(host)
    return this.world.get(host)
  }
  /** Ends a process. With its machine (`withHost`) nobody is told, and its address does not answer. */
  kill(host: string, withHost = false): void {
    const process = this.alive(host)
    if (process !== undefined) this.world.kill(process, withHost)
  }
  freeze(host: string): void {
    this.stall(host, forEverMs)
  }
  thaw(host: string): void {
    const process = this.alive(host)
    if (process?.isFrozen === true) process.thaw()
  }
  /** The event loop stands still for a while. */
  stall(host: string, ms: number): void {
    const process = this.alive(host)
    if (process !== undefined) freeze(this.world, process, ms)
  }
  leave(host: string): void {
    const process = this.alive(host)
    if (process !== undefined) this.world.leave(process)
  }
  cut(hostA: string, hostB: string): void {
    this.network.cut(hostA, hostB)
    this.network.cut(hostB, hostA)
  }
}
