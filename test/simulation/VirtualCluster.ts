/**
 * Cores, a network and a clock in one plain loop: the smallest world in which the transitions can be
 * watched. Everything comes from one seed, so that a run replays from its number. Messages travel as
 * values; every step can be checked by an observer.
 */
import { ClusterConfig } from "../../src/domain/model/ClusterConfig.ts"
import { NodeConfig } from "../../src/domain/model/NodeConfig.ts"
import type { ClusterCommand } from "../../src/domain/protocol/ClusterCommand.ts"
import { type ClusterState, initial } from "../../src/domain/protocol/ClusterState.ts"
import * as Inbound from "../../src/domain/protocol/Inbound.ts"
import * as Leaving from "../../src/domain/protocol/Leaving.ts"
import * as LinkEvents from "../../src/domain/protocol/LinkEvents.ts"
import { available, type QuorumPolicy } from "../../src/domain/protocol/Quorum.ts"
import { redialDelayMs } from "../../src/domain/protocol/Redial.ts"
import type { Step } from "../../src/domain/protocol/Transition.ts"
import type { ClusterMessage } from "../../src/domain/wire/ClusterMessage.ts"
import { EventQueue } from "./EventQueue.ts"
import * as Render from "./Render.ts"
import { type Random, random } from "./Random.ts"
import { type DelayRange, VirtualNetwork } from "./VirtualNetwork.ts"
import { VirtualProcess } from "./VirtualProcess.ts"

export interface StartOptions {
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
  /** Keep a readable log. */
  readonly logs?: boolean
}

/** Looks at every step of a process. */
export interface Observer {
  readonly stepped: (process: VirtualProcess, before: ClusterState) => void
  readonly received: (process: VirtualProcess, from: VirtualProcess, message: ClusterMessage) => void
}

/** The address of a node by default: a port from the number in its id. */
export const addressOf = (id: string): string => `127.0.0.1:${portOf(id)}`
export const portOf = (id: string): number => 9000 + Number(id.replaceAll(/\D/g, ""))

export class VirtualCluster {
  readonly queue = new EventQueue()
  readonly network: VirtualNetwork
  readonly log: Array<string> = []
  /** The latest process on each host. */
  readonly processes = new Map<string, VirtualProcess>()
  observer: Observer | undefined
  /** Of everything that happened. */
  traceHash = 0
  steps = 0
  private readonly random: Random
  private readonly options: ClusterOptions
  private started = 0

  constructor(options: ClusterOptions = {}) {
    this.options = options
    this.random = random(options.seed ?? 1)
    this.network = new VirtualNetwork(this.queue, this.random, options.delay ?? { minMs: 1, maxMs: 1 }, {
      accepted: (process, id) => this.step(process, 1, (step) => LinkEvents.accepted(step, id)),
      dialled: (process, id, address) => this.step(process, 2, (step) => LinkEvents.dialled(step, id, address)),
      dialFailed: (process, address, refused) =>
        this.step(process, 3, (step) =>
          LinkEvents.dialFailed(step, address, refused, refused ? "refused the connection" : "timed out")
        ),
      closed: (process, id) => this.step(process, 4, (step) => LinkEvents.closed(step, id)),
      received: (process, id, message, from) => {
        if (this.options.logs === true) this.note(process, `<- ${from.id} ${Render.message(message)}`)
        this.step(process, 5, (step) => Inbound.receive(step, id, message))
        this.observer?.received(process, from, message)
      }
    })
  }

  get nowMs(): number {
    return this.queue.nowMs
  }

  // ---- time -----------------------------------------------------------------------------------------

  run(ms: number): void {
    this.queue.runUntil(this.nowMs + ms)
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

  // ---- processes --------------------------------------------------------------------------------------

  start(id: string, options: StartOptions = {}): VirtualProcess {
    const port = portOf(options.host ?? id)
    const config = { ...ClusterConfig.defaults, seedAddresses: options.seeds ?? [], ...options.config }
    const node = NodeConfig.of({ nodeId: id, clusterPort: port, clientPort: port + 1000, ...options.node })
    const address = `${node.advertiseHost}:${node.clusterPort}`
    const number = ++this.started
    const skewed = this.options.skewedClocks === true
    const clock = {
      offsetMs: skewed ? Math.floor(this.random.between(0, 1e6)) : 0,
      rate: skewed ? this.random.between(0.995, 1.005) : 1
    }
    const nowMs = clock.offsetMs + this.nowMs * clock.rate
    const state = initial(
      { config, node, policy: this.options.policy ?? available, incarnation: number * 1000, nowMs },
      address
    )
    const process = new VirtualProcess(options.host ?? id, address, number, clock, state)
    this.processes.set(process.host, process)
    this.network.listen(process)
    this.note(process, "starts")
    const tickMs = state.timing.tickIntervalMs / clock.rate
    const tick = (): void => {
      if (!process.isAlive) return
      // A frozen process misses ticks, it does not collect them.
      if (process.isFrozen) process.handle(() => this.tick(process))
      else this.tick(process)
      const again = (): void => {
        if (process.isFrozen) process.handle(() => this.queue.after(0, again))
        else this.queue.after(tickMs, tick)
      }
      again()
    }
    this.queue.after(this.random.between(0, tickMs), tick)
    return process
  }

  get(host: string): VirtualProcess {
    const process = this.processes.get(host)
    if (process === undefined) throw new Error(`nothing was started on ${host}`)
    return process
  }
  get living(): ReadonlyArray<VirtualProcess> {
    return [...this.processes.values()].filter((process) => process.isAlive)
  }

  /** Ends a process. With its machine (`withHost`) nobody is told, and its address does not answer. */
  kill(host: string, withHost = false): void {
    const process = this.get(host)
    if (!process.isAlive) return
    this.note(process, withHost ? "loses its machine" : "is killed")
    process.isAlive = false
    process.isHostUp = !withHost
    this.network.closeAll(process, this.random.chance(0.5))
  }
  freeze(host: string): void {
    const process = this.get(host)
    if (process.isFrozen || !process.isAlive) return
    this.note(process, "freezes")
    process.freeze()
  }
  thaw(host: string): void {
    const process = this.get(host)
    if (!process.isFrozen) return
    this.note(process, "thaws")
    process.thaw()
  }
  /** The event loop stands still for a while. */
  stall(host: string, ms: number): void {
    const process = this.get(host)
    if (process.isFrozen) return
    this.freeze(host)
    this.queue.after(ms, () => {
      if (this.processes.get(host) === process) this.thaw(host)
    })
  }
  leave(host: string): void {
    const process = this.get(host)
    process.handle(() => this.step(process, 6, Leaving.begin))
  }
  cut(hostA: string, hostB: string): void {
    this.network.cut(hostA, hostB)
    this.network.cut(hostB, hostA)
  }

  // ---- stepping ---------------------------------------------------------------------------------------

  private tick(process: VirtualProcess): void {
    const before = process.state
    this.finish(process, 0, before, process.tick(this.nowMs))
  }
  private step(process: VirtualProcess, kind: number, run: (step: Step) => void): void {
    if (!process.isAlive) return
    const before = process.state
    this.finish(process, kind, before, process.commit(this.nowMs, run))
  }
  private finish(
    process: VirtualProcess,
    kind: number,
    before: ClusterState,
    commands: ReadonlyArray<ClusterCommand>
  ): void {
    this.steps++
    this.mix(Math.round(this.nowMs * 1000))
    this.mix(process.number * 8 + kind)
    this.mix(process.joined?.view.version ?? 0)
    this.mix(commands.length)
    this.observer?.stepped(process, before)
    for (const command of commands) if (process.isAlive) this.execute(process, command)
  }
  private mix(value: number): void {
    this.traceHash = (Math.imul(this.traceHash ^ (value | 0), 0x01000193) + value / 2 ** 32) | 0
  }

  private execute(process: VirtualProcess, command: ClusterCommand): void {
    switch (command._tag) {
      case "Dial": {
        const { node } = process.state
        const bounds = { minMs: node.redialMinMs, maxMs: node.redialMaxMs }
        const delayMs = command.attempt === 0 ? 0 : redialDelayMs(command.attempt - 1, this.random.next(), bounds)
        this.queue.after(delayMs, () => this.network.dial(process, command.address))
        return
      }
      case "Send":
        if (this.options.logs === true && command.message.type !== "HEARTBEAT") {
          this.note(process, `#${command.connection} -> ${Render.message(command.message)}`)
        }
        return this.network.send(process, command.connection, command.message)
      case "Close":
        return this.network.close(command.connection)
      case "DetectorHeartbeat":
        return process.detectorHeard(command.nodeId, command.atMs)
      case "DetectorRemove":
        process.windows.delete(command.nodeId)
        return
      case "Publish":
        process.changes.push(...command.changes)
        return
      case "Note":
        return this.note(process, command.text)
      case "Ignored": {
        const what = `${command.message}: ${command.reason}`
        process.ignored.set(what, (process.ignored.get(what) ?? 0) + 1)
        return this.note(process, `ignores ${command.message} from ${command.from}: ${command.reason}`)
      }
      case "Stop":
        this.note(process, `stops: ${JSON.stringify(command.reason)}`)
        process.stopped = command.reason
        process.isAlive = false
        this.network.closeAll(process, false)
        return
      case "Identify":
      case "Deliver":
        return
    }
  }

  /** A line of the log. */
  note(process: VirtualProcess | undefined, text: string): void {
    if (this.options.logs !== true) return
    const time = (this.nowMs / 1000).toFixed(3)
    this.log.push(process === undefined ? `${time} ${text}` : `${time} ${process.id}@${process.incarnation} ${text}`)
  }

  describe(): string {
    return [...this.processes.values()].map((process) => process.describe()).join("\n")
  }
}
