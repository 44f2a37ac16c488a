/** The trace of one seed, printed: run in a process of its own by a spec. */
import { SimulatedCluster } from "../../../src/testing.ts"
import { forgetful } from "./Programs.ts"

console.log(SimulatedCluster.run(forgetful, { seed: 7, nodes: 3, profile: "chaos", virtualMs: 20_000 }).traceHash)
