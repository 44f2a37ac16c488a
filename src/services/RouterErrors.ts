/** Expected failures of the router, besides those of the maps. */
import { Schema } from "effect"

/** Nothing has happened: nothing at the owner handles this route. */
export class NoHandler extends Schema.TaggedError<NoHandler>()("NoHandler", {
  route: Schema.String,
  partitionId: Schema.Int
}) {
  override get message(): string {
    return `nothing handles "${this.route}" at the owner of partition ${this.partitionId}`
  }
}

/** Nothing has happened: the payload has more bytes than a message may have. */
export class MessageTooLarge extends Schema.TaggedError<MessageTooLarge>()("MessageTooLarge", {
  route: Schema.String,
  bytes: Schema.Int,
  limit: Schema.Int
}) {
  override get message(): string {
    return `a message of ${this.bytes} bytes for "${this.route}" is too large; ${this.limit} are allowed`
  }
}

/**
 * The two ends do not mean the same by the route, or the route's name or the key cannot travel: a lone surrogate, or
 * more than `maxKeyBytes` of UTF-8. A `request` was not handled; a `reply` belongs to a request that was.
 */
export class UndecodableMessage extends Schema.TaggedError<UndecodableMessage>()("UndecodableMessage", {
  route: Schema.String,
  key: Schema.String,
  what: Schema.Literals(["request", "reply"]),
  reason: Schema.String
}) {
  override get message(): string {
    return `a ${this.what} of "${this.route}" for "${this.key}" does not decode: ${this.reason}`
  }
}

/** The route has a handler on this node already. */
export class DuplicateRoute extends Schema.TaggedError<DuplicateRoute>()("DuplicateRoute", { route: Schema.String }) {
  override get message(): string {
    return `"${this.route}" has a handler on this node already`
  }
}
