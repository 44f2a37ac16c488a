/** Judges from arrivals whether a node lives. Swappable: phi accrual, a deadline, or a fake. */
import { Context, Effect, Layer, Option } from "effect"
import type { NodeId } from "../domain/model/Scalars.ts"

/**
 * Times are milliseconds of one monotonic clock, the same in all calls. A node that was never heard
 * is alive and has level 0: the caller decides how long it waits for a first sign of life.
 */
export class FailureDetector extends Context.Service<
  FailureDetector,
  {
    /** A heartbeat of the node arrived. */
    readonly heartbeat: (nodeId: NodeId, nowMs: number) => Effect.Effect<void>
    /** Is the node still above suspicion? */
    readonly isAlive: (nodeId: NodeId, nowMs: number) => Effect.Effect<boolean>
    /** When the node was last heard. */
    readonly lastHeartbeat: (nodeId: NodeId) => Effect.Effect<Option.Option<number>>
    /** 0 or more, never falling while the node is silent. */
    readonly suspicionLevel: (nodeId: NodeId, nowMs: number) => Effect.Effect<number>
    /** Forgets a node: it is gone, or a new process. */
    readonly remove: (nodeId: NodeId) => Effect.Effect<void>
    /** Forgets all. */
    readonly reset: Effect.Effect<void>
  }
>()("effect-squadron/FailureDetector") {
  /** Trusts everyone for ever: for specs in which nobody fails. */
  static readonly layerTrusting: Layer.Layer<FailureDetector> = Layer.succeed(FailureDetector, {
    heartbeat: () => Effect.void,
    isAlive: () => Effect.succeed(true),
    lastHeartbeat: () => Effect.succeed(Option.none()),
    suspicionLevel: () => Effect.succeed(0),
    remove: () => Effect.void,
    reset: Effect.void
  })
}
