/**
 * An application's own messages to the owner of a key, and work that is done where a partition is owned.
 *
 * **When to use.** To have one place at a time that works on a key, with state of its own: `whileOwner` for what runs
 * by itself, `route` for what is asked for. Data that must survive its node belongs in `PartitionedMaps`.
 *
 * **Gotchas.** Owning is no lease. A node that was cut off goes on until it notices, so for some seconds two nodes may
 * both take themselves for the owner; under the policy `available` each side of a split has an owner, for as long as
 * the split lasts. What must not happen twice needs a guard of its own, such as a compare-and-set in a database.
 */
import { Context, Effect, Layer, Result, type Schema, type Scope } from "effect"
import * as ValueCodec from "../domain/codec/ValueCodec.ts"
import type { NodeId } from "../domain/model/Scalars.ts"
import type { UnknownPartition } from "./ClusterErrors.ts"
import type { NotOwner, OutcomeUnknown, Overloaded, PartitionUnavailable } from "./MapErrors.ts"
import { DuplicateRoute, MessageTooLarge, NoHandler, UndecodableMessage } from "./RouterErrors.ts"

/** A message as its handler gets it. */
export interface Routed<Request> {
  readonly key: string
  readonly partitionId: number
  readonly from: NodeId
  readonly payload: Request
}

export type SendError =
  | NotOwner
  | NoHandler
  | PartitionUnavailable
  | Overloaded
  | OutcomeUnknown
  | MessageTooLarge
  | UndecodableMessage

export interface SendOptions {
  /** How long the reply is waited for, in milliseconds. Default 5000. */
  readonly timeoutMs?: number
}

/** Bytes of one message's payload, 1 MiB: as a map's value. */
export const maxPayloadBytes = 1024 * 1024
/** Messages of this node that wait for their replies; further ones are `Overloaded`. */
export const maxSends = 16_384
/** Messages that this node handles at a time; further ones are refused, and tried again until their time is over. */
export const maxHandled = 4096

export class PartitionRouter extends Context.Service<
  PartitionRouter,
  {
    /**
     * Sends bytes to whoever handles the route at the owner of the key. Sent again only after an explicit refusal, so
     * it is handled at most once; `OutcomeUnknown` says that it may have been.
     */
    readonly send: (
      route: string,
      key: string,
      payload: Uint8Array,
      options?: SendOptions
    ) => Effect.Effect<Uint8Array, SendError>
    /** Handles what comes for a route while the scope lives. */
    readonly handle: (
      route: string,
      handler: (message: Routed<Uint8Array>) => Effect.Effect<Result.Result<Uint8Array, string>>
    ) => Effect.Effect<void, DuplicateRoute, Scope.Scope>
    /**
     * Runs the effect while this node owns the partition: it is interrupted when the node learns that it does not any
     * more (or has lost its place, or its quorum), and run anew when the partition comes back. Never ends by itself;
     * fails as the effect does. What the effect forks in its scope ends with it. An effect that completes is not
     * run again before the partition has been away.
     */
    readonly whileOwner: <A, E, R>(
      partitionId: number,
      effect: Effect.Effect<A, E, R>
    ) => Effect.Effect<never, E | UnknownPartition, Exclude<R, Scope.Scope>>
  }
>()("effect-squadron/PartitionRouter") {
  /** A route with the schemas of its requests and replies. Expected failures of a handler belong into its replies. */
  static route<Request, Reply>(
    name: string,
    schemas: { readonly request: Schema.Codec<Request, unknown>; readonly reply: Schema.Codec<Reply, unknown> }
  ): Route<Request, Reply> {
    const requests = ValueCodec.ofSchema(schemas.request)
    const replies = ValueCodec.ofSchema(schemas.reply)
    return {
      name,
      send: (key, payload, options) =>
        Effect.gen(function* () {
          const bytes = yield* (yield* PartitionRouter).send(name, key, requests.encode(payload), options)
          const reply = replies.decode(bytes)
          if (Result.isSuccess(reply)) return reply.success
          return yield* new UndecodableMessage({ route: name, key, what: "reply", reason: reply.failure })
        }),
      layer: (handler) =>
        Layer.effectDiscard(
          Effect.gen(function* () {
            const services = yield* Effect.context<Effect.Services<ReturnType<typeof handler>>>()
            const router = yield* PartitionRouter
            yield* router.handle(name, ({ payload, ...rest }) => {
              const request = requests.decode(payload)
              if (Result.isFailure(request)) return Effect.succeed(Result.fail(request.failure))
              return handler({ ...rest, payload: request.success }).pipe(
                Effect.map((reply) => Result.succeed(replies.encode(reply))),
                Effect.provideContext(services)
              )
            })
          })
        )
    }
  }
}

export interface Route<Request, Reply> {
  readonly name: string
  /** Sends to the owner of the key; handled there at most once. */
  readonly send: (
    key: string,
    payload: Request,
    options?: SendOptions
  ) => Effect.Effect<Reply, SendError, PartitionRouter>
  /** Handles the route on this node while the layer lives. One handler for each route and node. */
  readonly layer: <R>(
    handler: (message: Routed<Request>) => Effect.Effect<Reply, never, R>
  ) => Layer.Layer<never, DuplicateRoute, PartitionRouter | R>
}
