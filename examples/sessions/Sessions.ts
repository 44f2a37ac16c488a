/**
 * Sessions of users, kept in the memory of the cluster: each on the node that owns the key, and on a backup. Any node
 * opens, finds and closes any of them.
 */
import { Context, Effect, Layer, type Option, Schedule, Schema } from "effect"
import { PartitionedMaps } from "effect-squadron/maps"

export const Session = Schema.Struct({ user: Schema.NonEmptyString })
export type Session = typeof Session.Type

/** The cluster could not answer for the time being: the same call may succeed later. */
export class SessionsUnavailable extends Schema.TaggedError<SessionsUnavailable>()("SessionsUnavailable", {
  reason: Schema.String
}) {
  override get message(): string {
    return `sessions are unavailable: ${this.reason}`
  }
}

export class Sessions extends Context.Service<
  Sessions,
  {
    /** Once it succeeds the session is on two nodes. Returns its id. */
    readonly open: (session: Session) => Effect.Effect<string, SessionsUnavailable>
    readonly find: (id: string) => Effect.Effect<Option.Option<Session>, SessionsUnavailable>
    readonly close: (id: string) => Effect.Effect<void, SessionsUnavailable>
  }
>()("Sessions") {
  /** `newId`: an id that was never given before. Where ids open doors, one that nobody can guess. */
  static readonly layer = (newId: Effect.Effect<string>) =>
    Layer.effect(
      Sessions,
      Effect.gen(function* () {
        const sessions = (yield* PartitionedMaps).lww({
          name: "sessions",
          value: Session,
          minCopies: 2,
          timeoutMs: 2000
        })
        return Sessions.of({
          // Each attempt has an id of its own: one whose outcome is unknown is an id that nobody has been given.
          open: (session) => Effect.flatMap(newId, (id) => Effect.as(sessions.put(id, session), id)).pipe(patiently),
          find: (id) => patiently(sessions.get(id)),
          // An id is never opened again, so closing it twice is closing it once.
          close: (id) => patiently(sessions.remove(id))
        })
      })
    )
}

/** A few attempts, for the time in which a dead owner is replaced. Only for what may be done twice. */
const attempts = Schedule.max([Schedule.exponential("100 millis"), Schedule.recurs(5)])

const patiently = <A, E extends { readonly message: string }, R>(operation: Effect.Effect<A, E, R>) =>
  operation.pipe(
    Effect.retry(attempts),
    Effect.mapError((error) => new SessionsUnavailable({ reason: error.message }))
  )
