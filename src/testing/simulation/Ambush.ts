/**
 * Faults aimed at decisions: random times hit the moment between a promise and its use about once in a thousand
 * runs, a watcher hits it every time.
 */
import type { ClusterState, Joined } from "../../domain/protocol/ClusterState.ts"
import type { Fault } from "./Fault.ts"
import type { Process } from "./Process.ts"
import { acrossFrom, cut, freeze } from "./Strike.ts"
import type { Arena } from "./Arena.ts"

type Ambush = Extract<Fault, { readonly _tag: "Ambush" }>

const joinedOf = (state: ClusterState): Joined | undefined => (state.phase._tag === "Joined" ? state.phase : undefined)

/** Has this step decided what the ambush waits for? */
const decides = (on: Ambush["on"], process: Process, before: ClusterState): boolean => {
  const { joined } = process
  const old = joinedOf(before)
  if (joined === undefined || old === undefined) return false
  switch (on) {
    case "proposal":
      return joined.view !== old.view && process.isActing
    case "claim":
      return joined.claimedAtMs !== undefined && joined.claimedAtMs !== old.claimedAtMs
    case "promise":
      return joined.promise !== old.promise && joined.promise.to !== process.id && joined.promise.to !== ""
    case "settlement":
      return joined.settled && !old.settled && process.isActing
  }
}

const strikeDecider = (world: Arena, decider: Process, { deed, forMs }: Ambush): void => {
  if (world.isHealed || !decider.isAlive) return
  world.note(`AMBUSH ${deed} ${decider.name}`)
  switch (deed) {
    case "kill":
      world.kill(decider, false)
      return world.later(forMs, () => world.start(decider.host))
    case "freeze":
      return freeze(world, decider, forMs)
    case "isolate":
      return cut(world, acrossFrom(world, new Set([decider.host]), false), forMs)
    case "others":
      for (const process of world.living) if (process !== decider) freeze(world, process, forMs)
  }
}

/** Lies in wait from now on, once. */
export const strikeAmbush = (world: Arena, ambush: Ambush): void => {
  const watch = (process: Process, before: ClusterState): void => {
    if (!decides(ambush.on, process, before)) return
    world.watchers.delete(watch)
    // Never inside the step that is being made.
    world.later(ambush.delayMs, () => strikeDecider(world, process, ambush))
  }
  world.watchers.add(watch)
}
