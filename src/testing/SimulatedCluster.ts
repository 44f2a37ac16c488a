/**
 * A user's own program on every node of a cluster, in virtual time: the real layers of each node, a simulated
 * network, and a scheduler that lets a seed decide which fiber goes on next. A user writes: this cluster, this
 * program, these faults, what must hold, this seed.
 *
 * **When to use.** To find the interleaving or the fault under which a program that uses the cluster breaks its
 * promise: `SimulatedCluster.check(scenario, { nodes: 3, profile: "crashes", seeds: 100 })` in a spec. For the
 * protocol alone, a configuration or a policy, `Simulation` is about five times faster.
 *
 * **Gotchas.** What a program does must come from its Effect environment: time from `Clock`, chance from `Random`.
 * A promise, a real timer or a socket resumes only after the run, which is one synchronous call. What a killed
 * process had reported stays as it was: it runs no finalizers. See docs/testing-your-app.md.
 */
export { check, type CheckOptions, ScenarioFailed } from "./application/Check.ts"
export { type Options, type Outcome, run } from "./application/Run.ts"
export {
  type Check,
  lasting,
  type NodeStart,
  type Scenario,
  type SimulatedNode,
  type SimulatedWorld
} from "./application/Scenario.ts"
