/** A deadline: suspects after `maxNoHeartbeatMs` of silence, whatever the peer's rhythm was. */
import type { Layer } from "effect"
import { Deadline } from "../domain/detection/Deadline.ts"
import { PhiAccrualConfig } from "../domain/detection/PhiAccrualConfig.ts"
import type { ClusterConfig } from "../domain/model/ClusterConfig.ts"
import type { FailureDetector } from "../services/FailureDetector.ts"
import * as FailureDetectorOf from "./FailureDetectorOf.ts"

export const DeadlineFailureDetector = {
  /** With settings of its own. */
  layer: (config: PhiAccrualConfig): Layer.Layer<FailureDetector> => FailureDetectorOf.layer(Deadline, config),
  /** With those of the cluster. */
  layerFor: (config: ClusterConfig): Layer.Layer<FailureDetector> =>
    FailureDetectorOf.layer(Deadline, PhiAccrualConfig.fromClusterConfig(config))
}
