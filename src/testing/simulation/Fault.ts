/**
 * What can go wrong, as data: a schedule of faults is a list that can be drawn from a seed, printed, stored,
 * shortened and played again. `atMs` is virtual time since the start of the run; all times are milliseconds.
 */
import { Schema } from "effect"

/** A node by its id, or `master`: whoever acts as master at that moment (the first node if nobody does). */
const Target = Schema.String
const Ms = Schema.Number
const at = { atMs: Ms }

/** The process ends; `withHost`: its machine as well, so that nobody is told and nothing refuses a connection. */
const Kill = Schema.TaggedStruct("Kill", { ...at, node: Target, withHost: Schema.Boolean })
/** A process is started where none runs. */
const Restart = Schema.TaggedStruct("Restart", { ...at, node: Target })
/** The process stops and goes on later; what arrives meanwhile waits. */
const Freeze = Schema.TaggedStruct("Freeze", { ...at, node: Target, forMs: Ms })
/** The same, shorter than a detector notices: a long turn of the event loop. */
const Stall = Schema.TaggedStruct("Stall", { ...at, node: Target, forMs: Ms })
/** Nothing passes from one node to another; the other way too unless `oneWay`. */
const Cut = Schema.TaggedStruct("Cut", { ...at, from: Target, to: Target, oneWay: Schema.Boolean, forMs: Ms })
/** Nothing passes between these nodes and all others; only from these to the others if `oneWay`. */
const Partition = Schema.TaggedStruct("Partition", {
  ...at,
  side: Schema.Array(Target),
  oneWay: Schema.Boolean,
  forMs: Ms
})
/** All cuts end. */
const Heal = Schema.TaggedStruct("Heal", at)
/** The connections between two nodes are reset: both learn it, and what was on its way is lost. */
const BreakLink = Schema.TaggedStruct("BreakLink", { ...at, from: Target, to: Target })
/** The node is asked to leave in good order. */
const Leave = Schema.TaggedStruct("Leave", { ...at, node: Target })
/** Everything that the node sends takes this much longer. */
const SlowNode = Schema.TaggedStruct("SlowNode", { ...at, node: Target, extraMs: Ms, forMs: Ms })
/** The node's wall clock jumps; the protocol counts on the monotonic one, so nothing may follow from it. */
const ClockJump = Schema.TaggedStruct("ClockJump", { ...at, node: Target, byMs: Ms })
/** Every message takes between these times. */
const Delay = Schema.TaggedStruct("Delay", { ...at, minMs: Ms, maxMs: Ms, forMs: Ms })

export const Fault = Schema.Union([
  Kill,
  Restart,
  Freeze,
  Stall,
  Cut,
  Partition,
  Heal,
  BreakLink,
  Leave,
  SlowNode,
  ClockJump,
  Delay
])
export type Fault = typeof Fault.Type
export type FaultKind = Fault["_tag"]

const forTime = (ms: number): string => ` for ${Math.round(ms)} ms`

/** What happens, without when. */
const deed = (fault: Fault): string => {
  switch (fault._tag) {
    case "Kill":
      return `kill ${fault.node}${fault.withHost ? " with its machine" : ""}`
    case "Restart":
      return `start ${fault.node}`
    case "Freeze":
      return `freeze ${fault.node}${forTime(fault.forMs)}`
    case "Stall":
      return `stall ${fault.node}${forTime(fault.forMs)}`
    case "Cut":
      return `cut ${fault.from} ${fault.oneWay ? "→" : "↔"} ${fault.to}${forTime(fault.forMs)}`
    case "Partition":
      return `cut ${fault.side.join(" ")} ${fault.oneWay ? "→" : "↔"} the others${forTime(fault.forMs)}`
    case "Heal":
      return "end all cuts"
    case "BreakLink":
      return `reset the connections of ${fault.from} and ${fault.to}`
    case "Leave":
      return `ask ${fault.node} to leave`
    case "SlowNode":
      return `slow ${fault.node} by ${Math.round(fault.extraMs)} ms${forTime(fault.forMs)}`
    case "ClockJump":
      return `the wall clock of ${fault.node} jumps by ${Math.round(fault.byMs)} ms`
    case "Delay":
      return `delays of ${fault.minMs}…${Math.round(fault.maxMs)} ms${forTime(fault.forMs)}`
  }
}

/** One line, such as `12.345 s  kill n3`. */
export const describeFault = (fault: Fault): string => `${(fault.atMs / 1000).toFixed(3)} s  ${deed(fault)}`
