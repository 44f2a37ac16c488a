import { assert, describe, it } from "@effect/vitest"
import { Option } from "effect"
import { commonMaster, unpromoted, unsettled } from "../../../src/cli/demo/Agreement.ts"
import { NodeReport } from "../../../src/cli/NodeReport.ts"

const expected = { live: ["a", "b"], partitionCount: 4, backupCount: 1 }

/** What a node reports in a settled cluster of a and b. */
const settled = (nodeId: string): NodeReport => ({
  at: 1,
  nodeId,
  masterId: Option.some("a"),
  isMaster: nodeId === "a",
  lineage: "a.1",
  settled: true,
  view: {
    version: 7,
    members: [
      { nodeId: "a", state: "active" },
      { nodeId: "b", state: "active" }
    ]
  },
  tableVersion: 5,
  nodes: ["a", "b"],
  owners: [0, 1, 0, 1],
  backups: [[1], [0], [1], [0]]
})

const reports = (change: Partial<NodeReport> = {}) =>
  new Map([
    ["a", settled("a")],
    ["b", { ...settled("b"), ...change }]
  ])

const member = (nodeId: string, state: "active" | "suspect" | "dead" | "joining") => ({ nodeId, state })

describe("unsettled", () => {
  it("finds nothing missing when all agree", () => {
    assert.deepStrictEqual(unsettled(reports(), expected), [])
  })

  it("a member that is still listed as dead does not matter", () => {
    const members = [...settled("b").view.members, member("c", "dead")]
    assert.deepStrictEqual(unsettled(reports({ view: { version: 7, members } }), expected), [])
  })

  it.each<{ readonly what: string; readonly change: Partial<NodeReport>; readonly said: string }>([
    { what: "no view", change: { view: { version: 0, members: [] } }, said: "b is in no cluster yet" },
    {
      what: "a member too few",
      change: { view: { version: 7, members: [member("b", "active")] } },
      said: "b does not list a"
    },
    {
      what: "a suspect",
      change: { view: { version: 7, members: [member("a", "suspect"), member("b", "active")] } },
      said: "b lists a as suspect"
    },
    {
      what: "a stranger",
      change: { view: { version: 7, members: [...settled("b").view.members, member("c", "joining")] } },
      said: "b still lists c (joining)"
    },
    { what: "another view", change: { view: { ...settled("b").view, version: 8 } }, said: "a has view 7, b 8" },
    { what: "another table", change: { tableVersion: 6 }, said: "a has table 5, b 6" },
    { what: "another master", change: { masterId: Option.some("b") }, said: "a has master a, b b" },
    { what: "no master", change: { masterId: Option.none() }, said: "b takes nobody for the master" },
    { what: "a dead master", change: { masterId: Option.some("z") }, said: "b takes z for the master" },
    { what: "a short table", change: { owners: [0, 1] }, said: "b has a table of 2 partitions, not 4" },
    { what: "no owner", change: { owners: [0, 1, 0, -1] }, said: "at b 1 partitions have no owner" },
    {
      what: "a dead owner",
      change: { nodes: ["a", "b", "z"], owners: [0, 1, 2, 2] },
      said: "at b 2 partitions are owned by a node that is gone"
    },
    {
      what: "no backup",
      change: { backups: [[1], [0], [], [0]] },
      said: "at b 1 partitions do not have 1 living backups"
    },
    {
      what: "a backup on the owner",
      change: { backups: [[0], [0], [1], [0]] },
      said: "at b 1 partitions do not have 1 living backups"
    },
    {
      what: "a dead backup",
      change: { nodes: ["a", "b", "z"], backups: [[2], [0], [1], [0]] },
      said: "at b 1 partitions do not have 1 living backups"
    }
  ])("$what is missing: $said", ({ change, said }) => {
    assert.include(unsettled(reports(change), expected), said)
  })

  it("a node that has reported nothing is named", () => {
    assert.include(unsettled(new Map([["a", settled("a")]]), expected), "b has reported nothing yet")
    assert.isNotEmpty(unsettled(new Map(), expected))
  })

  it("owned partitions must be spread evenly", () => {
    const uneven = { owners: [0, 0, 0, 1], backups: [[1], [1], [1], [0]] }
    const both = new Map(["a", "b"].map((nodeId) => [nodeId, { ...settled(nodeId), ...uneven }]))
    assert.deepStrictEqual(unsettled(both, expected), ["owned partitions differ by 2 between nodes"])
  })

  it("a node alone needs no backups", () => {
    const alone: NodeReport = {
      ...settled("a"),
      view: { version: 7, members: [member("a", "active")] },
      owners: [0, 0, 0, 0],
      backups: [[], [], [], []]
    }
    assert.deepStrictEqual(unsettled(new Map([["a", alone]]), { ...expected, live: ["a"] }), [])
  })
})

describe("unpromoted", () => {
  it("looks at owners alone, on every survivor", () => {
    assert.deepStrictEqual(unpromoted(reports({ tableVersion: 9, backups: [[], [], [], []] }), expected), [])
    const late = { nodes: ["a", "z"], owners: [0, 1, 0, 1] }
    assert.deepStrictEqual(unpromoted(reports(late), expected), ["at b 2 partitions are owned by a node that is gone"])
  })
})

describe("commonMaster", () => {
  it("is there when all name the same", () => {
    assert.deepStrictEqual(commonMaster(reports(), ["a", "b"]), Option.some("a"))
    assert.deepStrictEqual(commonMaster(reports({ masterId: Option.some("b") }), ["a", "b"]), Option.none())
    assert.deepStrictEqual(commonMaster(reports({ masterId: Option.none() }), ["b"]), Option.none())
  })
})
