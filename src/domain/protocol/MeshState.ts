/** Connections of a node, and whom they belong to. */
import type { NodeId } from "../model/Scalars.ts"
import { PersistentMap } from "./PersistentMap.ts"

/** A connection's number, given by the transport; never used twice in a process. */
export type ConnectionId = number

export interface Connection {
  readonly id: ConnectionId
  /** The address that was dialled; `undefined` for an accepted connection. */
  readonly dialled: string | undefined
  /** Whom it belongs to: of a dialled one whoever is expected there, until a message names its sender. */
  readonly nodeId: NodeId | undefined
  /** A message has named its sender: `nodeId` does not change any more. */
  readonly isNamed: boolean
  /** The other end has sent an extension field, so it understands ours. */
  readonly extended: boolean
  readonly openedAtMs: number
  /** Since when both ends use this one of several; `undefined` while they do not. See `Surplus.ts`. */
  readonly agreedAtMs: number | undefined
}

/** An attempt to reach an address. */
export interface Dial {
  /** Failures in a row. */
  readonly attempt: number
  readonly inFlight: boolean
  /** The member that is expected there. */
  readonly expected: NodeId | undefined
}

/** The last connection to a member ended without a leave. */
export interface LostLink {
  readonly atMs: number
}

export interface MeshState {
  readonly connections: PersistentMap<ConnectionId, Connection>
  /** Connections of a node, oldest first; the last is used for sending. */
  readonly links: PersistentMap<NodeId, ReadonlyArray<ConnectionId>>
  readonly dials: PersistentMap<string, Dial>
  readonly lost: ReadonlyMap<NodeId, LostLink>
}

export const emptyMesh = (): MeshState => ({
  connections: PersistentMap.from<ConnectionId, Connection>([]),
  links: PersistentMap.from<NodeId, ReadonlyArray<ConnectionId>>([]),
  dials: PersistentMap.from<string, Dial>([]),
  lost: new Map()
})
