/** Where the nodes of a run live: a host has an address and, most of the time, one process. */
import { formatAddress } from "../../domain/model/Address.ts"
import type { ClusterConfig } from "../../domain/model/ClusterConfig.ts"
import type { NodeConfig } from "../../domain/model/NodeConfig.ts"

/** What is started on a host. */
export interface Residence {
  readonly nodeId: string
  readonly port: number
  /** Nodes whose addresses it is given as seeds, wherever they live when it starts. */
  readonly seeds: ReadonlyArray<string>
  readonly config: Partial<ClusterConfig>
  readonly node: Partial<NodeConfig>
}

export class Residences {
  private readonly byHost = new Map<string, Residence>()
  /** For each node that should run the host where it does. */
  private readonly homes = new Map<string, string>()
  /** The same, nodes that are gone included. */
  private readonly lastHomes = new Map<string, string>()

  /** The hosts on which a process should run. */
  get hosts(): ReadonlyArray<string> {
    return [...this.homes.values()]
  }
  get nodes(): ReadonlyArray<string> {
    return [...this.homes.keys()]
  }
  /** Hosts that ever were. */
  get count(): number {
    return this.byHost.size
  }
  at(host: string): Residence | undefined {
    return this.byHost.get(host)
  }
  homeOf(nodeId: string): string | undefined {
    return this.homes.get(nodeId)
  }

  /** What is at `host` may be started there; as `nodeId`'s home unless it is a duplicate. */
  put(host: string, residence: Residence, isHome = true): void {
    this.byHost.set(host, residence)
    if (!isHome) return
    this.homes.set(residence.nodeId, host)
    this.lastHomes.set(residence.nodeId, host)
  }
  /** The node will not run again. */
  retire(nodeId: string): void {
    this.homes.delete(nodeId)
  }

  addressAt(host: string): string {
    const residence = this.byHost.get(host)
    if (residence === undefined) throw new RangeError(`nothing lives at ${host}`)
    return formatAddress("127.0.0.1", residence.port)
  }
  /** The addresses of these nodes; those that never were are left out. */
  addressesOf(nodeIds: ReadonlyArray<string>): ReadonlyArray<string> {
    return nodeIds.flatMap((nodeId) => {
      const host = this.lastHomes.get(nodeId)
      return host === undefined ? [] : [this.addressAt(host)]
    })
  }
}
