/**
 * What faults and healing need of a world, and no more: the world of cores and the world of whole programs are
 * both struck by the same faults.
 */
import type { ClusterState } from "../../domain/protocol/ClusterState.ts"
import type { ClusterMessage } from "../../domain/wire/ClusterMessage.ts"
import type { DelayRange } from "./Network.ts"
import type { Process } from "./Process.ts"
import type { ReferenceHosts } from "./reference/ReferenceHosts.ts"
import type { Residences } from "./Residence.ts"

/** What can be done to a network. Hosts are named as by {@link Residences}. */
export interface Troubled {
  delay: DelayRange
  /** Milliseconds by which everything from a host takes longer. */
  readonly slow: Map<string, number>
  /** Share of what a host sends that is lost and sent again, 0…1. */
  readonly loss: Map<string, number>
  cut(from: string, to: string): void
  mend(cuts: Iterable<readonly [from: string, to: string]>): void
  mendAll(): void
  reset(hostA: string, hostB: string): void
}

export interface Arena {
  readonly nowMs: number
  readonly residences: Residences
  readonly network: Troubled
  /** The latest process on each host. */
  readonly processes: ReadonlyMap<string, Process>
  readonly living: ReadonlyArray<Process>
  /** Nodes of the reference among them, where there are any. */
  readonly references?: ReferenceHosts
  /** Milliseconds by which a host's wall clock is off. */
  readonly wallOffsets: Map<string, number>
  /** Hosts whose processes speak as an earlier release. */
  readonly older: Set<string>
  /** Looks at every step, after the checks; for faults that wait for something. */
  readonly watchers: Set<(process: Process, before: ClusterState) => void>
  /** From now on nothing goes wrong, and what lies in wait does nothing any more. */
  isHealed: boolean
  /** The seeds of every node name all nodes. */
  hasSameSeeds: boolean
  /** A process has ended or left: what it knew is gone. */
  hasRestarted: boolean
  /** A node has moved to another address. */
  hasMoved: boolean
  /** May nodes go for good without proof? Under a policy with a quorum they would halt the others for ever. */
  readonly mayLoseNodes: boolean
  /** Lets virtual time pass. */
  run(ms: number): void
  later(delayMs: number, run: () => void): void
  /** Starts what lives on a host, unless it runs. */
  start(host: string): void
  /** The living process on a host. */
  get(host: string): Process | undefined
  kill(process: Process, withHost: boolean): void
  /** Asks a process to leave in good order. */
  leave(process: Process): void
  /** A stranger connects to the process, sends these messages, and goes. */
  intrude(process: Process, messages: ReadonlyArray<ClusterMessage>): void
  /** A line of the transcript. */
  note(text: string): void
}
