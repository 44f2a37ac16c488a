import { describe } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import * as TransportTcp from "../../src/layers/TransportTcp.ts"
import { Transport } from "../../src/services/Transport.ts"
import { type Start, transportSuite } from "./TransportSuite.ts"

const start: Start = (limits = {}) =>
  Layer.build(TransportTcp.layer({ host: "127.0.0.1", port: 0, ...limits })).pipe(
    Effect.map((context) => Context.get(context, Transport))
  )

transportSuite("TransportTcp", start)
describe.todo("TransportTcp")
