/**
 * Small models of the protocol, explored: every order of deliveries, timeouts and faults of two to four nodes up to a
 * depth, and random walks beyond it. The transitions are the real ones.
 *
 * **When to use.** To try a change of the protocol, or a quorum policy of your own, against the orders that random
 * schedules of whole clusters hardly ever hit. For whole clusters see `Simulation`.
 */
export { describePath, type Exploration, explore, type Faults, type Scenario, walk } from "./exploration/Explore.ts"
export { type Action, maxQueue } from "./exploration/Model.ts"
