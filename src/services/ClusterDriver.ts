/** The one cell that holds a node's protocol state, and its only writer. */
import { Context, type Effect, type Scope } from "effect"
import type { NodeId } from "../domain/model/Scalars.ts"
import type { ClusterMessageOf } from "../domain/wire/ClusterMessage.ts"
import type { StopReason } from "../domain/protocol/ClusterCommand.ts"
import type { ClusterState } from "../domain/protocol/ClusterState.ts"
import type { Transition } from "../domain/protocol/Transition.ts"

/** `isMember`: a joiner may ask before this node knows it as a member; it is to be refused, not left without an answer. */
export type ForwardHandler = (from: NodeId, message: ClusterMessageOf<"OP_FORWARD">, isMember: boolean) => void

export class ClusterDriver extends Context.Service<
  ClusterDriver,
  {
    readonly state: Effect.Effect<ClusterState>
    /**
     * Applies a transition and hands its commands to the outbox, in the order of the commits.
     * Uninterruptible: a state without its commands would be half a decision. Waits while the outbox
     * is full, so it must not be awaited by what executes commands.
     */
    readonly commit: <A>(transition: Transition<A>) => Effect.Effect<A>
    /**
     * Hands over, while the scope lives, forwarded operations whose `clientId` is this one, which would go to the
     * application otherwise. The handler is called in the order of the commits and must return at once.
     */
    readonly onForward: (clientId: string, handler: ForwardHandler) => Effect.Effect<void, never, Scope.Scope>
    /**
     * Calls the listener, while the scope lives, after each commit by which this node sees its cluster, its own place in
     * it, or who can be reached differently. It must return at once.
     */
    readonly onChange: (listener: (state: ClusterState) => void) => Effect.Effect<void, never, Scope.Scope>
    /** Completes when the node stops by itself: it has left, or could not join. Dies with a bug of the driver. */
    readonly stopped: Effect.Effect<StopReason>
  }
>()("effect-squadron/ClusterDriver") {}
