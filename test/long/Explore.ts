/**
 * `node test/long/Explore.ts [DEPTH [SECONDS]]`: all orders of small models up to a depth (default 4), then walks for
 * so many seconds for each scenario (default 2). Prints a table.
 */
import { available, majority, staticQuorum } from "../../src/domain/protocol/Quorum.ts"
import { Exploration } from "../../src/testing.ts"

const depth = Number(process.argv[2] ?? 4)
const walkSeconds = Number(process.argv[3] ?? 2)
const few: Exploration.Faults = { suspicions: 2, breaks: 1, crashes: 1, restarts: 1, leaves: 0 }
const many: Exploration.Faults = { suspicions: 8, breaks: 3, crashes: 1, restarts: 1, leaves: 1 }

const row = (cells: ReadonlyArray<string | number>): void =>
  console.log(cells.map((cell, i) => (i < 2 ? String(cell).padEnd(24) : String(cell).padStart(14))).join(""))

let violations = 0
const tell = (scenario: Exploration.Scenario, { violation }: Exploration.Exploration): void => {
  if (violation === undefined) return
  violations++
  console.log(`${scenario.name}: ${violation.rule}`)
  for (const line of Exploration.describePath(scenario, violation.path)) console.log(`  ${line}`)
}

row(["scenario", "", "depth", "models", "transitions", "repeated", "cut at limit", "seconds"])
for (const policy of [available, majority, staticQuorum(2)]) {
  for (const from of ["settled", "fresh"] as const) {
    for (const nodes of [2, 3, 4]) {
      const name = `${nodes} ${from}, ${policy.name}`
      const base = { name, nodes, policy, from, maxModels: 400_000 }
      const startMs = performance.now()
      // Two nodes have few orders: they go deeper in the same time.
      const scenario = { ...base, depth: depth + (nodes === 2 ? 2 : nodes === 4 ? -1 : 0), faults: few }
      const found = Exploration.explore(scenario)
      const { cutShort, models, repeated, transitions } = found
      const seconds = (): string => ((performance.now() - startMs) / 1000).toFixed(1)
      row([name, "all orders", scenario.depth, models, transitions, repeated, cutShort.models, seconds()])
      tell(scenario, found)

      const walks = { ...base, depth: 120, faults: many }
      const untilMs = performance.now() + walkSeconds * 1000
      let steps = 0
      for (let seed = 1; performance.now() < untilMs; seed++) {
        const walked = Exploration.walk(walks, 20, seed)
        steps += walked.transitions
        if (walked.violation !== undefined) {
          tell(walks, walked)
          break
        }
      }
      row([name, "walks", walks.depth, "", steps, "", "", seconds()])
    }
  }
}
console.log(`${violations} violations`)
process.exitCode = violations === 0 ? 0 : 1
