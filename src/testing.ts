/** `effect-squadron/testing`: clusters without sockets, and laws of stores, for specs. */
export * as Simulation from "./testing/Simulation.ts"
export * as SimulatedCluster from "./testing/SimulatedCluster.ts"
export * as TestCluster from "./testing/TestCluster.ts"
export * as TransportMemory from "./layers/TransportMemory.ts"
export * as Exploration from "./testing/Exploration.ts"
export * as PartitionStoreLaws from "./testing/PartitionStoreLaws.ts"
