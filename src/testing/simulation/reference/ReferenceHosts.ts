/** The reference nodes of a virtual world: where they live, what strikes them, and what they do. */
import { formatAddress } from "../../../domain/model/Address.ts"
import type { ClusterMessage } from "../../../domain/wire/ClusterMessage.ts"
import type { Fault } from "../Fault.ts"
import type { ReferenceEvent } from "./ReferencePeer.ts"
import { ReferenceProcess } from "./ReferenceProcess.ts"
import { heartbeatMs, type ReferenceOptions } from "./ReferenceState.ts"

/** What they need of the world around them. */
export interface Around {
  /** The wall clock of a host, milliseconds since 1970. */
  readonly wallMs: (host: string) => number
  readonly later: (delayMs: number, run: () => void) => void
  readonly listen: (process: ReferenceProcess) => void
  readonly dial: (process: ReferenceProcess, address: string) => void
  readonly send: (connection: number, message: ClusterMessage) => void
  /** The process has ended: its connections end with it. */
  readonly ended: (process: ReferenceProcess) => void
}

const tickMs = heartbeatMs / 4

export class ReferenceHosts {
  private readonly around: Around
  private readonly options = new Map<string, ReferenceOptions>()
  private readonly processes = new Map<string, ReferenceProcess>()

  constructor(around: Around) {
    this.around = around
  }

  get hosts(): ReadonlyArray<string> {
    return [...this.options.keys()]
  }
  get living(): ReadonlyArray<ReferenceProcess> {
    return [...this.processes.values()].filter((process) => process.isAlive)
  }
  get(host: string): ReferenceProcess | undefined {
    const process = this.processes.get(host)
    return process?.isAlive === true ? process : undefined
  }
  /** The addresses of those of these nodes that are of the reference, whether they run or not. */
  addressesOf(nodeIds: ReadonlyArray<string>): ReadonlyArray<string> {
    return nodeIds.flatMap((nodeId) => {
      const known = this.options.get(nodeId)
      return known === undefined ? [] : [formatAddress(known.host, known.clusterPort)]
    })
  }

  /** The node may be started, on a host of its name. */
  put(options: ReferenceOptions): void {
    this.options.set(options.nodeId, options)
  }
  start(host: string): void {
    const options = this.options.get(host)
    if (options === undefined || this.get(host) !== undefined) return
    const process = new ReferenceProcess(options, this.around.wallMs(host))
    this.processes.set(host, process)
    this.around.listen(process)
    this.handle(process, { _tag: "Started" })
    this.tick(process)
  }
  kill(process: ReferenceProcess, withHost: boolean): void {
    process.isAlive = false
    process.isHostUp = !withHost
    this.around.ended(process)
  }
  handle(process: ReferenceProcess, event: ReferenceEvent): void {
    if (!process.isAlive) return
    for (const action of process.turn(event, this.around.wallMs(process.host))) {
      if (action._tag === "Send") this.around.send(action.connection, action.message)
      else this.around.dial(process, action.address)
    }
  }
  private tick(process: ReferenceProcess): void {
    // A frozen process misses ticks, it does not collect them.
    process.whenAwake(() => {
      this.handle(process, { _tag: "Ticked" })
      this.around.later(tickMs, () => this.tick(process))
    })
  }

  private freeze(process: ReferenceProcess, forMs: number): void {
    if (process.isFrozen) return
    process.freeze()
    this.around.later(forMs, () => process.thaw())
  }
  /** Strikes one of its nodes; false if the fault is not aimed at one. */
  strike(fault: Fault): boolean {
    if (!("node" in fault) || !this.options.has(fault.node)) return false
    const process = this.get(fault.node)
    if (fault._tag === "Restart") this.start(fault.node)
    else if (process === undefined) return true
    else if (fault._tag === "Kill") this.kill(process, fault.withHost)
    // It knows no leave: it goes.
    else if (fault._tag === "Leave") this.kill(process, false)
    else if (fault._tag === "Freeze" || fault._tag === "Stall") this.freeze(process, fault.forMs)
    else return false
    return true
  }
  /** Nobody is frozen any more. */
  thawAll(): void {
    for (const process of this.living) process.thaw()
  }
}
