/** Standalone types and their exact bytes, as recorded in `types.json`. */
import { Schema } from "effect"
import { MessagePack } from "../../src/domain/codec/MessagePack.ts"
import { ClusterChange, MigrationCommand } from "../../src/domain/model/ClusterChange.ts"
import { ClusterConfig } from "../../src/domain/model/ClusterConfig.ts"
import { ClusterHealth } from "../../src/domain/model/ClusterHealth.ts"
import { MemberInfo } from "../../src/domain/model/MemberInfo.ts"
import { MembersView } from "../../src/domain/model/MembersView.ts"
import { ActiveMigration, MapType, MigrationPhase, MigrationTask } from "../../src/domain/model/Migration.ts"
import { NodeState, NodeStatus } from "../../src/domain/model/NodeState.ts"
import { PartitionAssignment, PartitionMeta, PartitionState } from "../../src/domain/model/Partition.ts"
import { PartitionMapMessage, PartitionMapPayload } from "../../src/domain/model/PartitionMap.ts"
import { ClusterMessage } from "../../src/domain/wire/ClusterMessage.ts"
import * as HeartbeatMessages from "../../src/domain/wire/HeartbeatMessages.ts"
import * as MembershipMessages from "../../src/domain/wire/MembershipMessages.ts"
import * as OperationMessages from "../../src/domain/wire/OperationMessages.ts"
import * as PartitionMessages from "../../src/domain/wire/PartitionMessages.ts"
import * as SplitBrainMessages from "../../src/domain/wire/SplitBrainMessages.ts"
import type { Failure, Report } from "./Report.ts"
import { readCases } from "./VectorFile.ts"
import { disagreement, type RecordedValue } from "./Wire.ts"

const Case = Schema.Struct({
  name: Schema.String,
  typeName: Schema.String,
  json: Schema.Unknown,
  hex: Schema.String,
  bigInts: Schema.optionalKey(Schema.Boolean)
})

/** Every wire type by its public name, payloads included. */
const { protocolVersion: _, ...membershipMessages } = MembershipMessages
export const wireTypes = {
  ActiveMigration,
  ClusterChange,
  ClusterConfig,
  ClusterHealth,
  ClusterMessage,
  MapType,
  MemberInfo,
  MembersView,
  MigrationCommand,
  MigrationPhase,
  MigrationTask,
  NodeState,
  NodeStatus,
  PartitionAssignment,
  PartitionMapMessage,
  PartitionMapPayload,
  PartitionMeta,
  PartitionState,
  ...HeartbeatMessages,
  ...membershipMessages,
  ...OperationMessages,
  ...PartitionMessages,
  ...SplitBrainMessages
}

const judge = <A, I>(schema: Schema.Codec<A, I>, recorded: RecordedValue): string | undefined =>
  disagreement(schema, MessagePack.codec(schema), recorded)

const judges = new Map(
  Object.entries(wireTypes).map(([name, schema]): [string, (recorded: RecordedValue) => string | undefined] => [
    name,
    // Seen one by one, each of the schemas is a codec; their union is too large for the checker to say so.
    (recorded) => judge(schema as Schema.Codec<unknown, unknown>, recorded)
  ])
)

export const types = (folder: string, file = "types.json"): Report => {
  const cases = readCases(folder, file, Schema.Array(Case))
  const failures = cases.flatMap((recorded): ReadonlyArray<Failure> => {
    const judge = judges.get(recorded.typeName)
    const reason = judge === undefined ? `there is no schema ${recorded.typeName}` : judge(recorded)
    return reason === undefined ? [] : [{ name: recorded.name, reason }]
  })
  return { suite: "types", cases: cases.length, failures }
}
