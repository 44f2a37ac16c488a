/**
 * Whole clusters in virtual time: the real transitions of every node, a virtual network and faults from a
 * seed, in one plain loop. A run checks at every step what must never happen, and at the end that the nodes
 * agree again. The same options give the same run.
 *
 * **When to use.** To try a configuration, a policy or a change of the protocol against many schedules of
 * faults: `Simulation.run({ seed: 7, nodes: 25, profile: "chaos" })`. For a program that uses a cluster see
 * `SimulatedCluster`.
 */
export { campaign, type Progress, Report, reportOf, toJson } from "./simulation/Campaign.ts"
export { failureLines } from "./simulation/Failure.ts"
export { Fault, type FaultKind, describeFault } from "./simulation/Fault.ts"
export { Profile } from "./simulation/Profile.ts"
export { agreementLimitMs } from "./simulation/Healing.ts"
export { type Options, type Outcome, run } from "./simulation/Run.ts"
export { maxShrinkRuns, type Shrunk, shrink } from "./simulation/Shrink.ts"
export type { Tamper } from "./simulation/Process.ts"
