/**
 * A transition is a pure function from a state and a time to the next state, an answer, and commands.
 * Inside, a `Step` gathers the new state and the commands of one transition, so that rules read as
 * sequences; nothing of it outlives the transition.
 */
import type { ClusterChange } from "../model/ClusterChange.ts"
import type { NodeId } from "../model/Scalars.ts"
import * as AwakeClock from "./AwakeClock.ts"
import type { ClusterCommand } from "./ClusterCommand.ts"
import type { ClusterState, Fresh, Joined } from "./ClusterState.ts"

/** `nowMs` is a reading of the process's monotonic clock. */
export type Transition<A> = (
  state: ClusterState,
  nowMs: number
) => readonly [state: ClusterState, answer: A, commands: ReadonlyArray<ClusterCommand>]

const noCommands: ReadonlyArray<ClusterCommand> = []

export class Step {
  // The step's own: `set` changes it in place, so that a transition of many changes makes one state. Everything in it
  // is immutable, a phase that was read before a change included.
  private readonly draft: { -readonly [Key in keyof ClusterState]: ClusterState[Key] }
  /** Reading of the awake clock. */
  readonly nowMs: number
  // Most steps have one command or none: an array that grows would make room for many.
  private list: Array<ClusterCommand> | undefined

  /** `clock` replaces the one of `state`. */
  constructor(state: ClusterState, clock: AwakeClock.AwakeClock) {
    this.draft = { ...state, clock }
    this.nowMs = clock.awakeMs
  }

  /** As it is now; read again after a change. */
  get state(): ClusterState {
    return this.draft
  }
  /** What has been decided until now, in order. */
  get commands(): ReadonlyArray<ClusterCommand> {
    return this.list ?? noCommands
  }
  get self() {
    return this.state.self
  }
  get timing() {
    return this.state.timing
  }
  /** The phase when the node holds a view. */
  get joined(): Joined | undefined {
    return this.state.phase._tag === "Joined" ? this.state.phase : undefined
  }
  get fresh(): Fresh | undefined {
    return this.state.phase._tag === "Fresh" ? this.state.phase : undefined
  }

  set(change: Partial<ClusterState>): void {
    Object.assign(this.draft, change)
  }
  /** Changes the phase of a joined node; a fresh one is left as it is. */
  setJoined(change: Partial<Joined>): void {
    const phase = this.state.phase
    if (phase._tag === "Joined") this.draft.phase = { ...phase, ...change }
  }
  setPeers(peers: ClusterState["peers"]): void {
    this.draft.peers = peers
  }
  /** Changes the phase of a fresh node; a joined one is left as it is. */
  setFresh(change: Partial<Fresh>): void {
    const phase = this.state.phase
    if (phase._tag === "Fresh") this.draft.phase = { ...phase, ...change }
  }
  run(command: ClusterCommand): void {
    if (this.list === undefined) this.list = [command]
    else this.list.push(command)
  }
  note(text: string, level: "debug" | "info" | "warn" = "info"): void {
    this.run({ _tag: "Note", level, text })
  }
  publish(changes: ReadonlyArray<ClusterChange>): void {
    if (changes.length > 0) this.run({ _tag: "Publish", changes })
  }
  forgetDetector(nodeId: NodeId): void {
    this.run({ _tag: "DetectorRemove", nodeId })
  }
}

const holdAfterStall = (step: Step, stalledMs: number): void => {
  const { holdUntilMs, timing } = step.state
  // What arrived meanwhile, perhaps a successor's view, is handled before anything is proposed.
  const isLong = stalledMs > timing.stallHoldAfterMs
  const holdMs = isLong ? timing.stallHoldMs : timing.tickIntervalMs
  step.set({ holdUntilMs: Math.max(holdUntilMs, step.nowMs + holdMs) })
  if (isLong)
    step.note(`this process stood still for ${Math.round(stalledMs)} ms; it judges nobody for two heartbeats`, "warn")
}

/** The beginning of a transition, for interpreters that make many: advances the awake clock. */
export const begin = (state: ClusterState, nowMs: number): Step => {
  const [clock, stalledMs] = AwakeClock.advance(state.clock, nowMs, state.timing.tickIntervalMs)
  const step = new Step(state, clock)
  if (stalledMs > 0) holdAfterStall(step, stalledMs)
  return step
}

/** A transition from a procedure over a step. Advances the awake clock first. */
export const transition =
  <A>(run: (step: Step) => A): Transition<A> =>
  (state, nowMs) => {
    const step = begin(state, nowMs)
    const answer = run(step)
    return [step.state, answer, step.commands]
  }
