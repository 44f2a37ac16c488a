/**
 * One node, driven by hand: each event is written down with the commands it causes and, when it has
 * changed, with what the node then is.
 */
import { Option } from "effect"
import { ClusterConfig } from "../../../src/domain/model/ClusterConfig.ts"
import { NodeConfig } from "../../../src/domain/model/NodeConfig.ts"
import type { ClusterCommand } from "../../../src/domain/protocol/ClusterCommand.ts"
import { type ClusterState, initial, type Joined } from "../../../src/domain/protocol/ClusterState.ts"
import { type ClusterView, toWire } from "../../../src/domain/protocol/ClusterView.ts"
import * as Inbound from "../../../src/domain/protocol/Inbound.ts"
import * as Leaving from "../../../src/domain/protocol/Leaving.ts"
import * as LinkEvents from "../../../src/domain/protocol/LinkEvents.ts"
import { available, type QuorumPolicy } from "../../../src/domain/protocol/Quorum.ts"
import { defaultTopology, type Topology } from "../../../src/domain/protocol/Topology.ts"
import { tick } from "../../../src/domain/protocol/Tick.ts"
import { type Step, transition } from "../../../src/domain/protocol/Transition.ts"
import type { ClusterMessage, ClusterMessageOf } from "../../../src/domain/wire/ClusterMessage.ts"
import { protocolVersion } from "../../../src/domain/wire/MembershipMessages.ts"
import * as Render from "../../simulation/Render.ts"
import { addressOf, portOf } from "../../simulation/VirtualCluster.ts"

export interface TranscriptOptions {
  readonly seeds?: ReadonlyArray<string>
  readonly config?: Partial<ClusterConfig>
  readonly node?: Partial<NodeConfig>
  readonly policy?: QuorumPolicy
  readonly topology?: Topology
  readonly carriesData?: boolean
}

export class Transcript {
  state: ClusterState
  /** What the last event caused. */
  commands: ReadonlyArray<ClusterCommand> = []
  private nowMs = 0
  private lines: Array<string> = []
  private last = ""

  /** `seeds` are ids of nodes; the node's incarnation is its number times 1000. */
  constructor(id: string, options: TranscriptOptions = {}) {
    const seeds = (options.seeds ?? []).map(addressOf)
    const config = { ...ClusterConfig.defaults, seedAddresses: seeds, ...options.config }
    const port = portOf(id)
    const node = NodeConfig.of({
      nodeId: id,
      clusterPort: port,
      clientPort: port + 1000,
      partitionCount: 4,
      ...options.node
    })
    const incarnation = (port - 9000) * 1000
    const { carriesData = false, policy = available, topology = defaultTopology } = options
    const who = { config, node, policy, topology, carriesData, incarnation, nowMs: 0 }
    this.state = initial(who, addressOf(id))
    this.last = Render.state(this.state)
  }

  get joined(): Joined {
    if (this.state.phase._tag !== "Joined") throw new Error("the node has not joined")
    return this.state.phase
  }

  private event(text: string, run: (step: Step) => void): this {
    const [state, , commands] = transition(run)(this.state, this.nowMs)
    this.state = state
    this.commands = commands
    this.write(text, commands)
    return this
  }
  private write(text: string, commands: ReadonlyArray<ClusterCommand>): void {
    const now = Render.state(this.state)
    const caused = commands.flatMap(Render.command)
    const news = now === this.last ? [] : [`= ${now}`]
    this.last = now
    if (text === "tick" && caused.length === 0 && news.length === 0) return
    this.lines.push(`${this.nowMs} ${text}`, ...[...caused, ...news].map((line) => `  ${line}`))
  }

  /** Ticks until `untilMs`, while the detector suspects these nodes. */
  until(untilMs: number, suspected: ReadonlyArray<string> = []): this {
    while (this.nowMs < untilMs) {
      this.nowMs = Math.min(untilMs, this.nowMs + this.state.timing.tickIntervalMs)
      this.tick(suspected)
    }
    return this
  }
  tick(suspected: ReadonlyArray<string> = []): this {
    return this.event("tick", (step) => tick(step, (nodeId) => suspected.includes(nodeId)))
  }
  /** The process stands still: no tick, no event. */
  sleep(ms: number): this {
    this.nowMs += ms
    return this
  }
  dialled(connection: number, id: string): this {
    const address = addressOf(id)
    return this.event(`dialled #${connection} to ${id}`, (step) => LinkEvents.dialled(step, connection, address))
  }
  accepted(connection: number): this {
    return this.event(`accepted #${connection}`, (step) => LinkEvents.accepted(step, connection))
  }
  refused(id: string): this {
    return this.event(`${id} refuses connections`, (step) =>
      LinkEvents.dialFailed(step, addressOf(id), true, "refused the connection")
    )
  }
  closed(connection: number): this {
    return this.event(`#${connection} ended`, (step) => LinkEvents.closed(step, connection))
  }
  receive(connection: number, sent: ClusterMessage): this {
    return this.event(`#${connection} <- ${Render.message(sent)}`, (step) => Inbound.receive(step, connection, sent))
  }
  leave(): this {
    return this.event("asked to leave", Leaving.begin)
  }

  /** What was written since the last time. */
  text(): string {
    const { lines } = this
    this.lines = []
    return lines.join("\n")
  }
}

// ---- messages of others ---------------------------------------------------------------------------

const none = Option.none()

export const joinRequest = (
  id: string,
  change: Partial<ClusterMessageOf<"JOIN_REQUEST">> = {}
): ClusterMessageOf<"JOIN_REQUEST"> => ({
  type: "JOIN_REQUEST",
  nodeId: id,
  host: "127.0.0.1",
  clientPort: portOf(id) + 1000,
  clusterPort: portOf(id),
  clusterId: "",
  protocolVersion,
  authToken: none,
  incarnation: (portOf(id) - 9000) * 1000,
  lastVersion: 0,
  seeds: [],
  known: [],
  promise: 0,
  promisedTo: "",
  noFound: false,
  features: [],
  ...change
})

/** What a node of the reference sends. */
export const referenceJoinRequest = (id: string): ClusterMessageOf<"JOIN_REQUEST"> => ({
  type: "JOIN_REQUEST",
  nodeId: id,
  host: "127.0.0.1",
  clientPort: portOf(id) + 1000,
  clusterPort: portOf(id),
  clusterId: "",
  protocolVersion,
  authToken: none
})

/** A heartbeat of a member that agrees with what `observer` holds, but for `change`. */
export const heartbeat = (
  id: string,
  observer: Transcript,
  change: Partial<ClusterMessageOf<"HEARTBEAT">> = {}
): ClusterMessageOf<"HEARTBEAT"> => {
  const { view, settled, promise, table } = observer.joined
  return {
    type: "HEARTBEAT",
    senderId: id,
    timestampMs: 0,
    membersViewVersion: view.version,
    suspectedNodes: [],
    incarnation: view.members.find((member) => member.nodeId === id)?.incarnation ?? (portOf(id) - 9000) * 1000,
    lineage: view.lineage,
    settled: settled ? view.version : 0,
    promise: promise.term,
    promisedTo: "",
    tableVersion: table.version,
    ...change
  }
}

/** A master alone in its cluster. */
export const founder = (id: string, options: TranscriptOptions = {}): Transcript => {
  const transcript = new Transcript(id, options).tick()
  transcript.text()
  return transcript
}

/** A master with these active members, each on the connection of its number. */
export const masterOf = (id: string, ids: ReadonlyArray<string>, options: TranscriptOptions = {}): Transcript => {
  const transcript = founder(id, options)
  for (const other of ids) {
    const connection = portOf(other) - 9000
    const features = options.carriesData === true ? ["data"] : []
    transcript.accepted(connection).receive(connection, joinRequest(other, { features }))
    transcript.receive(connection, heartbeat(other, transcript))
  }
  transcript.text()
  return transcript
}

/** The answer of `from` to a node that its view admits. */
export const welcome = (
  from: string,
  view: ClusterView,
  settled = true,
  promise?: number
): ClusterMessageOf<"JOIN_RESPONSE"> => {
  const { view: members, ...extensions } = toWire(view, settled)
  return {
    type: "JOIN_RESPONSE",
    accepted: true,
    rejectReason: Option.none(),
    rejectCode: Option.none(),
    responderNodeId: Option.some(from),
    membersView: Option.some(members),
    partitionAssignments: Option.none(),
    ...extensions,
    incarnation: view.members.find((member) => member.nodeId === from)?.incarnation ?? 0,
    ...(promise === undefined ? {} : { promise })
  }
}
