/** Each mutant edits one place of the sources as they are: whoever changes a rule's text writes its mutant anew. */
import { readFileSync } from "node:fs"
import { expect, it } from "vitest"
import { mutate } from "./Mutant.ts"
import { mutants } from "./Mutants.ts"

it.each(mutants)("rule $rule has a place for its mutant: $name", (mutant) => {
  const source = readFileSync(new URL(`../../src/domain/${mutant.file}`, import.meta.url), "utf8")
  expect(mutate(mutant, source)).not.toBe(source)
})

it("no two mutants share a name", () => {
  expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length)
})
