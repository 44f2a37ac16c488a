/**
 * What a run with data adds to one without: clients, their oracle, and a budget of crashes. The promise of a write that
 * its backups have confirmed is that it survives as many crashes between repairs as there are backups; a live node
 * that was removed counts, because its partitions were short of a replica meanwhile.
 */
import { DigestTree } from "../../../domain/data/DigestTree.ts"
import type { ClusterChange } from "../../../domain/model/ClusterChange.ts"
import type { MemberInfo } from "../../../domain/model/MemberInfo.ts"
import { memberAs } from "../../../domain/protocol/ClusterView.ts"
import { rebalance } from "../../../domain/protocol/Migrating.ts"
import type { Fault } from "../Fault.ts"
import type { Process } from "../Process.ts"
import type { World } from "../World.ts"
import { Violation } from "../Violation.ts"
import { Aim } from "./Aim.ts"
import type { DataOptions } from "./DataPlanes.ts"
import { type DataCounts, Oracle } from "./Oracle.ts"
import { strikesMigration } from "./StruckMigration.ts"
import { unrest } from "./Rest.ts"

/** How often the cluster is looked at. */
const lookMs = 200

const listed = (ids: ReadonlySet<number>): string => [...ids].toSorted((a, b) => a - b).join()

export class DataKeeper {
  private readonly options: DataOptions
  private readonly world: () => World
  private readonly oracle: Oracle
  /** Processes that have ended since the last repair. */
  private crashes = 0
  private kills = 0
  private struck = 0
  /** Partitions of which no replica survived, and those that were reported. */
  private readonly gone = new Set<number>()
  private readonly reported = new Set<number>()
  /** Of these a part was on its way somewhere else: it may arrive, and then nothing is reported. */
  private readonly onTheirWay = new Set<number>()
  /** A part of a split has had the time to take for lost what only the other part holds: both merge when they meet. */
  private wasSplitLong = false
  /** Reported by a part of a split: the other part may hold it. */
  private readonly inPart = new Set<number>()
  /** Of the view when the cluster was last repaired. */
  private lineage = ""
  /** Backups that every row had when the cluster was last repaired. */
  private copies = 0
  /** Full members when the cluster was last repaired: who comes later has nothing that could be missed. */
  private members: ReadonlySet<Process> = new Set()
  /** Those of them that live, and were no full members at some time since, or not for others. */
  private readonly out = new Set<Process>()
  private isOver = false
  /** When all living processes were last members of one cluster. */
  private togetherAtMs = 0
  private readonly aim: Aim

  constructor(options: DataOptions, world: () => World) {
    this.options = options
    this.world = world
    this.oracle = new Oracle(world, options)
    this.aim = new Aim(world, {
      share: options.aim ?? 0.5,
      mayKill: () => this.spend(),
      kill: (process) => {
        const { host } = process
        world().note(`FAULT aimed: kill ${process.name}`)
        world().kill(process, false)
        this.ended()
        world().later(world().random.between(50, 1500), () => world().start(host))
      }
    })
  }

  get hooks() {
    const { options, oracle } = this
    return {
      options,
      observer: {
        answered: oracle.answered.bind(oracle),
        stepped: oracle.stepped.bind(oracle)
      }
    }
  }

  start(): void {
    this.oracle.start()
    this.aim.start()
    this.look()
  }
  stop(): void {
    this.isOver = true
    this.oracle.stop()
    this.aim.stop()
    // What was moved about is evened out, by whoever acts then.
    for (const delayMs of [0, 10_000, 30_000]) {
      const world = this.world()
      world.later(delayMs, () => world.living.forEach((process) => world.act(process, rebalance)))
    }
  }

  private look(): void {
    const world = this.world()
    world.later(lookMs, () => {
      this.lookForParts()
      this.look()
      if (this.isOver) return
      this.lookWhoIsOut()
      if (this.isRepaired()) {
        if (this.crashes > 0) world.note("the data is repaired")
        this.crashes = 0
        this.copies = this.backups
        this.lineage = world.living[0]?.joined?.view.lineage ?? ""
        this.members = new Set(world.living)
        this.out.clear()
      }
    })
  }

  // Whoever has been declared dead counts as one that has ended, though it lives: its partitions have fewer replicas.
  private lookWhoIsOut(): void {
    const { living, planes } = this.world()
    const views = living.flatMap((one) => (one.isActing && one.joined !== undefined ? [one.joined.view] : []))
    for (const process of living) {
      if (!this.members.has(process)) continue
      const isMember = !process.isFrozen && planes?.planes.get(process)?.state.isListed === true
      const isDead = views.some((view) => {
        const member = memberAs(view, process.state.self)
        return member === undefined || member.state === "dead"
      })
      if (!isMember || isDead) this.out.add(process)
    }
  }

  // A removal is promised to hold as long as parts hand over to each other within 0.8 of the horizon.
  private lookForParts(): void {
    const { living, nowMs, planes } = this.world()
    if (planes === undefined) return
    const lineages = new Set(living.map(({ joined }) => joined?.view.lineage))
    const areTogether = lineages.size <= 1 && living.every((one) => planes.planes.get(one)?.state.isListed === true)
    if (areTogether) this.togetherAtMs = nowMs
    else if (nowMs - this.togetherAtMs > 0.8 * planes.settings.tombstoneHorizonMs) this.oracle.mayReturn = true
  }

  private get backups(): number {
    const { living } = this.world()
    return Math.min(living[0]?.state.config.backupCount ?? 0, living.length - 1)
  }

  // Every living node is a full member, every row full, and nothing is astray.
  private isRepaired(): boolean {
    const world = this.world()
    const { planes } = world
    const first = world.living[0]?.state
    if (planes === undefined || first === undefined) return false
    const { backups } = this
    const lineages = new Set<string>()
    const versions = new Set<number>()
    for (const process of world.living) {
      const plane = planes.planes.get(process)
      const { joined } = process
      if (process.isFrozen || joined === undefined || plane === undefined || !plane.state.isListed) return false
      if (joined.view.members.length !== world.living.length || !joined.settled) return false
      lineages.add(joined.view.lineage)
      versions.add(joined.table.version)
      for (const row of joined.table.rows) if (row === undefined || row.backups.length !== backups) return false
      for (const id of plane.store.filled) {
        const row = joined.table.rows[id]
        if (row?.owner !== process.id && row?.backups.includes(process.id) !== true) return false
      }
    }
    if (lineages.size !== 1 || versions.size !== 1) return false
    // Founders' rows are full from the start, and what one of them still holds from before has to be copied first.
    return lineages.has(this.lineage) || this.areReplicasEqual(first.node.partitionCount)
  }

  private areReplicasEqual(partitionCount: number): boolean {
    const { living, planes } = this.world()
    const stores = new Map(living.map((process) => [process.id, planes?.planes.get(process)?.store]))
    const rows = living[0]?.joined?.table.rows ?? []
    for (let id = 0; id < partitionCount; id++) {
      const row = rows[id]
      const replicas = row === undefined ? [] : [row.owner, ...row.backups]
      const digests = replicas.map((nodeId) => {
        const tree = stores.get(nodeId)?.partitions.get(id)?.tree
        return tree === undefined ? 0 : DigestTree.sum(tree, DigestTree.root)
      })
      if (new Set(digests).size > 1) return false
    }
    return true
  }

  /** May a process end now? Then it counts. */
  private spend(): boolean {
    this.lookWhoIsOut()
    if (this.options.losesData !== true && this.crashes + this.out.size >= this.copies) return false
    this.crashes++
    this.kills++
    return true
  }

  /** May the fault happen, with what has happened since the last repair? If so it does. */
  allows(fault: Fault): boolean {
    const isStruck = strikesMigration(this.world(), fault)
    const isAllowed = this.mayHappen(fault)
    if (isStruck && isAllowed) this.struck++
    return isAllowed
  }

  private mayHappen(fault: Fault): boolean {
    const world = this.world()
    const [plane] = world.planes?.planes.values() ?? []
    const patienceMs = plane?.state.settings.recoveryTimeoutMs
    if (patienceMs !== undefined && "forMs" in fault && fault.forMs > patienceMs) this.wasSplitLong = true
    switch (fault._tag) {
      case "Leave":
        return this.options.freeLeaves === true || this.spend()
      case "Kill": {
        const isFree = this.spend()
        if (isFree) world.later(0, () => this.ended())
        return isFree
      }
      // Several processes at a time, or nodes that do not say what they can.
      case "RollingRestart":
      case "RestartAll":
      case "Duplicate":
      case "Move":
      case "TakeOver":
      case "OlderRelease":
        return false
      case "Ambush":
        return fault.deed !== "kill"
      default:
        return true
    }
  }

  // A process has ended: nothing that was acknowledged is gone, or it is known what is.
  private ended(): void {
    if (this.options.losesData !== true) return this.oracle.checkSurvival()
    const { living } = this.world()
    const joined = living
      .flatMap((process) => process.joined ?? [])
      .toSorted((a, b) => b.table.version - a.table.version)
    const [newest] = joined
    if (newest === undefined) return
    const alive = new Set(living.map(({ name }) => name))
    const incarnations = new Map(newest.custody.holders.map(({ incarnation, nodeId }) => [nodeId, incarnation]))
    for (const row of newest.table.rows) {
      if (row === undefined || newest.custody.recovering.some(({ partitionId }) => partitionId === row.partitionId))
        continue
      const isSomewhere = this.oracle.stores.some((store) => store.filled.includes(row.partitionId))
      const survives =
        isSomewhere || [row.owner, ...row.backups].some((id) => alive.has(`${id}@${incarnations.get(id) ?? 0}`))
      if (survives) continue
      if (this.isOnItsWay(row.partitionId)) this.onTheirWay.add(row.partitionId)
      else this.gone.add(row.partitionId)
    }
  }

  /** A process has left. */
  left(): void {
    if (this.options.freeLeaves === true) this.world().later(0, () => this.ended())
  }

  private isOnItsWay(partitionId: number): boolean {
    return [...(this.world().planes?.planes.values() ?? [])].some(({ process, state }) => {
      const partition = state.partitions.get(partitionId)
      if (partition === undefined) return false
      // Of a copy that was broken off its store may be about to take a part, which is handed over then.
      const isTaken = process.isAlive && partition.hasData
      return (
        isTaken || partition.copyOut !== undefined || partition.copyIn !== undefined || partition.readied !== undefined
      )
    })
  }

  /** A kernel tells its subscribers. */
  published({ joined }: Process, changes: ReadonlyArray<ClusterChange>): void {
    for (const change of changes) {
      if (change._tag !== "PartitionLost") continue
      this.reported.add(change.partitionId)
      if (this.isPart(joined?.view.members ?? [])) this.inPart.add(change.partitionId)
    }
  }

  // Do others live that have been full members, and are none of these?
  private isPart(members: ReadonlyArray<MemberInfo>): boolean {
    const present = new Set(
      members.filter(({ state }) => state !== "dead").map((one) => `${one.nodeId}@${one.incarnation ?? 0}`)
    )
    const others = this.world().living.filter(({ id, state }) => !present.has(`${id}@${state.self.incarnation}`))
    return others.some((one) => this.members.has(one) || this.world().planes?.planes.get(one)?.state.isListed === true)
  }

  unrest(): string | undefined {
    const world = this.world()
    return world.planes === undefined ? undefined : unrest(world, world.planes)
  }
  checkEnd(): void {
    const mayBe = (id: number) => this.wasSplitLong || this.onTheirWay.has(id) || this.inPart.has(id)
    const certain = [...this.reported].filter((id) => !mayBe(id) || this.gone.has(id))
    if (listed(this.gone) !== listed(new Set(certain))) {
      throw new Violation(`partitions ${listed(this.gone)} are lost, and ${listed(this.reported)} are reported`)
    }
    // Where every store outlives its process all is there in the end, however many have ended.
    if (this.options.losesData === true && this.options.durable !== 1) return
    this.oracle.checkSurvival()
    this.oracle.checkEnd()
  }
  get counts(): DataCounts {
    return { ...this.oracle.counts, kills: this.kills, lost: [...this.reported], struck: this.struck }
  }
}
