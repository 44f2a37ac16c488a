/** Faults take place in a world: each begins when its time has come, and some end by themselves. */
import type { Fault } from "./Fault.ts"
import type { Process } from "./Process.ts"
import { describeFault } from "./Fault.ts"
import type { World } from "./World.ts"

const isSame = (world: World, process: Process): boolean => world.get(process.host) === process

const nodeOf = (world: World, target: string): string =>
  target === "master" ? (world.living.find((process) => process.isActing)?.host ?? world.nodes[0] ?? target) : target

const freeze = (world: World, process: Process, forMs: number): void => {
  if (process.isFrozen) return
  process.freeze()
  world.later(forMs, () => {
    if (isSame(world, process)) process.thaw()
  })
}

const cut = (world: World, pairs: ReadonlyArray<readonly [from: string, to: string]>, forMs: number): void => {
  for (const [from, to] of pairs) world.network.cut(from, to)
  world.later(forMs, () => world.network.mend(pairs))
}

/** The fault begins now. One whose node is down, or is up when it should be started, does nothing. */
export const strike = (world: World, fault: Fault): void => {
  world.note(`FAULT ${describeFault(fault).replace(/^\S+ s {2}/, "")}`)
  const withProcess = (target: string, run: (process: Process) => void): void => {
    const process = world.get(nodeOf(world, target))
    if (process !== undefined) run(process)
  }
  switch (fault._tag) {
    case "Kill":
      return withProcess(fault.node, (process) => world.kill(process, fault.withHost))
    case "Restart":
      return world.start(nodeOf(world, fault.node))
    case "Freeze":
    case "Stall":
      return withProcess(fault.node, (process) => freeze(world, process, fault.forMs))
    case "Cut": {
      const [from, to] = [nodeOf(world, fault.from), nodeOf(world, fault.to)]
      if (from === to) return
      return cut(
        world,
        fault.oneWay
          ? [[from, to]]
          : [
              [from, to],
              [to, from]
            ],
        fault.forMs
      )
    }
    case "Partition": {
      const side = new Set(fault.side.map((target) => nodeOf(world, target)))
      const others = world.nodes.filter((node) => !side.has(node))
      const out = [...side].flatMap((from) => others.map((to): readonly [string, string] => [from, to]))
      const back = out.map(([from, to]): readonly [string, string] => [to, from])
      return cut(world, fault.oneWay ? out : [...out, ...back], fault.forMs)
    }
    case "Heal":
      return world.network.mendAll()
    case "BreakLink":
      return world.network.reset(nodeOf(world, fault.from), nodeOf(world, fault.to))
    case "Leave":
      return withProcess(fault.node, (process) => world.leave(process))
    case "SlowNode": {
      const node = nodeOf(world, fault.node)
      world.network.slow.set(node, fault.extraMs)
      return world.later(fault.forMs, () => world.network.slow.delete(node))
    }
    case "ClockJump": {
      const node = nodeOf(world, fault.node)
      world.wallOffsets.set(node, (world.wallOffsets.get(node) ?? 0) + Math.round(fault.byMs))
      return
    }
    case "Delay": {
      const before = world.network.delay
      const during = { minMs: fault.minMs, maxMs: fault.maxMs }
      world.network.delay = during
      return world.later(fault.forMs, () => {
        if (world.network.delay === during) world.network.delay = before
      })
    }
  }
}
