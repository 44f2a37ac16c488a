export type { Check, NodeStart, Scenario, SimulatedNode, SimulatedWorld } from "./application/Scenario.ts"
export { type Options, type Outcome, run } from "./application/Run.ts"
