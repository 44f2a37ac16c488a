/**
 * One process of the virtual world: a state of the core, its failure detector, and an event loop that
 * can stand still. What arrives meanwhile is held, as a kernel would, and handled after the thaw.
 */
import { PhiAccrual, PhiAccrualConfig } from "../../src/domain/detection/PhiAccrual.ts"
import type { ClusterChange } from "../../src/domain/model/ClusterChange.ts"
import type { ClusterCommand, StopReason } from "../../src/domain/protocol/ClusterCommand.ts"
import { type ClusterState, isActing, type Joined } from "../../src/domain/protocol/ClusterState.ts"
import { tick } from "../../src/domain/protocol/Tick.ts"
import { type Step, transition } from "../../src/domain/protocol/Transition.ts"

/** A process may run fast or slow, and counts from any origin. */
export interface ProcessClock {
  readonly offsetMs: number
  readonly rate: number
}

export class VirtualProcess {
  /** Where it runs: cuts are between hosts. One process at a time lives there. */
  readonly host: string
  readonly address: string
  readonly number: number
  readonly windows = new Map<string, (typeof PhiAccrual)["empty"]>()
  readonly changes: Array<ClusterChange> = []
  readonly ignored = new Map<string, number>()
  state: ClusterState
  isAlive = true
  /** The machine answers: a dead process on it refuses connections at once. */
  isHostUp = true
  stopped: StopReason | undefined
  private readonly clock: ProcessClock
  private held: Array<() => void> | undefined

  constructor(host: string, address: string, number: number, clock: ProcessClock, state: ClusterState) {
    this.host = host
    this.address = address
    this.number = number
    this.clock = clock
    this.state = state
  }

  get id(): string {
    return this.state.self.nodeId
  }
  get incarnation(): number {
    return this.state.self.incarnation
  }
  get isFrozen(): boolean {
    return this.held !== undefined
  }
  get joined(): Joined | undefined {
    return this.state.phase._tag === "Joined" ? this.state.phase : undefined
  }
  get isActing(): boolean {
    return this.joined !== undefined && isActing(this.state, this.joined)
  }

  /** What its monotonic clock shows at a time of the world. */
  monotonicMs(worldMs: number): number {
    return this.clock.offsetMs + worldMs * this.clock.rate
  }

  freeze(): void {
    this.held ??= []
  }
  thaw(): void {
    const held = this.held ?? []
    this.held = undefined
    for (const run of held) this.handle(run)
  }
  /** Handles an event now, or after the thaw. A dead process handles nothing. */
  handle(run: () => void): void {
    if (!this.isAlive) return
    if (this.held === undefined) run()
    else this.held.push(run)
  }

  /** One transition. Returns its commands. */
  commit(worldMs: number, run: (step: Step) => void): ReadonlyArray<ClusterCommand> {
    const [state, , commands] = transition(run)(this.state, this.monotonicMs(worldMs))
    this.state = state
    return commands
  }

  tick(worldMs: number): ReadonlyArray<ClusterCommand> {
    const config = PhiAccrualConfig.fromClusterConfig(this.state.config)
    return this.commit(worldMs, (step) =>
      tick(step, (peer) => {
        const window = this.windows.get(peer)
        return window !== undefined && !PhiAccrual.isAlive(window, step.nowMs, config)
      })
    )
  }

  detectorHeard(nodeId: string, atMs: number): void {
    const window = this.windows.get(nodeId) ?? PhiAccrual.empty
    const config = PhiAccrualConfig.fromClusterConfig(this.state.config)
    this.windows.set(nodeId, PhiAccrual.sampledHeartbeat(window, atMs, config))
  }

  /** One line: phase, lineage, version, members, acting. */
  describe(): string {
    const { phase, self } = this.state
    const name = `${self.nodeId}@${self.incarnation}`
    if (!this.isAlive) return `${name} down`
    const frozen = this.isFrozen ? " (frozen)" : ""
    if (phase._tag === "Fresh") {
      return `${name} fresh, promise ${phase.promise.term} to ${phase.promise.to}, target ${phase.target?.address}, former ${phase.formerVoters.length}, heard ${[...phase.heard.keys()].join()}${frozen}`
    }
    const members = phase.view.members.map((m) => `${m.nodeId}@${m.incarnation}:${m.state}`).join(" ")
    const acting = this.isActing ? "*" : ""
    const suspected = phase.suspected.length === 0 ? "" : ` suspects ${phase.suspected.join()}`
    const links = [...this.state.mesh.links].map(([peer, ids]) => `${peer}#${ids.join("#")}`).join(" ")
    return `${name}${acting} ${phase.view.lineage} v${versionText(phase.view.version)}${phase.settled ? "" : "?"} promise ${phase.promise.term}/${phase.promise.to} t${versionText(phase.table.version)} [${members}]${suspected}${frozen} links ${links}`
  }
}

/** Term and counter of a version. */
export const versionText = (version: number): string => `${Math.floor(version / 2 ** 32)}/${version % 2 ** 32}`
