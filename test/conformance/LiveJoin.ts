/**
 * The frames of a real join between reference nodes, as recorded in `live-join.json`: each decodes and is encoded to
 * the same bytes, and the simulator's model of a reference node, given what the first node received, sends the same.
 */
import { Result, Schema } from "effect"
import { decodeClusterMessage, encodeClusterMessage } from "../../src/domain/codec/ClusterMessageCodec.ts"
import type { ClusterMessage } from "../../src/domain/wire/ClusterMessage.ts"
import { type ReferenceEvent, referenceTurn } from "../../src/testing/simulation/reference/ReferencePeer.ts"
import { referenceStart } from "../../src/testing/simulation/reference/ReferenceState.ts"
import type { Failure, Report } from "./Report.ts"
import { fromHex, readCases, toHex } from "./VectorFile.ts"

const Frame = Schema.Struct({
  atMs: Schema.Number,
  dir: Schema.String,
  conn: Schema.String,
  type: Schema.String,
  payloadLen: Schema.Number,
  frameHex: Schema.String
})

/** A frame is a length of four bytes and one message. */
const lengthBytes = 4

const judge = ({ type, payloadLen, frameHex }: typeof Frame.Type): string | undefined => {
  const frame = fromHex(frameHex)
  const payload = frame.subarray(lengthBytes)
  if (payload.length !== payloadLen) return `the frame carries ${payload.length} bytes instead of ${payloadLen}`
  const decoded = decodeClusterMessage(payload)
  if (Result.isFailure(decoded)) return decoded.failure.message
  if (decoded.success.type !== type) return `decoded as ${decoded.success.type}`
  return toHex(encodeClusterMessage(decoded.success)) === toHex(payload) ? undefined : "encoded to other bytes"
}

export const liveJoin = (folder: string): Report => {
  const frames = readCases(folder, "live-join.json", Schema.Array(Frame))
  const failures = frames.flatMap((frame, i): ReadonlyArray<Failure> => {
    const reason = judge(frame)
    return reason === undefined ? [] : [{ name: `${i} ${frame.dir} ${frame.type} at ${frame.atMs} ms`, reason }]
  })
  return { suite: "live-join", cases: frames.length, failures }
}

// ---- the model ----------------------------------------------------------------------------------------

type Recorded = typeof Frame.Type

const messageOf = ({ frameHex }: Recorded): ClusterMessage =>
  Result.getOrThrow(decodeClusterMessage(fromHex(frameHex).subarray(lengthBytes)))

/** What the sender's wall clock showed, where a message tells. */
const wallOf = (message: ClusterMessage): number | undefined =>
  message.type === "HEARTBEAT"
    ? message.timestampMs
    : message.type === "MEMBERS_UPDATE"
      ? message.clusterTimeMs
      : undefined

/** The recording starts with the founder of `node-1` alone, and is what it saw. */
export const liveJoinModel = (folder: string): Report => {
  const frames = readCases(folder, "live-join.json", Schema.Array(Frame))
  const originMs = frames.flatMap((frame) => {
    const wallMs = frame.dir === "out" ? wallOf(messageOf(frame)) : undefined
    return wallMs === undefined ? [] : [wallMs - frame.atMs]
  })[0]
  const failures: Array<Failure> = []
  if (originMs === undefined) return { suite: "live-join model", cases: 0, failures }
  let state = referenceStart(
    {
      nodeId: "node-1",
      host: "127.0.0.1",
      clientPort: 22_001,
      clusterPort: 21_001,
      clusterId: "",
      seeds: [],
      partitionCount: 271,
      backupCount: 1
    },
    originMs
  )
  const sent: Array<readonly [connection: number, message: ClusterMessage]> = []
  const turn = (event: ReferenceEvent, wallMs: number): void => {
    const [next, actions] = referenceTurn(state, event, wallMs)
    state = next
    for (const action of actions) if (action._tag === "Send") sent.push([action.connection, action.message])
  }
  turn({ _tag: "Started" }, originMs)
  turn({ _tag: "Ticked" }, originMs)
  const connections = new Map<string, number>()
  for (const [i, frame] of frames.entries()) {
    const message = messageOf(frame)
    let connection = connections.get(frame.conn)
    if (connection === undefined) {
      connections.set(frame.conn, (connection = connections.size + 1))
      turn({ _tag: "Accepted", connection }, originMs + frame.atMs)
    }
    if (frame.dir === "in") {
      turn({ _tag: "Received", connection, message }, originMs + frame.atMs)
      continue
    }
    const wallMs = wallOf(message)
    if (message.type === "HEARTBEAT" && wallMs !== undefined && sent.length === 0) turn({ _tag: "Ticked" }, wallMs)
    const next = sent.shift()
    const own = next === undefined ? undefined : toHex(encodeClusterMessage(next[1]))
    const isSame = own !== undefined && next?.[0] === connection && own === frame.frameHex.slice(2 * lengthBytes)
    if (!isSame)
      failures.push({ name: `${i} ${frame.type} at ${frame.atMs} ms`, reason: `the model sends ${next?.[1].type}` })
  }
  for (const [, message] of sent) failures.push({ name: "the end", reason: `the model also sends ${message.type}` })
  return { suite: "live-join model", cases: frames.filter(({ dir }) => dir === "out").length, failures }
}
