/** How the acting master places partitions on members: a pure function, as a swappable service. */
import { Context, Layer } from "effect"
import { planAssignment } from "../domain/placement/PlanAssignment.ts"
import type { Planner } from "../domain/protocol/ClusterState.ts"

export class AssignmentPlanner extends Context.Service<AssignmentPlanner, { readonly plan: Planner }>()(
  "effect-squadron/AssignmentPlanner"
) {
  /** Moves and copies as little as balance allows. */
  static readonly layerMinimalMovement: Layer.Layer<AssignmentPlanner> = Layer.succeed(AssignmentPlanner, {
    plan: planAssignment
  })
}
