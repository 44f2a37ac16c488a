import * as Display from "./Display.ts"
import { Effect } from "effect"
export const make = (output: Display.Output, _fleet: unknown, _options: unknown) =>
  Effect.flatMap(Effect.void, () => Display.plain(output))
