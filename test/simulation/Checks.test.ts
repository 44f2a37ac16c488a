/** What must never happen is noticed in the step in which it happens, and what must come in the end is missed while it is not there. */
import { describe, expect, it } from "vitest"
import type { ClusterState, Joined } from "../../src/domain/protocol/ClusterState.ts"
import { maxOutside } from "../../src/domain/protocol/Bounds.ts"
import { available, majority, type QuorumPolicy } from "../../src/domain/protocol/Quorum.ts"
import { nextVersion, termOf } from "../../src/domain/protocol/Version.ts"
import { ClusterPartitionTable } from "../../src/domain/placement/ClusterPartitionTable.ts"
import { disagreement } from "../../src/testing/simulation/Agreement.ts"
import { addressOf, VirtualCluster } from "./VirtualCluster.ts"

const ids = ["n1", "n2", "n3"]

const cluster = (policy: QuorumPolicy = available): VirtualCluster => {
  const world = new VirtualCluster({ policy })
  for (const id of ids) world.start(id, { seeds: ids.map(addressOf), node: { partitionCount: 12 } })
  expect(world.converge()).toBeGreaterThan(0)
  // Everything that was seen until now is known.
  world.run(2000)
  return world
}

/** Changes a node's state by force, as a step would. */
const force = (world: VirtualCluster, id: string, change: (state: ClusterState, joined: Joined) => ClusterState) => {
  const process = world.get(id)
  const before = process.state
  if (before.phase._tag !== "Joined") throw new Error(`${id} has no view`)
  process.state = change(before, before.phase)
  world.safety.stepped(process, before)
}
const forceJoined = (world: VirtualCluster, id: string, change: (joined: Joined) => Partial<Joined>) =>
  force(world, id, (state, joined) => ({ ...state, phase: { ...joined, ...change(joined) } }))

/** The member's partition 0 is nobody's. */
const withoutOwner = (table: ClusterPartitionTable): ClusterPartitionTable =>
  ClusterPartitionTable.setOwner(table, 0, "", [])

describe("never", () => {
  it("1: a version goes down in a process", () => {
    expect(() =>
      forceJoined(cluster(), "n2", ({ view }) => ({ view: { ...view, version: view.version - 1 } }))
    ).toThrow(/view version of n2@2000 falls/)
  })

  it("1: the version of a table goes down within a lineage", () => {
    const world = cluster()
    const raise = (by: number) =>
      forceJoined(world, "n2", ({ table }) => ({
        table: ClusterPartitionTable.withVersion(table, table.version + by)
      }))
    raise(2)
    expect(() => raise(-1)).toThrow(/table version of n2@2000 falls/)
  })

  it("2: two nodes act as master in one term of a lineage", () => {
    expect(() =>
      forceJoined(cluster(), "n2", ({ view }) => {
        const term = termOf(view.version)
        return { ownTerm: term, promise: { term, to: "n2" } }
      })
    ).toThrow(/two masters/)
  })

  it("3: two contents of one view, or two settled views of which neither continues the other", () => {
    expect(() =>
      forceJoined(cluster(majority), "n2", ({ view }) => ({
        view: { ...view, members: view.members.filter(({ nodeId }) => nodeId !== "n3") }
      }))
    ).toThrow(/two contents of view/)
    const world = cluster(majority)
    const { view } = world.get("n2").joined ?? {}
    if (view === undefined) throw new Error("no view")
    const parent = { lineage: view.lineage, version: view.version - 1 }
    const members = view.members.filter(({ nodeId }) => nodeId !== "n3")
    const rival = { ...view, version: nextVersion(view.version, 1), parent, members }
    expect(() => forceJoined(world, "n2", () => ({ view: rival, settled: true }))).toThrow(/settled views conflict/)
  })

  it("4: a partition has no owner in a table", () => {
    expect(() =>
      forceJoined(cluster(), "n2", ({ table }) => ({
        table: ClusterPartitionTable.withVersion(withoutOwner(table), table.version + 1)
      }))
    ).toThrow(/partition 0 has no owner/)
  })

  it("7: something passes its bound", () => {
    const outside = new Map(
      Array.from(
        { length: maxOutside + 1 },
        (_, i) => [`x${i}`, { address: `127.0.0.1:${i + 1}`, sinceMs: 0 }] as const
      )
    )
    expect(() => force(cluster(), "n2", (state) => ({ ...state, split: { ...state.split, outside } }))).toThrow(
      /more than/
    )
  })
})

/** What is missed in a cluster of which one node was changed. */
const missed = (change: (joined: Joined) => Partial<Joined>): string | undefined => {
  const world = cluster()
  const process = world.get("n2")
  if (process.state.phase._tag !== "Joined") throw new Error("no view")
  process.state = { ...process.state, phase: { ...process.state.phase, ...change(process.state.phase) } }
  return disagreement(world.living)
}

const oneRow = (joined: Joined, owner: string, backups: ReadonlyArray<string>): Partial<Joined> => ({
  table: ClusterPartitionTable.setOwner(joined.table, 0, owner, backups)
})

const allOnOne = ({ table }: Joined): Partial<Joined> => ({
  table: table.rows.reduce((made, _, id) => ClusterPartitionTable.setOwner(made, id, "n1", ["n2"]), table)
})

describe("eventually", () => {
  it("all is there in a cluster at rest", () => {
    expect(missed(() => ({}))).toBeUndefined()
  })

  it.each([
    ["one lineage", ({ view }: Joined) => ({ view: { ...view, lineage: "n2.2000.1" } }), /lineages/],
    [
      "one view on all members",
      ({ view }: Joined) => ({ view: { ...view, version: view.version + 1 } }),
      /views differ/
    ],
    ["a settled one", () => ({ settled: false }), /not settled/],
    [
      "one master",
      ({ view }: Joined) => ({ ownTerm: termOf(view.version), promise: { term: termOf(view.version), to: "n2" } }),
      /2 of n1, n2, n3 act/
    ],
    [
      "one table",
      ({ table }: Joined) => ({ table: ClusterPartitionTable.withVersion(table, table.version + 1) }),
      /tables differ/
    ],
    ["no strays", (joined: Joined) => oneRow(joined, "gone", ["n1"]), /names gone, which is no member/],
    ["every partition at full backups", (joined: Joined) => oneRow(joined, "n1", []), /has 0 backups, not 1/]
  ])("%s", (_, change, said) => {
    expect(missed(change)).toMatch(said)
  })

  it("a balanced table", () => {
    expect(missed(allOnOne)).toMatch(/uneven/)
  })
})
