/** The service over HTTP. */
import { Effect, Layer, Option, Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { Session, Sessions, type SessionsUnavailable } from "./Sessions.ts"

const opened = HttpServerResponse.schemaJson(Schema.Struct({ id: Schema.String }))
const found = HttpServerResponse.schemaJson(Session)
const problem = (status: number, error: string) => HttpServerResponse.jsonUnsafe({ error }, { status })

const idOf = Effect.map(HttpRouter.schemaPathParams(Schema.Struct({ id: Schema.NonEmptyString })), ({ id }) => id)

const unavailable = (error: SessionsUnavailable) =>
  Effect.succeed(HttpServerResponse.setHeader(problem(503, error.message), "retry-after", "1"))

const open = Effect.gen(function* () {
  const session = yield* HttpServerRequest.schemaBodyJson(Session)
  const id = yield* (yield* Sessions).open(session)
  return yield* opened({ id }, { status: 201 })
}).pipe(
  Effect.catchTag("SchemaError", (error) => Effect.succeed(problem(400, error.message))),
  Effect.catchTag("SessionsUnavailable", unavailable)
)

const find = Effect.gen(function* () {
  const id = yield* idOf
  const session = yield* (yield* Sessions).find(id)
  return Option.isSome(session) ? yield* found(session.value) : problem(404, `there is no session ${id}`)
}).pipe(Effect.catchTag("SessionsUnavailable", unavailable))

const close = Effect.gen(function* () {
  yield* (yield* Sessions).close(yield* idOf)
  return HttpServerResponse.empty()
}).pipe(Effect.catchTag("SessionsUnavailable", unavailable))

/** `POST /sessions`, `GET /sessions/:id`, `DELETE /sessions/:id`. */
export const routes = Layer.mergeAll(
  HttpRouter.add("POST", "/sessions", open),
  HttpRouter.add("GET", "/sessions/:id", find),
  HttpRouter.add("DELETE", "/sessions/:id", close)
)
