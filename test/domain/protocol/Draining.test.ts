/** Handing over before going. */
import { Option } from "effect"
import { describe, expect, it } from "vitest"
import { votersOf } from "../../../src/domain/protocol/ClusterView.ts"
import type { OpenMigration } from "../../../src/domain/protocol/Custody.ts"
import { dissolve } from "../../../src/domain/protocol/Adoption.ts"
import { keepsStrays } from "../../../src/domain/protocol/Draining.ts"
import { move } from "../../../src/domain/protocol/Moves.ts"
import { transition } from "../../../src/domain/protocol/Transition.ts"
import { heartbeat, masterOf, type Transcript } from "./Transcript.ts"

const data = { carriesData: true, config: { backupCount: 0, maxParallelMigrations: 1 } }

/** The word of each destination, until nothing is left to copy but to n1 itself. */
const finishAll = (master: Transcript): void => {
  for (;;) {
    const [migration]: ReadonlyArray<OpenMigration> = [...master.joined.migrations.open.values()]
    if (migration === undefined || migration.destination === "n1") return
    const { destination, id: migrationId, partitionId, source: sourceNodeId } = migration
    master.receive(Number(destination.slice(1)), { type: "MIGRATE_READY", migrationId, partitionId, sourceNodeId })
  }
}
/** A cluster at rest, of which n1 is the master. */
const rested = (others: ReadonlyArray<string>, node = {}): Transcript => {
  const n1 = masterOf("n1", others, { ...data, node })
  finishAll(n1)
  n1.text()
  return n1
}
const owners = (master: Transcript) => master.joined.table.rows.map((row) => row?.owner)
const members = (master: Transcript) => master.joined.view.members.map(({ nodeId }) => nodeId)
const asks = (master: Transcript, nodeId: string, drain: boolean) =>
  master.receive(Number(nodeId.slice(1)), {
    type: "LEAVE_REQUEST",
    nodeId,
    reason: Option.some("shutdown"),
    incarnation: Number(nodeId.slice(1)) * 1000,
    ...(drain ? { drain } : {})
  })

describe("a node with data that leaves", () => {
  it("goes when others hold what it held, with no backups as well", () => {
    const n1 = rested(["n2", "n3"])
    expect(owners(n1)).toContain("n1")
    n1.leave().tick()
    expect(members(n1)).toContain("n1")
    finishAll(n1)
    expect(owners(n1)).not.toContain("n1")
    n1.tick()
    expect(members(n1)).not.toContain("n1")
  })

  it("stays a member while it hands over, and is given nothing", () => {
    const n1 = rested(["n2", "n3"])
    asks(n1, "n2", true)
    finishAll(n1)
    expect(members(n1)).toContain("n2")
    expect(n1.joined.migrations.target.map(({ owner }) => owner)).not.toContain("n2")
    const [row] = n1.joined.table.rows
    const task = { partitionId: 0, source: row?.owner ?? "", destination: "n2", newBackups: [] }
    const [, refusal] = transition((step) => move(step, [task]))(n1.state, 0)
    expect(refusal).toMatchObject({ failure: { _tag: "InvalidTask", reason: '"n2" leaves' } })
    asks(n1, "n2", false)
    expect(members(n1)).not.toContain("n2")
  })

  it("does not make backups of those whose owner it is short of one meanwhile", () => {
    const n1 = masterOf("n1", ["n2", "n3"], { ...data, config: { backupCount: 1, maxParallelMigrations: 1 } })
    finishAll(n1)
    const copies = () => n1.joined.table.rows.map((row) => row?.backups.length)
    expect(copies()).toEqual([1, 1, 1, 1])
    n1.leave().tick()
    expect(copies()).toEqual([1, 1, 1, 1])
    finishAll(n1)
    expect(copies()).toEqual([1, 1, 1, 1])
    expect(n1.joined.table.rows.some((row) => row?.owner === "n1" || row?.backups.includes("n1"))).toBe(false)
  })

  it("goes at once where everyone leaves", () => {
    const n1 = rested(["n2", "n3"])
    asks(n1, "n2", true)
    asks(n1, "n3", true)
    expect(members(n1)).toEqual(["n1", "n2", "n3"])
    n1.leave().tick()
    expect(members(n1)).toEqual(["n1"])
    expect(n1.text()).toContain("stop: left")
  })

  it("does not wait for a cluster that is gone when it has dropped out of it", () => {
    const n1 = rested(["n2"])
    n1.leave()
    const former = votersOf(n1.joined.view.members)
    n1.state = transition((step) => dissolve(step, "everyone leaves", "127.0.0.1:9002", former))(n1.state, 0)[0]
    n1.until(4500)
    expect(n1.text()).not.toContain("stop")
    n1.until(6000)
    expect(n1.text()).toContain("stop: left")
  })

  it("waits for what its store holds of others", () => {
    const n1 = rested(["n2"])
    n1.state = transition((step) => keepsStrays(step, true))(n1.state, 0)[0]
    n1.leave()
    finishAll(n1)
    expect(owners(n1)).not.toContain("n1")
    n1.tick()
    expect(members(n1)).toContain("n1")
    n1.state = transition((step) => keepsStrays(step, false))(n1.state, 0)[0]
    n1.tick()
    expect(members(n1)).not.toContain("n1")
  })

  it("goes without after its time, and says so", () => {
    const n1 = rested(["n2"], { drainTimeoutMs: 2000 })
    n1.leave()
    for (let ms = 500; ms <= 2500; ms += 500) n1.receive(2, heartbeat("n2", n1)).until(ms)
    expect(members(n1)).not.toContain("n1")
    expect(n1.text()).toContain("leaves without having handed over 2 partitions: its time is over")
  })

  it("that holds nothing goes as soon as a node without data", () => {
    const n1 = rested(["n2", "n3"])
    n1.state = { ...n1.state, drainUntilMs: undefined }
    asks(n1, "n3", false)
    expect(members(n1)).not.toContain("n3")
  })
})
