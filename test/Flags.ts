/** Flags of the commands under `test` and `bench`. What is wrong with them is told with the help, and ends the process with 2. */
import { parseArgs } from "node:util"

export interface KnownFlags {
  /** Flags with a value, and those without. */
  readonly valued: ReadonlyArray<string>
  readonly switches?: ReadonlyArray<string>
}

export class Flags {
  private readonly help: string
  private readonly values: Readonly<Record<string, unknown>>

  /** Reads those of this process. `--help` prints the help and ends it with 0. */
  constructor(help: string, { switches = [], valued }: KnownFlags) {
    this.help = help
    this.values = this.parse([
      ...valued.map((name) => [name, { type: "string" as const }] as const),
      ...["help", ...switches].map((name) => [name, { type: "boolean" as const }] as const)
    ])
    if (!this.has("help")) return
    console.log(help)
    process.exit(0)
  }

  private parse(options: ReadonlyArray<readonly [string, { readonly type: "string" | "boolean" }]>) {
    try {
      return parseArgs({ options: Object.fromEntries(options) }).values
    } catch (error) {
      return this.fail(error instanceof Error ? error.message : String(error))
    }
  }

  fail(text: string): never {
    console.error(`${text}\n\n${this.help}`)
    process.exit(2)
  }

  has(name: string): boolean {
    return this.values[name] === true
  }

  /** A whole number from `least`. */
  wholeNumber(name: string, byDefault: number, least = 1): number {
    const text = this.values[name]
    const value = text === undefined ? byDefault : Number(text)
    return Number.isSafeInteger(value) && value >= least
      ? value
      : this.fail(`--${name} ${String(text)} is no whole number from ${least}`)
  }
}
