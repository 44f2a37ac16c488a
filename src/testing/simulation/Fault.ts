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
/** This share of what the node sends is lost on the way and sent again by TCP, which delays all that follows. */
const Loss = Schema.TaggedStruct("Loss", { ...at, node: Target, share: Schema.Number, forMs: Ms })
/** One node after another is killed and started again: each `gapMs` after the last, down for `downMs`. */
const RollingRestart = Schema.TaggedStruct("RollingRestart", { ...at, gapMs: Ms, downMs: Ms })
/** All processes are killed and started again, one at a time within `withinMs`. */
const RestartAll = Schema.TaggedStruct("RestartAll", { ...at, withinMs: Ms })
/** A further node is started, with this id. */
const Join = Schema.TaggedStruct("Join", { ...at, node: Schema.String })
/** A second process is started under the node's id, at another address, until it is told to go. */
const Duplicate = Schema.TaggedStruct("Duplicate", { ...at, node: Target })
/** The node's process ends and comes back at another address. Only where the seeds of all nodes name all. */
const Move = Schema.TaggedStruct("Move", { ...at, node: Target, downMs: Ms })
/** The node is gone for good, and another one comes up at its address. */
const TakeOver = Schema.TaggedStruct("TakeOver", { ...at, node: Target, by: Schema.String })
/** From now on the node speaks as an earlier release: without the optional fields added last, and with one of its own. */
const OlderRelease = Schema.TaggedStruct("OlderRelease", { ...at, node: Target })
/** A stranger without the token connects to the node and sends frames made to hurt. */
const Hostile = Schema.TaggedStruct("Hostile", {
  ...at,
  node: Target,
  frames: Schema.Literals(["hugeVersion", "mastersName", "unaskedWelcome", "othersHeartbeat", "floodOfJoins"])
})
/**
 * Waits for the next node that decides something, and strikes it `delayMs` later: `others` freezes everyone but it,
 * `isolate` cuts it off.
 */
const Ambush = Schema.TaggedStruct("Ambush", {
  ...at,
  on: Schema.Literals(["proposal", "claim", "promise", "settlement"]),
  deed: Schema.Literals(["kill", "freeze", "isolate", "others"]),
  delayMs: Ms,
  forMs: Ms
})
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
  Delay,
  Loss,
  RollingRestart,
  RestartAll,
  Join,
  Duplicate,
  Move,
  TakeOver,
  OlderRelease,
  Hostile,
  Ambush
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
    case "Loss":
      return `lose ${Math.round(fault.share * 100)} % of what ${fault.node} sends${forTime(fault.forMs)}`
    case "RollingRestart":
      return `restart one node after another, every ${Math.round(fault.gapMs)} ms`
    case "RestartAll":
      return "kill all and start them again"
    case "Join":
      return `start the further node ${fault.node}`
    case "Duplicate":
      return `start another process as ${fault.node}`
    case "Move":
      return `move ${fault.node} to another address`
    case "TakeOver":
      return `${fault.by} takes the place of ${fault.node}, which is gone for good`
    case "OlderRelease":
      return `${fault.node} speaks as an earlier release`
    case "Hostile":
      return `a stranger sends ${fault.node} hostile frames: ${fault.frames}`
    case "Ambush":
      return `lie in wait for a ${fault.on}, to ${fault.deed}${forTime(fault.forMs)}`
    case "Delay":
      return `delays of ${fault.minMs}…${Math.round(fault.maxMs)} ms${forTime(fault.forMs)}`
  }
}

/** One line, such as `12.345 s  kill n3`. */
export const describeFault = (fault: Fault): string => `${(fault.atMs / 1000).toFixed(3)} s  ${deed(fault)}`
