/** Random histories of a cluster: nodes join, leave and crash, and every time a plan is made and carried out. */
import { planAssignment, type PlacementPlan } from "../../../src/domain/placement/PlanAssignment.ts"
import type { Rows, ZoneOf } from "./Measure.ts"
import { seededRandom } from "./SeededRandom.ts"

export type Event = "join" | "joinMany" | "leave" | "crash"

export interface Step {
  readonly event: Event
  readonly before: Rows
  readonly membersBefore: ReadonlyArray<string>
  readonly members: ReadonlyArray<string>
  readonly plan: PlacementPlan
  /** For messages: seed and number of the step. */
  readonly label: string
}

export interface HistoryOptions {
  readonly seed: number
  readonly partitionCount: number
  readonly backupCount: number
  readonly steps: number
  readonly fewestNodes: number
  readonly mostNodes: number
  readonly events: ReadonlyArray<Event>
  readonly zoneOf?: ZoneOf
}

/** Ids whose sorted order has nothing to do with the order of joining. */
const nodeName = (number: number): string => `node-${(number * 7919) % 10_007}`

export function* history(options: HistoryOptions): Generator<Step> {
  const { seed, partitionCount, backupCount, steps, fewestNodes, mostNodes, events, zoneOf } = options
  const random = seededRandom(seed)
  let joined = 0
  const newcomers = (count: number): ReadonlyArray<string> => Array.from({ length: count }, () => nodeName(joined++))
  const plan = (members: ReadonlyArray<string>, current: Rows): PlacementPlan =>
    planAssignment({ members, current, partitionCount, backupCount, zoneOf })
  let members = newcomers(fewestNodes + random.below(mostNodes - fewestNodes + 1))
  let table = plan(members, []).target
  for (let step = 0; step < steps; step++) {
    const wanted = random.pick(events)
    const size = wanted === "joinMany" || wanted === "crash" ? 1 + random.below(backupCount + 2) : 1
    const joins = wanted === "join" || wanted === "joinMany"
    const room = joins ? mostNodes - members.length : members.length - fewestNodes
    const event = room < size ? (joins ? "leave" : "join") : wanted
    const count = room < size ? 1 : size
    const after =
      event === "join" || event === "joinMany"
        ? [...members, ...newcomers(count)]
        : random.shuffle(members).slice(0, members.length - count)
    const made = plan(after, table)
    yield {
      event,
      before: table,
      membersBefore: members,
      members: after,
      plan: made,
      label: `seed ${seed} step ${step}`
    }
    members = after
    table = made.target
  }
}
