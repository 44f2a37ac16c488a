/** Bytes that are not a value of the expected schema: the peer's fault, and where it lies. */
import { Schema } from "effect"

/**
 * Why bytes could not be decoded.
 *
 * - `path`: field names and array indices from the message down to the value at fault
 * - `offset`: byte offset of the value at fault, 0…length of the message
 * - `reason`: what was wrong there, for people
 */
export class MalformedMessage extends Schema.TaggedError<MalformedMessage>()("MalformedMessage", {
  path: Schema.Array(Schema.Union([Schema.String, Schema.Number])),
  offset: Schema.Number,
  reason: Schema.String
}) {
  override get message(): string {
    return `${this.reason}, at ${formatPath(this.path)} (byte ${this.offset})`
  }
}

/**
 * The error without a stack trace: it would tell where in this codec a peer's fault was noticed, and
 * cost as much as all the rest of refusing a message.
 */
export const malformed = (path: ReadonlyArray<string | number>, offset: number, reason: string): MalformedMessage => {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 0
  try {
    return new MalformedMessage({ path, offset, reason })
  } finally {
    Error.stackTraceLimit = limit
  }
}

/** Steps of a path that are shown; no schema is that deep, but a hostile message may be. */
const shownSteps = 12

/** `view.members[3].host`, or `the message itself` for an empty path. */
export const formatPath = (path: ReadonlyArray<string | number>): string => {
  if (path.length === 0) return "the message itself"
  const steps = path
    .slice(0, shownSteps)
    .map((step, i) => (typeof step === "number" ? `[${step}]` : i === 0 ? step : `.${step}`))
  return steps.join("") + (path.length > shownSteps ? "…" : "")
}
