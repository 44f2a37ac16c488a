/** `effect-squadron/node`: one node of a cluster as a Node program runs it, over TCP. */
export * as HeapGrowth from "./layers/HeapGrowth.ts"
export * as NodeCluster from "./layers/NodeCluster.ts"
export * as TransportTcp from "./layers/TransportTcp.ts"
export { TransportBindError } from "./layers/transport/TransportBindError.ts"
