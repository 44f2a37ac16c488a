/**
 * One scenario for two worlds: faults, and what the nodes must come to after them. It is played with real processes
 * and with simulated ones; what is told of both is made by the same function from the same facts.
 */
import type { NodeState } from "../../src/index.ts"
import { Simulation } from "../../src/testing.ts"
import { termOf } from "../../src/domain/protocol/Version.ts"

/** What one node holds. */
export interface Sighting {
  readonly nodeId: string
  readonly lineage: string
  readonly version: number
  readonly members: ReadonlyArray<{ readonly nodeId: string; readonly state: NodeState }>
  readonly settled: boolean
  readonly isMaster: boolean
  /** Whom its partition table names. */
  readonly holders: ReadonlySet<string>
  readonly tableVersion: number
}

export type Policy = "available" | "majority"

export interface Settings {
  readonly ids: ReadonlyArray<string>
  readonly policy: Policy
  readonly suspicionTimeoutMs: number
  readonly splitBrainCheckIntervalMs: number
}

/** Where a scenario is played. */
export interface Stage {
  readonly nowMs: number
  strike(fault: Simulation.Fault): Promise<void>
  /** What those hold that run and are not frozen, in order of their ids. */
  sightings(): ReadonlyArray<Sighting>
  /** Members that any node has come to hold for dead since the last call. */
  takeDead(): ReadonlySet<string>
  /** Lets some milliseconds pass. */
  pass(ms: number): Promise<void>
  /** For the report of a failure. */
  describe(): string
  dispose(): void
}

/** Collects who is declared dead. Who has just got its first view has seen nobody die. */
export class Deaths {
  private readonly held = new Map<string, ReadonlySet<string> | undefined>()
  private readonly found = new Set<string>()

  see(observer: string, members: Sighting["members"]): void {
    const before = this.held.get(observer)
    const dead = new Set(members.filter(({ state }) => state === "dead").map(({ nodeId }) => nodeId))
    if (before !== undefined) for (const id of dead) if (!before.has(id)) this.found.add(id)
    this.held.set(observer, members.length === 0 ? undefined : dead)
  }
  /** Another process, under the same id. */
  forget(observer: string): void {
    this.held.delete(observer)
  }
  take(): ReadonlySet<string> {
    const taken = new Set(this.found)
    this.found.clear()
    return taken
  }
}

type Unplaced<F> = F extends unknown ? Omit<F, "atMs"> : never

export interface Act {
  readonly what: string
  readonly faults: ReadonlyArray<Unplaced<Simulation.Fault>>
  /** How {@link tell} tells it in the end. */
  readonly becomes: ReadonlyArray<string>
  readonly limitMs: number
  /** It must then stay so for this long. */
  readonly staysMs?: number
  /** Who is declared dead meanwhile, by anybody; nobody else may be. */
  readonly dead?: ReadonlyArray<string>
}

export interface Scenario {
  readonly name: string
  readonly settings: Settings
  readonly acts: ReadonlyArray<Act>
}

/** Where a cluster came from. */
interface Origin {
  readonly lineage: string
  readonly term: number
}

const list = (ids: Iterable<string>): string => [...ids].toSorted().join(" ")

const tellGroup = (group: ReadonlyArray<Sighting>, origin: Origin | undefined): string => {
  const [first] = group
  if (first === undefined) return ""
  const who = list(group.map(({ nodeId }) => nodeId))
  const living = first.members.filter(({ state }) => state !== "dead")
  const all = list(living.map(({ nodeId }) => nodeId))
  const isCalm = group.every(
    (one) => one.settled && one.version === first.version && one.tableVersion === first.tableVersion
  )
  const isPlaced = [...first.holders].every((id) => living.some(({ nodeId }) => nodeId === id))
  if (living.length === 0) return `${who}: no view`
  // Whether it has told the silence of the others in a proposal that cannot settle depends on who fell silent first.
  if (who !== all) return `${who}: still ${all}`
  if (!isCalm || !isPlaced || living.some(({ state }) => state !== "active")) return `${who}: not settled on ${all}`
  const leaders = list(group.filter(({ isMaster }) => isMaster).map(({ nodeId }) => nodeId))
  const lineage = origin === undefined || first.lineage === origin.lineage ? "first lineage" : "new lineage"
  const term = origin === undefined || termOf(first.version) === origin.term ? "first term" : "later term"
  return `${who}: ${all}, led by ${leaders}, ${lineage}, ${term}`
}

/** One line for each group of nodes that hold the same members in one lineage. */
export const tell = (sightings: ReadonlyArray<Sighting>, origin?: Origin): ReadonlyArray<string> => {
  const groups = Map.groupBy(sightings, ({ lineage, members }) => {
    const living = members.filter(({ state }) => state !== "dead").map(({ nodeId }) => nodeId)
    return `${lineage} ${list(living)}`
  })
  return [...groups.values()].map((group) => tellGroup(group, origin)).toSorted()
}

/** Milliseconds of a stage between two looks. */
const lookMs = 20
/** Heartbeats must have a rhythm before anything is judged by it. */
const rhythmMs = 6000
const foundingLimitMs = 60_000

const isSame = (a: ReadonlyArray<string>, b: ReadonlyArray<string>): boolean => a.join("\n") === b.join("\n")

const until = async (stage: Stage, what: string, wanted: ReadonlyArray<string>, limitMs: number, origin?: Origin) => {
  const startMs = stage.nowMs
  while (!isSame(tell(stage.sightings(), origin), wanted)) {
    if (stage.nowMs - startMs > limitMs) {
      const found = tell(stage.sightings(), origin).join("\n  ")
      throw new Error(`${what}: not within ${limitMs} ms\n  ${found}\nbut not\n  ${wanted.join("\n  ")}`)
    }
    await stage.pass(lookMs)
  }
  return stage.nowMs - startMs
}

/**
 * The stage with its nodes named by age: a process that starts late on a busy machine is younger than its id says, and
 * who leads is a matter of age.
 */
const byAge = (stage: Stage, ids: ReadonlyArray<string>): Stage => {
  const members = stage.sightings()[0]?.members.map(({ nodeId }) => nodeId) ?? []
  const there = new Map(ids.map((id, rank) => [id, members[rank] ?? id]))
  const here = new Map(ids.map((id, rank) => [members[rank] ?? id, id]))
  const named = (id: string): string => here.get(id) ?? id
  const renamed = (one: Sighting): Sighting => ({
    ...one,
    nodeId: named(one.nodeId),
    members: one.members.map(({ nodeId, state }) => ({ nodeId: named(nodeId), state })),
    holders: new Set([...one.holders].map(named))
  })
  return {
    get nowMs() {
      return stage.nowMs
    },
    strike: (fault) => {
      const nodes = "node" in fault ? { node: there.get(fault.node) ?? fault.node } : {}
      const sides = "side" in fault ? { side: fault.side.map((id) => there.get(id) ?? id) } : {}
      return stage.strike({ ...fault, ...nodes, ...sides })
    },
    sightings: () => stage.sightings().map(renamed),
    takeDead: () => new Set([...stage.takeDead()].map(named)),
    pass: (ms) => stage.pass(ms),
    describe: () => stage.describe(),
    dispose: () => stage.dispose()
  }
}

/** Plays a scenario; gives the milliseconds of each act. Throws with what differs. */
export const play = async (where: Stage, { acts, settings }: Scenario): Promise<ReadonlyArray<number>> => {
  const all = list(settings.ids)
  const isWhole = (): boolean => tell(where.sightings()).every((told) => told.startsWith(`${all}: ${all}, led by `))
  for (const startMs = where.nowMs; !isWhole(); await where.pass(lookMs)) {
    if (where.nowMs - startMs > foundingLimitMs) throw new Error(`no cluster: ${tell(where.sightings()).join("; ")}`)
  }
  const stage = byAge(where, settings.ids)
  await stage.pass(rhythmMs)
  const [first] = stage.sightings()
  const origin = { lineage: first?.lineage ?? "", term: termOf(first?.version ?? 0) }
  const times: Array<number> = []
  for (const { becomes, dead = [], faults, limitMs, staysMs = 0, what } of acts) {
    stage.takeDead()
    for (const fault of faults) await stage.strike({ ...fault, atMs: stage.nowMs })
    times.push(await until(stage, what, becomes, limitMs, origin))
    await stage.pass(staysMs)
    const now = tell(stage.sightings(), origin)
    if (!isSame(now, becomes)) throw new Error(`${what}: did not stay\n  ${now.join("\n  ")}`)
    const found = list(stage.takeDead())
    if (found !== list(dead)) throw new Error(`${what}: declared dead was "${found}", not "${list(dead)}"`)
  }
  return times
}
