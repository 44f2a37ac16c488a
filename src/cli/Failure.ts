/** How a command fails: one line for people, one exit code for scripts. */
import { Schema } from "effect"
import { InvalidConfig } from "../domain/model/InvalidConfig.ts"

/** A command has ended without success. What is to be said about it stands in `message`, or has been said (empty). */
export class CommandFailed extends Schema.TaggedError<CommandFailed>()("CommandFailed", {
  message: Schema.String,
  exitCode: Schema.Int
}) {}

/** `heartbeatIntervalMs` → `heartbeat-interval-ms`: flags are named after the settings they set. */
const flagName = (field: string): string => field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)

// Flags whose name differs from their setting's.
const renamed: Readonly<Record<string, string>> = { seedAddresses: "seeds" }

/** An error as one line: control characters and line breaks would break up a log, and forge lines in it. */
export const oneLine = (text: string): string =>
  text
    // oxlint-disable-next-line no-control-regex -- control characters are what is to be removed
    .replace(/[\u0000-\u001f\u007f]+/g, " ")
    .replace(/ {2,}/g, " ")
    .trim()

/** What to tell the user about an error that a command ended with. */
export const explain = (error: { readonly message: string }): string =>
  oneLine(
    error instanceof InvalidConfig
      ? `--${renamed[error.field] ?? flagName(error.field)} is ${error.value}, but must be ${error.wanted}`
      : error.message
  )
