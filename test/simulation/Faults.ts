/** What can go wrong, drawn at random: each fault begins now and may end by itself later. */
import type { Random } from "./Random.ts"
import { addressOf, type StartOptions, type VirtualCluster } from "./VirtualCluster.ts"
import type { VirtualProcess } from "./VirtualProcess.ts"

/** The nodes of a run, and how each is started again. */
export class Fleet {
  /** By host. A host runs one node id; a duplicate or a moved node runs on a host of its own. */
  readonly plans = new Map<string, { readonly id: string; readonly options: StartOptions }>()
  /** All nodes have all nodes as seeds: then one founding takes place while nobody loses its memory. */
  haveSameSeeds = false
  /** A process ended: what it knew is gone, as nothing is on disk. */
  hadRestart = false
  /** A node went for good without anyone being told: where settling takes a quorum this may halt for ever. */
  hadLoss = false
  /** Faults so far, for the report. */
  readonly story: Array<string> = []
  isHealed = false
  readonly world: VirtualCluster
  readonly random: Random
  private extras = 0

  constructor(world: VirtualCluster, random: Random) {
    this.world = world
    this.random = random
  }

  add(id: string, options: StartOptions): void {
    this.plans.set(options.host ?? id, { id, options })
  }
  start(host: string): void {
    const plan = this.plans.get(host)
    if (plan === undefined || this.world.processes.get(host)?.isAlive === true) return
    // One process of an id at a time, unless a duplicate is what we want.
    this.world.start(plan.id, { ...plan.options, host })
  }
  /** Some living process, more often than not the one that acts as master. */
  victim(): VirtualProcess | undefined {
    const { living } = this.world
    if (living.length === 0) return undefined
    const acting = living.filter((process) => process.isActing)
    return acting.length > 0 && this.random.chance(0.4) ? this.random.pick(acting) : this.random.pick(living)
  }
  get hosts(): ReadonlyArray<string> {
    return [...this.world.processes.keys()]
  }
  later(ms: number, run: () => void): void {
    this.world.queue.after(ms, run)
  }

  kill(victim: VirtualProcess): void {
    const { random, world } = this
    this.hadRestart = true
    world.kill(victim.host, random.chance(0.3))
    const chance = random.next()
    const delayMs = random.chance(0.4) ? random.between(0, 300) : random.between(0, 20_000)
    if (chance < 0.7) this.later(delayMs, () => this.start(victim.host))
    else if (chance < 0.8) this.later(delayMs, () => this.takeAddress(victim))
  }
  /** Another node comes up at the address of a dead one. */
  private takeAddress(dead: VirtualProcess): void {
    const plan = this.plans.get(dead.host)
    if (plan === undefined || this.world.get(dead.host).isAlive) return
    this.hadLoss = true
    this.plans.set(dead.host, { ...plan, id: `x${++this.extras}` })
    this.story.push(`${dead.host} becomes x${this.extras}`)
    this.start(dead.host)
  }
  freeze(victim: VirtualProcess): void {
    const { random, world } = this
    world.freeze(victim.host)
    this.later(random.chance(0.5) ? random.between(0, 4000) : random.between(0, 25_000), () => {
      if (world.processes.get(victim.host) === victim) world.thaw(victim.host)
    })
  }
  stall(victim: VirtualProcess): void {
    for (let i = 0; i < 4; i++) {
      this.later(i * 1500, () => {
        if (victim.isAlive && this.world.processes.get(victim.host) === victim) {
          this.world.stall(victim.host, this.random.between(50, 1400))
        }
      })
    }
  }
  partition(): void {
    const { random, world, hosts } = this
    const left = new Set(hosts.filter(() => random.chance(0.5)))
    const oneWay = random.chance(0.2)
    for (const from of hosts) {
      for (const to of hosts) {
        if (left.has(from) !== left.has(to) && (!oneWay || left.has(from))) world.network.cut(from, to)
      }
    }
    world.note(
      undefined,
      `PARTITION ${[...left].join()} | ${hosts.filter((host) => !left.has(host)).join()}${oneWay ? " one way" : ""}`
    )
    if (random.chance(0.7)) this.later(random.between(0, 25_000), () => world.network.mendAll())
  }
  cutPair(victim: VirtualProcess): void {
    const { random, world, hosts } = this
    const other = random.pick(hosts)
    if (other === victim.host) return
    world.network.cut(victim.host, other)
    if (random.chance(0.6)) world.network.cut(other, victim.host)
    world.note(undefined, `CUT ${victim.host} ${other}`)
    this.later(random.between(0, 25_000), () => {
      world.network.mend(victim.host, other)
      world.network.mend(other, victim.host)
    })
  }
  reset(victim: VirtualProcess): void {
    const other = this.random.pick(this.hosts)
    this.world.note(undefined, `RESET ${victim.host} ${other}`)
    for (let i = this.random.below(3); i >= 0; i--) {
      this.later(this.random.between(0, 2000), () => this.world.network.reset(victim.host, other))
    }
  }
  leave(victim: VirtualProcess): void {
    this.hadRestart = true
    this.world.leave(victim.host)
    if (this.random.chance(0.5)) this.later(this.random.between(3000, 20_000), () => this.start(victim.host))
  }
  duplicate(victim: VirtualProcess): void {
    const plan = this.plans.get(victim.host)
    if (plan === undefined) return
    this.hadRestart = true
    const number = 50 + ++this.extras
    this.world.start(plan.id, { ...plan.options, host: `h${number}` })
  }
  /** The node comes back at another address. */
  move(victim: VirtualProcess): void {
    const plan = this.plans.get(victim.host)
    const lists = [...this.plans.values()].map(({ options }) => options.seeds?.length)
    // Whoever knows the old address only would look for it for ever: the others must be enough.
    if (
      plan === undefined ||
      this.plans.size < 4 ||
      lists.some((length) => length !== this.plans.size) ||
      this.story.some((line) => line.startsWith("moved"))
    )
      return
    this.hadRestart = true
    this.story.push(`moved ${plan.id}`)
    this.world.kill(victim.host)
    this.plans.delete(victim.host)
    const number = 70 + ++this.extras
    const host = `h${number}`
    const old = addressOf(victim.host)
    this.plans.set(host, { id: plan.id, options: plan.options })
    for (const [name, { id, options }] of this.plans) {
      const seeds = (options.seeds ?? []).map((seed) => (seed === old ? addressOf(host) : seed))
      this.plans.set(name, { id, options: { ...options, seeds } })
    }
    this.later(this.random.between(0, 8000), () => this.start(host))
  }
  killAll(): void {
    this.hadRestart = true
    for (const process of this.world.living) this.world.kill(process.host)
    for (const host of this.plans.keys()) this.later(this.random.between(0, 1500), () => this.start(host))
  }
  rolling(): void {
    this.hadRestart = true
    let delayMs = 0
    for (const host of this.plans.keys()) {
      delayMs += this.random.between(2000, 6000)
      this.later(delayMs, () => {
        if (this.isHealed || this.world.processes.get(host)?.isAlive !== true) return
        this.world.kill(host)
        this.later(this.random.between(100, 1000), () => this.start(host))
      })
    }
  }
  join(): void {
    if (this.extras >= 3) return
    this.haveSameSeeds = false
    const id = `${this.random.pick(["a", "z"])}${90 + ++this.extras}`
    const some = [...this.plans.values()][0]
    if (some === undefined) return
    const seeds = [...this.plans.keys()].slice(0, 3).map(addressOf)
    this.add(id, { ...some.options, seeds })
    this.start(id)
  }
}

type Fault = readonly [weight: number, name: string, apply: (fleet: Fleet, victim: VirtualProcess) => void]

const faults: ReadonlyArray<Fault> = [
  [20, "kill", (fleet, victim) => fleet.kill(victim)],
  [14, "freeze", (fleet, victim) => fleet.freeze(victim)],
  [6, "stall", (fleet, victim) => fleet.stall(victim)],
  [14, "partition", (fleet) => fleet.partition()],
  [14, "cut", (fleet, victim) => fleet.cutPair(victim)],
  [8, "reset", (fleet, victim) => fleet.reset(victim)],
  [8, "leave", (fleet, victim) => fleet.leave(victim)],
  [4, "duplicate", (fleet, victim) => fleet.duplicate(victim)],
  [4, "move", (fleet, victim) => fleet.move(victim)],
  [4, "killAll", (fleet) => fleet.killAll()],
  [4, "rolling", (fleet) => fleet.rolling()],
  [4, "join", (fleet) => fleet.join()]
]

const splitting = new Set(["partition", "cut"])

/** Draws a fault and begins it. `calm`: no cuts. */
export const strike = (fleet: Fleet, calm: boolean): void => {
  const possible = faults.filter(([, name]) => !calm || !splitting.has(name))
  let point = fleet.random.below(possible.reduce((sum, [weight]) => sum + weight, 0))
  const fault = possible.find(([weight]) => (point -= weight) < 0)
  const victim = fleet.victim()
  if (fault === undefined || victim === undefined || fleet.isHealed) return
  fleet.story.push(`${(fleet.world.nowMs / 1000).toFixed(1)} ${fault[1]} ${victim.id}`)
  fault[2](fleet, victim)
}

/** Strikes at whoever decides, at the moment of deciding or shortly after. */
export const ambush = (fleet: Fleet, share: number): ((proposer: VirtualProcess) => void) => {
  let lastMs = 0
  return (proposer) => {
    const { world, random } = fleet
    if (fleet.isHealed || world.nowMs < 4000 || world.nowMs - lastMs < 1500 || !random.chance(share)) return
    lastMs = world.nowMs
    fleet.story.push(`${(world.nowMs / 1000).toFixed(1)} ambush at ${proposer.id}`)
    const delayMs = random.chance(0.5) ? 0 : random.between(0, 2 * world.network.delay.maxMs)
    const kind = random.pick(["partition", "freeze", "freeze", "kill", "bystander"])
    fleet.later(delayMs, () => {
      if (fleet.isHealed) return
      if (kind === "partition") fleet.partition()
      else if (kind === "bystander") freezeSomeone(fleet)
      else if (proposer.isAlive && kind === "kill") fleet.kill(proposer)
      else if (proposer.isAlive) fleet.freeze(proposer)
    })
  }
}

const freezeSomeone = (fleet: Fleet): void => {
  const victim = fleet.victim()
  if (victim !== undefined) fleet.freeze(victim)
}
