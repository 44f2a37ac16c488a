/** What a transition of the membership core costs: heartbeats and ticks of masters and members, by cluster size. */
import { pathToFileURL } from "node:url"
import { Option } from "effect"
import { ClusterConfig } from "../src/domain/model/ClusterConfig.ts"
import { NodeConfig } from "../src/domain/model/NodeConfig.ts"
import type { ClusterCommand } from "../src/domain/protocol/ClusterCommand.ts"
import { type ClusterState, initial } from "../src/domain/protocol/ClusterState.ts"
import * as Inbound from "../src/domain/protocol/Inbound.ts"
import * as LinkEvents from "../src/domain/protocol/LinkEvents.ts"
import { available } from "../src/domain/protocol/Quorum.ts"
import { tick } from "../src/domain/protocol/Tick.ts"
import { type Step, transition } from "../src/domain/protocol/Transition.ts"
import type { ClusterMessage, ClusterMessageOf } from "../src/domain/wire/ClusterMessage.ts"
import { protocolVersion } from "../src/domain/wire/MembershipMessages.ts"
import { compare, formatRows, type Row } from "./Harness.ts"

const sizes = [5, 25, 100]
const incarnationOf = (index: number): number => (index + 1) * 1000

/** A node that can be fed, with its time. */
class Node {
  state: ClusterState
  nowMs = 0
  readonly peers: number
  private readonly self: number

  constructor(self: number, peers: number) {
    this.self = self
    this.peers = peers
    const node = NodeConfig.of({ nodeId: `n${self}`, clusterPort: 9000 + self })
    const seeds = self === 0 ? [] : ["127.0.0.1:9000"]
    const config = { ...ClusterConfig.defaults, seedAddresses: seeds }
    const options = { config, node, policy: available, incarnation: incarnationOf(self), nowMs: 0 }
    this.state = initial(options, `127.0.0.1:${9000 + self}`)
  }

  step(run: (step: Step) => void): ReadonlyArray<ClusterCommand> {
    const [state, , commands] = transition(run)(this.state, this.nowMs)
    this.state = state
    return commands
  }
  receive(from: number, message: ClusterMessage): ReadonlyArray<ClusterCommand> {
    return this.step((step) => Inbound.receive(step, from + 1, message))
  }
  /** What peer `index` sends once a second when all is well. */
  heartbeat(index: number): ClusterMessageOf<"HEARTBEAT"> {
    const { phase } = this.state
    if (phase._tag !== "Joined") throw new Error("the node has no view")
    const { view, table } = phase
    return {
      type: "HEARTBEAT",
      senderId: `n${index}`,
      timestampMs: 0,
      membersViewVersion: view.version,
      suspectedNodes: [],
      incarnation: incarnationOf(index),
      lineage: view.lineage,
      settled: view.version,
      promise: 0,
      promisedTo: index === 0 ? "n0" : "",
      tableVersion: table.version
    }
  }
  /** All peers but this node, in turn. */
  peer(i: number): number {
    const index = i % this.peers
    return index >= this.self ? index + 1 : index
  }
}

const joinRequest = (index: number): ClusterMessage => ({
  type: "JOIN_REQUEST",
  nodeId: `n${index}`,
  host: "127.0.0.1",
  clientPort: 0,
  clusterPort: 9000 + index,
  clusterId: "",
  protocolVersion,
  authToken: Option.none(),
  incarnation: incarnationOf(index),
  lastVersion: 0,
  seeds: [],
  known: [],
  promise: 0,
  promisedTo: "",
  noFound: false,
  features: []
})

/** A settled cluster's master, all others active and linked; `viewOf` gets what it last sent to member 1. */
const masterOf = (size: number): { readonly master: Node; readonly lastView: ClusterMessage } => {
  const master = new Node(0, size - 1)
  master.step((step) => tick(step, () => false))
  let lastView: ClusterMessage | undefined
  const note = (commands: ReadonlyArray<ClusterCommand>): void => {
    for (const command of commands) {
      if (command._tag !== "Send" || command.connection !== 2) continue
      if (command.message.type === "JOIN_RESPONSE" || command.message.type === "MEMBERS_UPDATE")
        lastView = command.message
    }
  }
  for (let index = 1; index < size; index++) {
    master.step((step) => LinkEvents.accepted(step, index + 1))
    note(master.receive(index, joinRequest(index)))
    for (let other = 1; other <= index; other++) note(master.receive(other, master.heartbeat(other)))
  }
  if (lastView === undefined) throw new Error("the master has sent no view")
  return { master, lastView }
}

/** Member 1 of the same cluster. */
const memberOf = (size: number): Node => {
  const { lastView } = masterOf(size)
  if (lastView.type !== "MEMBERS_UPDATE") throw new Error("the last view was no update")
  const member = new Node(1, size - 1)
  member.step((step) => tick(step, () => false))
  member.step((step) => LinkEvents.dialled(step, 1, "127.0.0.1:9000"))
  const { view, type: _, clusterTimeMs: __, ...extensions } = lastView
  member.receive(0, {
    type: "JOIN_RESPONSE",
    accepted: true,
    rejectReason: Option.none(),
    rejectCode: Option.none(),
    responderNodeId: Option.some("n0"),
    membersView: Option.some(view),
    partitionAssignments: Option.none(),
    ...extensions,
    incarnation: incarnationOf(0)
  })
  for (let index = 2; index < size; index++) {
    member.step((step) => LinkEvents.accepted(step, index + 1))
    member.receive(index, member.heartbeat(index))
  }
  return member
}

/** Heartbeats of all peers in turn, each once in a second of virtual time. */
const heartbeats = (node: Node) => {
  const messages = Array.from({ length: node.peers }, (_, i) => node.heartbeat(node.peer(i)))
  const stepMs = node.state.config.heartbeatIntervalMs / node.peers
  return (i: number): number => {
    node.nowMs += stepMs
    const message = messages[i % node.peers]
    return message === undefined ? 0 : node.receive(node.peer(i), message).length
  }
}

/** A second of a node's life: four ticks, and a heartbeat of each peer in between. */
const second = (node: Node) => {
  const next = heartbeats(node)
  return (): number => {
    let commands = 0
    for (let i = 0; i < node.peers; i++) {
      commands += next(i)
      if (i % Math.ceil(node.peers / 4) === 0) commands += node.step((step) => tick(step, () => false)).length
    }
    return commands
  }
}

export const rows = (): ReadonlyArray<Row> => {
  const measured: Array<Row> = []
  for (const size of sizes) {
    const group = `membership core, ${size} members`
    const times = compare([
      { name: "heartbeat at the master", run: heartbeats(masterOf(size).master) },
      { name: "heartbeat at a member", run: heartbeats(memberOf(size)) },
      { name: "a second of the master", run: second(masterOf(size).master) },
      { name: "a second of a member", run: second(memberOf(size)) }
    ])
    for (const [name, nanoseconds] of times) {
      const isBeat = name.startsWith("heartbeat")
      measured.push({
        group,
        name,
        value: nanoseconds / 1000,
        unit: "µs",
        ...(isBeat && size === 25 ? { target: "< 10 µs" } : {})
      })
    }
  }
  return measured
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  console.log(formatRows(rows()))
}
