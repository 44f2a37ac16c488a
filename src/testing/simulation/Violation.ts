/** A rule does not hold: ends a run at the step that broke it. */
import { Schema } from "effect"

class ViolationError extends Schema.TaggedError<ViolationError>()("Violation", { message: Schema.String }) {}

export class Violation extends ViolationError {
  constructor(message: string) {
    super({ message })
  }
}
