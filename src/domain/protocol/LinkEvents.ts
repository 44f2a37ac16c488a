/** What the transport reports of connections: they come, they fail, they end. */
import * as Bootstrap from "./Bootstrap.ts"
import { isActing } from "./ClusterState.ts"
import { isReference, masterByAge, memberOf } from "./ClusterView.ts"
import * as Duties from "./Duties.ts"
import * as Following from "./Following.ts"
import * as Heartbeat from "./Heartbeat.ts"
import * as Mesh from "./Mesh.ts"
import type { ConnectionId } from "./MeshState.ts"
import * as References from "./References.ts"
import { partOf, probe } from "./SplitPart.ts"
import * as Suspicion from "./Suspicion.ts"
import type { Step } from "./Transition.ts"

/** Somebody connected. It has to say who it is. */
export const accepted = (step: Step, id: ConnectionId): void => Mesh.accepted(step, id)

/** A dial succeeded: open with the frame that says who this is. */
export const dialled = (step: Step, id: ConnectionId, address: string): void => {
  Mesh.dialled(step, id, address)
  const joined = step.joined
  if (joined !== undefined && Following.isLed(joined)) return Following.dialled(step, joined, id, address)
  if (joined !== undefined) {
    const resident = Mesh.residentAt(joined.view, address)
    if (References.dialled(step, joined, id, address, resident)) return
    Mesh.reply(step, id, resident === undefined ? probe(step, partOf(step, joined)) : Heartbeat.opening(step, joined))
  } else if (step.fresh !== undefined) Mesh.reply(step, id, Bootstrap.joinRequest(step, step.fresh))
}

/** A dial failed. Refused, it may prove that the process which listened there is dead. */
export const dialFailed = (step: Step, address: string, refused: boolean, reason: string): void => {
  const expected = Mesh.dialFailed(step, address)
  const fresh = step.fresh
  if (fresh !== undefined) {
    const known = fresh.dialFailures.get(address)
    if (known === reason) return
    if (known === undefined && fresh.seeds.some((seed) => seed.address === address)) {
      step.note(`seed ${address} ${reason}; trying again`, "warn")
    }
    step.setFresh({ dialFailures: new Map(fresh.dialFailures).set(address, reason) })
    return
  }
  if (expected === undefined || !refused) return
  Suspicion.refused(step, expected)
  Duties.run(step)
}

/**
 * A connection ended, and not by this side. If it was a member's last one, dial it at once, whoever is
 * older: a refusal proves its death, and a success restores the link.
 */
export const closed = (step: Step, id: ConnectionId): void => {
  const nodeId = Mesh.remove(step, id)
  const joined = step.joined
  if (nodeId === undefined || joined === undefined) return
  const member = memberOf(joined.view, nodeId)
  if (member === undefined || member.state === "dead") return
  if (isReference(member) && !isActing(step.state, joined) && nodeId !== joined.view.ledBy) return
  Mesh.markLost(step, nodeId)
  step.note(`the connection to ${nodeId} ended`, nodeId === masterByAge(joined.view)?.nodeId ? "info" : "debug")
  Mesh.dialAtOnce(step, Mesh.addressOf(member), nodeId)
}
