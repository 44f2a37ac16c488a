/**
 * N cores, a virtual network and virtual time in one plain loop: the smallest world in which the
 * transitions can be watched. Deterministic; messages are values; every delivery takes one millisecond.
 */
import { ClusterConfig } from "../../../src/domain/model/ClusterConfig.ts"
import { NodeConfig } from "../../../src/domain/model/NodeConfig.ts"
import * as PhiAccrual from "../../../src/domain/detection/PhiAccrual.ts"
import type { ClusterChange } from "../../../src/domain/model/ClusterChange.ts"
import type { ClusterCommand, StopReason } from "../../../src/domain/protocol/ClusterCommand.ts"
import { type ClusterState, initial, isActing, type Joined } from "../../../src/domain/protocol/ClusterState.ts"
import * as Inbound from "../../../src/domain/protocol/Inbound.ts"
import * as Leaving from "../../../src/domain/protocol/Leaving.ts"
import * as LinkEvents from "../../../src/domain/protocol/LinkEvents.ts"
import { available } from "../../../src/domain/protocol/Quorum.ts"
import { tick } from "../../../src/domain/protocol/Tick.ts"
import { type Step, type Transition, transition } from "../../../src/domain/protocol/Transition.ts"
import type { ClusterMessage } from "../../../src/domain/wire/ClusterMessage.ts"

type Window = (typeof PhiAccrual.PhiAccrual)["empty"]

interface VirtualNode {
  readonly id: string
  readonly address: string
  state: ClusterState
  alive: boolean
  frozenUntilMs: number
  stopped: StopReason | undefined
  readonly windows: Map<string, Window>
  readonly changes: Array<ClusterChange>
  readonly ignored: Array<string>
}

interface Wire {
  readonly a: { readonly node: VirtualNode; readonly id: number }
  readonly b: { readonly node: VirtualNode; readonly id: number }
  open: boolean
}

interface Event {
  readonly atMs: number
  readonly seq: number
  readonly run: () => void
}

export interface NodeOptions {
  readonly seeds?: ReadonlyArray<string>
  readonly config?: Partial<ClusterConfig>
  readonly node?: Partial<NodeConfig>
}

export class VirtualCluster {
  nowMs = 0
  readonly log: Array<string> = []
  readonly nodes = new Map<string, VirtualNode>()
  private readonly events: Array<Event> = []
  private readonly wires = new Map<number, Wire>()
  private readonly cuts = new Set<string>()
  private seq = 0
  private connections = 0
  private incarnations = 100

  private at(delayMs: number, run: () => void): void {
    const event = { atMs: this.nowMs + delayMs, seq: this.seq++, run }
    let i = this.events.length
    while (i > 0 && (this.events[i - 1]?.atMs ?? 0) > event.atMs) i--
    this.events.splice(i, 0, event)
  }

  /** Runs a delivery at a node, later if it is frozen. */
  private deliver(node: VirtualNode, delayMs: number, run: () => void): void {
    this.at(delayMs, () => {
      if (!node.alive) return
      if (this.nowMs < node.frozenUntilMs) this.deliver(node, node.frozenUntilMs - this.nowMs, run)
      else run()
    })
  }

  runUntil(untilMs: number): void {
    for (;;) {
      const next = this.events[0]
      if (next === undefined || next.atMs > untilMs) break
      this.events.shift()
      this.nowMs = next.atMs
      next.run()
    }
    this.nowMs = untilMs
  }
  run(ms: number): void {
    this.runUntil(this.nowMs + ms)
  }
  /** Runs until `condition` holds; returns the milliseconds it took, or −1 after `limitMs`. */
  runWhile(condition: () => boolean, limitMs = 60_000): number {
    const start = this.nowMs
    while (condition()) {
      if (this.nowMs - start >= limitMs) return -1
      this.run(10)
    }
    return this.nowMs - start
  }

  start(id: string, options: NodeOptions = {}): VirtualNode {
    const port = 9000 + Number(id.replaceAll(/\D/g, ""))
    const config = { ...ClusterConfig.defaults, seedAddresses: options.seeds ?? [], ...options.config }
    const node = NodeConfig.of({ nodeId: id, clusterPort: port, clientPort: port + 1000, ...options.node })
    const address = `${node.advertiseHost}:${node.clusterPort}`
    const incarnation = this.incarnations
    this.incarnations += 100
    const virtual: VirtualNode = {
      id,
      address,
      state: initial({ config, node, policy: available, incarnation, nowMs: this.nowMs }, address),
      alive: true,
      frozenUntilMs: 0,
      stopped: undefined,
      windows: new Map(),
      changes: [],
      ignored: []
    }
    this.nodes.set(id, virtual)
    this.scheduleTick(virtual, (port * 37) % 50)
    return virtual
  }

  private scheduleTick(node: VirtualNode, delayMs: number): void {
    this.deliver(node, delayMs, () => {
      const phi = PhiAccrual.PhiAccrual
      this.commit(
        node,
        transition((step) => {
          const config = PhiAccrual.PhiAccrualConfig.fromClusterConfig(step.state.config)
          tick(step, (peer) => {
            const window = node.windows.get(peer)
            return window !== undefined && !phi.isAlive(window, step.nowMs, config)
          })
        })
      )
      if (node.stopped === undefined) this.scheduleTick(node, node.state.timing.tickIntervalMs)
    })
  }

  private commit<A>(node: VirtualNode, change: Transition<A>): A {
    const [state, answer, commands] = change(node.state, this.nowMs)
    node.state = state
    for (const command of commands) this.execute(node, command)
    return answer
  }

  leave(id: string): void {
    this.commit(this.get(id), transition(Leaving.begin))
  }

  get(id: string): VirtualNode {
    const node = this.nodes.get(id)
    if (node === undefined) throw new Error(`no node ${id}`)
    return node
  }

  joined(id: string): Joined {
    const { phase } = this.get(id).state
    if (phase._tag !== "Joined") throw new Error(`${id} has not joined`)
    return phase
  }

  /** Ends the process: its sockets are reset, its address refuses. */
  kill(id: string): void {
    const node = this.get(id)
    node.alive = false
    this.log.push(`${this.nowMs} ${id} killed`)
    for (const [key, wire] of this.wires) {
      if (key === wire.a.id && (wire.a.node === node || wire.b.node === node)) this.closeWire(wire, node)
    }
  }
  freeze(id: string, ms: number): void {
    this.get(id).frozenUntilMs = this.nowMs + ms
    this.log.push(`${this.nowMs} ${id} frozen for ${ms}`)
  }
  cut(a: string, b: string): void {
    this.cuts.add(`${a}|${b}`).add(`${b}|${a}`)
  }
  heal(): void {
    this.cuts.clear()
  }

  private closeWire(wire: Wire, by: VirtualNode): void {
    if (!wire.open) return
    wire.open = false
    this.wires.delete(wire.a.id)
    this.wires.delete(wire.b.id)
    const other = wire.a.node === by ? wire.b : wire.a
    if (this.cuts.has(`${by.id}|${other.node.id}`)) return
    this.deliver(other.node, 1, () => {
      this.commit(
        other.node,
        transition((step) => LinkEvents.closed(step, other.id))
      )
    })
  }

  private on(node: VirtualNode, run: (step: Step) => void): void {
    this.deliver(node, 1, () => this.commit(node, transition(run)))
  }

  private dial(node: VirtualNode, address: string): void {
    const target = [...this.nodes.values()].find((other) => other.address === address && other.alive)
    const cutOff = target !== undefined && this.cuts.has(`${node.id}|${target.id}`)
    if (cutOff) {
      this.at(1000, () => this.on(node, (step) => LinkEvents.dialFailed(step, address, false, "timed out")))
    } else if (target === undefined) {
      this.on(node, (step) => LinkEvents.dialFailed(step, address, true, "refused the connection"))
    } else {
      const a = { node, id: ++this.connections }
      const b = { node: target, id: ++this.connections }
      const wire: Wire = { a, b, open: true }
      this.wires.set(a.id, wire).set(b.id, wire)
      this.on(target, (step) => LinkEvents.accepted(step, b.id))
      this.on(node, (step) => LinkEvents.dialled(step, a.id, address))
    }
  }

  private send(node: VirtualNode, id: number, message: ClusterMessage): void {
    const wire = this.wires.get(id)
    if (wire === undefined) return
    const other = wire.a.id === id ? wire.b : wire.a
    if (this.cuts.has(`${node.id}|${other.node.id}`)) return
    this.log.push(`${this.nowMs} ${node.id}>${other.node.id} ${message.type}`)
    this.deliver(other.node, 1, () => {
      this.commit(
        other.node,
        transition((step) => Inbound.receive(step, other.id, message))
      )
    })
  }

  private execute(node: VirtualNode, command: ClusterCommand): void {
    const phi = PhiAccrual.PhiAccrual
    switch (command._tag) {
      case "Dial":
        this.at(command.attempt * 50, () => this.dial(node, command.address))
        return
      case "Send":
        return this.send(node, command.connection, command.message)
      case "Close": {
        const wire = this.wires.get(command.connection)
        if (wire !== undefined) this.closeWire(wire, node)
        return
      }
      case "DetectorHeartbeat": {
        const config = PhiAccrual.PhiAccrualConfig.fromClusterConfig(node.state.config)
        node.windows.set(
          command.nodeId,
          phi.sampledHeartbeat(node.windows.get(command.nodeId) ?? phi.empty, command.atMs, config)
        )
        return
      }
      case "DetectorRemove":
        node.windows.delete(command.nodeId)
        return
      case "Publish":
        node.changes.push(...command.changes)
        return
      case "Note":
        this.log.push(`${this.nowMs} ${node.id} · ${command.text}`)
        return
      case "Ignored":
        node.ignored.push(`${command.message} from ${command.from}: ${command.reason}`)
        this.log.push(`${this.nowMs} ${node.id} ignores ${command.message} from ${command.from}: ${command.reason}`)
        return
      case "Stop":
        node.stopped = command.reason
        this.log.push(`${this.nowMs} ${node.id} stops: ${JSON.stringify(command.reason)}`)
        this.kill(node.id)
        return
      case "Identify":
        return
    }
  }

  // ---- what the nodes agree on ----------------------------------------------------------------

  /** One line per node: phase, lineage, version, members, acting. */
  describe(): string {
    return [...this.nodes.values()]
      .map((node) => {
        if (!node.alive) return `${node.id} down`
        const { phase } = node.state
        if (phase._tag === "Fresh") return `${node.id} fresh`
        const members = phase.view.members.map((member) => `${member.nodeId}:${member.state}`).join(" ")
        const acting = isActing(node.state, phase) ? "*" : ""
        return `${node.id}${acting} ${phase.view.lineage} v${phase.view.version}${phase.settled ? "" : "?"} t${phase.table.version} [${members}]`
      })
      .join("\n")
  }

  /** Do all live nodes hold one settled view of exactly these active members, and one table? */
  agree(ids: ReadonlyArray<string>): boolean {
    const names = ids.map((id) => {
      const node = this.nodes.get(id)
      const phase = node?.state.phase
      if (phase === undefined || phase._tag !== "Joined" || !phase.settled) return "none"
      const members = phase.view.members.map((member) => `${member.nodeId}:${member.state}`).toSorted()
      const wanted = ids.map((name) => `${name}:active`).toSorted()
      if (members.join(" ") !== wanted.join(" ")) return "none"
      return `${phase.view.lineage} ${phase.view.version} ${phase.table.version}`
    })
    return names[0] !== "none" && names.every((name) => name === names[0])
  }
}
