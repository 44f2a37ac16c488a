/** Given to a process by `--import`: it then loads the sources with the mutant that its environment names. */
import { registerHooks } from "node:module"
import { isIn, mutate } from "./Mutant.ts"
import { activeMutant } from "./Mutants.ts"

const mutant = activeMutant()
if (mutant !== undefined) {
  registerHooks({
    load: (url, context, nextLoad) => {
      const loaded = nextLoad(url, context)
      if (!isIn(mutant, url) || loaded.source === null || loaded.source === undefined) return loaded
      const { source } = loaded
      const text = typeof source === "string" ? source : new TextDecoder().decode(source)
      return { ...loaded, source: mutate(mutant, text) }
    }
  })
}
