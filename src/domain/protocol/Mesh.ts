/**
 * Every pair of members holds one connection. This file keeps the books: which connection belongs to
 * whom, which one is used for sending, which addresses are being dialled. Closing a connection that
 * has been replaced means nothing; only the loss of the last one is news.
 */
import { formatAddress } from "../model/Address.ts"
import type { MemberInfo } from "../model/MemberInfo.ts"
import { compareAge } from "../model/MembersView.ts"
import type { NodeId } from "../model/Scalars.ts"
import type { ClusterMessage } from "../wire/ClusterMessage.ts"
import { stripExtensions } from "../wire/StripExtensions.ts"
import { maxConnectionsPerNode, maxDials } from "./Bounds.ts"
import { type ClusterView, memberOf } from "./ClusterView.ts"
import type { Connection, ConnectionId, Dial, MeshState } from "./MeshState.ts"
import { onceFor, onceForBoth } from "./OnceFor.ts"
import type { Step } from "./Transition.ts"

// ---- reading ----------------------------------------------------------------------------------

export const connectionOf = (step: Step, id: ConnectionId): Connection | undefined =>
  step.state.mesh.connections.get(id)

export const isLinked = (step: Step, nodeId: NodeId): boolean => (step.state.mesh.links.get(nodeId) ?? []).length > 0

export const addressOf = (member: Pick<MemberInfo, "host" | "clusterPort">): string =>
  formatAddress(member.host, member.clusterPort)

export const ownAddress = (step: Step): string =>
  formatAddress(step.state.node.advertiseHost, step.state.node.clusterPort)

const residentsOf = onceFor((members: ReadonlyArray<MemberInfo>): ReadonlyMap<string, MemberInfo> => {
  const residents = new Map<string, MemberInfo>()
  for (const member of members) {
    if (member.state === "dead") continue
    const address = addressOf(member)
    const resident = residents.get(address)
    if (resident === undefined || compareAge(member, resident) > 0) residents.set(address, member)
  }
  return residents
})

/** The member that lives at an address: of several the newest, which has taken it over. */
export const residentAt = (view: ClusterView, address: string): MemberInfo | undefined =>
  residentsOf(view.members).get(address)

// Of several connections to one address the first counts.
const byDialled = onceFor((connections: MeshState["connections"]): ReadonlyMap<string, Connection> => {
  const found = new Map<string, Connection>()
  for (const connection of connections.values()) {
    const { dialled } = connection
    if (dialled !== undefined && !found.has(dialled)) found.set(dialled, connection)
  }
  return found
})

/** The connection that was dialled to this address, if one is open. */
export const dialledTo = (step: Step, address: string): Connection | undefined =>
  byDialled(step.state.mesh.connections).get(address)

export const isDialled = (step: Step, address: string): boolean => dialledTo(step, address) !== undefined

// ---- sending ----------------------------------------------------------------------------------

/** Sends on a connection; a peer that knows only the reference's fields gets only those. */
export const reply = (step: Step, id: ConnectionId, message: ClusterMessage): void => {
  const connection = connectionOf(step, id)
  if (connection === undefined) return
  // What opens a connection of strangers always carries its extensions: so two nodes learn that they understand more.
  const opens = message.type === "JOIN_REQUEST" || message.type === "SPLIT_BRAIN_PROBE"
  const known = connection.extended || opens
  step.run({ _tag: "Send", connection: id, message: known ? message : stripExtensions(message) })
}

/** Sends to a node over its link. Without one the message is dropped: everything that matters is repeated. */
export const sendTo = (step: Step, nodeId: NodeId, message: ClusterMessage): void => {
  const id = step.state.mesh.links.get(nodeId)?.at(-1)
  if (id !== undefined) reply(step, id, message)
}

// The connections over which these nodes are reached, in their order.
const routesTo = onceForBoth(
  (mesh: MeshState, nodeIds: ReadonlyArray<NodeId>, self: NodeId): ReadonlyArray<Connection> =>
    nodeIds.flatMap((nodeId) => {
      const id = nodeId === self ? undefined : mesh.links.get(nodeId)?.at(-1)
      const connection = id === undefined ? undefined : mesh.connections.get(id)
      return connection === undefined ? [] : [connection]
    })
)

/** Sends to all of these nodes but this one, as {@link sendTo} does; quickly where the same list is used again. */
export const sendToAll = (step: Step, nodeIds: ReadonlyArray<NodeId>, message: ClusterMessage): void => {
  for (const { extended, id } of routesTo(step.state.mesh, nodeIds, step.self.nodeId)) {
    step.run({ _tag: "Send", connection: id, message: extended ? message : stripExtensions(message) })
  }
}

// ---- changing ---------------------------------------------------------------------------------

const update = (step: Step, change: Partial<MeshState>): void => step.set({ mesh: { ...step.state.mesh, ...change } })

const setConnection = (step: Step, connection: Connection): void =>
  update(step, { connections: step.state.mesh.connections.set(connection.id, connection) })

const setLink = (step: Step, nodeId: NodeId, ids: ReadonlyArray<ConnectionId>): void => {
  const { links } = step.state.mesh
  update(step, { links: ids.length === 0 ? links.delete(nodeId) : links.set(nodeId, ids) })
}

const setDial = (step: Step, address: string, dial: Dial | undefined): void => {
  const { dials } = step.state.mesh
  update(step, { dials: dial === undefined ? dials.delete(address) : dials.set(address, dial) })
}

/** Opens a connection to `address` unless that is under way. `expected` is the member that should answer there. */
export const dial = (step: Step, address: string, expected: NodeId | undefined): void => {
  const known = step.state.mesh.dials.get(address)
  if (known?.inFlight === true) return
  if (known === undefined && step.state.mesh.dials.size >= maxDials) return
  const attempt = known?.attempt ?? 0
  setDial(step, address, { attempt, inFlight: true, expected })
  step.run({ _tag: "Dial", address, attempt })
}

/** The next dial of `address` does not wait for earlier failures. */
export const dialAtOnce = (step: Step, address: string, expected: NodeId | undefined): void => {
  if (step.state.mesh.dials.get(address)?.inFlight === true) return
  setDial(step, address, undefined)
  dial(step, address, expected)
}

const unknownConnection = (step: Step, id: ConnectionId) => ({
  id,
  nodeId: undefined,
  isNamed: false,
  extended: false,
  openedAtMs: step.nowMs,
  agreedAtMs: undefined
})

export const accepted = (step: Step, id: ConnectionId): void =>
  setConnection(step, { ...unknownConnection(step, id), dialled: undefined })

/**
 * A dial succeeded. It is the link of the member that was expected there, or, if the view has come
 * while it was under way, of the member that the view lists there.
 */
export const dialled = (step: Step, id: ConnectionId, address: string): void => {
  const wanted = step.state.mesh.dials.get(address)?.expected
  const expected = wanted ?? (step.joined === undefined ? undefined : residentAt(step.joined.view, address)?.nodeId)
  setDial(step, address, undefined)
  setConnection(step, { ...unknownConnection(step, id), dialled: address })
  if (expected !== undefined) identify(step, id, expected)
}

// Looked at by every tick, and changed only with the connections and the view: what was accepted and is someone's may
// stay, and what leads to a member.
const unwantedOf = onceForBoth(
  ({ connections }: MeshState, members: ReadonlyArray<MemberInfo>): ReadonlyArray<Connection> => {
    const ids = new Set(members.map(({ nodeId }) => nodeId))
    return connections
      .values()
      .filter(({ dialled, nodeId }) => nodeId === undefined || (dialled !== undefined && !ids.has(nodeId)))
  }
)

/** Is there a member without a connection? */
export const missesSomeone = onceForBoth(
  ({ links }: MeshState, members: ReadonlyArray<MemberInfo>, self: NodeId): boolean =>
    members.some(({ nodeId }) => !links.has(nodeId) && nodeId !== self)
)

/** Nodes with more than one connection. */
export const doublyLinkedOf = onceFor(
  (links: MeshState["links"]): ReadonlyArray<readonly [NodeId, ReadonlyArray<ConnectionId>]> =>
    [...links].filter(([, ids]) => ids.length > 1)
)

/**
 * Closes what leads to nobody of the view after `limitMs`: it was dialled by a fresh node, or
 * another node lives at that address now, or another process uses a member's id. The other end may take
 * such a connection for its link.
 */
export const closeUnwanted = (step: Step, view: ClusterView, limitMs: number): void => {
  for (const { id, openedAtMs } of unwantedOf(step.state.mesh, view.members, undefined)) {
    if (step.nowMs - openedAtMs > limitMs) close(step, id, "nobody of the view is there")
  }
}

/** A dial failed. Returns the member that was expected there. */
export const dialFailed = (step: Step, address: string): NodeId | undefined => {
  const known = step.state.mesh.dials.get(address)
  setDial(step, address, { attempt: (known?.attempt ?? 0) + 1, inFlight: false, expected: known?.expected })
  return known?.expected
}

/** Is there an address that could not be reached and is not being dialled? */
export const hasIdleDials = ({ dials }: MeshState): boolean =>
  dials.size > 0 && dials.values().some((dial) => !dial.inFlight)

/** Addresses that nobody wants any more are forgotten, with their failures. */
export const keepDials = (step: Step, wanted: ReadonlySet<string>): void => {
  for (const [address, known] of step.state.mesh.dials) {
    if (!known.inFlight && !wanted.has(address)) setDial(step, address, undefined)
  }
}

/** Fixes whom a connection belongs to. It becomes that node's link; the oldest of too many is closed. */
export const identify = (step: Step, id: ConnectionId, nodeId: NodeId): void => {
  const connection = connectionOf(step, id)
  if (connection === undefined || connection.nodeId === nodeId) return
  // Whoever the view lists with an incarnation has sent extensions when it joined.
  const listed = step.joined === undefined ? undefined : memberOf(step.joined.view, nodeId)
  setConnection(step, { ...connection, nodeId, extended: connection.extended || listed?.incarnation !== undefined })
  const others = (step.state.mesh.links.get(nodeId) ?? []).filter((other) => other !== id)
  const ids = [...others, id]
  setLink(step, nodeId, ids)
  // What was agreed on before does not count when this one has ended.
  const former = others.at(-1)
  const left = former === undefined ? undefined : connectionOf(step, former)
  if (left?.agreedAtMs !== undefined) setConnection(step, { ...left, agreedAtMs: undefined })
  if (step.state.mesh.lost.has(nodeId)) forgetLost(step, (other) => other !== nodeId)
  if (connection.dialled === undefined) step.run({ _tag: "Identify", connection: id })
  if (ids.length > maxConnectionsPerNode && ids[0] !== undefined) close(step, ids[0], "replaced")
}

/** The other end has said who it is: the node that was expected there. */
export const confirm = (step: Step, id: ConnectionId): void => {
  const connection = connectionOf(step, id)
  if (connection !== undefined && !connection.isNamed) setConnection(step, { ...connection, isNamed: true })
}

/**
 * Another process speaks than the one that the connection was taken to lead to: it is not that node's link.
 * `extended` says whether what it sent has extensions.
 */
export const disown = (step: Step, id: ConnectionId, extended: boolean): void => {
  const connection = connectionOf(step, id)
  if (connection?.nodeId === undefined) return
  const rest = (step.state.mesh.links.get(connection.nodeId) ?? []).filter((other) => other !== id)
  setLink(step, connection.nodeId, rest)
  setConnection(step, { ...connection, nodeId: undefined, extended })
}

/** The connection is used for sending from now on. */
export const prefer = (step: Step, nodeId: NodeId, id: ConnectionId): void => {
  const ids = step.state.mesh.links.get(nodeId) ?? []
  if (ids.at(-1) !== id) setLink(step, nodeId, [...ids.filter((other) => other !== id), id])
}

/** The other end sends on this connection: does it use the same as this end? */
export const agree = (step: Step, nodeId: NodeId, id: ConnectionId): void => {
  const used = step.state.mesh.links.get(nodeId)?.at(-1)
  const connection = used === undefined ? undefined : connectionOf(step, used)
  const agrees = used === id
  if (connection === undefined || agrees === (connection.agreedAtMs !== undefined)) return
  setConnection(step, { ...connection, agreedAtMs: agrees ? step.nowMs : undefined })
}

export const learnExtended = (step: Step, id: ConnectionId): void => {
  const connection = connectionOf(step, id)
  if (connection !== undefined && !connection.extended) setConnection(step, { ...connection, extended: true })
}

/** Takes a connection out of the books. Returns its node when that was its last connection. */
export const remove = (step: Step, id: ConnectionId): NodeId | undefined => {
  const { connections } = step.state.mesh
  const connection = connections.get(id)
  if (connection === undefined) return undefined
  update(step, { connections: connections.delete(id) })
  if (connection.nodeId === undefined) return undefined
  const rest = (step.state.mesh.links.get(connection.nodeId) ?? []).filter((other) => other !== id)
  setLink(step, connection.nodeId, rest)
  return rest.length === 0 ? connection.nodeId : undefined
}

/** Closes a connection from this side. */
export const close = (step: Step, id: ConnectionId, why: string): void => {
  remove(step, id)
  step.run({ _tag: "Close", connection: id, why })
}

/** Closes all connections of a node but one: the others belong to a process that it has replaced. */
export const closeOthers = (step: Step, nodeId: NodeId, keep: ConnectionId | undefined, why: string): void => {
  for (const id of step.state.mesh.links.get(nodeId) ?? []) if (id !== keep) close(step, id, why)
}

/** The last connection to a node ended, and not by this side. */
export const markLost = (step: Step, nodeId: NodeId): void =>
  update(step, { lost: new Map(step.state.mesh.lost).set(nodeId, { atMs: step.nowMs }) })

export const forgetLost = (step: Step, keep: (nodeId: NodeId) => boolean): void => {
  if (step.state.mesh.lost.size === 0) return
  const lost = new Map([...step.state.mesh.lost].filter(([nodeId]) => keep(nodeId)))
  if (lost.size !== step.state.mesh.lost.size) update(step, { lost })
}
