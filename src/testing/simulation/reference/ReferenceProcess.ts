/** A process of the reference in the virtual world. */
import { formatAddress } from "../../../domain/model/Address.ts"
import { VirtualProcess } from "../VirtualProcess.ts"
import { type ReferenceEvent, referenceTurn } from "./ReferencePeer.ts"
import { type ReferenceAction, type ReferenceOptions, referenceStart, type ReferenceState } from "./ReferenceState.ts"

export class ReferenceProcess extends VirtualProcess {
  state: ReferenceState

  constructor(options: ReferenceOptions, wallMs: number) {
    // A reference node's host is named like it.
    super(options.nodeId, formatAddress(options.host, options.clusterPort))
    this.state = referenceStart(options, wallMs)
  }

  turn(event: ReferenceEvent, wallMs: number): ReadonlyArray<ReferenceAction> {
    const [state, actions] = referenceTurn(this.state, event, wallMs)
    this.state = state
    return actions
  }
}
