/** Ports that are free now, chosen by the operating system. */
import { createServer } from "node:net"
import { Effect, Schema, type Scope } from "effect"

/** This host has no free port on the address. */
export class NoFreePort extends Schema.TaggedError<NoFreePort>()("NoFreePort", {
  host: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `no free port on ${this.host}: ${this.reason}`
  }
}

// Held until the scope closes, so that no two are the same.
const hold = (host: string): Effect.Effect<number, NoFreePort, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<{ readonly port: number; readonly close: Effect.Effect<void> }, NoFreePort>((resume) => {
      const server = createServer()
      server.once("error", (error) => resume(Effect.fail(new NoFreePort({ host, reason: error.message }))))
      server.listen(0, host, () => {
        const address = server.address()
        const close = Effect.callback<void>((closed) => {
          server.close(() => closed(Effect.void))
        })
        const port = typeof address === "object" && address !== null ? address.port : 0
        resume(Effect.succeed({ port, close }))
      })
    }),
    ({ close }) => close
  ).pipe(Effect.map(({ port }) => port))

/** `count` different ports that are free on `host`; another process may still take one before it is used. */
export const freePorts = (host: string, count: number): Effect.Effect<ReadonlyArray<number>, NoFreePort> =>
  Effect.scoped(Effect.replicateEffect(hold(host), count))
