/** A cluster in virtual time that a benchmark drives: it counts what is sent, and what the master declares. */
import { encodeClusterMessage } from "../src/domain/codec/ClusterMessageCodec.ts"
import type { ClusterState } from "../src/domain/protocol/ClusterState.ts"
import { available } from "../src/domain/protocol/Quorum.ts"
import { allToAll, type Topology } from "../src/domain/protocol/Topology.ts"
import type { ClusterMessage } from "../src/domain/wire/ClusterMessage.ts"
import type { Process } from "../src/testing/simulation/Process.ts"
import { type Random, random } from "../src/testing/simulation/Random.ts"
import { nodeNames, usualDelay } from "../src/testing/simulation/Setup.ts"
import { World } from "../src/testing/simulation/World.ts"

/** Nodes start within this. */
const togetherMs = 50
/** Everyone is given the first names as seeds. */
const seedCount = 16
/** How often agreement is looked at. */
const lookMs = 50
/** Who stood still is heard again after this: by everyone, or by the stewards of rings, who hear it every fourth time. */
const heardAgainMs = (topology: Topology): number => (topology === allToAll ? 1000 : 4500)
/** Length of a frame's header. */
const headerBytes = 4
/** A wall clock time as it takes its bytes on the wire. */
const wallMs = 1_750_000_000_000

export interface Sent {
  messages: number
  bytes: number
}

export class Fleet {
  readonly world: World
  readonly random: Random
  readonly size: number
  /** Of all nodes; counted while `isCounting`. */
  readonly sent: Sent = { messages: 0, bytes: 0 }
  isCounting = false
  /** Living processes that a settled view of their master declared dead. */
  falseDeads = 0
  /** Living processes that did not stand still lately and that somebody began to suspect; counted per accuser. */
  accusations = 0
  /** Until when a process stood or will stand still. */
  readonly frozenUntilMs = new Map<Process, number>()
  /** When the end of each of these processes was declared: id and incarnation, virtual milliseconds. */
  readonly declared = new Map<string, number>()
  private readonly heardAgainMs: number
  private readonly lengths = new WeakMap<ClusterMessage, number>()

  constructor(size: number, topology: Topology, seed: number) {
    this.size = size
    this.heardAgainMs = heardAgainMs(topology)
    this.random = random(seed * 2 + 1)
    this.world = new World({
      seed: seed * 2,
      policy: available,
      topology,
      skewedClocks: true,
      delay: usualDelay,
      codec: false,
      transcript: undefined,
      observe: (process, before) => this.observe(process, before),
      heard: () => undefined,
      executes: (_, command) => {
        if (this.isCounting && command._tag === "Send") this.count(command.message)
      }
    })
    const ids = nodeNames(size)
    for (const [index, nodeId] of ids.entries()) {
      const seeds = ids.slice(0, seedCount)
      this.world.residences.put(nodeId, { nodeId, port: 9000 + index, seeds, config: {}, node: {} })
      this.world.later(this.random.between(0, togetherMs), () => this.world.start(nodeId))
    }
  }

  private count(message: ClusterMessage): void {
    let bytes = this.lengths.get(message)
    if (bytes === undefined) {
      const stamped = message.type === "HEARTBEAT" ? { ...message, timestampMs: wallMs } : message
      bytes = headerBytes + encodeClusterMessage(stamped).length
      this.lengths.set(message, bytes)
    }
    this.sent.messages++
    this.sent.bytes += bytes
  }

  private observe(process: Process, before: ClusterState): void {
    const { joined } = process
    if (joined === undefined) return
    const old = before.phase._tag === "Joined" ? before.phase : undefined
    if (joined.suspected !== old?.suspected) this.accuses(joined.suspected, old?.suspected ?? [])
    const isNew = joined.settled && (old?.settled !== true || old.view !== joined.view)
    if (isNew && process.isActing) this.declares(joined.view.members, old?.view.members ?? [])
  }

  private accuses(now: ReadonlyArray<string>, before: ReadonlyArray<string>): void {
    for (const nodeId of now) {
      if (before.includes(nodeId)) continue
      const accused = this.world.get(nodeId)
      if (accused === undefined) continue
      const untilMs = this.frozenUntilMs.get(accused) ?? Number.NEGATIVE_INFINITY
      // Who has just gone on may not have been heard yet.
      if (this.world.nowMs - untilMs > this.heardAgainMs) this.accusations++
    }
  }

  private declares(members: ReadonlyArray<Member>, before: ReadonlyArray<Member>): void {
    const known = new Set(before.filter(isDead).map(nameOf))
    for (const member of members) {
      const name = nameOf(member)
      if (!isDead(member) || known.has(name)) continue
      if (!this.declared.has(name)) this.declared.set(name, this.world.nowMs)
      if (this.world.get(member.nodeId)?.name === name) this.falseDeads++
    }
  }

  /** All hold one settled view of everyone who lives. */
  get agrees(): boolean {
    const { living } = this.world
    const first = living[0]?.joined?.view
    if (first === undefined || first.members.length !== living.length) return false
    if (first.members.some(({ state }) => state !== "active")) return false
    return living.every(({ joined }) => {
      const view = joined?.view
      return joined?.settled === true && view?.version === first.version && view.lineage === first.lineage
    })
  }
  /** Runs until all agree. Gives the time it took in virtual milliseconds, or NaN if they do not in time. */
  awaitAgreement(limitMs: number): number {
    const startMs = this.world.nowMs
    while (this.world.nowMs - startMs < limitMs) {
      this.world.run(lookMs)
      if (this.agrees && this.world.living.length === this.size) return this.world.nowMs - startMs
    }
    return Number.NaN
  }
  /** A living process that is not the master. */
  pick(): Process {
    return this.random.pick(this.world.living.filter((process) => !process.isActing && !process.isFrozen))
  }
}

type Member = { readonly nodeId: string; readonly state: string; readonly incarnation?: number | undefined }
const isDead = ({ state }: Member): boolean => state === "dead"
const nameOf = (member: Member): string => `${member.nodeId}@${member.incarnation ?? 0}`
