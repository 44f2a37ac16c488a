/**
 * Whose turn it is: the fibers of all processes that are ready, and a seed that picks the next. A turn is what a fiber
 * does until it waits, ends, or has taken so many steps that another may go first. In production the last comes after
 * 2048 steps, wherever that may be; here sooner, so that a seed tries another order of the same program.
 */
import type { Fiber, Scheduler } from "effect"
import type { Process } from "../simulation/Process.ts"
import type { Random } from "../simulation/Random.ts"
import { Violation } from "../simulation/Violation.ts"

interface Turn {
  readonly process: Process
  readonly run: () => void
}

/** Steps of one turn at most, and of a short one. */
const maxSteps = 400
const shortSteps = 8
/** Share of the short turns: a seed has one of these, so that some seeds are calm and some nervous. */
const shortShares = [0.02, 0.1, 0.5]
/** Turns without time passing; more are a loop that waits for nothing. */
const maxTurnsAtOnce = 200_000

export class Turns {
  /** Turns that were taken. */
  count = 0
  private readonly ready: Array<Turn> = []
  private readonly random: Random
  private current: Process | undefined
  private readonly shortShare: number
  private stepsLeft = maxSteps

  constructor(random: Random) {
    this.random = random
    this.shortShare = random.pick(shortShares)
  }

  /** Will run when its turn comes; after the thaw if the process is frozen, never if it is dead. */
  add(process: Process, run: () => void): void {
    if (process.isAlive) this.ready.push({ process, run })
  }

  /** Takes turns until nobody is ready. `after` is told after each whose it was, and may throw. */
  takeAll(after: (process: Process) => void): void {
    const last = this.count + maxTurnsAtOnce
    while (this.ready.length > 0) {
      const { process, run } = this.pick()
      if (process.isFrozen) process.whenAwake(() => this.add(process, run))
      else if (process.isAlive) {
        this.current = process
        this.stepsLeft = 1 + this.random.below(this.random.chance(this.shortShare) ? shortSteps : maxSteps)
        run()
        this.current = undefined
        if (++this.count > last) throw new Violation(`${process.name} goes on and on while no time passes`)
        after(process)
      }
    }
  }

  // Any of those that are ready: the last one takes its place.
  private pick(): Turn {
    const index = this.random.below(this.ready.length)
    const picked = this.ready[index]
    const last = this.ready.pop()
    if (picked === undefined || last === undefined) throw new RangeError("nobody is ready")
    if (picked !== last) this.ready[index] = last
    return picked
  }

  private isOver(): boolean {
    return --this.stepsLeft <= 0
  }

  /**
   * The scheduler of all fibers of a process. A fiber that another process wakes, through an object that the two
   * share, waits for a turn of its own process: it gets none while that is frozen, and never when it is dead.
   */
  schedulerOf(process: Process): Scheduler.Scheduler {
    const dispatcher: Scheduler.SchedulerDispatcher = {
      scheduleTask: (run) => this.add(process, run),
      // Asked for by runSync alone, with a dispatcher of its own.
      flush: () => undefined
    }
    return {
      executionMode: "async",
      shouldYield: (_fiber: Fiber.Fiber<unknown, unknown>) => this.current !== process || this.isOver(),
      makeDispatcher: () => dispatcher
    }
  }
}
