/** The specs of the protocol, on sources with the mutant that the environment names. */
import { defineConfig, mergeConfig } from "vitest/config"
import base from "../../vitest.config.ts"
import { isIn, mutate } from "./Mutant.ts"
import { activeMutant } from "./Mutants.ts"

const mutant = activeMutant()

export default mergeConfig(
  base,
  defineConfig({
    root: new URL("../..", import.meta.url).pathname,
    plugins: [
      {
        name: "mutant",
        enforce: "pre",
        transform: (code: string, id: string) =>
          mutant !== undefined && isIn(mutant, id) ? mutate(mutant, code) : null
      }
    ],
    // A cache of modules would give the mutant of one run to the next. A spec that is late on a busy machine says nothing.
    test: { bail: 1, maxWorkers: 1, fsModuleCache: false, testTimeout: 120_000 }
  })
)
