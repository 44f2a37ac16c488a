/**
 * Random walks over small models until one breaks a rule; prints what happened as one line of JSON.
 * `node --import ./Hook.ts Walks.ts WALKS`.
 */
import { available, majority, staticQuorum } from "../../src/domain/protocol/Quorum.ts"
import { Exploration } from "../../src/testing.ts"

const search = (walks: number) => {
  let steps = 0
  for (let round = 1; round <= walks; round++) {
    for (const policy of [majority, staticQuorum(2), available]) {
      for (const nodes of [3, 4, 2]) {
        for (const from of ["settled", "fresh"] as const) {
          const scenario: Exploration.Scenario = {
            name: `${nodes} ${from}, ${policy.name}`,
            nodes,
            policy,
            from,
            depth: 120,
            maxModels: 1,
            faults: { suspicions: 8, breaks: 3, crashes: 1, restarts: 1, leaves: 1 }
          }
          const { transitions, violation } = Exploration.walk(scenario, 100, round)
          steps += transitions
          if (violation !== undefined) {
            return {
              runs: steps,
              policy: policy.name,
              nodes,
              violation: `${violation.path.length} actions: ${violation.rule}`
            }
          }
        }
      }
    }
  }
  return { runs: steps }
}

console.log(JSON.stringify(search(Number(process.argv[2] ?? 10))))
