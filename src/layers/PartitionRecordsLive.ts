/** Merges into partitions over the data plane of a node. */
import { Effect, Layer, Option } from "effect"
import { ClusterPartitionService } from "../services/ClusterPartitionService.ts"
import { PartitionData } from "../services/PartitionData.ts"
import { defaultTimeoutMs } from "../services/PartitionedMaps.ts"
import { PartitionRecords } from "../services/PartitionRecords.ts"
import * as Outcomes from "./maps/Outcomes.ts"

export const layer: Layer.Layer<PartitionRecords, never, PartitionData | ClusterPartitionService> = Layer.effect(
  PartitionRecords,
  Effect.gen(function* () {
    const data = yield* PartitionData
    const { getPartitionMap: partitionMap } = yield* ClusterPartitionService
    return PartitionRecords.of({
      merge: (partitionId, records, { ack = "backups", minCopies = 1, timeoutMs = defaultTimeoutMs } = {}) => {
        const meaning = { partitionId, minCopies, partitionMap, invalid: () => Option.none() }
        const work = { type: "stamped", deltas: records } as const
        return Effect.flatMap(data.ask({ partitionId, work, ack, minCopies, timeoutMs }), Outcomes.ofWrite(meaning))
      }
    })
  })
)
