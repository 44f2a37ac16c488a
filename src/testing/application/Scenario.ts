/** What a user brings: a program for every node, and what must hold while it runs and afterwards. */
import type { Effect, Layer, Scope } from "effect"
import type { ClusterState } from "../../domain/protocol/ClusterState.ts"
import type { DataSettings } from "../../domain/replication/DataSettings.ts"
import type { AssignmentPlanner } from "../../services/AssignmentPlanner.ts"
import type { FailureDetector } from "../../services/FailureDetector.ts"
import type { MapStore } from "../../services/MapStore.ts"
import type { TestDataServices, TestServices } from "../TestCluster.ts"

/** The process that a program runs in. */
export interface NodeStart {
  readonly nodeId: string
  /** 1 for the first process of this node, and one more for each that follows a restart. */
  readonly start: number
}

/** A living process as a check sees it: what its node holds at this moment, right or outdated. */
export interface SimulatedNode extends NodeStart {
  /** It gets no turns: what it holds is as old as the freeze. */
  readonly isFrozen: boolean
  /** Its program has begun: the node has joined. */
  readonly isRunning: boolean
  readonly state: ClusterState
  /** Does it act as master? */
  readonly isMaster: boolean
  /** Active members of the view that it holds, by id; none without a view. */
  readonly members: ReadonlyArray<string>
  /** Who owns the key's partition, by the table that it holds. */
  readonly ownerOf: (key: string) => string | undefined
}

/** The whole cluster as a check sees it. */
export interface SimulatedWorld {
  /** Virtual milliseconds since the start of the run. */
  readonly nowMs: number
  /** The faults are over. */
  readonly isHealed: boolean
  /** The living processes. */
  readonly nodes: ReadonlyArray<SimulatedNode>
}

/** Says what is wrong, or nothing. */
export type Check = (world: SimulatedWorld) => string | undefined

/**
 * Runs on every node once it has joined, with all services of a node; further ones come from layers of its own. It
 * starts anew with its node. If it fails or dies the run has failed; when it completes, its node stays in the cluster.
 */
type Program<Services> = (node: NodeStart) => Effect.Effect<unknown, unknown, Services | Scope.Scope>

interface WithoutData {
  readonly program: Program<TestServices>
  readonly store?: undefined
}

/** Nodes that keep data: their programs have maps. */
interface WithData {
  readonly program: Program<TestDataServices>
  /**
   * Where a process keeps the data of its partitions. A new store for each start is memory; one that is made once for
   * each node, and given to all its starts, is a disk. What it does must come at once, or from the Effect environment.
   */
  readonly store: (node: NodeStart) => Layer.Layer<MapStore, unknown>
  /** What differs from `defaultDataSettings`. */
  readonly settings?: Partial<DataSettings>
}

export type Scenario = (WithoutData | WithData) & Parts & Expectations

/** Parts of every node that may be a user's own. Each process builds them anew. */
interface Parts {
  /** Default: phi accrual, with the settings of the cluster. */
  readonly detector?: Layer.Layer<FailureDetector>
  /** Default: minimal movement. The world checks that what it plans is complete and balanced. */
  readonly planner?: Layer.Layer<AssignmentPlanner>
}

interface Expectations {
  /** By name: what must hold after every turn of every fiber. */
  readonly invariants?: Readonly<Record<string, Check>>
  /** By name: what must come to hold after the faults, when the nodes agree again, and go on holding. */
  readonly eventually?: Readonly<Record<string, Check>>
  /** Every program has to complete once the faults are over. Default false: programs serve for ever. */
  readonly completes?: boolean
  /** The programs call `MembershipService.forget`, after which two clusters may go on. Default false. */
  readonly forgets?: boolean
}

/** The same check, of which a fault counts once it has lasted for more than `ms` of virtual time. For one run. */
export const lasting = (ms: number, check: Check): Check => {
  let sinceMs: number | undefined
  return (world) => {
    const fault = check(world)
    if (fault === undefined) {
      sinceMs = undefined
      return undefined
    }
    sinceMs ??= world.nowMs
    return world.nowMs - sinceMs > ms ? `${fault}, for ${Math.round(world.nowMs - sinceMs)} ms` : undefined
  }
}
