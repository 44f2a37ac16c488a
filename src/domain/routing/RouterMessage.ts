/** What routers say to each other: an application's messages to the owner of a key. As payload of `OP_FORWARD`. */
import { Schema } from "effect"
import { MessagePack } from "../codec/MessagePack.ts"
import { Binary, Incarnation, Text, U64 } from "../model/Scalars.ts"

/** The `clientId` of an `OP_FORWARD` that carries one. */
export const routerId = "effect-squadron/router"

/** Why a message was not handled. Nothing has happened. */
export const Refusal = Schema.Literals([
  /** The node does not own the partition, as far as it knows. */
  "notOwner",
  /** Nothing at the owner handles this route, or not yet. */
  "noHandler",
  "overloaded",
  /** The payload is none of the route's requests. */
  "malformed"
])
export type Refusal = typeof Refusal.Type

const process = { from: Incarnation, to: Incarnation }

export const RouterMessage = Schema.Union([
  Schema.Struct({ type: Schema.Literal("request"), ...process, id: U64, route: Text, key: Text, payload: Binary }),
  Schema.Struct({ type: Schema.Literal("handled"), ...process, id: U64, payload: Binary }),
  Schema.Struct({ type: Schema.Literal("refused"), ...process, id: U64, reason: Refusal, detail: Text }),
  /** The handler died: how much of its work it has done is not known. */
  Schema.Struct({ type: Schema.Literal("died"), ...process, id: U64 })
])
export type RouterMessage = typeof RouterMessage.Type

export const routerMessageCodec = MessagePack.codec(RouterMessage)
