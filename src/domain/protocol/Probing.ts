/**
 * Looking for other parts of a split cluster. Every member, not only the master, probes its seeds and the members
 * that its view has lost: a part whose master sees nobody else is found through its other members.
 *
 * A foreign heartbeat is answered with a probe at once, but each foreign lineage gets at most one in a heartbeat
 * interval: probes that answer probes would multiply.
 */
import type { Lineage } from "../model/Scalars.ts"
import { hashToPartition } from "../placement/HashToPartition.ts"
import { maxForeignLineages } from "./Bounds.ts"
import { isActing, type SplitState } from "./ClusterState.ts"
import * as Mesh from "./Mesh.ts"
import type { ConnectionId } from "./MeshState.ts"
import { canReach, partOf, probe } from "./SplitPart.ts"
import type { Step } from "./Transition.ts"

export const setSplit = (step: Step, change: Partial<SplitState>): void =>
  step.set({ split: { ...step.state.split, ...change } })

/** May a foreign lineage be probed now? The answer yes counts as done. */
export const mayAsk = (step: Step, lineage: Lineage): boolean => {
  const intervalMs = step.state.config.heartbeatIntervalMs
  const asked = new Map([...step.state.split.askedAtMs].filter(([, atMs]) => step.nowMs - atMs < intervalMs))
  if (asked.has(lineage) || asked.size >= maxForeignLineages) return false
  setSplit(step, { askedAtMs: asked.set(lineage, step.nowMs) })
  return true
}

/** Probes whoever spoke of a foreign lineage on this connection. */
export const probeBack = (step: Step, connection: ConnectionId, lineage: Lineage): void => {
  const joined = step.joined
  if (joined !== undefined && mayAsk(step, lineage)) Mesh.reply(step, connection, probe(step, partOf(step, joined)))
}

/** Probes an address over what is open, or dials it; a connection to nobody of the view opens with a probe. */
export const probeAddress = (step: Step, address: string): void => {
  const joined = step.joined
  if (joined === undefined || address === "" || address === Mesh.ownAddress(step)) return
  const open = Mesh.dialledTo(step, address)
  if (open === undefined) Mesh.dial(step, address, undefined)
  else Mesh.reply(step, open.id, probe(step, partOf(step, joined)))
}

// Two members of one part should not probe at the same moment, nor the same two parts again and again.
const spreadMs = (step: Step, version: number): number =>
  hashToPartition(`${step.self.nodeId} ${version}`, Math.max(1, step.timing.probeSpreadMs))

const probeAll = (step: Step): void => {
  const joined = step.joined
  if (joined === undefined) return
  const { config, split } = step.state
  const outside = new Map(
    [...split.outside].filter(([, { sinceMs }]) => step.nowMs - sinceMs < step.timing.outsideForgetMs)
  )
  const nextProbeAtMs = step.nowMs + config.splitBrainCheckIntervalMs + spreadMs(step, joined.view.version)
  setSplit(step, { outside, nextProbeAtMs })
  // A node of the reference answers the master's heartbeat, and no probe.
  const asked = [...outside.values()].filter(({ reference }) => reference === undefined || isActing(step.state, joined))
  const addresses = new Set([...config.seedAddresses, ...asked.map(({ address }) => address)])
  for (const address of addresses) {
    if (Mesh.residentAt(joined.view, address) === undefined) probeAddress(step, address)
  }
}

/** What a member does at every tick: notices that its part has halted, and probes when it is time. */
export const tick = (step: Step): void => {
  const joined = step.joined
  if (joined === undefined) return
  const { haltedSinceMs, nextProbeAtMs } = step.state.split
  // Where any voter is a quorum nothing halts.
  const isHalted = !step.state.policy.forks && !canReach(step, joined)
  if (isHalted !== (haltedSinceMs !== undefined)) setSplit(step, { haltedSinceMs: isHalted ? step.nowMs : undefined })
  if (step.nowMs >= nextProbeAtMs) probeAll(step)
}

/** After a merge the next part may be near: probe again soon. */
export const probeSoon = (step: Step): void =>
  setSplit(step, {
    nextProbeAtMs: Math.min(step.state.split.nextProbeAtMs, step.nowMs + step.timing.probeSpreadMs)
  })
