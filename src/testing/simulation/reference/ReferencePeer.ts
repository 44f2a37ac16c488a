/**
 * A node of the reference as a pure state machine: from a state, an event and a time to the next state and what it
 * sends. It is not what the reference is, but what can be observed of it, with its faults; they are numbered as in
 * `docs/protocol.md`.
 */
import { Option } from "effect"
import { formatAddress } from "../../../domain/model/Address.ts"
import type { NodeState } from "../../../domain/model/NodeState.ts"
import type { NodeId } from "../../../domain/model/Scalars.ts"
import { computeAssignment } from "../../../domain/placement/ComputeAssignment.ts"
import type { ClusterMessage, ClusterMessageOf } from "../../../domain/wire/ClusterMessage.ts"
import { protocolVersion } from "../../../domain/wire/MembershipMessages.ts"
import { stripExtensions } from "../../../domain/wire/StripExtensions.ts"
import {
  believedMaster,
  believesToLead,
  heartbeatMs,
  type ReferenceAction,
  type ReferenceState,
  selfInfo,
  suspicionMs,
  suspicionTimeoutMs,
  timerSlackMs
} from "./ReferenceState.ts"

export type ReferenceEvent =
  | { readonly _tag: "Started" }
  | { readonly _tag: "Ticked" }
  | { readonly _tag: "Accepted"; readonly connection: number }
  | { readonly _tag: "Dialled"; readonly connection: number; readonly address: string }
  | { readonly _tag: "DialFailed"; readonly address: string }
  | { readonly _tag: "Closed"; readonly connection: number }
  | { readonly _tag: "Received"; readonly connection: number; readonly message: ClusterMessage }

/** One event being handled. `nowMs` is its wall clock, the only one that it reads. */
class Turn {
  state: ReferenceState
  readonly nowMs: number
  readonly actions: Array<ReferenceAction> = []

  constructor(state: ReferenceState, nowMs: number) {
    this.state = state
    this.nowMs = nowMs
  }
  set(change: Partial<ReferenceState>): void {
    this.state = { ...this.state, ...change }
  }
  send(connection: number, message: ClusterMessage): void {
    this.actions.push({ _tag: "Send", connection, message })
  }
  /** Connections of peers that have said who they are, newest first. */
  get peers(): ReadonlyArray<readonly [connection: number, nodeId: NodeId]> {
    return [...this.state.connections]
      .flatMap(([connection, { nodeId }]): ReadonlyArray<readonly [number, NodeId]> =>
        nodeId === undefined ? [] : [[connection, nodeId]]
      )
      .toReversed()
  }
  identify(connection: number, nodeId: NodeId): void {
    const known = this.state.connections.get(connection)
    if (known === undefined) return
    this.set({ connections: new Map(this.state.connections).set(connection, { ...known, nodeId }) })
  }
  /** Changes its own copy of the view, tells nobody, and counts its version up (faults 2 and 3). */
  mark(nodeId: NodeId, state: NodeState): void {
    const { members, version } = this.state.view
    const known = members.find((member) => member.nodeId === nodeId)
    if (known === undefined || known.state === state || nodeId === this.state.options.nodeId) return
    const changed = members.with(members.indexOf(known), { ...known, state })
    this.set({ view: { version: version + 1, members: changed } })
  }
}

const none = Option.none()

// ---- joining ------------------------------------------------------------------------------------------

const joinRequest = ({ options }: ReferenceState): ClusterMessageOf<"JOIN_REQUEST"> => ({
  type: "JOIN_REQUEST",
  nodeId: options.nodeId,
  host: options.host,
  clientPort: options.clientPort,
  clusterPort: options.clusterPort,
  clusterId: options.clusterId,
  protocolVersion,
  authToken: none
})

const askNextSeed = (turn: Turn): void => {
  const { isMember, nextSeed, options } = turn.state
  const address = options.seeds[nextSeed]
  if (isMember || address === undefined) return
  turn.set({ nextSeed: nextSeed + 1 })
  turn.actions.push({ _tag: "Dial", address })
}

const refusal = (
  { options }: ReferenceState,
  code: "NOT_MASTER_YET" | "WRONG_CLUSTER_ID"
): ClusterMessageOf<"JOIN_RESPONSE"> => ({
  type: "JOIN_RESPONSE",
  accepted: false,
  rejectReason: Option.some(code === "NOT_MASTER_YET" ? "not master" : "wrong cluster id"),
  rejectCode: Option.some(code),
  responderNodeId: Option.some(options.nodeId),
  membersView: none,
  partitionAssignments: none
})

const tableUpdate = ({ assignments, tableVersion }: ReferenceState): ClusterMessageOf<"PARTITION_TABLE_UPDATE"> => ({
  type: "PARTITION_TABLE_UPDATE",
  assignments,
  version: tableVersion,
  completedMigrations: []
})

// Neither token nor protocol version is looked at (fault 13), nor whether the id is in use, its own included (11).
const admit = (turn: Turn, connection: number, request: ClusterMessageOf<"JOIN_REQUEST">): void => {
  if (request.clusterId !== turn.state.options.clusterId) {
    return turn.send(connection, refusal(turn.state, "WRONG_CLUSTER_ID"))
  }
  if (!believesToLead(turn.state)) return turn.send(connection, refusal(turn.state, "NOT_MASTER_YET"))
  turn.identify(connection, request.nodeId)
  const { options, tableVersion, view } = turn.state
  const version = view.version + 1
  const { clientPort, clusterPort, host, nodeId } = request
  const others = view.members.filter((member) => member.nodeId !== nodeId)
  const joiner = { nodeId, host, clientPort, clusterPort, state: "active" as const, joinVersion: version }
  const members = [...others, joiner]
  turn.set({
    view: { version, members },
    assignments: computeAssignment(members, options.partitionCount, options.backupCount),
    tableVersion: tableVersion + 2
  })
  const rest = turn.peers.filter(([id]) => id !== connection)
  for (const [id] of rest) {
    turn.send(id, { type: "MEMBERS_UPDATE", view: turn.state.view, clusterTimeMs: turn.nowMs })
  }
  turn.send(connection, {
    type: "JOIN_RESPONSE",
    accepted: true,
    rejectReason: none,
    rejectCode: none,
    responderNodeId: none,
    membersView: Option.some(turn.state.view),
    partitionAssignments: Option.some(turn.state.assignments)
  })
  for (const [id] of rest) turn.send(id, tableUpdate(turn.state))
  turn.send(connection, tableUpdate(turn.state))
}

// Whoever sends an accepting answer is believed, also when nothing was asked (fault 12).
const onAnswer = (turn: Turn, answer: ClusterMessageOf<"JOIN_RESPONSE">): void => {
  const view = Option.getOrUndefined(answer.membersView)
  if (!answer.accepted || view === undefined) return askNextSeed(turn)
  turn.set({ assignments: Option.getOrElse(answer.partitionAssignments, () => turn.state.assignments) })
  if (!turn.state.isMember || view.version > turn.state.view.version) turn.set({ view })
  turn.set({ isMember: true })
}

/** Its seeds have not accepted it: it founds. What it says of that goes out on sockets that nobody reads (15). */
const promote = (turn: Turn): void => {
  const { options } = turn.state
  const members = [selfInfo(turn.state, 0)]
  turn.set({
    isMember: true,
    view: { version: 1, members },
    assignments: computeAssignment(members, options.partitionCount, options.backupCount),
    tableVersion: 1
  })
  for (const connection of turn.state.connections.keys()) {
    turn.send(connection, {
      type: "MASTER_ELECTED",
      masterAddress: formatAddress(options.host, options.clusterPort),
      masterNodeId: options.nodeId,
      term: 1,
      electionId: options.nodeId
    })
  }
}

// ---- hearing ------------------------------------------------------------------------------------------

const onHeartbeat = (turn: Turn, connection: number, heartbeat: ClusterMessageOf<"HEARTBEAT">): void => {
  const { senderId, timestampMs } = heartbeat
  const { connections, heard, view } = turn.state
  if (!view.members.some((member) => member.nodeId === senderId)) return
  if (connections.get(connection)?.nodeId === undefined) turn.identify(connection, senderId)
  turn.set({ heard: new Map(heard).set(senderId, { timestampMs, silentSinceMs: undefined }) })
}

// A follower tells the master whom it suspects, also when that is the master (fault 14).
const complain = (turn: Turn, suspectId: NodeId): void => {
  const { options, view } = turn.state
  const master = believedMaster(turn.state)
  for (const [connection, nodeId] of turn.peers) {
    if (nodeId !== master) continue
    turn.send(connection, {
      type: "HEARTBEAT_COMPLAINT",
      complainerId: options.nodeId,
      complainerViewVersion: view.version,
      suspectId,
      suspectViewVersion: view.version
    })
  }
}

// A suspect never becomes active again, and dies of its next silence (6). A peer that was never heard lives (9).
const judge = (turn: Turn): void => {
  for (const [nodeId, heard] of turn.state.heard) {
    const isSilent = turn.nowMs - heard.timestampMs > suspicionMs
    if (!isSilent) continue
    const state = turn.state.view.members.find((member) => member.nodeId === nodeId)?.state
    if (heard.silentSinceMs === undefined) {
      complain(turn, nodeId)
      turn.set({ heard: new Map(turn.state.heard).set(nodeId, { ...heard, silentSinceMs: turn.nowMs }) })
      turn.mark(nodeId, state === "active" ? "suspect" : "dead")
    } else if (turn.nowMs - heard.silentSinceMs > suspicionTimeoutMs) turn.mark(nodeId, "dead")
  }
}

const beat = (turn: Turn): void => {
  const { beatsAtMs, isMember, options, view } = turn.state
  if (!isMember || turn.nowMs < beatsAtMs - timerSlackMs) return
  turn.set({ beatsAtMs: Math.max(beatsAtMs + heartbeatMs, turn.nowMs) })
  const suspectedNodes = view.members.filter(({ state }) => state === "suspect").map(({ nodeId }) => nodeId)
  for (const [connection] of turn.peers) {
    turn.send(connection, {
      type: "HEARTBEAT",
      senderId: options.nodeId,
      timestampMs: turn.nowMs,
      membersViewVersion: view.version,
      suspectedNodes
    })
  }
}

// ---- all of it ----------------------------------------------------------------------------------------

const onMessage = (turn: Turn, connection: number, message: ClusterMessage): void => {
  switch (message.type) {
    case "JOIN_REQUEST":
      return admit(turn, connection, message)
    case "JOIN_RESPONSE":
      return onAnswer(turn, message)
    case "MEMBERS_UPDATE":
      // From whomever, and whatever the version (fault 12).
      if (message.view.version > turn.state.view.version) turn.set({ view: message.view })
      return
    case "HEARTBEAT":
      return onHeartbeat(turn, connection, message)
    case "HEARTBEAT_COMPLAINT":
      if (believesToLead(turn.state)) turn.mark(message.suspectId, "suspect")
      return
    // Whoever looks for a cluster asks the master that it hears of.
    case "MASTER_ELECTED":
      if (!turn.state.isMember) turn.actions.push({ _tag: "Dial", address: message.masterAddress })
      return
    // Tables of followers are those of their join for ever (1); nothing else is answered.
    default:
      return
  }
}

// Whoever disconnects is dead, also when it has connected anew before (10). Nobody dials it (4).
const onClosed = (turn: Turn, connection: number): void => {
  const nodeId = turn.state.connections.get(connection)?.nodeId
  const connections = new Map(turn.state.connections)
  connections.delete(connection)
  turn.set({ connections })
  if (nodeId !== undefined) turn.mark(nodeId, "dead")
  if (!turn.state.isMember) askNextSeed(turn)
}

const open = (turn: Turn, connection: number, dialled: string | undefined): void =>
  turn.set({
    connections: new Map(turn.state.connections).set(connection, { dialled, nodeId: undefined })
  })

const handle = (turn: Turn, event: ReferenceEvent): void => {
  switch (event._tag) {
    case "Started":
      return askNextSeed(turn)
    case "Accepted":
      return open(turn, event.connection, undefined)
    case "Dialled":
      open(turn, event.connection, event.address)
      return turn.send(event.connection, joinRequest(turn.state))
    case "DialFailed":
      return askNextSeed(turn)
    case "Closed":
      return onClosed(turn, event.connection)
    case "Received":
      // Extension fields are unknown to it.
      onMessage(turn, event.connection, stripExtensions(event.message))
      return identifyMaster(turn, event.connection)
    case "Ticked":
      if (!turn.state.isMember && turn.nowMs >= turn.state.promotesAtMs) promote(turn)
      judge(turn)
      return beat(turn)
  }
}

// The connection on which it was accepted is the master's.
const identifyMaster = (turn: Turn, connection: number): void => {
  const master = believedMaster(turn.state)
  const known = turn.state.connections.get(connection)
  if (!turn.state.isMember || known?.dialled === undefined || known.nodeId !== undefined) return
  if (master !== undefined && master !== turn.state.options.nodeId) turn.identify(connection, master)
}

/** What the node does about an event; `wallMs` is its wall clock, milliseconds since 1970. */
export const referenceTurn = (
  state: ReferenceState,
  event: ReferenceEvent,
  wallMs: number
): readonly [state: ReferenceState, actions: ReadonlyArray<ReferenceAction>] => {
  const turn = new Turn(state, wallMs)
  handle(turn, event)
  return [turn.state, turn.actions]
}
