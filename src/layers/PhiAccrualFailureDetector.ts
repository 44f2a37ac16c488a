/** Phi accrual (Hayashibara et al. 2004): suspects by how unlikely the silence is for this very peer. */
import type { Layer } from "effect"
import { PhiAccrual } from "../domain/detection/PhiAccrual.ts"
import { PhiAccrualConfig } from "../domain/detection/PhiAccrualConfig.ts"
import type { ClusterConfig } from "../domain/model/ClusterConfig.ts"
import type { FailureDetector } from "../services/FailureDetector.ts"
import * as FailureDetectorOf from "./FailureDetectorOf.ts"

export const PhiAccrualFailureDetector = {
  /** With settings of its own. */
  layer: (config: PhiAccrualConfig): Layer.Layer<FailureDetector> => FailureDetectorOf.layer(PhiAccrual, config),
  /** With those of the cluster. */
  layerFor: (config: ClusterConfig): Layer.Layer<FailureDetector> =>
    FailureDetectorOf.layer(PhiAccrual, PhiAccrualConfig.fromClusterConfig(config))
}
