/** A process of the reference in the virtual world: its state, and an event loop that can stand still. */
import { formatAddress } from "../../../domain/model/Address.ts"
import { type ReferenceEvent, referenceTurn } from "./ReferencePeer.ts"
import { type ReferenceAction, type ReferenceOptions, referenceStart, type ReferenceState } from "./ReferenceState.ts"

export class ReferenceProcess {
  /** A reference node's host is named like it. */
  readonly host: string
  readonly address: string
  state: ReferenceState
  isAlive = true
  isHostUp = true
  private held: Array<() => void> | undefined

  constructor(options: ReferenceOptions, wallMs: number) {
    this.host = options.nodeId
    this.address = formatAddress(options.host, options.clusterPort)
    this.state = referenceStart(options, wallMs)
  }

  get isFrozen(): boolean {
    return this.held !== undefined
  }
  freeze(): void {
    this.held ??= []
  }
  /** Handles what has waited, in order. */
  thaw(): void {
    const held = this.held ?? []
    this.held = undefined
    for (const run of held) this.whenAwake(run)
  }
  /** Runs now, or after the thaw; never in a dead process. */
  whenAwake(run: () => void): void {
    if (!this.isAlive) return
    if (this.held === undefined) run()
    else this.held.push(run)
  }

  turn(event: ReferenceEvent, wallMs: number): ReadonlyArray<ReferenceAction> {
    const [state, actions] = referenceTurn(this.state, event, wallMs)
    this.state = state
    return actions
  }
}
