/** A setting with which no cluster can work: the one error of both configurations. */
import { Result, Schema } from "effect"

export class InvalidConfig extends Schema.TaggedError<InvalidConfig>()("InvalidConfig", {
  field: Schema.String,
  value: Schema.String,
  wanted: Schema.String
}) {
  override get message(): string {
    return `${this.field} is ${this.value}, but must be ${this.wanted}`
  }
}

/** A named condition on a configuration. */
export interface Requirement<Config> {
  readonly field: keyof Config & string
  readonly holds: (config: Config) => boolean
  readonly wanted: string
}

/** A whole number within bounds. */
export const isWholeIn = (value: number, minimum: number, maximum: number): boolean =>
  Number.isInteger(value) && value >= minimum && value <= maximum

/** A text that can travel in a frame that opens a connection: well-formed, and not too long. */
export const isName = (text: string, fewest: number): boolean =>
  typeof text === "string" && text.length >= fewest && text.length <= 255 && text.isWellFormed()

/** The configuration when all requirements hold, else the first that does not. */
export const require = <Config>(
  config: Config,
  requirements: ReadonlyArray<Requirement<Config>>
): Result.Result<Config, InvalidConfig> => {
  const broken = requirements.find((requirement) => !requirement.holds(config))
  return broken === undefined
    ? Result.succeed(config)
    : Result.fail(
        new InvalidConfig({ field: broken.field, value: JSON.stringify(config[broken.field]), wanted: broken.wanted })
      )
}
