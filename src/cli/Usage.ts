/** What the program prints about its own invocation: help and version on stdout, each mistake as one line on stderr. */
import { Console, Effect } from "effect"
import { CliOutput, TerminalCapabilities } from "effect/cli"
import type { CliError } from "effect/cli"
import { oneLine } from "./Failure.ts"

/** A mistake in the arguments as one line that says where to look. */
const mistake = (error: CliError.CliError, commandPath: ReadonlyArray<string>): string =>
  `squadron: ${oneLine(error.message)} ("${commandPath.join(" ")} --help" explains its flags)`

export const presenter: CliOutput.Presenter = {
  present: Effect.fnUntraced(function* (event) {
    const { canColor } = yield* TerminalCapabilities.TerminalCapabilities
    const formatter = CliOutput.defaultFormatter({ colors: canColor, inheritedFlags: "summary" })
    switch (event._tag) {
      case "Help":
        return yield* Console.log(formatter.formatHelpDoc(event.helpDoc))
      case "Version":
        return yield* Console.log(`${event.name} ${event.version}`)
      case "InvalidInvocation":
        return yield* Effect.forEach(event.errors, (error) => Console.error(mistake(error, event.commandPath)), {
          discard: true
        })
    }
  })
}
