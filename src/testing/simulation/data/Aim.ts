/**
 * Faults aimed at data: what random times hardly hit. Partitions are moved about, connections break under copies, and
 * whoever has just gained or lost a partition is killed within a moment.
 */
import { move } from "../../../domain/protocol/Moves.ts"
import type { ClusterState } from "../../../domain/protocol/ClusterState.ts"
import type { Process } from "../Process.ts"
import type { World } from "../World.ts"

/** Mean milliseconds between two moves, and two broken connections, where everything is aimed. */
const moveEveryMs = 150
const breakEveryMs = 400

export interface AimOptions {
  readonly share: number
  readonly mayKill: (process: Process) => boolean
  readonly kill: (process: Process) => void
}

export class Aim {
  private readonly world: () => World
  private readonly options: AimOptions
  private isOver = false

  constructor(world: () => World, options: AimOptions) {
    this.world = world
    this.options = options
  }

  start(): void {
    const world = this.world()
    const { share } = this.options
    if (share === 0) return
    world.watchers.add((process, before) => this.stepped(process, before))
    const every = (ms: number, run: () => void): void =>
      world.later(world.random.between(0, (2 * ms) / share), () => {
        if (this.isOver) return
        run()
        every(ms, run)
      })
    every(moveEveryMs, () => this.moveOne())
    every(breakEveryMs, () => this.breakOne())
  }
  stop(): void {
    this.isOver = true
  }

  private moveOne(): void {
    const world = this.world()
    const { random } = world
    const master = world.living.find((process) => process.isActing && !process.isFrozen)
    const { joined } = master ?? {}
    if (master === undefined || joined === undefined || joined.table.rows.length === 0) return
    const row = joined.table.rows[random.below(joined.table.rows.length)]
    if (row === undefined) return
    const others = joined.view.members.filter(({ state }) => state === "active").map(({ nodeId }) => nodeId)
    const chosen = random.shuffle(others).slice(0, row.backups.length + 1)
    // Whoever asks for fewer copies gets fewer: that is not what is tried here.
    if (chosen.length <= row.backups.length) return
    // A swap of roles now and then, which copies nothing.
    const [destination, ...newBackups] = random.chance(0.25) ? [...row.backups, row.owner] : chosen
    if (destination === undefined) return
    const task = { partitionId: row.partitionId, source: row.owner, destination, newBackups }
    world.act(master, (step) => void move(step, [task]))
  }

  private breakOne(): void {
    const world = this.world()
    const hosts = world.living.map(({ host }) => host)
    const { random } = world
    if (hosts.length > 1) world.network.reset(random.pick(hosts), random.pick(hosts))
  }

  private stepped(process: Process, before: ClusterState): void {
    const { joined } = process
    if (this.isOver || joined === undefined || !process.isActing || before.phase._tag !== "Joined") return
    const old = before.phase.table
    if (old === joined.table) return
    const world = this.world()
    const { random } = world
    for (const row of joined.table.rows) {
      const last = row === undefined ? undefined : old.rows[row.partitionId]
      if (row === undefined || last === undefined || last === row) continue
      if (!random.chance(this.options.share * 0.5)) continue
      const id = random.pick([row.owner, row.owner, last.owner, ...row.backups, ...last.backups])
      const delayMs = random.between(0, random.chance(0.5) ? 60 : 400)
      world.later(delayMs, () => {
        const target = world.living.find((candidate) => candidate.id === id)
        if (!this.isOver && target !== undefined && this.options.mayKill(target)) this.options.kill(target)
      })
    }
  }
}
