/**
 * A typed value that its schema forbids was handed to the encoder: a bug of the caller, so it is
 * thrown as a defect. Silently clamping an integer or replacing a lone surrogate would put a
 * different value on the wire than the one that was meant.
 */
import { Schema } from "effect"
import { formatPath } from "./MalformedMessage.ts"

/** The value at `path` is `value` (as text, cut after 80 characters), but must be as `reason` says. */
export class UnencodableValue extends Schema.TaggedError<UnencodableValue>()("UnencodableValue", {
  path: Schema.Array(Schema.Union([Schema.String, Schema.Number])),
  value: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return `Cannot encode ${this.value}: ${this.reason}, at ${formatPath(this.path)}`
  }
}
