/**
 * Frames made to hurt, from a stranger that has reached the port of a node and has no token. None of them may
 * change anything but counters.
 */
import { Option } from "effect"
import type { MemberInfo } from "../../domain/model/MemberInfo.ts"
import type { ClusterMessage } from "../../domain/wire/ClusterMessage.ts"
import { protocolVersion } from "../../domain/wire/MembershipMessages.ts"
import type { Fault } from "./Fault.ts"

export type Frames = Extract<Fault, { readonly _tag: "Hostile" }>["frames"]

/** Join requests of one flood. */
const floodSize = 64
const strangerIncarnation = 7

const join = (nodeId: string, clusterPort: number): ClusterMessage => ({
  type: "JOIN_REQUEST",
  nodeId,
  host: "127.0.0.1",
  clientPort: 1,
  clusterPort,
  clusterId: "",
  protocolVersion,
  authToken: Option.some("guessed"),
  incarnation: strangerIncarnation
})

const asStranger = (member: MemberInfo): MemberInfo => ({
  ...member,
  nodeId: "stranger",
  incarnation: strangerIncarnation
})

const heartbeat = (senderId: string, lineage: string): ClusterMessage => ({
  type: "HEARTBEAT",
  senderId,
  timestampMs: 0,
  membersViewVersion: Number.MAX_SAFE_INTEGER,
  suspectedNodes: [],
  incarnation: strangerIncarnation,
  lineage,
  settled: Number.MAX_SAFE_INTEGER,
  promise: 2 ** 20,
  promisedTo: senderId
})

/** What the stranger knows of the view of its target. */
export interface KnownView {
  readonly lineage: string
  readonly version: number
  readonly members: ReadonlyArray<MemberInfo>
}

/** What the stranger sends over one connection to a node with this view, in order. */
export const hostileFrames = (frames: Frames, view: KnownView | undefined): ReadonlyArray<ClusterMessage> => {
  const members = view?.members ?? []
  const lineage = view?.lineage ?? "n1.1000"
  const stranger = { nodeId: "stranger", incarnation: strangerIncarnation }
  const grabbed = {
    view: {
      version: Number.MAX_SAFE_INTEGER,
      members: [...members.slice(0, 1), ...members.slice(0, 1).map(asStranger)]
    },
    lineage,
    parent: { lineage, version: view?.version ?? 0 },
    base: { voters: [stranger] },
    settled: true
  }
  switch (frames) {
    case "hugeVersion":
      return [
        heartbeat("stranger", "stranger.7"),
        { type: "MEMBERS_UPDATE", clusterTimeMs: 0, ...grabbed },
        { type: "MEMBERS_UPDATE", clusterTimeMs: 0, ...grabbed, lineage: "stranger.7", ancestors: [grabbed.parent] }
      ]
    case "mastersName":
      return members.map((member) => join(member.nodeId, 1))
    case "unaskedWelcome":
      return [
        {
          type: "JOIN_RESPONSE",
          accepted: true,
          rejectReason: Option.none(),
          rejectCode: Option.none(),
          responderNodeId: Option.some("stranger"),
          membersView: Option.some(grabbed.view),
          partitionAssignments: Option.some([]),
          lineage,
          parent: grabbed.parent,
          base: grabbed.base,
          settled: true
        }
      ]
    case "othersHeartbeat":
      return [heartbeat("stranger", "stranger.7"), ...members.map((member) => heartbeat(member.nodeId, lineage))]
    case "floodOfJoins":
      return Array.from({ length: floodSize }, (_, i) => join(`stranger${i}`, i + 1))
  }
}
