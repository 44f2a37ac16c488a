/**
 * The transport without sockets: messages pass as values between nodes of one `MemoryNetwork`. It
 * keeps the contract (order, priorities, bounds, backpressure, identification), so what works here
 * works over TCP; what it leaves out is bytes, hence frames, malformed messages and message sizes.
 */
import { Effect, Layer } from "effect"
import type { InvalidConfig } from "../domain/model/InvalidConfig.ts"
import { Transport } from "../services/Transport.ts"
import { TransportLimits } from "../services/TransportLimits.ts"
import { make, type MemoryNetwork } from "./memory/MemoryNetwork.ts"
import type { TransportBindError } from "./transport/TransportBindError.ts"

export type { MemoryNetwork } from "./memory/MemoryNetwork.ts"

/** A network without nodes. */
export const makeNetwork: Effect.Effect<MemoryNetwork> = make

/** The transport of the node at `address`, while the layer lives. */
export const layer = (
  network: MemoryNetwork,
  address: string,
  limits: Partial<TransportLimits> = {}
): Layer.Layer<Transport, TransportBindError | InvalidConfig> =>
  Layer.effect(
    Transport,
    Effect.fromResult(TransportLimits.validate({ ...TransportLimits.defaults, ...limits })).pipe(
      Effect.flatMap((valid) => network.bind(address, valid))
    )
  )
