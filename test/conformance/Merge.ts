/** Our `decideMerge` against what the reference decided, as recorded in `merge.json` of the conformance folder. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Option, Result, Schema } from "effect"
import { MembersView } from "../../src/domain/model/MembersView.ts"
import { NodeState } from "../../src/domain/model/NodeState.ts"
import { decideMerge, RemoteCluster } from "../../src/domain/protocol/DecideMerge.ts"
import type { Failure, Report } from "./Report.ts"

/** Integers beyond 2^53−1 are recorded as strings; our schemas refuse them, which is the expected outcome. */
const Recorded = Schema.Union([Schema.Number, Schema.String])

const Case = Schema.Struct({
  name: Schema.String,
  localClusterId: Schema.String,
  members: Schema.Array(Schema.Tuple([Schema.String, NodeState, Recorded])),
  remote: Schema.Record(Schema.String, Recorded),
  decision: Schema.Literals(["CannotMerge", "LocalShouldMerge", "RemoteShouldMerge"]),
  remoteMasterAddress: Schema.NullOr(Schema.String)
})
type Case = typeof Case.Type

const decodeCases = Schema.decodeUnknownSync(Schema.fromJsonString(Schema.Array(Case)))
const viewOf = Schema.decodeUnknownOption(MembersView)
const remoteOf = Schema.decodeUnknownResult(RemoteCluster)

const replay = (recorded: Case): ReadonlyArray<Failure> => {
  const fail = (reason: string): ReadonlyArray<Failure> => [{ name: recorded.name, reason }]
  const tooLarge = [...recorded.members.map((row) => row[2]), recorded.remote["masterJoinVersion"]].some(
    (value) => typeof value === "string"
  )
  const members = recorded.members.map(([nodeId, state, joinVersion]) => ({
    nodeId,
    host: "127.0.0.1",
    clientPort: 1,
    clusterPort: 2,
    state,
    joinVersion
  }))
  const view = viewOf({ version: 1, members })
  const remote = remoteOf(recorded.remote)
  if (Option.isNone(view) || Result.isFailure(remote)) return tooLarge ? [] : fail("the case does not decode")
  if (tooLarge) return fail("an integer beyond 2^53−1 was accepted")
  const decision = decideMerge(recorded.localClusterId, view.value, remote.success)
  const address = decision._tag === "LocalShouldMerge" ? decision.remoteMasterAddress : null
  if (decision._tag !== recorded.decision) return fail(`${decision._tag} instead of ${recorded.decision}`)
  if (address !== recorded.remoteMasterAddress)
    return fail(`asks ${address} instead of ${recorded.remoteMasterAddress}`)
  return []
}

export const merge = (folder: string): Report => {
  const cases = decodeCases(readFileSync(join(folder, "merge.json"), "utf8"))
  return { suite: "merge", cases: cases.length, failures: cases.flatMap(replay) }
}
