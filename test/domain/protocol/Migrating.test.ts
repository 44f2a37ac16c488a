/** The acting master's side of migrations: what it starts, what it commits, and what it answers. */
import { describe, expect, it } from "vitest"
import type { OpenMigration } from "../../../src/domain/protocol/Custody.ts"
import { nextStep, rowWithCopy } from "../../../src/domain/protocol/MigrationSteps.ts"
import type { ClusterMessage, ClusterMessageOf } from "../../../src/domain/wire/ClusterMessage.ts"
import { heartbeat, joinRequest, masterOf, type Transcript } from "./Transcript.ts"

const data = { carriesData: true, config: { maxParallelMigrations: 1 } }

const opened = (master: Transcript): OpenMigration => {
  const [migration] = master.joined.migrations.open.values()
  if (migration === undefined) throw new Error("no migration is open")
  return migration
}
const connectionOf = (nodeId: string): number => Number(nodeId.slice(1))
const readyOf = ({ id, partitionId, source }: OpenMigration): ClusterMessage => ({
  type: "MIGRATE_READY",
  migrationId: id,
  partitionId,
  sourceNodeId: source
})
const askOf = ({ id, partitionId }: OpenMigration): ClusterMessageOf<"MIGRATE_CANCEL"> => ({
  type: "MIGRATE_CANCEL",
  migrationId: id,
  partitionId,
  reason: "spec"
})
const rowText = (master: Transcript, partitionId: number): string => {
  const row = master.joined.table.rows[partitionId]
  return row === undefined ? "" : [row.owner, ...row.backups].join("+")
}
const sent = (master: Transcript): ReadonlyArray<string> =>
  master.commands.flatMap((command) =>
    command._tag === "Send" ? [`${command.connection} ${command.message.type}`] : []
  )
/** The word of each destination, until nothing is left to copy. */
const finishAll = (master: Transcript): number => {
  let committed = 0
  for (; master.joined.migrations.open.size > 0; committed++) {
    const migration = opened(master)
    if (migration.destination === "n1") break
    master.receive(connectionOf(migration.destination), readyOf(migration))
  }
  return committed
}
const row = (owner: string, ...backups: ReadonlyArray<string>) => ({ partitionId: 0, owner, backups })

describe("a row", () => {
  it.each([
    ["roles change without a copy", row("a", "b"), row("b", "a"), { _tag: "Change", row: row("b", "a") }],
    ["a missing backup is copied", row("a"), row("a", "b"), { _tag: "Copy", destination: "b" }],
    ["backups are copied before the owner-to-be", row("a", "b"), row("c", "d"), { _tag: "Copy", destination: "d" }],
    ["nothing is left to do", row("a", "b"), row("a", "b"), { _tag: "Done" }]
  ])("%s", (_, before, target, step) => expect(nextStep(before, target)).toEqual(step))

  it.each([
    ["the target once all of it is held", row("a", "b"), row("c", "b"), "c", row("c", "b")],
    ["in place of a backup that is not wanted", row("a", "b"), row("c", "d"), "d", row("a", "d")],
    ["beside the owner of a short row", row("a"), row("c", "d"), "d", row("a", "d")]
  ])("with a complete copy is %s", (_, before, target, destination, after) =>
    expect(rowWithCopy(before, target, destination)).toEqual(after)
  )
})

describe("the acting master", () => {
  it("lists a destination when that says that it has everything, and not before (rule 8)", () => {
    const n1 = masterOf("n1", ["n2"], data)
    const migration = opened(n1)
    expect(migration).toMatchObject({ source: "n1", destination: "n2" })
    expect([0, 1, 2, 3].map((id) => rowText(n1, id))).toEqual(["n1", "n1", "n1", "n1"])
    n1.receive(2, readyOf(migration))
    expect(rowText(n1, migration.partitionId)).toContain("n2")
    expect(n1.joined.custody.completed).toEqual([migration.id])
    expect(sent(n1).slice(0, 2)).toEqual(["2 PARTITION_TABLE_UPDATE", "2 MIGRATE_FINALIZE"])
  })

  it("runs as many migrations as are allowed, and loses none of the others", () => {
    const n1 = masterOf("n1", ["n2"], data)
    expect(n1.joined.migrations.open.size).toBe(1)
    expect(finishAll(n1)).toBe(4)
    expect(n1.joined.table.rows.map((one) => one?.backups.length)).toEqual([1, 1, 1, 1])
  })

  it("commits only on the destination's word (rule 13)", () => {
    const n1 = masterOf("n1", ["n2", "n3"], data)
    const migration = opened(n1)
    const other = migration.destination === "n2" ? "n3" : "n2"
    n1.receive(connectionOf(other), readyOf(migration))
    expect(n1.joined.migrations.open.get(migration.partitionId)?.id).toBe(migration.id)
  })

  it("commits nothing whose source does not own the partition any more (rule 13)", () => {
    const n1 = masterOf("n1", ["n2"], data)
    const { table } = n1.joined
    const rows = table.rows.map((one) => (one === undefined ? one : { ...one, owner: "n3", backups: [] }))
    const migration = opened(n1)
    n1.state = { ...n1.state, phase: { ...n1.joined, table: { ...table, rows } } }
    n1.receive(2, readyOf(migration))
    expect(n1.joined.custody.completed).toEqual([])
  })

  it("answers whoever asks about a migration that is not open with the table and a cancel (rule 14)", () => {
    const n1 = masterOf("n1", ["n2"], data)
    const closed = { ...opened(n1), id: "1-99" }
    for (const message of [readyOf(closed), askOf(closed)]) {
      n1.receive(2, message)
      expect(sent(n1)).toEqual(["2 PARTITION_TABLE_UPDATE", "2 MIGRATE_CANCEL"])
    }
  })

  it("cancels when an end asks for it, and tries again later", () => {
    const n1 = masterOf("n1", ["n2"], data)
    const migration = opened(n1)
    n1.receive(2, askOf(migration))
    expect(n1.joined.migrations.retries.get(migration.partitionId)?.failures).toBe(1)
    expect(n1.joined.migrations.open.get(migration.partitionId)).toBeUndefined()
    n1.receive(2, heartbeat("n2", n1)).until(1000)
    expect(n1.joined.migrations.open.size).toBe(1)
  })

  it("cancels nothing that is open because its source asks what has become of it", () => {
    const n1 = masterOf("n1", ["n2"], data)
    const migration = opened(n1)
    n1.receive(2, { ...askOf(migration), isQuestion: true })
    expect(n1.joined.migrations.open.get(migration.partitionId)?.id).toBe(migration.id)
    n1.receive(2, { ...askOf({ ...migration, id: "1-99" }), isQuestion: true })
    expect(sent(n1)).toEqual(["2 PARTITION_TABLE_UPDATE", "2 MIGRATE_CANCEL"])
  })

  it("gives a process that comes back under a listed id nothing of what the rows say (rule 18)", () => {
    const n1 = masterOf("n1", ["n2"], data)
    finishAll(n1)
    expect(n1.joined.table.rows.every((one) => one?.backups.length === 1)).toBe(true)
    n1.closed(2)
      .accepted(3)
      .receive(3, joinRequest("n2", { incarnation: 7000, features: ["data"] }))
    n1.receive(3, heartbeat("n2", n1, { incarnation: 7000 }))
    for (const one of n1.joined.table.rows) expect([one?.owner, ...(one?.backups ?? [])]).toEqual(["n1"])
    expect(n1.joined.custody.holders).toContainEqual({ nodeId: "n2", incarnation: 7000 })
  })

  it("takes a row that means another process of the id for nobody's, even if it was never planned without (rule 18)", () => {
    const n1 = masterOf("n1", ["n2"], data)
    finishAll(n1)
    const holders = n1.joined.custody.holders.map((holder) =>
      holder.nodeId === "n2" ? { ...holder, incarnation: 1 } : holder
    )
    const custody = { ...n1.joined.custody, holders }
    n1.state = { ...n1.state, phase: { ...n1.joined, custody, tableViewVersion: -1 } }
    n1.receive(2, heartbeat("n2", n1)).tick()
    expect(n1.joined.table.rows.every((one) => one?.owner === "n1")).toBe(true)
    expect(n1.joined.migrations.open.size).toBe(1)
  })

  it("changes rows at once where a node keeps no data", () => {
    const n1 = masterOf("n1", ["n2"])
    expect(n1.joined.migrations.open.size).toBe(0)
    expect(rowText(n1, 0)).toBe("n1+n2")
  })
})
