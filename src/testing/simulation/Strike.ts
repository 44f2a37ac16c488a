/** Faults take place in a world: each begins when its time has come, and some end by themselves. */
import { strikeAmbush } from "./Ambush.ts"
import { describeFault, type Fault } from "./Fault.ts"
import { hostileFrames } from "./Hostile.ts"
import type { Process } from "./Process.ts"
import type { Arena } from "./Arena.ts"

const isSame = (world: Arena, process: Process): boolean => world.get(process.host) === process

/** The host of a node, or of whoever acts as master. */
const hostOf = (world: Arena, target: string): string => {
  if (target !== "master") return world.residences.homeOf(target) ?? target
  return world.living.find((process) => process.isActing)?.host ?? world.residences.hosts[0] ?? target
}

/** The process stops, and goes on later if it is still the one on its host. */
export const freeze = (world: Arena, process: Process, forMs: number): void => {
  if (process.isFrozen) return
  process.freeze()
  world.later(forMs, () => {
    if (isSame(world, process)) process.thaw()
  })
}

/** Nothing passes from the first host of each pair to the second. */
export const cut = (world: Arena, pairs: ReadonlyArray<readonly [from: string, to: string]>, forMs: number): void => {
  for (const [from, to] of pairs) world.network.cut(from, to)
  world.later(forMs, () => world.network.mend(pairs))
}

const bothWays = (pairs: ReadonlyArray<readonly [string, string]>): ReadonlyArray<readonly [string, string]> => [
  ...pairs,
  ...pairs.map(([from, to]): readonly [string, string] => [to, from])
]

/** Pairs of a host of `side` with each that is not of it. */
export const acrossFrom = (world: Arena, side: ReadonlySet<string>, oneWay: boolean) => {
  const others = [...world.processes.keys(), ...(world.references?.hosts ?? [])].filter((host) => !side.has(host))
  const out = [...side].flatMap((from) => others.map((to): readonly [string, string] => [from, to]))
  return oneWay ? out : bothWays(out)
}

const restart = (world: Arena, host: string, downMs: number): void => {
  const process = world.get(host)
  if (process !== undefined) world.kill(process, false)
  world.later(downMs, () => world.start(host))
}

// Times and deeds of many nodes, from one fault.
const restartInTurn = (world: Arena, gapMs: number, downMs: number): void => {
  for (const [index, host] of world.residences.hosts.entries()) {
    world.later(index * gapMs, () => {
      if (!world.isHealed && world.get(host) !== undefined) restart(world, host, downMs)
    })
  }
}

/** Ports of those that come later: above the ports of any fleet. */
const extraPort = 20_000

const join = (world: Arena, nodeId: string): void => {
  const [first] = world.residences.hosts
  const like = first === undefined ? undefined : world.residences.at(first)
  if (like === undefined || world.residences.homeOf(nodeId) !== undefined) return
  world.hasSameSeeds = false
  const port = extraPort + world.residences.count
  world.residences.put(nodeId, { ...like, nodeId, port, seeds: world.residences.nodes.slice(0, 3) })
  world.start(nodeId)
}

const duplicate = (world: Arena, host: string): void => {
  const residence = world.residences.at(host)
  if (residence === undefined) return
  world.hasRestarted = true
  const other = `${host}-again${world.residences.count}`
  world.residences.put(other, { ...residence, port: extraPort + world.residences.count }, false)
  world.start(other)
}

// A node that knows the old address only would look there for ever: the seeds of all must name all, and one may move.
const move = (world: Arena, host: string, downMs: number): void => {
  const residence = world.residences.at(host)
  const { nodes } = world.residences
  if (residence === undefined || nodes.length < 4 || world.hasMoved || !world.hasSameSeeds) return
  world.hasMoved = true
  const process = world.get(host)
  if (process !== undefined) world.kill(process, false)
  const other = `${host}-moved`
  world.residences.put(other, { ...residence, port: extraPort + world.residences.count })
  world.later(downMs, () => world.start(other))
}

// Only the silence of the node that is gone speaks of its end: where settling takes a quorum, its operator has to.
const takeOver = (world: Arena, host: string, by: string): void => {
  const residence = world.residences.at(host)
  if (residence === undefined || !world.mayLoseNodes || world.residences.homeOf(by) !== undefined) return
  const process = world.get(host)
  if (process !== undefined) world.kill(process, false)
  world.residences.retire(residence.nodeId)
  world.residences.put(host, { ...residence, nodeId: by })
  world.start(host)
}

/** The fault begins now. One whose node is down, or is up when it should be started, does nothing. */
export const strike = (world: Arena, fault: Fault): void => {
  world.note(`FAULT ${describeFault(fault).replace(/^\S+ s {2}/, "")}`)
  if (world.references?.strike(fault) === true) return
  const { network } = world
  const withProcess = (target: string, run: (process: Process) => void): void => {
    const process = world.get(hostOf(world, target))
    if (process !== undefined) run(process)
  }
  switch (fault._tag) {
    case "Kill":
      return withProcess(fault.node, (process) => world.kill(process, fault.withHost))
    case "Restart":
      return world.start(hostOf(world, fault.node))
    case "Freeze":
    case "Stall":
      return withProcess(fault.node, (process) => freeze(world, process, fault.forMs))
    case "Cut": {
      const pair: readonly [string, string] = [hostOf(world, fault.from), hostOf(world, fault.to)]
      if (pair[0] === pair[1]) return
      return cut(world, fault.oneWay ? [pair] : bothWays([pair]), fault.forMs)
    }
    case "Partition": {
      const side = new Set(fault.side.map((target) => hostOf(world, target)))
      return cut(world, acrossFrom(world, side, fault.oneWay), fault.forMs)
    }
    case "Heal":
      return network.mendAll()
    case "BreakLink":
      return network.reset(hostOf(world, fault.from), hostOf(world, fault.to))
    case "Leave":
      return withProcess(fault.node, (process) => world.leave(process))
    case "SlowNode": {
      const host = hostOf(world, fault.node)
      network.slow.set(host, fault.extraMs)
      return world.later(fault.forMs, () => network.slow.delete(host))
    }
    case "Loss": {
      const host = hostOf(world, fault.node)
      network.loss.set(host, fault.share)
      return world.later(fault.forMs, () => network.loss.delete(host))
    }
    case "ClockJump": {
      const host = hostOf(world, fault.node)
      world.wallOffsets.set(host, (world.wallOffsets.get(host) ?? 0) + Math.round(fault.byMs))
      return
    }
    case "RollingRestart":
      return restartInTurn(world, fault.gapMs, fault.downMs)
    case "RestartAll": {
      const { hosts } = world.residences
      for (const [index, host] of hosts.entries()) restart(world, host, (fault.withinMs * index) / hosts.length)
      return
    }
    case "Join":
      return join(world, fault.node)
    case "Duplicate":
      return duplicate(world, hostOf(world, fault.node))
    case "Move":
      return move(world, hostOf(world, fault.node), fault.downMs)
    case "TakeOver":
      return takeOver(world, hostOf(world, fault.node), fault.by)
    case "OlderRelease":
      world.older.add(hostOf(world, fault.node))
      return
    case "Hostile":
      return withProcess(fault.node, (process) =>
        world.intrude(process, hostileFrames(fault.frames, process.joined?.view))
      )
    case "Ambush":
      return strikeAmbush(world, fault)
    case "Delay": {
      const before = network.delay
      const during = { minMs: fault.minMs, maxMs: fault.maxMs }
      network.delay = during
      return world.later(fault.forMs, () => {
        if (network.delay === during) network.delay = before
      })
    }
  }
}
