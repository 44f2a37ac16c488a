/**
 * Every order of deliveries, timeouts and faults up to a depth, from a few nodes that have settled or that have just
 * started; and random walks of the same actions beyond that depth. Each transition is judged.
 *
 * Models that have the same futures are explored once (see `Canonical`). What that loses: views that nobody holds any
 * more and that never settled are not remembered apart, and waits longer than 70 ticks count as 70.
 */
import { describeMessage } from "../simulation/Transcript.ts"
import { random } from "../simulation/Random.ts"
import { canonical, hashOf } from "./Canonical.ts"
import { empty, type History, historyText, judge } from "./History.ts"
import { type Action, Execution, fresh, maxQueue, type Model, type ModelOptions, nameOf } from "./Model.ts"

/** How often each kind of fault may take place on one path. */
export interface Faults {
  readonly suspicions: number
  readonly breaks: number
  readonly crashes: number
  readonly restarts: number
  readonly leaves: number
}

export interface Scenario extends ModelOptions {
  readonly name: string
  /** From nodes that have just started, or from a settled cluster of all of them. */
  readonly from: "fresh" | "settled"
  /** Actions on a path. */
  readonly depth: number
  readonly faults: Faults
  /** Distinct models that are kept; then nothing new is explored, and the outcome says so. */
  readonly maxModels: number
}

/** What was found. */
export interface Exploration {
  readonly models: number
  readonly transitions: number
  /** Models reached again. */
  readonly repeated: number
  /** Paths that ended at the depth, at `maxQueue` messages on one connection, or at `maxModels`. */
  readonly cutShort: { readonly depth: number; readonly queue: number; readonly models: number }
  /** The rule that was broken, and the shortest path to it that was found. */
  readonly violation?: { readonly rule: string; readonly path: ReadonlyArray<Action> }
}

interface Position {
  readonly model: Model
  readonly history: History
  readonly left: Faults
}

type Next = { readonly position: Position } | { readonly violation: string }

const spend = (left: Faults, action: Action): Faults => {
  switch (action._tag) {
    case "Suspect":
      return { ...left, suspicions: left.suspicions - 1 }
    case "Break":
      return { ...left, breaks: left.breaks - 1 }
    case "Crash":
      return { ...left, crashes: left.crashes - 1 }
    case "Restart":
      return { ...left, restarts: left.restarts - 1 }
    case "Leave":
      return { ...left, leaves: left.leaves - 1 }
    default:
      return left
  }
}

class Broken {
  readonly rule: string
  constructor(rule: string) {
    this.rule = rule
  }
}

const apply = (options: ModelOptions, { history, left, model }: Position, action: Action): Next => {
  let now: History =
    action._tag === "Crash" || action._tag === "Restart" || action._tag === "Leave"
      ? { ...history, hasRestarted: true }
      : history
  const execution = new Execution(model, options, (_, before, after) => {
    const judged = judge(now, before, after)
    if ("violation" in judged) throw new Broken(judged.violation)
    now = judged.history
  })
  try {
    execution.run(action)
  } catch (error) {
    if (error instanceof Broken) return { violation: error.rule }
    return { violation: `defect: ${error instanceof Error ? error.stack : String(error)}` }
  }
  return { position: { model: execution.model, history: now, left: spend(left, action) } }
}

/** Long enough for any wait of the protocol but the merge's. */
const longTicks = 12

/** What may happen next, in a fixed order: deliveries, timeouts, faults. */
const actionsOf = ({ left, model }: Position): ReadonlyArray<Action> => {
  const actions: Array<Action> = []
  for (const { number, queues } of model.wires.values()) {
    if (queues[0].length > 0) actions.push({ _tag: "Deliver", end: 2 * number })
    if (queues[1].length > 0) actions.push({ _tag: "Deliver", end: 2 * number + 1 })
  }
  for (const [node, { isAlive, suspects }] of model.cores.entries()) {
    if (!isAlive) {
      if (left.restarts > 0) actions.push({ _tag: "Restart", node })
      continue
    }
    actions.push({ _tag: "Tick", node, ticks: 1 }, { _tag: "Tick", node, ticks: longTicks })
    if (left.suspicions > 0) {
      for (const peer of model.cores.keys()) {
        if (peer !== node && !suspects.has(nameOf(peer))) actions.push({ _tag: "Suspect", node, peer })
      }
    }
    if (left.crashes > 0) actions.push({ _tag: "Crash", node })
    if (left.leaves > 0) actions.push({ _tag: "Leave", node })
  }
  if (left.breaks > 0) for (const wire of model.wires.keys()) actions.push({ _tag: "Break", wire })
  return actions
}

const isFull = ({ model }: Position): boolean =>
  [...model.wires.values()].some(({ queues }) => queues.some((queue) => queue.length > maxQueue))

/** Runs without faults until all hold one settled view of all and nothing is on its way. */
const settled = (options: ModelOptions, left: Faults): Position => {
  let position: Position = { model: fresh(options), history: empty, left }
  const step = (action: Action): void => {
    const next = apply(options, position, action)
    if ("violation" in next) throw new Error(`without faults: ${next.violation}`)
    position = next.position
  }
  const isDone = (): boolean =>
    position.model.cores.every(
      ({ state: { phase } }) =>
        phase._tag === "Joined" &&
        phase.settled &&
        phase.view.members.length === options.nodes &&
        phase.view.members.every((member) => member.state === "active")
    )
  for (let round = 0; round < 200 && !isDone(); round++) {
    for (let node = 0; node < options.nodes; node++) step({ _tag: "Tick", node, ticks: 1 })
    drain(() => position, step)
  }
  if (!isDone()) throw new Error(`${options.nodes} nodes do not settle without faults`)
  // The table follows, and everyone hears everyone once more.
  for (let round = 0; round < 4; round++) {
    for (let node = 0; node < options.nodes; node++) step({ _tag: "Tick", node, ticks: 1 })
    drain(() => position, step)
  }
  return position
}

const drain = (now: () => Position, step: (action: Action) => void): void => {
  for (;;) {
    const deliver = actionsOf(now()).find((action) => action._tag === "Deliver")
    if (deliver === undefined) return
    step(deliver)
  }
}

const begin = (scenario: Scenario): Position =>
  scenario.from === "settled"
    ? settled(scenario, scenario.faults)
    : { model: fresh(scenario), history: empty, left: scenario.faults }

/** Runs a path; an action that is not possible any more is left out. Gives the rule that it breaks. */
const replay = (scenario: Scenario, path: ReadonlyArray<Action>): string | undefined => {
  let position = begin(scenario)
  for (const action of path) {
    const next = apply(scenario, position, action)
    if ("violation" in next) return next.violation
    position = next.position
  }
  return undefined
}

// One action less at a time, until each is needed.
const shorten = (scenario: Scenario, path: ReadonlyArray<Action>): ReadonlyArray<Action> => {
  let shortest = path
  for (let hasShrunk = true; hasShrunk;) {
    hasShrunk = false
    for (let i = 0; i < shortest.length;) {
      const without = shortest.toSpliced(i, 1)
      if (replay(scenario, without) === undefined) i++
      else {
        shortest = without
        hasShrunk = true
      }
    }
  }
  return shortest
}

/** Explores all of a scenario, depth first; ends at the first violation. */
export const explore = (scenario: Scenario): Exploration => {
  /** For each model the depth that was left when it was explored. */
  const explored = new Map<number, number>()
  const cutShort = { depth: 0, queue: 0, models: 0 }
  let transitions = 0
  let repeated = 0
  const path: Array<Action> = []

  const visit = (position: Position, left: number): string | undefined => {
    const faults = Object.values(position.left).join()
    const hash = hashOf(`${canonical(position.model)}\n${historyText(position.history)}\n${faults}`)
    const before = explored.get(hash)
    if (before !== undefined && before >= left) {
      repeated++
      return undefined
    }
    if (before === undefined && explored.size >= scenario.maxModels) {
      cutShort.models++
      return undefined
    }
    explored.set(hash, left)
    if (left === 0) {
      cutShort.depth++
      return undefined
    }
    if (isFull(position)) {
      cutShort.queue++
      return undefined
    }
    for (const action of actionsOf(position)) {
      transitions++
      path.push(action)
      const next = apply(scenario, position, action)
      const violation = "violation" in next ? next.violation : visit(next.position, left - 1)
      if (violation !== undefined) return violation
      path.pop()
    }
    return undefined
  }

  const found = visit(begin(scenario), scenario.depth)
  const outcome = { models: explored.size, transitions, repeated, cutShort }
  if (found === undefined) return outcome
  const shortest = shorten(scenario, path)
  return { ...outcome, violation: { rule: replay(scenario, shortest) ?? found, path: shortest } }
}

/** Of the actions that may happen these are drawn more often: a walk of ticks alone goes nowhere. */
const weightOf = (action: Action): number => (action._tag === "Deliver" ? 4 : action._tag === "Tick" ? 1 : 0.5)

/** Walks at random, `walks` times `scenario.depth` actions, from a seed; ends at the first violation. */
export const walk = (scenario: Scenario, walks: number, seed: number): Exploration => {
  const draw = random(seed)
  const start = begin(scenario)
  let transitions = 0
  for (let i = 0; i < walks; i++) {
    let position = start
    const path: Array<Action> = []
    for (let depth = 0; depth < scenario.depth; depth++) {
      const possible = actionsOf(position)
      // No connection is left to fill up for ever.
      const actions = isFull(position) ? possible.filter(({ _tag }) => _tag === "Deliver") : possible
      let point = draw.next() * actions.reduce((sum, action) => sum + weightOf(action), 0)
      const action = actions.find((one) => (point -= weightOf(one)) < 0)
      if (action === undefined) break
      transitions++
      path.push(action)
      const next = apply(scenario, position, action)
      if ("violation" in next) {
        const shortest = shorten(scenario, path)
        const rule = replay(scenario, shortest) ?? next.violation
        return {
          models: transitions,
          transitions,
          repeated: 0,
          cutShort: { depth: i, queue: 0, models: 0 },
          violation: { rule, path: shortest }
        }
      }
      position = next.position
    }
  }
  return { models: transitions, transitions, repeated: 0, cutShort: { depth: walks, queue: 0, models: 0 } }
}

const describeAction = (action: Action, model: Model): string => {
  switch (action._tag) {
    case "Deliver": {
      const wire = model.wires.get(Math.floor(action.end / 2))
      const toDialler = action.end % 2 === 0
      const message = wire?.queues[toDialler ? 0 : 1][0]
      if (wire === undefined || message === undefined) return "nothing arrives"
      const [to, from] = toDialler ? [wire.dialler, wire.acceptor] : [wire.acceptor, wire.dialler]
      return `${nameOf(to)} receives from ${nameOf(from)}: ${describeMessage(message)}`
    }
    case "Tick":
      return `${nameOf(action.node)} ticks${action.ticks === 1 ? "" : ` ${action.ticks} times`}`
    case "Suspect":
      return `${nameOf(action.node)} begins to suspect ${nameOf(action.peer)}`
    case "Break": {
      const wire = model.wires.get(action.wire)
      return wire === undefined
        ? "nothing breaks"
        : `the connection of ${nameOf(wire.dialler)} and ${nameOf(wire.acceptor)} breaks`
    }
    case "Crash":
      return `${nameOf(action.node)} is killed`
    case "Restart":
      return `${nameOf(action.node)} is started again`
    case "Leave":
      return `${nameOf(action.node)} is asked to leave`
  }
}

/** A path in words, one line for each action. */
export const describePath = (scenario: Scenario, path: ReadonlyArray<Action>): ReadonlyArray<string> => {
  let position = begin(scenario)
  return path.map((action) => {
    const text = describeAction(action, position.model)
    const next = apply(scenario, position, action)
    if ("violation" in next) return `${text}   ← ${next.violation}`
    position = next.position
    return text
  })
}
