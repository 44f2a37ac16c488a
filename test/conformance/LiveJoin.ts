/** The frames of a real join between reference nodes, as recorded in `live-join.json`: each decodes and is encoded to the same bytes. */
import { Result, Schema } from "effect"
import { decodeClusterMessage, encodeClusterMessage } from "../../src/domain/codec/ClusterMessageCodec.ts"
import type { Failure, Report } from "./Report.ts"
import { fromHex, readCases, toHex } from "./VectorFile.ts"

const Frame = Schema.Struct({
  atMs: Schema.Number,
  dir: Schema.String,
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
