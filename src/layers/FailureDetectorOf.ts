/** A failure detector service from a pure detector: one arrival window for each node. */
import { Effect, Layer, Option } from "effect"
import type { ArrivalWindow } from "../domain/detection/ArrivalWindow.ts"
import type { Detector } from "../domain/detection/Detector.ts"
import type { PhiAccrualConfig } from "../domain/detection/PhiAccrualConfig.ts"
import type { NodeId } from "../domain/model/Scalars.ts"
import { FailureDetector } from "../services/FailureDetector.ts"

/** Nodes that are watched at the same time; a further one is not tracked and counts as alive. */
export const maxTrackedNodes = 20_000

/**
 * Heartbeats pass the sampling rule: only regular ones tell something about a node's rhythm, so
 * acknowledgements out of turn and the gap of an outage are signs of life but no samples.
 */
export const layer = (detector: Detector, config: PhiAccrualConfig): Layer.Layer<FailureDetector> =>
  Layer.sync(FailureDetector, () => {
    const windows = new Map<NodeId, ArrivalWindow>()
    const windowOf = (nodeId: NodeId): ArrivalWindow => windows.get(nodeId) ?? detector.empty
    return FailureDetector.of({
      heartbeat: (nodeId, nowMs) =>
        Effect.sync(() => {
          if (!windows.has(nodeId) && windows.size >= maxTrackedNodes) return
          windows.set(nodeId, detector.sampledHeartbeat(windowOf(nodeId), nowMs, config))
        }),
      isAlive: (nodeId, nowMs) => Effect.sync(() => detector.isAlive(windowOf(nodeId), nowMs, config)),
      lastHeartbeat: (nodeId) => Effect.sync(() => Option.fromUndefinedOr(detector.lastArrivalMs(windowOf(nodeId)))),
      suspicionLevel: (nodeId, nowMs) => Effect.sync(() => detector.level(windowOf(nodeId), nowMs, config)),
      remove: (nodeId) => Effect.sync(() => void windows.delete(nodeId)),
      reset: Effect.sync(() => windows.clear())
    })
  })
